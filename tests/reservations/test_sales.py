"""Cancelling and moving what was sold: whole or not at all, and only what is still one's own.

The races run over real connections, each with its control, the guard taken out.
"""

import threading

import pytest
from django.contrib.auth import get_user_model
from django.db import transaction

from backoffice.audit import LockEvent
from reservations import holds, layout, sales
from reservations.models import Payment, Reservation, Seat
from reservations.refusals import Refused
from tests.reservations import invariants
from tests.reservations.factories import claim_of, let_run_out, logged, make_event, make_seat, sell
from tests.threads import at_once

WORKERS = 6


def sold(event, numbers, by):
    """Return a new reservation of the seats with these numbers."""
    seats = [event.seats.get(seat_number=number) for number in numbers.split()]
    return sell(holds.hold(event, [seat.pk for seat in seats], by=by), seats, by)


def pks(event, numbers):
    return [event.seats.get(seat_number=number).pk for number in numbers.split()]


def seats_of(reservation):
    return sorted(reservation.seats.values_list("seat_number", flat=True))


def payments_of(reservation):
    return list(reservation.payments.order_by("pk").values_list("kind", "amount", "method"))


def as_it_is(reservation):
    """Return all that cancelling and moving may change of a reservation."""
    stored = Reservation.objects.filter(pk=reservation.pk).values().get()
    claims = [claim_of(seat) for seat in reservation.event.seats.all()]
    return stored, claims, payments_of(reservation)


def refused(work, *args, **kwargs):
    with pytest.raises(Refused) as caught:
        work(*args, **kwargs)
    return caught.value


# Cancelling


def test_cancelling_frees_the_seats_and_keeps_what_was(event, holder, colleague):
    reservation = sold(event, "A1 A2", holder)

    cancelled = sales.cancel(reservation.pk, by=colleague, reason="بیماری", refund_method="card")

    assert set(event.seats.values_list("status", flat=True)) == {"available"}
    assert (cancelled.cancelled_by_name, cancelled.cancel_reason) == ("علی کریمی", "بیماری")
    assert (cancelled.seat_numbers, cancelled.price) == ("A1, A2", 2_000_000)
    assert payments_of(cancelled) == [("sale", 2_000_000, "cash"), ("refund", -2_000_000, "card")]
    told = [line[:3] for line in logged(action="cancelled")]
    assert told == [("cancelled", "A1", "علی کریمی"), ("cancelled", "A2", "علی کریمی")]
    invariants.check()


def test_the_money_goes_back_as_it_came_where_nothing_is_said(event, holder):
    reservation = sold(event, "A1", holder)

    sales.cancel(reservation.pk, by=holder, reason="x")

    assert payments_of(reservation)[1] == ("refund", -1_000_000, "cash")


def test_cancelling_leaves_a_seat_that_was_moved_away_and_sold_to_somebody_else(
    event, holder, colleague
):
    reservation = sold(event, "A1", holder)
    sales.move(reservation.pk, pks(event, "A1"), pks(event, "A2"), by=holder)
    others = sold(event, "A1", colleague)
    before = as_it_is(others)[0]

    sales.cancel(reservation.pk, by=holder, reason="x")

    assert seats_of(others) == ["A1"] and as_it_is(others)[0] == before
    assert seats_of(reservation) == []
    invariants.check()


def test_control_cancelling_the_seats_one_remembers_frees_somebody_elses(event, holder, colleague):
    reservation = sold(event, "A1", holder)
    remembered = list(reservation.seats.values_list("pk", flat=True))
    sales.move(reservation.pk, remembered, pks(event, "A2"), by=holder)
    others = sold(event, "A1", colleague)

    Seat.objects.filter(pk__in=remembered).update(reservation=None, **holds.AVAILABLE)

    assert seats_of(others) == []  # and the customer stands at a seat that is for sale


