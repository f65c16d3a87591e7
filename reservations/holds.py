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

import json
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from django.conf import settings
from django.contrib.auth.models import User
from django.db import OperationalError, connection, transaction
from django.db.models import (
    Case,
    CharField,
    DateTimeField,
    F,
    Q,
    Value,
    When,
)
from django.db.models.expressions import Combinable, RawSQL
from django.db.models.functions import Cast, Coalesce, Concat, Least, Left
from django.db.models.lookups import LessThan
from django.utils import translation
from django.utils.translation import gettext as _t

from backoffice import audit, clock
from backoffice.audit import LockEvent
from reservations.models import (
    Event,
    Payment,
    Reservation,
    Seat,
    SeatQuerySet,
    State,
    is_free,
    is_live,
    is_stale,
    numbers_of,
)
from reservations.refusals import Refused

WAIT = "3s"  # for another's row; then the answer is "try again", not a page that hangs
BATCH = 20_000
PATIENCE = "SELECT set_config('lock_timeout', %s, true)"
# Two requests of one person would not see each other's holds, and both stay under the cap. What is
# counted after this is counted by another statement: this one sees what was before its wait.
ALONE = PATIENCE + ", pg_advisory_xact_lock(hashtextextended(%s, 0))"
EVENT, HOLDER = -1, -2  # in a statement that was made ahead: the keys that come with each hold
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
    with attempt(event, by, source, alone=f"seat holds {event.pk} {by.pk}"):
        rows = _wanted_and_own(event, sorted(wanted), by)
        found = [seat for seat in rows if seat.pk in wanted]
        if not found or len(found) != len(wanted):
            raise Refused("gone")
        if len(rows) > settings.SEAT_HOLDS_PER_USER:
            raise Refused("cap")
        now, hold_id = clock.database_now(), uuid.uuid4()
        until: Combinable = now + event.hold_time
        if event.cut_off:
            until = Least(until, Value(event.cut_off))
        taken = Seat.objects.filter(is_free(), _is_open(event), pk__in=wanted).update(
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
            *(event_of("taken", seat, source, by=by, holder=by) for seat in found),
        )
    return hold_id


def _wanted_and_own(event: Event, wanted: list[int], by: User) -> list[Seat]:
    """Return the seats that are wanted, locked, and with them all that the person holds already.

    So the cap costs no statement of its own.
    """
    keys: dict[object, int] = {EVENT: event.pk, HOLDER: by.pk}
    keys |= zip(_keys(len(wanted)), wanted, strict=True)
    sql, params = _to_lock(len(wanted), clock.database_now)
    found = list(Seat.objects.raw(sql, [keys.get(param, param) for param in params]))
    for seat in found:
        seat.event = event
    return found


@lru_cache(maxsize=128)
def _to_lock(count: int, _now: object) -> tuple[str, tuple[object, ...]]:
    # Made ahead: the ORM takes longer to make it than the database to answer.
    own = is_live() & Q(locked_by=HOLDER)
    rows = Seat.objects.filter(Q(pk__in=_keys(count)) | own, event=EVENT).only(*_TOLD)
    return rows.order_by("pk").select_for_update(of=("self",)).query.sql_with_params()


def _keys(count: int) -> range:
    """Return what stands for the seats in a statement that was made ahead."""
    return range(HOLDER - count, HOLDER)


def _is_open(event: Event) -> Q:
    """Return the condition under which seats of an event may be taken."""
    if not event.cut_off:
        return Q()
    return Q(LessThan(clock.database_now(), Value(event.cut_off, DateTimeField())))


def extend(hold_id: uuid.UUID, *, by: User, source: str = PAGE) -> int:
    """Give a live hold its full time again; return how many seats it has.

    Never beyond ``SEAT_HOLD_MAXIMUM_SECONDS`` after the taking, nor the event's cut-off. Raises
    ``Refused`` where the hold is no longer live, or can't grow any more.
    """
    with attempt(_hold(hold_id), by, source):
        found = locked(Seat.objects.filter(hold_id=hold_id, locked_by=by))
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
        audit.record(*(event_of("extended", seat, source, by=by, holder=by) for seat in found))
    return extended


