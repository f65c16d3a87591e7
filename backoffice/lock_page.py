"""The page of a document: who edits it, and read-only for everybody else."""

from django.conf import settings
from django.urls import reverse

from backoffice import content, drafts, lock_words, locks
from backoffice.editable import read
from backoffice.lock_endpoints import TAKE_OVER, posted_version

# What the script of a page asks; ``LockEndpoints`` and ``DraftEndpoints`` answer.
STEPS = (
    "take",
    "beat",
    "give_back",
    "move",
    "take_over",
    "ask",
    "answer",
    "look",
    "draft",
    "draft_discard",
)


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


class LockPage:
    """The bar above a form; ``EditLockAdminMixin`` brings it."""

    def has_change_permission(self, request, obj=None):
        allowed = super().has_change_permission(request, obj)
        return allowed and not (request.method == "GET" and held_by_another(request, obj))

    def render_change_form(self, request, context, *args, obj=None, **kwargs):
        lock = held_by_another(request, obj) if obj is not None and obj.pk else None
        if lock or (obj is not None and obj.pk and self.has_change_permission(request, obj)):
            context["edit_lock"] = self.lock_of_page(request, obj)
            if lock:
                context |= drafts.waiting_context(self, request, obj)
                context["show_delete"] = False
            else:
                context |= drafts.page_context(self, request, obj)
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    def lock_of_page(self, request, obj):
        """Return what the bar of a page shows and asks with; for its template."""
        posted = request.method == "POST"
        return (
            self._addresses(obj)
            | self._state(request, obj)
            | {
                "token": request.POST.get("editing_token", ""),
                "version": posted_version(request) if posted else obj.version,
                "base": request.POST.get("editing_base", "")
                if posted
                else content.sealed(content.content_of(self, request, obj)),
                "posted": posted,
                "idle_seconds": settings.EDIT_LOCK_IDLE_MINUTES * 60,
                "may_ask": self.has_full_change_permission(request),
                "may_take_over": self.has_full_change_permission(request)
                and request.user.has_perm(TAKE_OVER),
            }
        )

    def has_full_change_permission(self, request):
        """Return whether this person may change documents that nobody else holds."""
        return super().has_change_permission(request)

    def _addresses(self, obj):
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_"
        return {
            f"{step}_url": reverse(
                f"{name}lock_{step}", args=[obj.pk], current_app=self.admin_site.name
            )
            for step in STEPS
        }

    def _state(self, request, obj):
        refused = getattr(request, "edit_lock_refused", None)
        if refused:
            return {"state": "refused", "text": refused.message}
        lock = read(self.model, obj.pk)
        if lock is None or request.method == "POST":  # mistakes in a form: its script looks again
            return {"state": "free", "text": lock_words.free_text()}
        return {"state": self.state_for(request, lock), "text": self.text_for(request, lock)}
