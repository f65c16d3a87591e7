"""The save of a document under its lock: through, or refused with all that was typed."""

from contextlib import suppress
from functools import partial

from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied, ValidationError
from django.urls import reverse

from backoffice import content, drafts, lock_gone, locks
from backoffice.lock_endpoints import posted_version


class GuardedSave:
    """The guard on the change form; ``EditLockAdminMixin`` brings it."""

    def changeform_view(self, request, object_id=None, form_url="", extra_context=None):
        view = partial(super().changeform_view, request, object_id, form_url, extra_context)
        pk = None if object_id is None else self._key(object_id)
        # A copy is no write to the document that it is made of.
        copies = self.save_as and "_saveasnew" in request.POST
        saves = request.method == "POST" and not copies
        if not saves or pk is None or not self.has_full_change_permission(request):
            return view()
        refused = self._of_somebody_else(request, pk) or locks.look(
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
        # The transaction of the save is rolled back by now.
        locks.record_refusal(self.model, pk, refused, by=request.user)
        return self._refuse(request, object_id, refused, view)

    def _of_somebody_else(self, request, pk):
        """Return the refusal of a page that another person opened before this one logged in."""
        base = content.loaded_content(self.model, pk, request.POST)
        return locks.Refused("other_person") if base and base["person"] != request.user.pk else None

    def _refuse(self, request, object_id, refused, view):
        """Return the same page once more, with all that was typed and the reason on top."""
        obj = self.get_object(request, unquote(object_id))
        if obj is None:
            view = self._gone_view(request, object_id)
        else:
            with suppress(drafts.TooLarge, PermissionDenied):  # the page has it all
                drafts.store(self, request, obj, request.POST)
            request.edit_lock_refused = refused
        response = view()
        if response.status_code == 200:
            response.status_code = 409
        return response

    def _gone_view(self, request, object_id):
        """Return the view that shows what was typed as a new document, which it can be saved as."""
        may_add = super().has_add_permission(request)
        request.POST = lock_gone.as_new(self, request)
        text = lock_gone.gone_text(self.model, self._key(object_id), may_add=may_add)
        request.edit_lock_gone = self, text
        buttons = ("show_save", "show_save_and_continue", "show_save_and_add_another")
        return partial(
            super().changeform_view,
            request,
            form_url=reverse(
                f"admin:{self.opts.app_label}_{self.opts.model_name}_add",
                current_app=self.admin_site.name,
            ),
            extra_context=dict.fromkeys(buttons, may_add),
        )

    def has_add_permission(self, request):
        # Who may not add documents is still shown what they typed into one that is gone.
        gone = getattr(request, "edit_lock_gone", None)
        return super().has_add_permission(request) or bool(gone and gone[0] is self)

    def get_form(self, request, obj=None, change=False, **kwargs):
        form = super().get_form(request, obj, change=change, **kwargs)
        gone = getattr(request, "edit_lock_gone", None)
        if gone:
            return refusing(form, gone[1])
        refused = getattr(request, "edit_lock_refused", None)
        return refusing(form, refused.message) if refused and change else form

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

    # Both answers are made inside the save's transaction: what they end, ends with its commit.

    def response_change(self, request, obj):
        token = request.edit_lock_token
        stays = "_continue" in request.POST and token == request.POST.get("editing_token")
        if not stays:
            locks.release(self.model, obj.pk, token=token, by=request.user)
        drafts.discard(self.model, obj.pk, request.user)
        return super().response_change(request, obj)

    def response_add(self, request, obj, post_url_continue=None):
        original = request.resolver_match.kwargs.get("object_id")
        if original is not None:  # this is a copy of it, and its page is left
            pk = self._key(original)
            token = request.POST.get("editing_token", "")
            locks.release(self.model, pk, token=token, by=request.user)
            drafts.discard(self.model, pk, request.user)
        return super().response_add(request, obj, post_url_continue)


def refusing(form, text):
    """Return a form class that carries a refusal as its own error."""

    class RefusingForm(form):
        def clean(self):
            super().clean()
            raise ValidationError(text)

    return RefusingForm