def confirm(
    hold_id: uuid.UUID,
    seat_ids: Iterable[int],
    *,
    by: User,
    payment_method: str,
    customer: str = "",
    phone: str = "",
    again: bool = False,
    source: str = PAGE,
) -> Reservation:
    """Sell held seats; return their ``Reservation``, the same one when asked again.

    ``seat_ids`` are the seats that the page showed: all of them are still held under ``hold_id``,
    or ``Refused`` says what became of each. ``again`` takes those that are free by now anew, in
    the same UPDATE: somebody decided so, who was told that the time of the hold is over.
    """
    wanted = set(seat_ids)
    with attempt(_hold(hold_id), by, source):
        found = locked(Seat.objects.with_state().filter(pk__in=wanted))
        if not found or len(found) != len(wanted) or len({seat.event_id for seat in found}) > 1:
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
            seat_numbers=numbers_of(found),
            price=sum(seat.price for seat in found),
            payment_method=payment_method,
            cashier=by,
            cashier_name=audit.name_of(by)[:150],
            hold_id=hold_id,
        )
        rows = Seat.objects.filter(_to_sell(hold_id, by, found[0].event, again), pk__in=wanted)
        sold = rows.update(status=Seat.Status.RESERVED, reservation=reservation, **NO_HOLD)
        if sold != len(found):
            raise Refused.to_confirm(wanted, hold_id, reservation, again=again)
        reservation.pay(Payment.Kind.SALE, reservation.price, payment_method, by=by)
        audit.record(*_sold(found, hold_id, reservation, by, source))
    return reservation


def _to_sell(hold_id: uuid.UUID, by: User, event: Event, again: bool) -> Q:
    mine = is_live() & Q(hold_id=hold_id, locked_by=by)
    # The cut-off may have been moved since, to before the end of the hold.
    return (mine | is_free() if again else mine) & _is_open(event)


def _sold(
    seats: list[Seat], hold_id: uuid.UUID, reservation: Reservation, by: User, source: str
) -> Iterator[LockEvent]:
    """Yield the events of a sale; where it took seats anew, of that too."""
    for seat in seats:
        if seat.hold_id != hold_id or seat.state != State.LOCKED:
            if seat.status == Seat.Status.LOCKED:
                yield ran_out(seat, source, by=by)
            yield event_of("taken", seat, source, by=by, holder=by, reason=_held_again())
        yield event_of("confirmed", seat, source, by=by, holder=by, reason=reservation.reference)


def _held_again() -> str:
    with translation.override(settings.LANGUAGE_CODE):  # staff read it, whoever sold
        return _t("Held again and reserved")


def release(
    hold_id: uuid.UUID, *, by: User, seat_ids: Iterable[int] | None = None, source: str = PAGE
) -> int:
    """Give back one's own live hold, or some of its seats; return how many were given back."""
    mine = Seat.objects.filter(hold_id=hold_id, locked_by=by)
    if seat_ids is not None:
        mine = mine.filter(pk__in=set(seat_ids))
    with attempt(_hold(hold_id), by, source):
        found = locked(mine)
        given_back = mine.live().update(**AVAILABLE)
        if given_back:
            assert given_back == len(found), "the seats of a hold run out together"
            audit.record(
                *(event_of("given_back", seat, source, by=by, holder=by) for seat in found)
            )
    return given_back


class Ended(NamedTuple):
    """A hold that was ended, as it was before."""

    pk: int
    seat_number: str
    event_name: str
    holder: str  # the account's name, or the person's where the account is gone


def release_expired(
    rows: SeatQuerySet | None = None, *, by: User | None = None, source: str = SCHEDULE
) -> list[Ended]:
    """Tidy up holds that ran out; return those that it really ended.

    Safe to run many times at once: each leaves out the rows that another is at.
    """
    rows = Seat.objects.all() if rows is None else rows
    return _end(rows.stale(), by=by, reason="", source=source)


