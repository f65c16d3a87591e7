"""Why seats were not given, in words for whoever asked."""

import uuid
from collections.abc import Collection, Iterable
from typing import Self

from django.conf import settings
from django.contrib.auth.models import User
from django.utils import translation
from django.utils.translation import gettext as _t

from backoffice import audit
from backoffice.audit import LockEvent
from reservations.models import Reservation, Seat, State


class Refused(Exception):
    """Seats were not given.

    ``reason`` is one of ``in_the_way`` (``seats`` has every seat that is, with its state),
    ``lost`` (the hold was ended, or is somebody else's), ``ran_out``, ``limit`` (it can't be
    extended any more), ``cap``, ``closed`` (the cut-off has passed), ``gone`` (no such seat) and
    ``busy`` (others keep the rows locked).
    """

    def __init__(self, reason: str, seats: Collection[Seat] = ()) -> None:
        self.reason = reason
        self.seats = seats
        super().__init__(reason)

    @classmethod
    def to_hold(cls, seat_ids: Iterable[int], hold_id: uuid.UUID) -> Self:
        """Return why ``hold_id`` did not get all its seats; asked before that is rolled back."""
        free = (State.AVAILABLE, State.RUN_OUT)
        seats = [
            seat for seat in look(seat_ids) if seat.hold_id != hold_id and seat.state not in free
        ]
        return cls("in_the_way" if seats else "closed", seats)

    @classmethod
    def to_confirm(
        cls, seat_ids: Iterable[int], hold_id: uuid.UUID, reservation: Reservation
    ) -> Self:
        """Return why seats of ``hold_id`` were not sold; asked before that is rolled back."""
        seats = [seat for seat in look(seat_ids) if seat.reservation_id != reservation.pk]
        mine = all(seat.hold_id == hold_id and seat.state == State.RUN_OUT for seat in seats)
        return cls("ran_out" if mine else "lost", seats)

    def __str__(self):
        return self.message

    @property
    def message(self):
        """What the page says, a line a seat."""
        return "\n".join([self._summary(), *map(in_words, self.seats)])

    def _summary(self):
        return {
            "in_the_way": _t("Nothing was held, because seats are in the way:"),
            "lost": _t("This hold is no longer yours."),
            "ran_out": _t("The time of your hold is over."),
            "limit": _t("This hold can't be extended any more."),
            "cap": _t("One person can hold at most %(count)s seats of an event.")
            % {"count": settings.SEAT_HOLDS_PER_USER},
            "closed": _t("The cut-off of this event has passed; its seats can't be held."),
            "gone": _t("A seat that you chose does not exist any more."),
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
        return _t("Seat %(seat)s is reserved.") % values
    if seat.state == State.BLOCKED:
        return _t("Seat %(seat)s is blocked: %(reason)s") % (values | {"reason": seat.block_reason})
    if seat.state == State.RUN_OUT:
        return _t("Seat %(seat)s: the time of the hold is over") % values
    return _t("Seat %(seat)s is not on hold.") % values
