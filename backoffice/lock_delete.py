"""The deletion of a document under its lock, of one and of many."""

from django.contrib.admin.options import IS_POPUP_VAR, TO_FIELD_VAR
from django.contrib.admin.utils import unquote
from django.db import transaction
from django.utils.translation import gettext as _t

from backoffice import lock_words, locks
from backoffice.lock_actions import refuse_held
from backoffice.lock_endpoints import posted_version
from backoffice.lock_page import held_by_another


class GuardedDelete:
    """The guard on deleting; ``EditLockAdminMixin`` brings it.

    The page that asks is a page of the document like its form: it carries token and version, and
    the rule of the save holds for what it sends.
    """

    def delete_view(self, request, object_id, extra_context=None):
        obj = self.get_object(request, unquote(object_id))
        if obj is None or not self.has_delete_permission(request, obj):
            return super().delete_view(request, object_id, extra_context)  # which says so
        lock = held_by_another(request, obj)
        if lock and request.method != "POST":  # who only looks at the question is refused nothing
            return self._not_deleted(request, obj, lock_words.held_text(lock))
        try:
            shown = self._lock_of_question(request, obj) | (extra_context or {})
            return super().delete_view(request, object_id, shown)
        except locks.Refused as refused:
            locks.record_refusal(self.model, obj.pk, refused, by=request.user)
            told = refused.reason == "changed"
            changes = self.changes_html(request, obj, "editing_base") if told else ""
            return self._not_deleted(request, obj, refused.message, changes, status=409)

    def delete_model(self, request, obj):
        token = locks.require(
            self.model,
            obj.pk,
            by=request.user,
            token=request.POST.get("editing_token", ""),
            version=posted_version(request),
        )
        locks.release(self.model, obj.pk, token=token, by=request.user)
        super().delete_model(request, obj)

    def delete_queryset(self, request, queryset):
        with transaction.atomic():
            workable, held = locks.split(queryset, by=request.user)
            done = workable.count()
            super().delete_queryset(request, workable)
        refuse_held(self, request, held, done)

    def _lock_of_question(self, request, obj):
        """Return what the page that asks carries; no bar for somebody who may delete alone."""
        if not self.has_change_permission(request, obj):
            return {"editing_version": obj.version}
        return {"edit_lock": self.lock_of_page(request, obj)}

    def _not_deleted(self, request, obj, text, changes="", status=200):
        """Return the page that tells why nothing was deleted."""
        context = self.admin_site.each_context(request) | {
            "title": _t("Not deleted"),
            "object": obj,
            "opts": self.opts,
            "media": self.media,
            "is_popup": IS_POPUP_VAR in request.POST or IS_POPUP_VAR in request.GET,
            "to_field": request.POST.get(TO_FIELD_VAR, request.GET.get(TO_FIELD_VAR)),
            "refusal": text,
            "changes": changes,
        }
        response = self.render_delete_form(request, context)
        response.status_code = status
        return response
