"""What somebody typed and could not save: kept for this person alone, for two weeks."""

import re
from datetime import timedelta
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.admin.utils import quote
from django.core.exceptions import PermissionDenied
from django.db import models
from django.urls import reverse
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from backoffice import content
from backoffice.clock import database_now
from backoffice.draft_overlay import lay_over
from backoffice.lock_words import since

KEPT = timedelta(days=14)
LARGEST = 1_000_000  # characters
# Beginnings of the names of what a page sends besides: its guard's fields and its buttons.
NOT_TYPED = ("csrfmiddlewaretoken", "editing_", "_")


class EditDraft(models.Model):
    """The fields of a page, lines included, as its browser would have sent them.

    ``fields`` is a list of [name, value]; ``base`` is the content of the document as that page was
    loaded (``backoffice.content``), beside which later changes are told.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", verbose_name=_("user")
    )
    target_model = models.CharField(_("type"), max_length=80)
    target_id = models.CharField(_("number"), max_length=40)
    version = models.PositiveIntegerField(_("version"))
    base: "models.JSONField[Any, Any]" = models.JSONField(_("content when opened"))
    fields: "models.JSONField[Any, Any]" = models.JSONField(_("fields"))
    saved_at = models.DateTimeField(_("saved at"), db_default=database_now())

    class Meta:
        verbose_name = _("draft")
        verbose_name_plural = _("drafts")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["user", "target_model", "target_id"], name="draft_once")
        ]
        indexes = [models.Index(fields=["saved_at"], name="draft_age")]

    def __str__(self) -> str:
        return f"{self.target_model} {self.target_id}"


class TooLarge(Exception):
    """More was typed than a draft holds."""

    def __init__(self):
        super().__init__(_t("This is too much for a draft; it is kept on this page alone."))


def store(model_admin, request, obj, posted):
    """Keep what a page sent as this person's draft of a document, and return it.

    The only draft of theirs there: an earlier one is replaced. Raises ``TooLarge``, and
    ``PermissionDenied`` for a page that somebody else opened.
    """
    base = content.loaded_content(model_admin.model, obj.pk, posted) or {}
    # A page outlives its login, and would go on keeping what one person typed in another's name.
    if base and base["person"] != request.user.pk:
        raise PermissionDenied
    secrets = re.compile("|".join(secret_names(model_admin, request, obj)) or "(?!)")
    fields = [
        # PostgreSQL keeps no NUL, and no form takes one.
        [name.replace("\0", ""), value.replace("\0", "")]
        for name, values in posted.lists()
        for value in values
        if not name.startswith(NOT_TYPED) and not secrets.fullmatch(name)
    ]
    if sum(len(name) + len(value) for name, value in fields) > LARGEST:
        raise TooLarge
    draft = EditDraft(
        **_key(model_admin.model, obj.pk, request.user),
        version=base.get("version", 0),
        base=base,
        fields=fields,
        saved_at=database_now(),
    )
    EditDraft.objects.bulk_create(
        [draft],
        update_conflicts=True,
        unique_fields=["user", "target_model", "target_id"],
        update_fields=["version", "base", "fields", "saved_at"],
    )
    return EditDraft.objects.get(**_key(model_admin.model, obj.pk, request.user))


def secret_names(model_admin, request, obj):
    """Return patterns of the names under which a page sends what must not be kept."""
    form = content.header_form(model_admin, request, obj)
    names = [re.escape(name) for name in content.secrets_of(form)]
    for lines in content.lines_of(model_admin, request, obj):
        prefix = rf"{re.escape(lines.prefix)}-\d+-"
        names += [prefix + re.escape(name) for name in content.secrets_of(lines.formset.form)]
    return [rf"{name}(_\d+)?" for name in names]  # a widget of several parts numbers them


def of(model, pk, user):
    """Return a person's draft of a document; None where there is none, or one too old."""
    kept = EditDraft.objects.filter(saved_at__gt=database_now() - KEPT)
    return kept.filter(**_key(model, pk, user)).first()


