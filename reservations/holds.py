"""The whole life of a hold.

    available -- hold --> locked, live -- confirm --> reserved
        ^                    |  |  ^
        |                    |  +--+ extend
        +-- release, force_release, or the time runs out

Every step is one UPDATE that names the state it expects, and its row count is the answer. On
PostgreSQL the rows are locked in key order first: a statement judges time as of its own start, so
one that had to wait for a row could act on a time that has passed; SQLite has one writer anyway.
A hold that ran out is free at once, ``hold`` takes it in the same UPDATE, and ``release_expired``
merely tidies up. ``hold_id`` is new at each taking: whoever comes with an older one, the same
person in another tab too, changes nothing.
"""

import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.db import OperationalError, connection, transaction
from django.db.models import F, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Least

from backoffice import audit, clock
from backoffice.audit import LockEvent
from reservations.models import Event, Reservation, Seat, SeatQuerySet
from reservations.refusals import Refused

WAIT = "3s"  # for another's row; then the answer is "try again", not a page that hangs
BATCH = 500
NO_HOLD = {
    "locked_until": None,
    "locked_by": None,
    "locked_by_name": "",
    "held_since": None,
    "hold_id": None,
}
AVAILABLE = {"status": Seat.Status.AVAILABLE, **NO_HOLD}
PAGE, BULK, SCHEDULE = LockEvent.Source.PAGE, LockEvent.Source.BULK, LockEvent.Source.SCHEDULE


def hold(event: Event, seat_ids: Iterable[int], *, by: User, source: str = PAGE) -> uuid.UUID:
    """Take seats of an event for one person, all or none; return their common ``hold_id``.

    Raises ``Refused`` with every seat in the way, or where the person holds too many already or
    the event takes no holds any more.
    """
    wanted = set(seat_ids)
    with _attempt(event, by, source):
        _keep_cap(event, by, len(wanted))
        found = _locked(Seat.objects.filter(event=event, pk__in=wanted))
        if len(found) != len(wanted):
            raise Refused("gone")
        now = clock.database_now()
        rows = Seat.objects.free().filter(pk__in=wanted)
        until: Combinable = now + event.hold_time
        if event.cut_off:
            rows = rows.alias(_now=now).filter(_now__lt=event.cut_off)
            until = Least(until, Value(event.cut_off))
        hold_id = uuid.uuid4()
        taken = rows.update(
            status=Seat.Status.LOCKED,
            locked_until=until,
            locked_by=by,
            locked_by_name=audit.name_of(by)[:150],
            held_since=now,
            hold_id=hold_id,
        )
        if taken != len(found):
            raise Refused.to_hold(wanted, hold_id)
        audit.record(
            *(ran_out(seat, source) for seat in found if seat.status == Seat.Status.LOCKED),
            *(_event("taken", seat, source, by=by, holder=by) for seat in found),
        )
    return hold_id


def extend(hold_id: uuid.UUID, *, by: User, source: str = PAGE) -> int:
    """Give a live hold its full time again; return how many seats it has.

    Never beyond ``SEAT_HOLD_MAXIMUM_SECONDS`` after the taking, nor the event's cut-off. Raises
    ``Refused`` where the hold is no longer live, or can't grow any more.
    """
    with _attempt(_hold(hold_id), by, source):
        found = _locked(Seat.objects.filter(hold_id=hold_id, locked_by=by))
        if not found:
            raise Refused("lost")
        event = found[0].event
        maximum = timedelta(seconds=settings.SEAT_HOLD_MAXIMUM_SECONDS)
        ends = [clock.database_now() + event.hold_time, F("held_since") + maximum]
        until = Least(*ends, *([Value(event.cut_off)] if event.cut_off else []))
        live = Seat.objects.live().filter(hold_id=hold_id, locked_by=by)
        extended = live.filter(locked_until__lt=until).update(locked_until=until)
        if not extended:
            raise Refused("limit" if live.exists() else "ran_out")
        audit.record(*(_event("extended", seat, source, by=by, holder=by) for seat in found))
    return extended


def confirm(
    hold_id: uuid.UUID,
    seat_ids: Iterable[int],
    *,
    by: User,
    payment_method: str,
    customer: str = "",
    phone: str = "",
    source: str = PAGE,
) -> Reservation:
    """Sell held seats; return their ``Reservation``, the same one when asked again.

    ``seat_ids`` are the seats that the page showed: all of them are still held under ``hold_id``,
    or ``Refused`` says what became of each.
    """
    wanted = set(seat_ids)
    with _attempt(_hold(hold_id), by, source):
        found = _locked(Seat.objects.filter(pk__in=wanted).select_related("reservation"))
        if not found or len(found) != len(wanted):
            raise Refused("gone")
        done = found[0].reservation
        if (
            done
            and {seat.reservation_id for seat in found} == {done.pk}
            and (done.hold_id, done.cashier_id) == (hold_id, by.pk)
        ):
            return done
        reservation = Reservation.objects.create(
            event=found[0].event,
            customer=customer,
            phone=phone,
            price=sum(seat.price for seat in found),
            payment_method=payment_method,
            cashier=by,
            cashier_name=audit.name_of(by)[:150],
            hold_id=hold_id,
        )
        rows = Seat.objects.live().filter(pk__in=wanted, hold_id=hold_id, locked_by=by)
        sold = rows.update(status=Seat.Status.RESERVED, reservation=reservation, **NO_HOLD)
        if sold != len(found):
            raise Refused.to_confirm(wanted, hold_id, reservation)
        audit.record(
            *(
                _event("confirmed", seat, source, by=by, holder=by, reason=reservation.reference)
                for seat in found
            )
        )
    return reservation


