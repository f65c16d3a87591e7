"""The list of documents: who edits what, and the guard on bulk work."""

from django.contrib import admin
from django.contrib.admin.options import IS_POPUP_VAR
from django.utils import formats
from django.utils.html import format_html
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _

from backoffice import audit
from backoffice.lock_actions import (
    EditingFilter,
    clear_stale_locks,
    delete_unlocked,
    release_locks,
)


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
        if obj.editing_by_id is None:
            return "-"
        mark = _("active") if obj.lock_is_live else _("run out")
        since = formats.time_format(localtime(obj.editing_started_at))
        return format_html(
            '<span class="edit-lock-mark" data-live="{}"><bdi>{}</bdi> · {} · {}</span>',
            "yes" if obj.lock_is_live else "no",
            audit.name_of(obj.editing_by),
            since,
            mark,
        )

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
