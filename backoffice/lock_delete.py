"""The deletion of a document under its lock, of one and of many."""

from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.db import transaction
from django.http import HttpResponseRedirect
from django.urls import reverse

from backoffice import locks
from backoffice.lock_actions import refuse_held
from backoffice.lock_page import held_by_another


class GuardedDelete:
    """The guard on deleting; ``EditLockAdminMixin`` brings it."""

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
            done = workable.count()
            super().delete_queryset(request, workable)
        refuse_held(self, request, held, done)
