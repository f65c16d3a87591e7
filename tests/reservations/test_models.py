"""What the row of a seat may hold, whoever writes it."""

import uuid
from datetime import UTC, datetime, timedelta
from importlib import import_module

import pytest
from django.apps import apps
from django.db import IntegrityError, transaction

from reservations import holds, sales
from reservations.models import Payment, Reservation, Seat
from tests.reservations.factories import (
    claim_of,
    let_run_out,
    make_sale,
    make_seat,
    sell,
)

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)


def test_deleting_the_holders_account_keeps_the_hold_and_the_name(event, seats, holder):
    holds.hold(event, [seats[0].pk], by=holder)
    before = claim_of(seats[0])

    holder.delete()

    assert claim_of(seats[0]) == before | {"locked_by": None}
    let_run_out()
    assert [seat.holder for seat in holds.release_expired()] == ["مریم رضایی"]


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


def test_sales_from_before_get_their_payment_once(event, holder):
    """There, back and there again the migration leaves a sale, and a cancelled one, as it is."""
    _valid, cancelled = (make_sale(holder, event=event) for _time in range(2))
    sales.cancel(cancelled.pk, by=holder, reason="x")
    before = [list(model.objects.order_by("pk").values()) for model in (Reservation, Payment)]

    import_module("reservations.migrations.0004_known_sales").fill(apps, None)

    after = [list(model.objects.order_by("pk").values()) for model in (Reservation, Payment)]
    assert after == before
