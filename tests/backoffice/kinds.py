"""Kinds of claim and figures for tests, over rows that are at hand."""

from backoffice.audit import LockEvent
from backoffice.claims import ClaimKind, Figure


def make_kind(name="seat", **kw):
    """Return a kind of claim: live are the events with its name, stale those with "old " before."""
    fields = {
        "name": name,
        "label": name,
        "live": lambda: LockEvent.objects.filter(target_name=name),
        "stale": lambda: LockEvent.objects.filter(target_name=f"old {name}"),
        "release": lambda rows, *, by, reason: 0,
        "permission": "backoffice.release_edit_lock",
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
