"""Events, seats and holds for tests, and what became of them."""

import itertools
from datetime import timedelta

from django.utils import timezone

from backoffice.audit import LockEvent
from backoffice.clock import database_now
from reservations import holds
from reservations.models import Event, Seat

numbers = itertools.count(1)


def make_event(*, seats=0, **kwargs):
    """Return an event, with that many seats A1, A2, ... in one row."""
    number = next(numbers)
    values = {"code": f"E{number}", "name": f"کنسرت {number}"}
    values["starts_at"] = timezone.now() + timedelta(days=30)
    event = Event.objects.create(**values | kwargs)
    Seat.objects.bulk_create(
        Seat(
            event=event,
            seat_number=f"A{place}",
            row="A",
            position=place,
            price=1_000_000,
        )
        for place in range(1, seats + 1)
    )
    return event


def make_seat(event=None, **kwargs):
    """Return a free seat."""
    values = {"seat_number": f"Z{next(numbers)}", "price": 1_000_000}
    return Seat.objects.create(event=event or make_event(), **values | kwargs)


def let_run_out(seats=None, *, seconds=1):
    """Move the end of holds into the past, as if that many seconds had gone by since."""
    seats = Seat.objects.all() if seats is None else seats
    ago = database_now() - timedelta(seconds=seconds)
    seats.filter(status="locked").update(locked_until=ago, held_since=ago - timedelta(seconds=300))


def claim_of(seat):
    """Return all columns of a seat that only ``holds`` may change, as they are stored."""
    return (
        Seat.objects.filter(pk=seat.pk)
        .values(
            "status",
            "locked_until",
            "locked_by",
            "locked_by_name",
            "held_since",
            "hold_id",
            "reservation",
            "blocked",
            "block_reason",
        )
        .get()
    )


def sell(hold_id, seats, by, **kwargs):
    pks = [seat.pk for seat in seats]
    return holds.confirm(hold_id, pks, by=by, payment_method="cash", **kwargs)


def state_of(seat):
    return Seat.objects.with_state().get(pk=seat.pk).state


def logged(**kwargs):
    """Return (action, seat, who did it, whose it was) of the log's events, oldest first."""
    return [
        (event.action, event.target_name.split(" ")[0], event.actor_name, event.holder_name)
        for event in LockEvent.objects.filter(**kwargs).order_by("pk")
    ]


def make_sale(by, *, seats=1, event=None, payment_method="cash", **kwargs):
    """Return a reservation of that many seats, the first free ones of the event."""
    event = event or make_event(seats=seats)
    pks = list(event.seats.free().values_list("pk", flat=True)[:seats])
    hold_id = holds.hold(event, pks, by=by)
    return holds.confirm(hold_id, pks, by=by, payment_method=payment_method, **kwargs)
