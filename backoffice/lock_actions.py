"""What staff do with the documents and the locks of a list, past what others are editing.

Each action of an ``EditableModel``'s admin says what it does: ``@changes_documents`` or
``@reads_only``. ``backoffice.checks`` refuses to start with one that says neither.
"""

import functools

from django.contrib import admin, messages
from django.contrib.admin.actions import delete_selected
from django.db import transaction
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from backoffice import lock_endings, locks
from backoffice.audit import LockEvent
from backoffice.lock_words import named
from backoffice.persian import digits_shown


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


# What an action says of itself


def reads_only(action):
    """Mark an action of a list that leaves every document as it is."""
    action.edit_lock = "reads"
    return action


def changes_documents(action):
    """Mark and guard an action of a list that changes documents; it gets those nobody else edits.

    They are its own until the commit, and their versions are counted up. The action returns how
    many it changed where it changed not all of them. Where it returns a page instead, one that
    asks first, nothing has happened: that page names what is going to be left out, and everything
    is asked anew when it is sent.
    """

    @functools.wraps(action)
    def guarded(modeladmin, request, queryset):
        with transaction.atomic():
            workable, held = locks.split(queryset, by=request.user)
            done = workable.count()
            outcome = action(modeladmin, request, workable) if done else None
            asks = isinstance(outcome, TemplateResponse)
            if asks:
                transaction.set_rollback(True)
        if isinstance(outcome, int):
            done, outcome = outcome, None
        if asks:
            announce_held(modeladmin, request, held)
        else:
            refuse_held(modeladmin, request, held, done)
        return outcome

    guarded.edit_lock = "changes"
    return guarded


def announce_held(modeladmin, request, held):
    """Tell which documents bulk work is going to leave out."""
    if held:
        text = ngettext(
            "%(count)s document is locked and will be left out: %(names)s",
            "%(count)s documents are locked and will be left out: %(names)s",
            len(held),
        ) % {"count": len(held), "names": named(held)}
        modeladmin.message_user(request, digits_shown(text), messages.WARNING)


def refuse_held(modeladmin, request, held, done):
    """Record which documents bulk work was refused, after its transaction, and tell so."""
    for lock in held:
        locks.record_refusal(
            modeladmin.model,
            lock.pk,
            locks.Refused("held", lock),
            by=request.user,
            source=LockEvent.Source.BULK,
        )
    if held:
        text = ngettext(
            "%(done)s done, %(count)s document is locked: %(names)s",
            "%(done)s done, %(count)s documents are locked: %(names)s",
            len(held),
        ) % {"done": done, "count": len(held), "names": named(held)}
        modeladmin.message_user(request, digits_shown(text), messages.WARNING)


# What there is in every list


delete_unlocked = changes_documents(delete_selected)


@reads_only
def release_locks(modeladmin, request, queryset):
    """End the locks of the chosen rows, after a second look at them; live ones with a reason."""
    return lock_endings.release_in_list(modeladmin, request, queryset)


@reads_only
def clear_stale_locks(modeladmin, request, queryset):
    """End the locks of the chosen rows that ran out."""
    rows = queryset.stale()
    count = locks.force_release(rows, by=request.user, reason="")
    text = ngettext(
        "%(count)s stale edit lock was cleared.", "%(count)s stale edit locks were cleared.", count
    )
    modeladmin.message_user(request, digits_shown(text % {"count": count}))
