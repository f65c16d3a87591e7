"""The edit locks of a model as a kind of claim."""

from django.db.models import F, Model
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce, Least

from backoffice import locks
from backoffice.claims import ClaimKind, name_of
from backoffice.editable import (
    GRACE,
    beat_timeout,
    idle_timeout,
    lock_is_live,
    longest_hold,
    sign_of_life,
)


def edit_lock_kind(model: type[Model], name: Combinable) -> ClaimKind:
    """Return the kind of claim that the edit locks of a model are, for its app to register.

    ``name`` is the SQL expression of what staff call a row.
    """
    app, model_name = model._meta.app_label, model._meta.model_name
    address = f"{app}/{model_name}/?editing="

    def rows():
        claimed = model._default_manager.all().by_claims().order_by()
        return claimed.alias(_sign_of_life=sign_of_life()).annotate(
            claim_name=name,
            claim_holder_id=F("editing_by_id"),
            claim_holder=name_of("editing_by"),
            claim_since=F("editing_started_at"),
            claim_seen=last_seen(),
            claim_input=F("editing_last_input_at"),
            claim_until=ends_at(),
            claim_live=lock_is_live(),
            claim_unsaved=F("editing_has_changes"),
        )

    return ClaimKind(
        name=f"edit:{model._meta.label}",
        label=model._meta.verbose_name_plural,
        model=model,
        rows=rows,
        release=locks.force_release,
        permission="backoffice.release_edit_lock",
        clear_permission=f"{app}.change_{model_name}",
        view_permission=f"{app}.view_{model_name}",
        live_url=address + "live",
        stale_url=address + "stale",
    )


def last_seen() -> Coalesce:
    return Coalesce("editing_last_seen_at", "editing_started_at")


def ends_at() -> Least:
    """Return the SQL expression of ``Lock.ends_at``; null where the row says nothing of it."""
    silent = last_seen() + beat_timeout()
    # Of a NULL among them one database makes NULL, and the other nothing.
    return Least(
        silent,
        Coalesce(F("editing_last_input_at") + idle_timeout(), silent),
        Coalesce(F("editing_extended_at") + longest_hold(), silent),
        Coalesce(F("editing_left_at") + GRACE, silent),
    )
