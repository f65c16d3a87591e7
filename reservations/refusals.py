"""Why seats were not given, in words for whoever asked."""

import uuid
from collections.abc import Collection, Iterable
from typing import Self

from django.conf import settings
from django.contrib.auth.models import User
from django.utils import translation
from django.utils.translation import gettext as _t

from backoffice import audit, clock
from backoffice.audit import LockEvent
from reservations.models import Event, Reservation, Seat, State

ENDINGS = (LockEvent.Action.GIVEN_BACK, LockEvent.Action.RAN_OUT, LockEvent.Action.FORCED)


class Refused(Exception):
    """Seats were not given.

    ``reason`` is one of ``in_the_way`` and ``not_moved`` (``seats`` has every seat that is, with
    its state), ``lost`` (the hold was ended, or is somebody else's), ``ran_out``, ``limit`` (it
    can't be extended any more), ``cap``, ``closed`` (the cut-off has passed), ``gone`` (no such
    seat or reservation), ``cancelled``, ``not_theirs`` (seats that the reservation has no more),
    ``uneven`` (other than as many seats as are given up), ``few`` and ``no_accessible`` (of those
    that were asked for, not enough are free) and ``busy`` (others keep the rows locked, or were
    faster each time). ``again`` tells that a refused sale would go through as a new taking.
    """

    def __init__(self, reason: str, seats: Collection[Seat] = (), *, again: bool = False) -> None:
        self.reason = reason
        self.seats = seats
        self.again = again
        super().__init__(reason)

    @classmethod
    def to_hold(cls, seat_ids: Iterable[int], hold_id: uuid.UUID) -> Self:
        """Return why ``hold_id`` did not get all its seats; asked before that is rolled back."""
        seats = [seat for seat in look(seat_ids) if seat.hold_id != hold_id and not is_free(seat)]
        if seats:
            return cls("in_the_way", seats)
        # Where it is not, a seat was in the way a moment ago, and came free before it was named.
        return cls("closed" if is_over(seat_ids) else "busy")

    @classmethod
    def to_confirm(
        cls, seat_ids: Iterable[int], hold_id: uuid.UUID, reservation: Reservation, *, again: bool
    ) -> Self:
        """Return why seats of ``hold_id`` were not sold; asked before that is rolled back."""
        seats = [seat for seat in look(seat_ids) if seat.reservation_id != reservation.pk]
        all_free, over = all(map(is_free, seats)), is_over(seat_ids)
        own = [seat for seat in seats if seat.hold_id == hold_id]
        if over and ((all_free and again) or any(seat.state == State.LOCKED for seat in own)):
            return cls("closed")
        if again and all_free:
            return cls("busy")
        mine = len(own) == len(seats) and all_free
        return cls("ran_out" if mine else "lost", with_endings(seats), again=all_free and not over)

    @classmethod
    def to_move(cls, seat_ids: Iterable[int], reservation: Reservation) -> Self:
        """Return why a reservation did not get all its seats; asked before that is rolled back."""
        seats = [seat for seat in look(seat_ids) if seat.reservation_id != reservation.pk]
        return cls("not_moved", [seat for seat in seats if not is_free(seat)])

    def __str__(self):
        return self.message

    @property
    def message(self):
        """What the page says, a line a seat."""
        return "\n".join([self._summary(), *map(in_words, self.seats)])

    def _summary(self):
        return {
            "in_the_way": _t("Nothing was held, because seats are in the way:"),
            "not_moved": _t("Nothing was moved, because seats are in the way:"),
            "cancelled": _t("This reservation was cancelled already."),
            "not_theirs": _t("These seats do not belong to this reservation any more."),
            "uneven": _t("Choose as many new seats as are given up."),
            "lost": _t("This hold is no longer yours."),
            "ran_out": _t("The time of your hold is over."),
            "limit": _t("This hold can't be extended any more."),
            "cap": _t("One person can hold at most %(count)s seats of an event.")
            % {"count": settings.SEAT_HOLDS_PER_USER},
            "closed": _t("The cut-off of this event has passed; its seats can't be held."),
            "gone": _t("What you chose does not exist any more."),
            "few": _t("Not that many seats are free."),
            "no_accessible": _t("No accessible seat is free."),
            "busy": _t("Others are at these seats right now; try again."),
        }[self.reason]

    def events(self, target: audit.Target, *, by: User, source: str) -> list[LockEvent]:
        """Return the log's events: one a seat, or one for the ``target`` that was asked for."""
        if self.reason == "busy":  # says nothing of the seats, and the log may be as busy
            return []
        with translation.override(settings.LANGUAGE_CODE):  # staff read it, whoever was refused
            told = [(seat, in_words(seat)) for seat in self.seats] or [(target, self._summary())]
        return [
            audit.event(
                LockEvent.Kind.SEAT,
                "refused",
                seat,
                source=source,
                by=by,
                holder=holder_of(seat),
                reason=reason[:300],
            )
            for seat, reason in told
        ]


def look(seat_ids):
    """Return seats as they are now, to be told of; they decide nothing."""
    rows = Seat.objects.with_state().filter(pk__in=seat_ids)
    return list(rows.select_related("event", "reservation"))


def is_over(seat_ids):
    """Return whether the cut-off of the seats' event has passed."""
    return Event.objects.filter(seats__in=seat_ids, cut_off__lte=clock.database_now()).exists()


def is_free(seat):
    return seat.state in (State.AVAILABLE, State.RUN_OUT)


def with_endings(seats):
    """Return seats, those that are available with the event by which their last hold ended."""
    free = {str(seat.pk): seat for seat in seats if seat.state == State.AVAILABLE}
    rows = LockEvent.objects.filter(
        target_model=Seat._meta.label, target_id__in=free, action__in=ENDINGS
    )
    for event in rows.order_by("pk"):
        free[event.target_id].ending = event
    return seats


def holder_of(seat):
    if getattr(seat, "state", None) != State.LOCKED:
        return None
    return seat.locked_by_id, seat.locked_by_name


def in_words(seat):
    """Return what is to be said of a seat that somebody wanted."""
    values = {"seat": seat.seat_number}
    if seat.state == State.LOCKED:
        values |= {"holder": seat.locked_by_name, "seconds": round(seat.time_left.total_seconds())}
        return _t("Seat %(seat)s: with %(holder)s, %(seconds)s seconds left") % values
    if seat.state == State.RESERVED:
        values |= {"reference": seat.reservation.reference}
        return _t("Seat %(seat)s is reserved (%(reference)s).") % values
    if seat.state == State.BLOCKED:
        return _t("Seat %(seat)s is blocked: %(reason)s") % (values | {"reason": seat.block_reason})
    if seat.state == State.RUN_OUT:
        return _t("Seat %(seat)s: the time of the hold is over") % values
    return ended_in_words(seat, values)


def ended_in_words(seat, values):
    """Return how the last hold of an available seat came to its end, where that was looked up."""
    ending = getattr(seat, "ending", None)
    if ending is None:
        return _t("Seat %(seat)s is not on hold.") % values
    values |= {"actor": ending.actor_name, "reason": ending.reason}
    if ending.action == LockEvent.Action.GIVEN_BACK:
        return _t("Seat %(seat)s was given back by %(actor)s.") % values
    if ending.action == LockEvent.Action.FORCED:
        return _t("Seat %(seat)s was released by %(actor)s: %(reason)s") % values
    return _t("Seat %(seat)s: the time of the hold is over") % values
