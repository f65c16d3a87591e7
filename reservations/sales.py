"""What happens to a reservation after the sale: cancelling it, and moving it to other seats.

Both come whole or not at all. The reservation is locked first, then its seats in key order, so
that two of them never wait for each other; and each UPDATE names the state it expects: a seat is
freed only where it still belongs to the reservation, and given only where it is free.
"""

from collections.abc import Iterable, Iterator

from django.contrib.auth.models import User
from django.db.models import F, QuerySet

from backoffice import audit, clock
from backoffice.audit import LockEvent
from reservations.holds import AVAILABLE, NO_HOLD, PAGE, attempt, event_of, locked, ran_out
from reservations.models import Payment, Reservation, Seat, is_free, numbers_of
from reservations.refusals import Refused


def cancel(
    reservation_id: int, *, by: User, reason: str, refund_method: str = "", source: str = PAGE
) -> Reservation:
    """Cancel a reservation, free the seats that are still its own, and record the refund.

    ``refund_method`` is how the money goes back; as it came in where nothing is said. Raises
    ``Refused`` where the reservation is cancelled already.
    """
    with attempt(_named(reservation_id), by, source):
        reservation = _locked(reservation_id)
        changed = _live(reservation).update(
            cancelled_at=clock.database_now(),
            cancelled_by_name=audit.name_of(by)[:150],
            cancel_reason=reason,
        )
        if not changed:
            raise Refused("cancelled")
        seats = locked(Seat.objects.filter(reservation=reservation))
        rows = Seat.objects.filter(status=Seat.Status.RESERVED, reservation=reservation)
        freed = rows.update(**AVAILABLE, reservation=None)
        assert freed == len(seats), "nobody else writes rows that are locked"
        method = refund_method or reservation.payment_method
        reservation.pay(Payment.Kind.REFUND, -reservation.price, method, by=by)
        told = f"{reservation.reference}: {reason}"[:300]
        audit.record(*(event_of("cancelled", seat, source, by=by, reason=told) for seat in seats))
    reservation.refresh_from_db()
    return reservation


def move(
    reservation_id: int,
    from_ids: Iterable[int],
    to_ids: Iterable[int],
    *,
    by: User,
    payment_method: str = "",
    source: str = PAGE,
) -> Reservation:
    """Give a reservation free seats of its event for as many of its own, and record what is owed.

    ``payment_method`` is how the difference in price is paid; as the reservation was where nothing
    is said. Raises ``Refused`` with every seat in the way; then nothing has moved.
    """
    leaving, coming = set(from_ids), set(to_ids)
    with attempt(_named(reservation_id), by, source):
        reservation = _locked(reservation_id)
        if reservation.cancelled_at:
            raise Refused("cancelled")
        if not leaving or len(leaving) != len(coming):
            raise Refused("uneven")
        seats = locked(Seat.objects.filter(event=reservation.event, pk__in=leaving | coming))
        if len(seats) != len(leaving) + len(coming):
            raise Refused("gone")
        given = Seat.objects.filter(is_free(), pk__in=coming).update(
            status=Seat.Status.RESERVED, reservation=reservation, **NO_HOLD
        )
        if given != len(coming):
            raise Refused.to_move(coming, reservation)
        rows = Seat.objects.filter(status=Seat.Status.RESERVED, reservation=reservation)
        freed = rows.filter(pk__in=leaving).update(**AVAILABLE, reservation=None)
        if freed != len(leaving):
            raise Refused("not_theirs")
        _settle(reservation, seats, coming, payment_method, by)
        audit.record(*_moved(reservation, seats, coming, by, source))
    reservation.refresh_from_db()
    return reservation


def _settle(
    reservation: Reservation, seats: list[Seat], coming: set[int], method: str, by: User
) -> None:
    """Write down what the reservation consists of now, and the difference in price."""
    difference = sum(seat.price if seat.pk in coming else -seat.price for seat in seats)
    kept = _live(reservation).update(
        price=F("price") + difference, seat_numbers=numbers_of(reservation.seats.all())
    )
    assert kept, "nobody else writes a reservation that is locked"
    if difference:
        kind, method = Payment.Kind.DIFFERENCE, method or reservation.payment_method
        reservation.pay(kind, difference, method, by=by)


def _moved(
    reservation: Reservation, seats: list[Seat], coming: set[int], by: User, source: str
) -> Iterator[LockEvent]:
    new = numbers_of(seat for seat in seats if seat.pk in coming)
    old = numbers_of(seat for seat in seats if seat.pk not in coming)
    for seat in seats:
        if seat.pk not in coming:
            told = f"{reservation.reference} → {new}"[:300]
            yield event_of("moved", seat, source, by=by, reason=told)
            continue
        if seat.status == Seat.Status.LOCKED:
            yield ran_out(seat, source, by=by)
        told = f"{reservation.reference} ← {old}"[:300]
        yield event_of("confirmed", seat, source, by=by, reason=told)


def _locked(reservation_id: int) -> Reservation:
    """Return the reservation as it is now, and keep others from it until the commit."""
    rows = Reservation.objects.select_related("event").select_for_update(of=("self",))
    reservation = rows.filter(pk=reservation_id).first()
    if reservation is None:
        raise Refused("gone")
    return reservation


def _live(reservation: Reservation) -> QuerySet[Reservation]:
    return Reservation.objects.filter(pk=reservation.pk, cancelled_at__isnull=True)


def _named(reservation_id: int) -> audit.Target:
    """Return what the log calls a reservation, of which none may be at hand."""
    return Reservation, reservation_id, str(reservation_id)
