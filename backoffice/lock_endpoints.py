"""What the page of a document asks while it is open: its lock, a beat, the lock's return."""

from django.conf import settings
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, JsonResponse
from django.urls import path
from django.views.decorators.http import require_POST

from backoffice import locks


class LockEndpoints:
    """The three addresses beside a change form; ``EditLockAdminMixin`` brings them."""

    def get_urls(self):
        views = {"take": self.take_view, "beat": self.beat_view, "give-back": self.give_back_view}
        return [
            path(
                f"<path:object_id>/lock/{name}/",
                self.admin_site.admin_view(require_POST(view)),
                name=f"{self.opts.app_label}_{self.opts.model_name}_lock_{name.replace('-', '_')}",
            )
            for name, view in views.items()
        ] + super().get_urls()

    def take_view(self, request, object_id):
        """Take the lock for a page: 200 with the token, or 409 with the reason in words."""
        pk = self._lockable(request, object_id)
        obj = self.get_object(request, unquote(object_id))
        if obj and not self.has_change_permission(request, obj):  # a posted one is for reading
            raise PermissionDenied
        try:
            token = locks.acquire(
                self.model,
                pk,
                by=request.user,
                version=posted_version(request, "version"),
                own_token=request.POST.get("token", ""),
            )
        except locks.Refused as refused:
            locks.record_refusal(self.model, pk, refused, by=request.user)
            return JsonResponse({"reason": refused.reason, "message": refused.message}, status=409)
        return JsonResponse({"token": token, "beat_seconds": settings.EDIT_LOCK_BEAT_SECONDS})

    def beat_view(self, request, object_id):
        """Keep the lock of a page alive: 200, or 409 where it is gone."""
        pk = self._lockable(request, object_id)
        live = locks.renew(self.model, pk, token=request.POST.get("token", ""), by=request.user)
        return JsonResponse({"live": live}, status=200 if live else 409)

    def give_back_view(self, request, object_id):
        """Give the lock of a page back, when the page is left."""
        pk = self._lockable(request, object_id)
        token = request.POST.get("token", "")
        return JsonResponse(
            {"released": locks.release(self.model, pk, token=token, by=request.user)}
        )

    def _lockable(self, request, object_id):
        if not super().has_change_permission(request):
            raise PermissionDenied
        pk = self._key(object_id)
        if pk is None:
            raise Http404
        return pk

    def _key(self, object_id):
        """Return the key in an address, None where it can be none."""
        try:
            return self.opts.pk.to_python(unquote(object_id))
        except ValidationError:
            return None


def posted_version(request, name="editing_version"):
    """Return the version that the page was loaded with; 0, which no document has, without one."""
    text = request.POST.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
