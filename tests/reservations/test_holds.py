"""The life of a hold, one person after the other; ``test_races.py`` has them at once."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from backoffice.audit import LockEvent
from reservations import holds
from reservations.models import Reservation, Seat
from reservations.refusals import Refused
from tests.reservations.factories import claim_of, let_run_out, make_event, make_seat

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)


def logged(**kwargs):
    """Return (action, seat, who did it, whose it was) of the log's events, oldest first."""
    return [
        (event.action, event.target_name.split(" ")[0], event.actor_name, event.holder_name)
        for event in LockEvent.objects.filter(**kwargs).order_by("pk")
    ]


def sell(hold_id, seats, by, **kwargs):
    pks = [seat.pk for seat in seats]
    return holds.confirm(hold_id, pks, by=by, payment_method="cash", **kwargs)


def state_of(seat):
    return Seat.objects.with_state().get(pk=seat.pk).state


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


# Confirming


def test_confirming_sells_the_seats_with_one_reservation(event, seats, holder):
    hold_id = holds.hold(event, [seats[0].pk, seats[1].pk], by=holder)

    reservation = sell(hold_id, seats[:2], holder, customer="سارا احمدی", phone="09121234567")

    reservation.refresh_from_db()
    assert (reservation.price, reservation.cashier_name) == (2_000_000, "مریم رضایی")
    assert set(reservation.seats.all()) == set(seats[:2])
    assert claim_of(seats[0]) == {
        "status": "reserved",
        "reservation": reservation.pk,
        **dict.fromkeys(("locked_until", "locked_by", "held_since", "hold_id")),
        **{"locked_by_name": "", "blocked": False, "block_reason": ""},
    }
    assert claim_of(seats[2])["status"] == "available"
    assert LockEvent.objects.filter(action="confirmed", reason=reservation.reference).count() == 2


def test_confirming_twice_gives_the_same_reservation(event, seats, holder):
    hold_id = holds.hold(event, [seats[0].pk], by=holder)

    first = sell(hold_id, seats[:1], holder)

    assert sell(hold_id, seats[:1], holder) == first
    assert Reservation.objects.count() == 1
    assert LockEvent.objects.filter(action="confirmed").count() == 1


def test_a_sale_needs_every_seat_that_the_page_showed(event, seats, holder, supervisor):
    hold_id = holds.hold(event, [seats[0].pk, seats[1].pk], by=holder)
    holds.force_release(Seat.objects.filter(pk=seats[1].pk), by=supervisor, reason="جابه‌جایی")

    with pytest.raises(Refused) as refused:
        sell(hold_id, seats[:2], holder)

    assert [seat.seat_number for seat in refused.value.seats] == ["A2"]
    assert claim_of(seats[0])["status"] == "locked"
    assert not Reservation.objects.exists()


def test_a_refused_sale_says_who_has_the_seat_now(event, seats, holder, colleague):
    old = holds.hold(event, [seats[0].pk], by=holder)
    let_run_out()
    holds.hold(event, [seats[0].pk], by=colleague)

    with pytest.raises(Refused, match="علی کریمی"):
        sell(old, seats[:1], holder)

    assert logged(action="refused") == [("refused", "A1", "مریم رضایی", "علی کریمی")]


def test_seats_that_do_not_exist_are_not_sold(holder):
    for pks in ([], [10**9]):
        with pytest.raises(Refused) as refused:
            holds.confirm(uuid.uuid4(), pks, by=holder, payment_method="cash")
        assert refused.value.reason == "gone"

    assert not Reservation.objects.exists()


# Letting go


def test_a_hold_can_be_given_back_in_part(event, seats, holder):
    hold_id = holds.hold(event, [seats[0].pk, seats[1].pk], by=holder)

    assert holds.release(hold_id, by=holder, seat_ids=[seats[0].pk]) == 1

    assert [state_of(seat) for seat in seats[:2]] == ["available", "locked"]
    assert logged(action="given_back") == [("given_back", "A1", "مریم رضایی", "مریم رضایی")]


