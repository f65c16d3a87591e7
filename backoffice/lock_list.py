"""The list of documents: who edits what, kept fresh, and the guard on bulk work."""

from django.contrib import admin
from django.contrib.admin.options import IS_POPUP_VAR
from django.core.exceptions import BadRequest, PermissionDenied, ValidationError
from django.http import JsonResponse
from django.urls import path
from django.utils.html import format_html
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from backoffice import lock_words
from backoffice.editable import lock_of
from backoffice.lock_actions import (
    EditingFilter,
    clear_stale_locks,
    delete_unlocked,
    release_locks,
)

MOST_ROWS = 200  # of a list that shows all


class LockList:
    """The column, the filter and the actions of locks; ``EditLockAdminMixin`` brings them."""

    def get_queryset(self, request):
        return super().get_queryset(request).with_lock()

    def get_list_display(self, request):
        return [*super().get_list_display(request), "editing_holder"]

    def get_list_filter(self, request):
        return [*super().get_list_filter(request), EditingFilter]

    @admin.display(description=_("being edited"), ordering="editing_started_at")
    def editing_holder(self, obj):
        return format_html('<span data-edit-lock="{}">{}</span>', obj.pk, holder_cell(obj))

    def get_urls(self):
        view = self.admin_site.admin_view(never_cache(require_GET(self.states_view)))
        name = f"{self.opts.app_label}_{self.opts.model_name}_lock_states"
        return [path("lock/states/", view, name=name), *super().get_urls()]

    def states_view(self, request):
        """Tell a list who edits its rows now: one answer for all of them."""
        request.is_beat = True  # a list that nobody looks at must not keep its session alive
        if not self.has_view_permission(request):
            raise PermissionDenied
        rows = self.get_queryset(request).filter(pk__in=self._asked(request))
        return JsonResponse({"cells": {str(row.pk): holder_cell(row) for row in rows}})

    def _asked(self, request):
        try:
            keys = [self.opts.pk.clean(key, None) for key in request.GET.get("ids", "").split(",")]
        except ValidationError:
            raise BadRequest("ids are keys, with commas between them") from None
        if len(keys) > MOST_ROWS:
            raise BadRequest(f"a list has at most {MOST_ROWS} rows")
        return keys

    def get_actions(self, request):
        actions = super().get_actions(request)
        if IS_POPUP_VAR in request.GET:  # where one row is chosen for a field
            return actions
        if "delete_selected" in actions:
            _function, name, description = actions["delete_selected"]
            actions["delete_selected"] = (delete_unlocked, name, description)
        if request.user.has_perm("backoffice.release_edit_lock"):
            actions["release_locks"] = (release_locks, "release_locks", _("Release lock"))
        if super().has_change_permission(request):
            actions["clear_stale_locks"] = (
                clear_stale_locks,
                "clear_stale_locks",
                _("Clear stale edit locks"),
            )
        return actions


def holder_cell(obj):
    """Return who edits a row since when, and whether they are at it; for the column of a list."""
    if obj.editing_by_id is None:
        return "-"
    lock = lock_of(obj)
    unsaved = lock.has_changes and format_html(
        ' <span class="edit-lock-unsaved">{}</span>', _t("has unsaved changes")
    )
    return format_html(
        '<span class="edit-lock-mark" data-live="{}">'
        '<span class="edit-lock-holder"><bdi>{}</bdi> {}</span> '
        '<span class="edit-lock-activity">{}</span>{}</span>',
        "yes" if lock.live else "no",
        lock.holder_name,
        _t("since %(time)s") % {"time": lock_words.since(lock.started_at)},
        lock_words.activity(lock),
        unsaved or "",
    )