def test_a_cancelled_reservation_is_not_cancelled_again(event, holder, colleague):
    reservation = sold(event, "A1", holder)
    sales.cancel(reservation.pk, by=holder, reason="نخست")
    before = as_it_is(reservation)

    again = refused(sales.cancel, reservation.pk, by=colleague, reason="دوم")

    assert again.reason == "cancelled"
    assert as_it_is(reservation) == before
    [event] = LockEvent.objects.filter(action="refused")
    assert (event.target_model, event.actor_name) == ("reservations.Reservation", "علی کریمی")


def test_what_does_not_exist_is_neither_cancelled_nor_moved(event, holder):
    assert refused(sales.cancel, 10**9, by=holder, reason="x").reason == "gone"
    assert refused(sales.move, 10**9, [1], [2], by=holder).reason == "gone"


# Moving


def test_moving_gives_free_seats_for_own_ones(event, holder, colleague):
    reservation = sold(event, "A1 A2", holder)
    code = reservation.reference

    moved = sales.move(reservation.pk, pks(event, "A1"), pks(event, "A3"), by=colleague)

    assert (seats_of(moved), moved.seat_numbers) == (["A2", "A3"], "A2, A3")
    assert event.seats.get(seat_number="A1").status == "available"
    reasons = dict(LockEvent.objects.filter(actor_name="علی کریمی").values_list("action", "reason"))
    assert reasons == {"moved": f"{code} → A3", "confirmed": f"{code} ← A1"}
    invariants.check()


@pytest.mark.parametrize("price", [1_500_000, 400_000, 1_000_000])
def test_the_difference_in_price_is_a_payment_and_the_price_follows(event, holder, price):
    reservation = sold(event, "A1 A2", holder)
    dear = make_seat(event, seat_number="B1", price=price)

    moved = sales.move(
        reservation.pk, pks(event, "A1"), [dear.pk], by=holder, payment_method="card"
    )

    difference = price - 1_000_000
    assert moved.price == 2_000_000 + difference
    paid = [("difference", difference, "card")] if difference else []
    assert payments_of(moved) == [("sale", 2_000_000, "cash"), *paid]
    invariants.check()


def test_a_run_out_hold_is_a_free_seat_to_move_to(event, holder, colleague):
    reservation = sold(event, "A1", holder)
    holds.hold(event, pks(event, "A2"), by=colleague)
    let_run_out()

    sales.move(reservation.pk, pks(event, "A1"), pks(event, "A2"), by=holder)

    assert seats_of(reservation) == ["A2"]
    assert logged(action="ran_out") == [("ran_out", "A2", "مریم رضایی", "علی کریمی")]
    invariants.check()


def test_seats_in_the_way_are_named_and_nothing_moves(event, holder, colleague):
    event = make_event(seats=6)
    reservation = sold(event, "A1 A2 A3", holder)
    holds.hold(event, pks(event, "A4"), by=colleague)
    others = sold(event, "A5", colleague)
    layout.block(event.seats.filter(seat_number="A6"), by=colleague, reason="دوربین")
    before = as_it_is(reservation)

    why = refused(
        sales.move, reservation.pk, pks(event, "A1 A2 A3"), pks(event, "A4 A5 A6"), by=holder
    )

    assert why.reason == "not_moved"
    assert [seat.seat_number for seat in why.seats] == ["A4", "A5", "A6"]
    assert "علی کریمی" in why.message and others.reference in why.message
    assert as_it_is(reservation) == before
    assert [line[1] for line in logged(action="refused")] == ["A4", "A5", "A6"]


@pytest.mark.parametrize(
    "leaving, coming, reason",
    [
        ("A1", "A3 A4", "uneven"),
        ("A1 A2", "A3", "uneven"),
        ("", "", "uneven"),
        ("A5", "A4", "not_theirs"),
        ("A4", "A6", "not_theirs"),
        ("A1", "A1", "gone"),
    ],
)
def test_a_move_that_makes_no_sense_changes_nothing(holder, colleague, leaving, coming, reason):
    event = make_event(seats=6)
    reservation = sold(event, "A1 A2", holder)
    sold(event, "A5", colleague)
    before = as_it_is(reservation)

    why = refused(sales.move, reservation.pk, pks(event, leaving), pks(event, coming), by=holder)

    assert why.reason == reason
    assert as_it_is(reservation) == before


