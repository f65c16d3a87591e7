"""Which seats are for sale: blocking, unblocking and removing them.

Each changes only the seats whose state allows it, in an UPDATE that says so, and returns which.
A blocked seat is no hold with a far end: it has a reason, and no holder.
"""

from django.db import transaction
from django.db.models import Q

from backoffice import audit
from backoffice.audit import LockEvent
from reservations import holds
from reservations.models import TAKEN, Seat, is_free

BULK = LockEvent.Source.BULK


def block(rows, *, by, reason, source=BULK):
    """Take free seats of a queryset off sale; return these. Held and reserved ones stay."""
    changes = {"blocked": True, "block_reason": reason, **holds.AVAILABLE}
    return _change(rows.free(), changes, "blocked", by=by, reason=reason, source=source)


def unblock(rows, *, by, source=BULK):
    """Put blocked seats of a queryset on sale again; return these."""
    changes = {"blocked": False, "block_reason": ""}
    rows = rows.filter(blocked=True)
    return _change(rows, changes, "unblocked", by=by, reason="", source=source)


def remove(rows, *, by, source=BULK):
    """Delete the seats of a queryset that nobody has; return how many."""
    with transaction.atomic():
        found = _free_to_change(rows.filter(is_free() | Q(blocked=True)))
        Seat.objects.filter(pk__in=[seat.pk for seat in found]).delete()
        audit.record(*_run_out(found, by, source))
    return len(found)


def taken(rows):
    """Return the seats of a queryset that somebody has, at the price that was told then.

    On PostgreSQL nobody takes any of the others before the commit.
    """
    return [seat for seat in holds.locked(rows.with_state()) if seat.state in TAKEN]


def _change(rows, changes, action, *, by, reason, source):
    with transaction.atomic():
        found = _free_to_change(rows)
        changed = rows.filter(pk__in=[seat.pk for seat in found]).update(**changes)
        assert changed == len(found), "nobody else writes rows that are locked"
        done = [
            audit.event("seat", action, seat, by=by, reason=reason, source=source) for seat in found
        ]
        audit.record(*_run_out(found, by, source), *done)
    return found


def _run_out(seats, by, source):
    """Return the events of holds that whoever changes these free seats found to be over."""
    held = (seat for seat in seats if seat.status == Seat.Status.LOCKED)
    return [holds.ran_out(seat, source, by=by) for seat in held]


def _free_to_change(rows):
    """Return the rows, locked; without those that somebody is at right now."""
    rows = rows.select_related("event").order_by("pk")
    return list(rows.select_for_update(of=("self",), skip_locked=True))
