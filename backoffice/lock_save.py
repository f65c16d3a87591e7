"""The save of a document under its lock: through, or refused with all that was typed."""

from functools import partial

from django.core.exceptions import ValidationError

from backoffice import locks
from backoffice.lock_endpoints import posted_version


class GuardedSave:
    """The guard on the change form; ``EditLockAdminMixin`` brings it."""

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


def refusing(form, refused):
    """Return a form class that carries a refusal as its own error."""

    class RefusingForm(form):
        def clean(self):
            super().clean()
            raise ValidationError(refused.message)

    return RefusingForm
