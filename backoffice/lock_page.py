"""The page of a document: who edits it, and read-only for everybody else."""

from django.conf import settings
from django.urls import reverse
from django.utils import formats
from django.utils.timezone import localtime
from django.utils.translation import gettext as _t

from backoffice import locks
from backoffice.lock_endpoints import posted_version


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


class LockPage:
    """The bar above a form; ``EditLockAdminMixin`` brings it."""

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