def discard(model, pk, user):
    """Delete a person's draft of a document; return whether there was one."""
    deleted, _by_model = EditDraft.objects.filter(**_key(model, pk, user)).delete()
    return deleted == 1


def _key(model, pk, user):
    return {"user": user, "target_model": model._meta.label, "target_id": str(pk)}


def purge():
    """Delete the drafts that are older than they are kept, and those of documents that are gone;
    return how many went."""
    old, _by_model = EditDraft.objects.filter(saved_at__lte=database_now() - KEPT).delete()
    labels = EditDraft.objects.order_by().values_list("target_model", flat=True).distinct()
    return old + sum(map(_purge_orphans, list(labels)))


def _purge_orphans(label):
    drafts = EditDraft.objects.filter(target_model=label)
    keys = set(drafts.values_list("target_id", flat=True))
    try:
        rows = apps.get_model(label)._base_manager.filter(pk__in=keys)
    except LookupError:  # a kind of document that the office no longer has
        rows = EditDraft.objects.none()
    gone = keys - {str(pk) for pk in rows.values_list("pk", flat=True)}
    deleted, _by_model = drafts.filter(target_id__in=gone).delete()
    return deleted


# On the page of a document


def is_restoring(model_admin, request, obj):
    """Return whether a page is to show this person's draft of its document."""
    asked = request.method == "GET" and request.GET.get("draft") == "restore"
    return asked and model_admin.has_change_permission(request, obj)


def overlay_of(model_admin, request, obj):
    """Return (draft, what it changes in the document as it is now), once a request; both None
    where there is no draft."""
    if not hasattr(request, "edit_draft_overlay"):
        draft = of(model_admin.model, obj.pk, request.user)
        overlay = draft and lay_over(model_admin, request, obj, draft)
        request.edit_draft_overlay = draft, overlay
    return request.edit_draft_overlay


def page_context(model_admin, request, obj):
    """Return what the page of a document shows of a draft, and of what changed meanwhile."""
    if request.method == "POST":
        refused = getattr(request, "edit_lock_refused", None)
        return _refused_context(model_admin, request, obj, refused) if refused else {}
    draft, overlay = overlay_of(model_admin, request, obj)
    if not overlay:  # none, or the document says the same by now
        return {}
    restored = is_restoring(model_admin, request, obj)
    context = {"edit_lock_draft": _offer(model_admin, obj, draft, restored)}
    if restored and draft.base:
        changes = content.changes_since(model_admin, request, obj, draft.base)
        context["edit_lock_changes"] = changes
    return context


def waiting_context(model_admin, request, obj):
    """Return what a page for reading shows of a draft, which waits until the document is free."""
    draft = of(model_admin.model, obj.pk, request.user)
    return {"edit_lock_draft": _offer(model_admin, obj, draft, restored=False)} if draft else {}


def _refused_context(model_admin, request, obj, refused):
    # The bar tells the refusal; an order to correct the mistakes below would mislead.
    context = {"errors": []}
    draft = of(model_admin.model, obj.pk, request.user)
    if draft:
        context["edit_lock_draft"] = _offer(model_admin, obj, draft, restored=False)
    base = content.loaded_content(model_admin.model, obj.pk, request.POST)
    if base and refused.reason == "changed":
        context["edit_lock_changes"] = content.changes_since(model_admin, request, obj, base)
    return context


def _offer(model_admin, obj, draft, restored):
    opts = model_admin.opts
    address = reverse(
        f"admin:{opts.app_label}_{opts.model_name}_change",
        args=[quote(obj.pk)],
        current_app=model_admin.admin_site.name,
    )
    return {
        "saved_at": since(draft.saved_at),
        "restored": restored,
        "restore_url": f"{address}?draft=restore",
    }