def test_nobody_moves_to_another_event(event, holder):
    reservation, elsewhere = sold(event, "A1", holder), make_seat()

    why = refused(sales.move, reservation.pk, pks(event, "A1"), [elsewhere.pk], by=holder)

    assert why.reason == "gone"
    assert seats_of(reservation) == ["A1"] and claim_of(elsewhere)["status"] == "available"


def test_a_cancelled_reservation_does_not_move(event, holder):
    reservation = sold(event, "A1", holder)
    sales.cancel(reservation.pk, by=holder, reason="x")

    why = refused(sales.move, reservation.pk, pks(event, "A1"), pks(event, "A2"), by=holder)

    assert why.reason == "cancelled"
    assert set(event.seats.values_list("status", flat=True)) == {"available"}


# At once


@pytest.fixture
def people(transactional_db):
    return [get_user_model().objects.create_user(f"user{n}") for n in range(WORKERS)]


def parted(results):
    """Return what succeeded, and why the others were refused; nobody met another error."""
    lost = [result.reason for result in results if isinstance(result, Refused)]
    won = [result for result in results if not isinstance(result, Exception)]
    assert len(won) + len(lost) == len(results), results
    return won, lost


def test_one_of_many_who_cancel_at_once_gives_the_money_back(people):
    event = make_event(seats=2)
    reservation = sold(event, "A1 A2", people[0])

    results = at_once(lambda n: sales.cancel(reservation.pk, by=people[n], reason="x"), WORKERS)

    won, lost = parted(results)
    assert (len(won), lost) == (1, ["cancelled"] * (WORKERS - 1))
    assert [kind for kind, _amount, _method in payments_of(reservation)] == ["sale", "refund"]
    invariants.check()


def test_control_looking_before_cancelling_gives_the_money_back_several_times(people):
    event = make_event(seats=1)
    reservation = sold(event, "A1", people[0])
    everybody_has_looked = threading.Barrier(2)

    def cancel_naively(n):
        seen = Reservation.objects.get(pk=reservation.pk)
        everybody_has_looked.wait()
        if not seen.cancelled_at:
            seen.pay(Payment.Kind.REFUND, -seen.price, "cash", by=people[n])

    assert at_once(cancel_naively, 2) == [None, None]

    assert Payment.objects.filter(kind="refund").count() == 2


def test_a_seat_that_several_move_to_goes_to_one_and_the_others_stay(people):
    event = make_event(seats=WORKERS + 1)
    own = [sold(event, f"A{n + 1}", people[n]) for n in range(WORKERS)]
    [wanted] = pks(event, f"A{WORKERS + 1}")

    def move(n):
        return sales.move(own[n].pk, pks(event, f"A{n + 1}"), [wanted], by=people[n])

    won, lost = parted(at_once(move, WORKERS))

    assert (len(won), set(lost)) == (1, {"not_moved"})
    assert [reservation.seats.count() for reservation in own] == [1] * WORKERS
    assert claim_of(Seat(pk=wanted))["reservation"] == won[0].pk
    invariants.check()


def test_a_reservation_that_moves_from_two_sides_moves_once(people):
    event = make_event(seats=3)
    reservation = sold(event, "A1", people[0])
    leaving = pks(event, "A1")

    def move(n):
        return sales.move(reservation.pk, leaving, pks(event, f"A{n + 2}"), by=people[n])

    won, lost = parted(at_once(move, 2))

    assert (len(won), lost) == (1, ["not_theirs"])
    assert reservation.seats.count() == 1
    invariants.check()


