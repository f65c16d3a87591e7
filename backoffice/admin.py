"""What the admin of an ``EditableModel`` is made of: the guard, its page, its list.

``EditLockAdminMixin`` stands leftmost among the bases, ``EditLockInlineMixin`` on every inline;
``backoffice.checks`` refuses to start without them. The rules are those of ``backoffice.locks``.
"""

from functools import partial

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.options import IS_POPUP_VAR
from django.contrib.admin.utils import unquote
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpResponseRedirect
from django.urls import reverse
from django.utils import formats
from django.utils.html import format_html
from django.utils.timezone import localtime
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from backoffice import audit, locks, persian_admin  # noqa: F401 - makes Django's pages Persian
from backoffice.claims import ClaimKind
from backoffice.lock_actions import (
    EditingFilter,
    clear_stale_locks,
    delete_unlocked,
    refuse_held,
    release_locks,
)
from backoffice.lock_endpoints import LockEndpoints, posted_version


def held_by_another(request, obj):
    """Return the live lock that keeps this user out, or None; asked once a request."""
    if obj is None or not isinstance(obj, locks.EditableModel):
        return None
    known = request.__dict__.setdefault("edit_locks_seen", {})
    key = (obj._meta.concrete_model, obj.pk)
    if key not in known:
        lock = locks.read(type(obj), obj.pk)
        known[key] = lock if lock and lock.live and lock.holder_id != request.user.pk else None
    return known[key]


def held_text(lock):
    """Return the sentence that tells whose document this is at the moment."""
    return _t(
        "%(holder)s has been editing this document since %(time)s; it is read-only for you."
    ) % {
        "holder": lock.holder_name,
        "time": formats.time_format(localtime(lock.started_at)),
    }


class EditLockInlineMixin:
    """Lines are read-only as long as somebody else edits their document."""

    def has_add_permission(self, request, obj=None):
        return super().has_add_permission(request, obj) and not self._held(request, obj)

    def has_change_permission(self, request, obj=None):
        return super().has_change_permission(request, obj) and not self._held(request, obj)

    def has_delete_permission(self, request, obj=None):
        return super().has_delete_permission(request, obj) and not self._held(request, obj)

    def _held(self, request, obj):
        # A POST is refused with all that was typed, which a permission could not do.
        return request.method == "GET" and held_by_another(request, obj)


class EditLockAdminMixin(LockEndpoints):
    """The guard on every way an admin class writes a document."""

    class Media:
        css = {"all": ["backoffice/edit_lock.css"]}
        js = ["backoffice/edit_lock.js"]

    # The list

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

    # The page

    def has_change_permission(self, request, obj=None):
        allowed = super().has_change_permission(request, obj)
        return allowed and not (request.method == "GET" and held_by_another(request, obj))

    def render_change_form(self, request, context, *args, obj=None, **kwargs):
        lock = held_by_another(request, obj) if obj is not None and obj.pk else None
        if lock or (obj is not None and obj.pk and self.has_change_permission(request, obj)):
            context["edit_lock"] = self._page_lock(request, obj, lock)
            if lock:
                context["show_delete"] = False
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    def _page_lock(self, request, obj, lock):
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_lock_"
        urls = {
            f"{step}_url": reverse(name + step, args=[obj.pk], current_app=self.admin_site.name)
            for step in ("take", "beat", "give_back")
        }
        posted = request.method == "POST"
        return urls | {
            "state": "held" if lock and not posted else "free",
            "text": held_text(lock) if lock else _t("Nobody is editing this document."),
            "token": request.POST.get("editing_token", ""),
            "version": posted_version(request) if posted else obj.version,
            "idle_seconds": settings.EDIT_LOCK_IDLE_MINUTES * 60,
        }

    # The save

    def changeform_view(self, request, object_id=None, form_url="", extra_context=None):
        view = partial(super().changeform_view, request, object_id, form_url, extra_context)
        pk = None if object_id is None else self._key(object_id)
        if request.method != "POST" or pk is None or not super().has_change_permission(request):
            return view()
        refused = locks.look(
            self.model,
            pk,
            by=request.user,
            token=request.POST.get("editing_token", ""),
            version=posted_version(request),
        )
        try:
            if refused is None:
                return view()
        except locks.Refused as problem:  # somebody was faster, between that look and the save
            refused = problem
        # The transaction of the save is rolled back by now. The same page once more, with all
        # that was typed and the reason on top.
        locks.record_refusal(self.model, pk, refused, by=request.user)
        request.edit_lock_refused = refused
        response = view()
        if response.status_code == 200:
            response.status_code = 409
        return response

    def get_form(self, request, obj=None, change=False, **kwargs):
        form = super().get_form(request, obj, change=change, **kwargs)
        refused = getattr(request, "edit_lock_refused", None)
        return refusing(form, refused) if refused and change else form

    def save_model(self, request, obj, form, change):
        if change:
            request.edit_lock_token = locks.require(
                self.model,
                obj.pk,
                by=request.user,
                token=request.POST.get("editing_token", ""),
                version=posted_version(request),
            )
        super().save_model(request, obj, form, change)

    def response_change(self, request, obj):
        token = request.edit_lock_token
        stays = "_continue" in request.POST and token == request.POST.get("editing_token")
        if not stays:
            locks.release(self.model, obj.pk, token=token, by=request.user)
        return super().response_change(request, obj)

    # Deleting

    def delete_view(self, request, object_id, extra_context=None):
        try:
            obj = self.get_object(request, unquote(object_id))
            lock = held_by_another(request, obj)
            if lock and self.has_delete_permission(request, obj):
                raise locks.Refused("held", lock)
            return super().delete_view(request, object_id, extra_context)
        except locks.Refused as refused:
            if request.method == "POST":  # who only looks at the question was refused nothing
                locks.record_refusal(self.model, obj.pk, refused, by=request.user)
            self.message_user(request, refused.message, messages.ERROR)
            return HttpResponseRedirect(
                reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")
            )

    def delete_model(self, request, obj):
        _workable, held = locks.split(
            self.model._default_manager.filter(pk=obj.pk), by=request.user
        )
        if held:
            raise locks.Refused("held", held[0])
        super().delete_model(request, obj)

    def delete_queryset(self, request, queryset):
        with transaction.atomic():
            workable, held = locks.split(queryset, by=request.user)
            super().delete_queryset(request, workable)
        refuse_held(self, request, held)

    # Bulk actions

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


def refusing(form, refused):
    """Return a form class that carries a refusal as its own error."""

    class RefusingForm(form):
        def clean(self):
            super().clean()
            raise ValidationError(refused.message)

    return RefusingForm


def edit_lock_kind(model):
    """Return the kind of claim that the edit locks of a model are, for its app to register."""
    app, name = model._meta.app_label, model._meta.model_name
    address = f"{app}/{name}/?editing="
    return ClaimKind(
        name=f"edit:{model._meta.label}",
        label=model._meta.verbose_name_plural,
        live=model._default_manager.live,
        stale=model._default_manager.stale,
        release=locks.force_release,
        permission="backoffice.release_edit_lock",
        view_permission=f"{app}.view_{name}",
        live_url=address + "live",
        stale_url=address + "stale",
    )


# The admins of the office's own tables, after what they are made of.
from backoffice import admin_events, admin_schedules, admin_staff  # noqa: E402, F401
