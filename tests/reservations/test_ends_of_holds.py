"""How a hold ends: sold, given back, run out, ended by force."""

import uuid

import pytest

from backoffice.audit import LockEvent
from reservations import holds
from reservations.models import Reservation, Seat
from reservations.refusals import Refused
from tests.reservations.factories import (
    claim_of,
    let_run_out,
    logged,
    make_event,
    sell,
    state_of,
)

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

    assert [(seat.seat_number, seat.holder) for seat in released] == [("A1", "holder")]
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