def release(
    hold_id: uuid.UUID, *, by: User, seat_ids: Iterable[int] | None = None, source: str = PAGE
) -> int:
    """Give back one's own live hold, or some of its seats; return how many were given back."""
    mine = Seat.objects.filter(hold_id=hold_id, locked_by=by)
    if seat_ids is not None:
        mine = mine.filter(pk__in=set(seat_ids))
    with _attempt(_hold(hold_id), by, source):
        found = _locked(mine)
        given_back = mine.live().update(**AVAILABLE)
        if given_back:
            assert given_back == len(found), "the seats of a hold run out together"
            audit.record(*(_event("given_back", seat, source, by=by, holder=by) for seat in found))
    return given_back


def release_expired(
    rows: SeatQuerySet | None = None, *, by: User | None = None, source: str = SCHEDULE
) -> list[Seat]:
    """Tidy up holds that ran out; return the seats that it really freed, as they were before.

    Safe to run many times at once: each leaves out the rows that another is at.
    """
    rows = Seat.objects.all() if rows is None else rows
    return _end(rows.stale(), by=by, reason="", source=source)


def force_release(
    rows: SeatQuerySet, *, by: User | None, reason: str, source: str = BULK
) -> list[Seat]:
    """End the holds of a queryset, live or not; return the seats freed, as they were before.

    A queryset that names ``hold_id`` spares the seats that changed hands meanwhile.
    """
    rows = rows.filter(status=Seat.Status.LOCKED)
    return _end(rows, by=by, reason=reason, source=source)


def _end(rows: SeatQuerySet, *, by: User | None, reason: str, source: str) -> list[Seat]:
    ended: list[Seat] = []
    while True:
        with transaction.atomic():
            chosen = rows.with_state().select_related("event", "locked_by").order_by("pk")
            batch = list(chosen.select_for_update(of=("self",), skip_locked=True)[:BATCH])
            changed = rows.filter(pk__in=[seat.pk for seat in batch]).update(**AVAILABLE)
            assert changed == len(batch), "nobody else writes rows that are locked"
            audit.record(
                *(
                    ran_out(seat, source, by=by)
                    if seat.time_left is None
                    else _event("forced", seat, source, by=by, reason=reason)
                    for seat in batch
                )
            )
        ended += batch
        if len(batch) < BATCH:
            return ended


@contextmanager
def _attempt(target: audit.Target, by: User, source: str) -> Iterator[None]:
    """Run a transaction; a refusal is recorded after it was rolled back, and raised on."""
    try:
        with transaction.atomic():
            if connection.vendor == "postgresql":
                with connection.cursor() as cursor:
                    cursor.execute("SELECT set_config('lock_timeout', %s, true)", [WAIT])
            yield
    except OperationalError as problem:
        if not _is_busy(problem):
            raise
        raise Refused("busy") from problem
    except Refused as refused:
        audit.record(*refused.events(target, by=by, source=source))
        raise


def _hold(hold_id: uuid.UUID) -> audit.Target:
    """Return what the log calls a hold of which no seat is at hand."""
    return Seat, hold_id, str(hold_id)


def _is_busy(problem: OperationalError) -> bool:
    cause = problem.__cause__
    return (
        getattr(cause, "sqlstate", "") == "55P03"  # lock_not_available
        or getattr(cause, "sqlite_errorname", "") == "SQLITE_BUSY"
    )


def _keep_cap(event: Event, by: User, more: int) -> None:
    """Refuse where the person would hold more seats of the event than one may."""
    if connection.vendor == "postgresql":  # two requests of one person would not see each other
        with connection.cursor() as cursor:
            key = f"seat holds {event.pk} {by.pk}"
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [key])
    held = Seat.objects.live().filter(event=event, locked_by=by).count()
    if held + more > settings.SEAT_HOLDS_PER_USER:
        raise Refused("cap")


def _locked(rows: SeatQuerySet) -> list[Seat]:
    """Return the rows as they are now, and on PostgreSQL keep others from them until the commit."""
    rows = rows.select_related("event").order_by("pk")
    return list(rows.select_for_update(of=("self",)))


def ran_out(seat: Seat, source: str, by: User | None = None) -> LockEvent:
    """Return the event of a hold that ended by itself; whoever finds it records it."""
    return _event("ran_out", seat, source, by=by, ended_at=seat.locked_until)


def _event(
    action: str,
    seat: Seat,
    source: str,
    *,
    by: User | None,
    holder: User | None = None,
    ended_at: datetime | None = None,
    reason: str = "",
) -> LockEvent:
    since = seat.held_since if action != "taken" else None
    return audit.event(
        LockEvent.Kind.SEAT,
        action,
        seat,
        source=source,
        by=by,
        holder=holder or (seat.locked_by_id, seat.locked_by_name),
        held_since=since,
        ended_at=ended_at,
        reason=reason,
    )