def force_release(
    rows: SeatQuerySet, *, by: User | None, reason: str, source: str = BULK
) -> list[Ended]:
    """End the holds of a queryset, live or not; return those that it really ended.

    A queryset that names ``hold_id`` spares the seats that changed hands meanwhile.
    """
    rows = rows.filter(status=Seat.Status.LOCKED)
    return _end(rows, by=by, reason=reason, source=source)


def _end(rows: SeatQuerySet, *, by: User | None, reason: str, source: str) -> list[Ended]:
    ended: list[Ended] = []
    while True:
        with transaction.atomic():
            chosen = rows.order_by("pk").select_for_update(skip_locked=True)
            pks = list(chosen.values_list("pk", flat=True)[:BATCH])
            if not pks:
                return ended
            batch = rows.filter(pk__in=_among(pks))
            # The UPDATE empties the holder, and no database of ours returns what it was before.
            ended += map(Ended._make, batch.order_by("pk").values_list(*_ENDED))
            told = audit.record_rows(batch, **_ending(by, reason, source))
            changed = batch.update(**AVAILABLE)
            assert changed == told == len(pks), "nobody else writes rows that are locked"
        if len(pks) < BATCH:
            return ended


def _among(pks: list[int]) -> RawSQL:
    """Return keys as one parameter: thousands of them cost the ORM more than the database."""
    if connection.vendor == "postgresql":
        return RawSQL("SELECT unnest(%s::bigint[])", [pks])
    return RawSQL("SELECT value FROM json_each(%s)", [json.dumps(pks)])


_ENDED = (
    "pk",
    "seat_number",
    "event__name",
    Coalesce("locked_by__username", "locked_by_name"),
)


def _ending(by: User | None, reason: str, source: str) -> dict[str, object]:
    """Return the columns of the event that tells of an ending, by force or by itself."""
    live = is_live()
    return {
        "kind": LockEvent.Kind.SEAT,
        "action": Case(When(live, then=Value("forced")), default=Value("ran_out")),
        "source": source,
        "target_model": Seat._meta.label,
        "target_id": Cast("pk", CharField()),
        "target_name": Left(Concat("seat_number", Value(" · "), "event__name"), 200),
        "actor_id": by.pk if by else None,
        "actor_name": audit.name_of(by)[:150],
        "holder_id": F("locked_by_id"),
        "holder_name": F("locked_by_name"),
        "held_since": F("held_since"),
        "ended_at": Case(When(is_stale(), then=F("locked_until")), output_field=DateTimeField()),
        "reason": Case(When(live, then=Value(reason[:300])), default=Value("")),
    }


@contextmanager
def attempt(target: audit.Target, by: User, source: str, *, alone: str = "") -> Iterator[None]:
    """Run a transaction; a refusal is recorded after it was rolled back, and raised on.

    ``alone`` names what only one transaction at a time may do.
    """
    try:
        with transaction.atomic():
            if connection.vendor == "postgresql":
                with connection.cursor() as cursor:
                    cursor.execute(ALONE if alone else PATIENCE, [WAIT, alone][: 1 + bool(alone)])
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


def locked(rows: SeatQuerySet) -> list[Seat]:
    """Return the rows as they are now, and on PostgreSQL keep others from them until the commit."""
    rows = rows.select_related("event").only(*_TOLD, *_TOLD_OF_EVENT).order_by("pk")
    return list(rows.select_for_update(of=("self",)))


# What a step asks of a seat or tells of it; the rest of the columns only cost time.
_TOLD = (
    "status",
    "seat_number",
    "natural_number",
    "price",
    "reservation",
    "event",
    *NO_HOLD,
)
_TOLD_OF_EVENT = ("event__name", "event__hold_seconds", "event__cut_off")


def ran_out(seat: Seat, source: str, by: User | None = None) -> LockEvent:
    """Return the event of a hold that ended by itself; whoever finds it records it."""
    return event_of("ran_out", seat, source, by=by, ended_at=seat.locked_until)


def event_of(
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