def test_the_cleaner_frees_what_ran_out_and_nothing_else(event, seats, holder, colleague):
    holds.hold(event, [seats[0].pk], by=holder)
    let_run_out()
    holds.hold(event, [seats[1].pk], by=colleague)
    sell(holds.hold(event, [seats[2].pk], by=colleague), seats[2:], colleague)
    spared = [claim_of(seat) for seat in seats[1:]]

    released = holds.release_expired()

    assert [(seat.seat_number, seat.locked_by_name) for seat in released] == [("A1", "مریم رضایی")]
    assert claim_of(seats[0])["status"] == "available"
    assert [claim_of(seat) for seat in seats[1:]] == spared
    assert logged(action="ran_out") == [("ran_out", "A1", "", "مریم رضایی")]
    assert holds.release_expired() == []


def test_the_cleaner_works_in_batches_until_nothing_is_left(holder, monkeypatch):
    monkeypatch.setattr(holds, "BATCH", 2)
    event = make_event(seats=5)
    holds.hold(event, [seat.pk for seat in event.seats.all()], by=holder)
    let_run_out()

    assert len(holds.release_expired()) == 5

    assert event.seats.filter(status="available").count() == 5
    assert LockEvent.objects.filter(action="ran_out").count() == 5


def test_ending_by_force_tells_live_holds_from_run_out_ones(event, seats, holder, supervisor):
    holds.hold(event, [seats[0].pk], by=holder)
    let_run_out()
    holds.hold(event, [seats[1].pk], by=holder)

    released = holds.force_release(event.seats.all(), by=supervisor, reason="مشتری رفت")

    assert len(released) == 2
    assert LockEvent.objects.get(action="ran_out").target_id == str(seats[0].pk)
    forced = LockEvent.objects.get(action="forced")
    assert (forced.target_id, forced.reason) == (str(seats[1].pk), "مشتری رفت")
    assert (forced.holder_name, forced.actor_name) == ("مریم رضایی", "supervisor")


def test_ending_by_force_spares_a_seat_that_changed_hands(
    event, seats, holder, colleague, supervisor
):
    shown = holds.hold(event, [seats[0].pk], by=holder)
    let_run_out()
    holds.hold(event, [seats[0].pk], by=colleague)
    before = claim_of(seats[0])

    assert holds.force_release(event.seats.filter(hold_id=shown), by=supervisor, reason="x") == []

    assert claim_of(seats[0]) == before


# The row itself


def test_deleting_the_holders_account_keeps_the_hold_and_the_name(event, seats, holder):
    holds.hold(event, [seats[0].pk], by=holder)
    before = claim_of(seats[0])

    holder.delete()

    assert claim_of(seats[0]) == before | {"locked_by": None}
    let_run_out()
    assert [seat.locked_by_name for seat in holds.release_expired()] == ["مریم رضایی"]


@pytest.mark.parametrize(
    "broken",
    [
        {"status": "locked"},
        {"status": "reserved"},
        {"status": "stolen"},
        {"locked_until": NOON},
        {"held_since": NOON},
        {"hold_id": uuid.UUID(int=1)},
        {"locked_by_name": "کسی"},
        {"blocked": True},
        {"block_reason": "بی‌دلیل"},
        {
            "status": "locked",
            "hold_id": uuid.UUID(int=1),
            "locked_by_name": "کسی",
            "held_since": NOON,
            "locked_until": NOON - timedelta(seconds=1),
        },
    ],
)
def test_the_database_refuses_half_a_claim(seats, broken):
    with pytest.raises(IntegrityError), transaction.atomic():
        Seat.objects.filter(pk=seats[0].pk).update(**broken)

    assert claim_of(seats[0])["status"] == "available"


def test_the_database_refuses_a_reserved_seat_that_is_held_or_blocked(event, seats, holder):
    sell(holds.hold(event, [seats[0].pk], by=holder), seats[:1], holder)
    row = Seat.objects.filter(pk=seats[0].pk)

    for broken in (
        {"locked_until": NOON},
        {"reservation": None},
        {"blocked": True, "block_reason": "دوربین"},
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            row.update(**broken)


def test_a_seat_number_occurs_once_in_an_event(event):
    with pytest.raises(IntegrityError), transaction.atomic():
        make_seat(event, seat_number="A1")


def test_seats_come_in_the_order_of_the_hall(event):
    make_seat(event, seat_number="A10", row="A", position=10)
    make_seat(event, seat_number="B1", row="B", row_position=2)

    numbers = list(event.seats.values_list("seat_number", flat=True))

    assert numbers == ["A1", "A2", "A3", "A10", "B1"]
