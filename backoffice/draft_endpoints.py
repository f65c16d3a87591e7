"""What keeps a draft, throws it away, and shows it again on the page of its document."""

from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.urls import path
from django.utils.translation import gettext as _t
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from backoffice import drafts
from backoffice.lock_endpoints import answer
from backoffice.lock_words import since


class DraftEndpoints:
    """The addresses of drafts beside a change form; ``EditLockAdminMixin`` brings them.

    Whoever may change documents may keep a draft of one, also while another holds its lock: who
    loses a lock has the more to keep.
    """

    def get_urls(self):
        views = {"draft": self.draft_view, "draft/discard": self.draft_discard_view}
        return [
            path(
                f"<path:object_id>/lock/{name}/",
                self.admin_site.admin_view(never_cache(require_POST(view))),
                name=f"{self.opts.app_label}_{self.opts.model_name}_lock_{name.replace('/', '_')}",
            )
            for name, view in views.items()
        ] + super().get_urls()

    def draft_view(self, request, object_id):
        """Keep what is typed on a page: 200 with when, or 413 in words where it is too much."""
        obj = self._draftable(request, object_id)
        try:
            draft = drafts.store(self, request, obj, request.POST)
        except drafts.TooLarge as problem:
            return answer(request, 413, message=str(problem))
        saved_at = since(draft.saved_at)
        message = _t("Your draft was kept at %(time)s.") % {"time": saved_at}
        return answer(request, saved_at=saved_at, message=message)

    def draft_discard_view(self, request, object_id):
        """Throw one's own draft away."""
        obj = self._draftable(request, object_id)
        drafts.discard(self.model, obj.pk, request.user)
        return answer(request)

    def _draftable(self, request, object_id):
        if not self.has_full_change_permission(request):
            raise PermissionDenied
        obj = self.get_object(request, unquote(object_id))
        if obj is None:
            raise Http404
        return obj

    # Restoring

    def get_form(self, request, obj=None, change=False, **kwargs):
        form = super().get_form(request, obj, change=change, **kwargs)
        if not change or not drafts.is_restoring(self, request, obj):
            return form
        admin = self

        class RestoredForm(form):
            def __init__(self, *args, **kwargs):
                super().__init__(*args, **kwargs)
                _draft, overlay = drafts.overlay_of(admin, request, obj)
                self.initial |= overlay.header if overlay else {}

        return RestoredForm

    def get_formset_kwargs(self, request, obj, inline, prefix):
        params = super().get_formset_kwargs(request, obj, inline, prefix)
        if obj.pk and drafts.is_restoring(self, request, obj):
            _draft, overlay = drafts.overlay_of(self, request, obj)
            params["restored"] = overlay.lines.get(prefix) if overlay else None
        return params