def test_control_moving_what_was_own_a_moment_ago_gives_two_seats_for_one(people):
    event = make_event(seats=3)
    reservation = sold(event, "A1", people[0])
    both_have_looked = threading.Barrier(2)

    def move_naively(n):
        own = list(reservation.seats.values_list("pk", flat=True))
        both_have_looked.wait()
        with transaction.atomic():
            event.seats.filter(seat_number=f"A{n + 2}").update(
                status="reserved", reservation=reservation
            )
            Seat.objects.filter(pk__in=own).update(reservation=None, **holds.AVAILABLE)

    assert at_once(move_naively, 2) == [None, None]

    assert seats_of(reservation) == ["A2", "A3"]


def test_two_that_want_each_others_seats_both_stay(people):
    event = make_event(seats=2)
    own = [sold(event, "A1", people[0]), sold(event, "A2", people[1])]
    numbers = ["A1", "A2"]

    def swap(n):
        leaving, coming = pks(event, numbers[n]), pks(event, numbers[1 - n])
        return sales.move(own[n].pk, leaving, coming, by=people[n])

    assert parted(at_once(swap, 2)) == ([], ["not_moved", "not_moved"])

    assert [seats_of(reservation) for reservation in own] == [["A1"], ["A2"]]
    invariants.check()


@pytest.mark.parametrize("turn", range(3))
def test_what_is_cancelled_while_it_moves_keeps_no_seat(people, turn):
    event = make_event(seats=2)
    reservation = sold(event, "A1", people[0])
    leaving, coming = pks(event, "A1"), pks(event, "A2")

    def work(n):
        if n == turn % 2:
            return sales.cancel(reservation.pk, by=people[n], reason="x")
        return sales.move(reservation.pk, leaving, coming, by=people[n])

    won, lost = parted(at_once(work, 2))

    assert len(won) == 2 or lost == ["cancelled"]
    assert set(event.seats.values_list("status", flat=True)) == {"available"}
    assert sum(amount for _kind, amount, _method in payments_of(reservation)) == 0
    invariants.check()


def test_control_cancelling_seats_read_before_a_move_leaves_one_sold(people):
    event = make_event(seats=2)
    reservation = sold(event, "A1", people[0])
    read_before = list(reservation.seats.values_list("pk", flat=True))
    sales.move(reservation.pk, read_before, pks(event, "A2"), by=people[1])

    rows = Seat.objects.filter(pk__in=read_before, reservation=reservation)
    rows.update(reservation=None, **holds.AVAILABLE)

    assert seats_of(reservation) == ["A2"]  # it would be cancelled, and nobody could sell A2


def test_a_cleaner_leaves_the_run_out_hold_that_somebody_moved_to(people):
    event = make_event(seats=WORKERS)
    reservation = sold(event, "A1", people[0])
    rest = [seat.pk for seat in event.seats.all()[1:]]
    holds.hold(event, rest, by=people[1])
    let_run_out()

    def work(n):
        if n % 2:
            return [ended.pk for ended in holds.release_expired()]
        return sales.move(reservation.pk, pks(event, "A1"), rest[:1], by=people[n])

    results = at_once(work, 2)

    assert parted(results)[1] == []
    assert seats_of(reservation) == ["A2"]
    assert LockEvent.objects.filter(action="ran_out").count() == len(rest)
    invariants.check()


def test_of_a_hold_and_a_move_to_the_same_seat_one_wins(people):
    event = make_event(seats=2)
    reservation = sold(event, "A1", people[0])
    [wanted] = pks(event, "A2")

    def work(n):
        if n:
            return holds.hold(event, [wanted], by=people[n])
        return sales.move(reservation.pk, pks(event, "A1"), [wanted], by=people[n])

    won, lost = parted(at_once(work, 2))

    assert len(won) == 1 and lost in (["in_the_way"], ["not_moved"])
    assert reservation.seats.count() == 1
    invariants.check()
