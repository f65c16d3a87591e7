"""The log of claims, as auditors and supervisors read and export it."""

from django.apps import apps
from django.contrib import admin
from django.core.paginator import Paginator
from django.urls import NoReverseMatch, reverse
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from backoffice.audit import LockEvent
from backoffice.imports import OfficeImportExportMixin, OfficeResource
from backoffice.site import ReadOnlyAdmin

PAGES_COUNT = 10_000


class NewestPaginator(Paginator):
    """Counts no further than staff turn pages; a filter leads to what is older."""

    @cached_property
    def count(self):
        return self.object_list[:PAGES_COUNT].count()


class LockEventResource(OfficeResource):
    class Meta(OfficeResource.Meta):
        model = LockEvent
        import_id_fields = ("at",)  # the library asks for a key; nothing is imported
        fields = (
            "at",
            "kind",
            "action",
            "target_model",
            "target_id",
            "target_name",
            "actor_name",
            "holder_name",
            "held_since",
            "ended_at",
            "source",
            "reason",
        )


@admin.register(LockEvent)
class LockEventAdmin(OfficeImportExportMixin, ReadOnlyAdmin):
    resource_classes = [LockEventResource]
    list_display = [
        "at",
        "kind",
        "action",
        "subject",
        "actor_name",
        "holder_name",
        "held_since",
        "source",
        "reason",
    ]
    list_display_links = ["at"]
    list_filter = ["kind", "action", "source", "at"]
    search_fields = ["target_name", "actor_name", "holder_name", "reason", "=target_id"]
    search_help_text = _("Subject, person or reason")
    paginator = NewestPaginator
    fields = [
        "at",
        "kind",
        "action",
        "subject",
        "model_name",
        "actor_name",
        "holder_name",
        "held_since",
        "ended_at",
        "source",
        "reason",
    ]

    def has_import_permission(self, request):
        return False

    @admin.display(description=_("subject"), ordering="target_name")
    def subject(self, event):
        name = event.target_name
        try:
            app, model = event.target_model.lower().split(".")
            address = reverse(f"admin:{app}_{model}_change", args=[event.target_id])
        except NoReverseMatch:
            return format_html("<bdi>{}</bdi>", name)
        return format_html('<a href="{}"><bdi>{}</bdi></a>', address, name)

    @admin.display(description=_("type"), ordering="target_model")
    def model_name(self, event):
        try:
            return apps.get_model(event.target_model)._meta.verbose_name
        except LookupError:
            return event.target_model
