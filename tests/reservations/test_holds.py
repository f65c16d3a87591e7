"""The life of a hold, one person after the other; ``test_races.py`` has them at once."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from backoffice.audit import LockEvent
from backoffice.clock import database_now
from reservations import holds
from reservations.models import Event, Reservation
from reservations.refusals import Refused
from tests.reservations.factories import (
    claim_of,
    let_run_out,
    logged,
    make_event,
    make_seat,
    sell,
    state_of,
)

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)


# Holding


def test_a_hold_takes_all_its_seats_under_one_token_and_one_clock(event, seats, holder):
    hold_id = holds.hold(event, [seats[0].pk, seats[1].pk], by=holder)

    first, second, third = map(claim_of, seats)
    assert first == second
    assert (first["status"], first["hold_id"], first["locked_by"]) == ("locked", hold_id, holder.pk)
    assert first["locked_until"] - first["held_since"] == timedelta(seconds=300)
    assert third["status"] == "available"
    assert logged() == [
        ("taken", "A1", "مریم رضایی", "مریم رضایی"),
        ("taken", "A2", "مریم رضایی", "مریم رضایی"),
    ]


def test_an_event_can_have_its_own_length_of_a_hold(holder):
    seat = make_seat(make_event(hold_seconds=7))

    holds.hold(seat.event, [seat.pk], by=holder)

    claim = claim_of(seat)
    assert claim["locked_until"] - claim["held_since"] == timedelta(seconds=7)


def test_no_event_lets_a_hold_live_longer_than_the_longest(holder, settings):
    settings.SEAT_HOLD_MAXIMUM_SECONDS = 60
    seat = make_seat(make_event(hold_seconds=3600))

    holds.hold(seat.event, [seat.pk], by=holder)

    claim = claim_of(seat)
    assert claim["locked_until"] - claim["held_since"] == timedelta(seconds=60)


def test_a_refused_hold_changes_nothing_and_names_every_seat_in_the_way(
    event, seats, holder, colleague
):
    holds.hold(event, [seats[0].pk], by=holder)
    sell(holds.hold(event, [seats[1].pk], by=holder), seats[1:2], holder)
    before = [claim_of(seat) for seat in seats]

    with pytest.raises(Refused) as refused:
        holds.hold(event, [seat.pk for seat in seats], by=colleague)

    assert [claim_of(seat) for seat in seats] == before
    assert refused.value.reason == "in_the_way"
    assert [(seat.seat_number, seat.state) for seat in refused.value.seats] == [
        ("A1", "locked"),
        ("A2", "reserved"),
    ]
    assert "مریم رضایی" in refused.value.message


def test_a_refusal_is_recorded_after_the_rollback(event, seats, holder, colleague):
    holds.hold(event, [seats[0].pk], by=holder)

    with pytest.raises(Refused):
        holds.hold(event, [seats[0].pk, seats[1].pk], by=colleague)

    assert logged(action="refused") == [("refused", "A1", "علی کریمی", "مریم رضایی")]
    assert "مریم رضایی" in LockEvent.objects.get(action="refused").reason


def test_the_holder_is_refused_too_while_the_hold_is_live(event, seats, holder):
    holds.hold(event, [seats[0].pk], by=holder)
    before = claim_of(seats[0])

    with pytest.raises(Refused):
        holds.hold(event, [seats[0].pk], by=holder)

    assert claim_of(seats[0]) == before


def test_a_run_out_hold_can_be_taken_at_once(event, seats, holder, colleague):
    old = holds.hold(event, [seats[0].pk], by=holder)
    let_run_out()

    new = holds.hold(event, [seats[0].pk], by=colleague)

    claim = claim_of(seats[0])
    assert (claim["hold_id"], claim["locked_by"]) == (new, colleague.pk)
    assert new != old
    assert logged()[1:] == [
        ("ran_out", "A1", "", "مریم رضایی"),
        ("taken", "A1", "علی کریمی", "علی کریمی"),
    ]


def test_a_blocked_seat_can_not_be_held(event, seats, holder):
    event.seats.filter(pk=seats[0].pk).update(blocked=True, block_reason="دوربین")

    with pytest.raises(Refused, match="دوربین"):
        holds.hold(event, [seats[0].pk], by=holder)

    assert claim_of(seats[0])["status"] == "available"


def test_a_seat_of_another_event_or_none_at_all_is_refused(event, seats, holder):
    stranger = make_seat()

    for foreign in (stranger.pk, 10**9):
        with pytest.raises(Refused) as refused:
            holds.hold(event, [seats[0].pk, foreign], by=holder)
        assert refused.value.reason == "gone"

    assert claim_of(seats[0])["status"] == claim_of(stranger)["status"] == "available"


def test_a_hold_ends_at_the_cut_off(holder):
    soon = timezone.now() + timedelta(seconds=60)
    seat = make_seat(make_event(cut_off=soon))

    holds.hold(seat.event, [seat.pk], by=holder)

    assert claim_of(seat)["locked_until"] == soon


def test_no_hold_begins_from_the_cut_off_on(holder, clock):
    seat = make_seat(make_event(cut_off=NOON))
    clock(NOON)

    with pytest.raises(Refused) as refused:
        holds.hold(seat.event, [seat.pk], by=holder)

    assert refused.value.reason == "closed"
    assert claim_of(seat)["status"] == "available"


def test_a_person_holds_no_more_seats_of_an_event_than_the_cap(
    event, seats, holder, colleague, settings
):
    settings.SEAT_HOLDS_PER_USER = 2
    holds.hold(event, [seats[0].pk], by=holder)

    with pytest.raises(Refused) as refused:
        holds.hold(event, [seats[1].pk, seats[2].pk], by=holder)
    holds.hold(event, [seats[1].pk, seats[2].pk], by=colleague)

    assert refused.value.reason == "cap"
    assert event.seats.live().filter(locked_by=holder).count() == 1


def test_run_out_holds_and_other_events_do_not_count_for_the_cap(event, seats, holder, settings):
    settings.SEAT_HOLDS_PER_USER = 1
    elsewhere = make_seat()
    holds.hold(elsewhere.event, [elsewhere.pk], by=holder)
    holds.hold(event, [seats[0].pk], by=holder)
    let_run_out(event.seats.all())

    holds.hold(event, [seats[1].pk], by=holder)

    assert claim_of(seats[1])["locked_by"] == holder.pk


# Time: live means ``locked_until > now``, and the boundary belongs to one side


@pytest.mark.parametrize(
    "offset, state",
    [(-1, "locked"), (0, "run_out"), (1, "run_out")],
    ids=["just before", "at the end", "just after"],
)
def test_live_run_out_and_free_agree_at_the_boundary(event, seats, holder, clock, offset, state):
    holds.hold(event, [seats[0].pk], by=holder)
    clock(claim_of(seats[0])["locked_until"] + timedelta(milliseconds=offset))
    live = state == "locked"

    assert state_of(seats[0]) == state
    assert event.seats.live().count() == (1 if live else 0)
    assert event.seats.stale().count() == (0 if live else 1)
    assert event.seats.free().count() == (2 if live else 3)


@pytest.mark.parametrize("offset, sold", [(-1, True), (0, False), (1, False)])
def test_no_run_out_hold_is_confirmed(event, seats, holder, clock, offset, sold):
    hold_id = holds.hold(event, [seats[0].pk], by=holder)
    clock(claim_of(seats[0])["locked_until"] + timedelta(milliseconds=offset))

    if sold:
        sell(hold_id, seats[:1], holder)
    else:
        with pytest.raises(Refused) as refused:
            sell(hold_id, seats[:1], holder)
        assert refused.value.reason == "ran_out"

    assert Reservation.objects.count() == (1 if sold else 0)
    assert claim_of(seats[0])["status"] == ("reserved" if sold else "locked")


# Extending


def test_extending_gives_the_full_time_again_and_keeps_token_and_beginning(
    event, seats, holder, clock
):
    clock(NOON)
    hold_id = holds.hold(event, [seats[0].pk, seats[1].pk], by=holder)
    clock(NOON + timedelta(seconds=200))

    assert holds.extend(hold_id, by=holder) == 2

    claim = claim_of(seats[0])
    assert claim["locked_until"] == NOON + timedelta(seconds=500)
    assert (claim["held_since"], claim["hold_id"]) == (NOON, hold_id)
    assert len(logged(action="extended")) == 2


def test_extending_never_goes_beyond_the_longest_life_of_a_hold(
    event, seats, holder, clock, settings
):
    settings.SEAT_HOLD_MAXIMUM_SECONDS = 400
    clock(NOON)
    hold_id = holds.hold(event, [seats[0].pk], by=holder)
    clock(NOON + timedelta(seconds=200))
    holds.extend(hold_id, by=holder)
    clock(NOON + timedelta(seconds=399))

    with pytest.raises(Refused) as refused:
        holds.extend(hold_id, by=holder)

    assert refused.value.reason == "limit"
    assert claim_of(seats[0])["locked_until"] == NOON + timedelta(seconds=400)


def test_extending_never_goes_beyond_the_cut_off(holder, clock):
    seat = make_seat(make_event(cut_off=NOON + timedelta(seconds=400)))
    clock(NOON)
    hold_id = holds.hold(seat.event, [seat.pk], by=holder)
    clock(NOON + timedelta(seconds=200))

    holds.extend(hold_id, by=holder)

    assert claim_of(seat)["locked_until"] == NOON + timedelta(seconds=400)


def test_a_run_out_hold_is_not_extended(event, seats, holder):
    hold_id = holds.hold(event, [seats[0].pk], by=holder)
    let_run_out()
    before = claim_of(seats[0])

    with pytest.raises(Refused) as refused:
        holds.extend(hold_id, by=holder)

    assert refused.value.reason == "ran_out"
    assert claim_of(seats[0]) == before


# The token


@pytest.mark.parametrize("taker", ["holder", "colleague"])
def test_after_a_takeover_the_old_token_changes_nothing_even_for_the_same_person(
    event, seats, holder, taker, request
):
    old = holds.hold(event, [seats[0].pk], by=holder)
    let_run_out()
    holds.hold(event, [seats[0].pk], by=request.getfixturevalue(taker))
    before = claim_of(seats[0])

    assert holds.release(old, by=holder) == 0
    with pytest.raises(Refused) as not_extended:
        holds.extend(old, by=holder)
    with pytest.raises(Refused) as not_sold:
        sell(old, seats[:1], holder)

    assert (not_extended.value.reason, not_sold.value.reason) == ("lost", "lost")
    assert claim_of(seats[0]) == before
    assert not Reservation.objects.exists()


def test_the_token_of_another_person_is_of_no_use(event, seats, holder, colleague):
    hold_id = holds.hold(event, [seats[0].pk], by=holder)
    before = claim_of(seats[0])

    assert holds.release(hold_id, by=colleague) == 0
    with pytest.raises(Refused):
        holds.extend(hold_id, by=colleague)
    with pytest.raises(Refused):
        sell(hold_id, seats[:1], colleague)

    assert claim_of(seats[0]) == before


# Selling


def test_what_somebody_else_bought_is_not_ones_own_sale(event, seats, holder, colleague):
    """Asked again, a sale is answered with itself: to its cashier, under its token alone."""
    sale = sell(holds.hold(event, [seats[0].pk], by=holder), seats[:1], holder)

    for hold_id, person in ((sale.hold_id, colleague), (uuid.uuid4(), holder)):
        for again in (False, True):
            with pytest.raises(Refused) as refused:
                sell(hold_id, seats[:1], person, again=again)
            assert (refused.value.reason, refused.value.again) == ("lost", False)

    assert sell(sale.hold_id, seats[:1], holder) == sale


def test_nothing_is_sold_after_a_cut_off_that_was_moved_to_before_the_end_of_the_hold(
    event, seats, holder
):
    token = holds.hold(event, [seats[0].pk], by=holder)
    Event.objects.update(cut_off=database_now())

    with pytest.raises(Refused) as refused:
        sell(token, seats[:1], holder)

    assert (refused.value.reason, refused.value.again) == ("closed", False)
    assert claim_of(seats[0])["hold_id"] == token
    assert not Reservation.objects.exists()


def test_what_ran_out_is_not_sold_anew_from_the_cut_off_on(holder, clock):
    event = make_event(seats=1, cut_off=NOON + timedelta(seconds=60))
    seat = event.seats.get()
    clock(NOON)
    hold_id = holds.hold(event, [seat.pk], by=holder)
    clock(event.cut_off)

    with pytest.raises(Refused) as refused:
        sell(hold_id, [seat], holder, again=True)

    assert (refused.value.reason, refused.value.again) == ("closed", False)
    assert claim_of(seat)["status"] == "locked"
