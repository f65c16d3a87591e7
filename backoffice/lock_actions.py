"""What staff do with the locks of a list: see them, end them, and work past them."""

from django.contrib import admin, messages
from django.contrib.admin.actions import delete_selected
from django.db import transaction
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from backoffice import locks
from backoffice.audit import LockEvent


class EditingFilter(admin.SimpleListFilter):
    title = _("being edited")
    parameter_name = "editing"

    def lookups(self, request, model_admin):
        return [("live", _("active")), ("stale", _("run out")), ("mine", _("by me"))]

    def queryset(self, request, queryset):
        if self.value() == "mine":
            return queryset.live().filter(editing_by=request.user)
        if self.value() in ("live", "stale"):
            return getattr(queryset, self.value())()
        return queryset


def tell_held(modeladmin, request, held):
    """Tell which documents bulk work left out, and who holds them."""
    names = ", ".join(f"{lock.name} ({lock.holder_name})" for lock in held[:20])
    modeladmin.message_user(
        request,
        ngettext(
            "%(count)s document is locked and was left out: %(names)s",
            "%(count)s documents are locked and were left out: %(names)s",
            len(held),
        )
        % {"count": len(held), "names": names},
        messages.WARNING,
    )


def refuse_held(modeladmin, request, held):
    """Record that bulk work was refused these documents, after its transaction, and tell so."""
    for lock in held:
        locks.record_refusal(
            modeladmin.model,
            lock.pk,
            locks.Refused("held", lock),
            by=request.user,
            source=LockEvent.Source.BULK,
        )
    if held:
        tell_held(modeladmin, request, held)


def delete_unlocked(modeladmin, request, queryset):
    """Delete what nobody else is editing, and say what was left out."""
    confirmed = request.POST.get("post")
    # Django writes the history before it deletes: what it tells of is held until both are done.
    with transaction.atomic():
        if confirmed:
            free, held = locks.split(queryset, by=request.user)
        else:
            held = [lock for lock in locks.held(queryset) if lock.holder_id != request.user.pk]
            free = queryset.exclude(pk__in=[lock.pk for lock in held])
        response = delete_selected(modeladmin, request, free) if free.exists() else None
    if confirmed:
        refuse_held(modeladmin, request, held)
    elif held:
        tell_held(modeladmin, request, held)
    return response


def release_locks(modeladmin, request, queryset):
    """End the locks of the chosen rows, live or not."""
    count = locks.force_release(queryset, by=request.user, reason=_t("From the list"))
    modeladmin.message_user(
        request,
        ngettext("%(count)s lock was released.", "%(count)s locks were released.", count)
        % {"count": count},
    )


def clear_stale_locks(modeladmin, request, queryset):
    """End the locks of the chosen rows that ran out."""
    rows = queryset.stale()
    count = locks.force_release(rows, by=request.user, reason="")
    modeladmin.message_user(
        request,
        ngettext(
            "%(count)s stale edit lock was cleared.",
            "%(count)s stale edit locks were cleared.",
            count,
        )
        % {"count": count},
    )
