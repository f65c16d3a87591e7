"""Kinds of claim and figures for tests, over rows that are at hand."""

from django.db.models import BooleanField, Case, DateTimeField, F, When

from backoffice.audit import LockEvent
from backoffice.claims import ClaimKind, Figure, unknown


def make_kind(name="seat", **kw):
    """Return a kind of claim: live are the events with its name, stale those with "old " before."""

    def rows():
        return LockEvent.objects.filter(target_name__in=[name, f"old {name}"]).annotate(
            claim_name=F("target_name"),
            claim_holder_id=F("holder_id"),
            claim_holder=F("holder_name"),
            claim_since=F("at"),
            claim_seen=unknown(DateTimeField()),
            claim_input=unknown(DateTimeField()),
            claim_until=F("at"),
            claim_live=Case(When(target_name=name, then=True), default=False),
            claim_unsaved=unknown(BooleanField()),
        )

    fields = {
        "name": name,
        "label": name,
        "model": LockEvent,
        "rows": rows,
        "release": lambda rows, *, by, reason: 0,
        "permission": "backoffice.release_edit_lock",
        "clear_permission": "backoffice.release_edit_lock",
        "view_permission": "backoffice.view_lockevent",
        "live_url": f"backoffice/lockevent/?q={name}",
        "stale_url": f"backoffice/lockevent/?q=old+{name}",
    }
    return ClaimKind(**fields | kw)


def make_figure(name="waiting", count=0, **kw):
    """Return a figure that counts to ``count``."""
    fields = {
        "name": name,
        "label": name,
        "count": lambda: count,
        "view_permission": "backoffice.view_lockevent",
        "url": f"backoffice/lockevent/?q={name}",
    }
    return Figure(**fields | kw)
