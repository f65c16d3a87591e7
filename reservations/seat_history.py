"""Who had a seat, and when: the log of a seat, played back.

A hold that ran out was free from its end on, though whoever found it wrote that down later; so
its event counts from ``ended_at``. What the log no longer tells, because it was pruned, is told
by the first event that is left: whose end it is had begun before.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from backoffice.audit import LockEvent
from reservations.models import Seat, State

Action = LockEvent.Action
# What a seat becomes by an event, and what it was before.
BEGINS: dict[str, State] = {
    Action.TAKEN: State.LOCKED,
    Action.CONFIRMED: State.RESERVED,
    Action.BLOCKED: State.BLOCKED,
}
WAS: dict[str, State] = {
    Action.EXTENDED: State.LOCKED,
    Action.GIVEN_BACK: State.LOCKED,
    Action.RAN_OUT: State.LOCKED,
    Action.FORCED: State.LOCKED,
    Action.CANCELLED: State.RESERVED,
    Action.MOVED: State.RESERVED,
    Action.UNBLOCKED: State.BLOCKED,
}


@dataclass
class Period:
    """A time in which a seat was not free, and how it came to its end."""

    state: State
    who: str  # the holder, the seller, or who blocked it
    who_id: int | None
    since: datetime | None  # None where the log does not reach back so far
    note: str = ""  # the code of the reservation, or the reason of the block
    source: str = ""  # a label of the log: where it began
    until: datetime | None = None  # None while it lasts
    ends_at: datetime | None = None  # of a live hold: when its time will be over
    extended: int = 0
    ended: str = ""  # the action of the log that ended it
    ended_by: str = ""
    reason: str = ""  # of its end; where it was moved, the seats to which
    ended_source: str = ""

    def covers(self, moment: datetime) -> bool:
        """Return whether it was on at an instant; its last instant is free already."""
        has_begun = self.since is None or self.since <= moment
        return has_begun and (self.until is None or moment < self.until)


def replay(events: Iterable[LockEvent]) -> list[Period]:
    """Return the periods that the events of one seat tell of, the oldest first."""
    found: list[Period] = []
    now: Period | None = None
    for number, event in enumerate(events):
        if number == 0:
            now = _begun_before(event)
            found += [now] if now else []
        if event.action == Action.EXTENDED:
            if now:
                now.extended += 1
            continue
        if now and event.action in (*WAS, *BEGINS):
            _end(now, event)
            now = None
        if event.action in BEGINS:
            now = _begin(event)
            found.append(now)
    return found


def _begun_before(event: LockEvent) -> Period | None:
    """Return what the first event that is left of a log says to have been on before it."""
    state = WAS.get(event.action)
    if event.action == Action.CONFIRMED and event.held_since:
        state = State.LOCKED
    if state is None:
        return None
    return Period(state, event.holder_name, event.holder_id, event.held_since)


def _begin(event: LockEvent) -> Period:
    note = event.reason
    if event.action == Action.CONFIRMED:  # "CODE", or "CODE ← A1" where it was moved here
        note = event.reason.split(" ")[0]
    return Period(
        state=BEGINS[event.action],
        who=event.actor_name,
        who_id=event.actor_id,
        since=event.at,
        note=note,
        source=event.get_source_display(),
    )


def _end(period: Period, event: LockEvent) -> None:
    period.until = event.ended_at or event.at
    period.ended = event.action
    period.ended_by = event.actor_name
    period.reason = event.reason
    if event.action == Action.CANCELLED:  # "CODE: why"
        period.reason = event.reason.partition(": ")[2]
    if event.action == Action.MOVED:  # "CODE → B1"
        period.reason = event.reason.partition(" → ")[2]
    period.ended_source = event.get_source_display()


def events_of(seat: Seat) -> Iterable[LockEvent]:
    """Return what the log has of a seat, the oldest first, without what was refused."""
    rows = LockEvent.objects.filter(target_model=Seat._meta.label, target_id=str(seat.pk))
    return rows.exclude(action=Action.REFUSED).order_by("pk")


def life(seat: Seat) -> list[Period]:
    """Return all periods of a seat that came ``with_state``, the oldest first."""
    found = replay(events_of(seat))
    if seat.state == State.AVAILABLE:
        return found
    state = State.LOCKED if seat.state == State.RUN_OUT else State(seat.state)
    if not found or found[-1].until is not None:
        found.append(_told_by_row(seat, state))
    if seat.state == State.LOCKED:
        found[-1].ends_at = seat.locked_until
    if seat.state == State.RUN_OUT:  # nobody has found it yet
        found[-1].until, found[-1].ended = seat.locked_until, Action.RAN_OUT
    return found


def _told_by_row(seat: Seat, state: State) -> Period:
    """Return what a row says to be on, where all of its log is pruned."""
    note = seat.reservation.reference if seat.reservation else seat.block_reason
    who = seat.reservation.cashier_name if seat.reservation else seat.locked_by_name
    return Period(state, who, seat.locked_by_id, seat.held_since, note)


def state_at(periods: Iterable[Period], moment: datetime) -> Period | None:
    """Return what was on at an instant, None where the seat was free."""
    return next((period for period in periods if period.covers(moment)), None)


def begun_within(periods: Iterable[Period], moment: datetime, *, before: datetime) -> list[Period]:
    """Return what began after an instant and before another."""
    return [period for period in periods if period.since and moment < period.since < before]


def reaches_back_to(moment: datetime) -> bool:
    """Return whether the log tells of an instant: it was not pruned, or not so far."""
    if not LockEvent.objects.filter(kind="log", action=Action.PRUNED).exists():
        return True
    pruned = LockEvent.objects.filter(action=Action.PRUNED)
    oldest = LockEvent.objects.exclude(pk__in=pruned.values("pk")).order_by("at").first()
    return (oldest.at if oldest else timezone.now()) <= moment
