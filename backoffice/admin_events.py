"""The log of claims, as auditors and supervisors read and export it."""

from django.apps import apps
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.core.paginator import Paginator
from django.db.models import Q
from django.urls import NoReverseMatch, reverse
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from backoffice.audit import LockEvent, name_of
from backoffice.imports import OfficeImportExportMixin, OfficeResource
from backoffice.site import ReadOnlyAdmin

PAGES_COUNT = 10_000
EXPORTED = 50_000  # what a sheet of one export may hold


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


class PersonFilter(admin.SimpleListFilter):
    """What somebody did, and what became of what they held."""

    title = _("person")
    parameter_name = "person"

    def lookups(self, request, model_admin):
        staff = get_user_model().objects.filter(is_staff=True)
        return sorted(((str(user.pk), name_of(user)) for user in staff), key=lambda row: row[1])

    def queryset(self, request, queryset):
        if self.value() is None:
            return queryset
        if not self.value().isdecimal():
            return queryset.none()
        return queryset.filter(Q(actor_id=self.value()) | Q(holder_id=self.value()))


class SubjectFilter(admin.SimpleListFilter):
    """The events of one thing, as its claim links to them; shown only where it narrows the list.

    Its value is the model's label and the key, ``inventory.ReceiptPermanent:12``.
    """

    title = _("subject")
    parameter_name = "target"

    def lookups(self, request, model_admin):
        if self.value() is None:
            return []
        newest = self.events().order_by("-pk").first()
        return [(self.value(), newest.target_name if newest else self.value())]

    def queryset(self, request, queryset):
        return queryset if self.value() is None else self.events(queryset)

    def events(self, queryset=None):
        # PostgreSQL takes no NUL in a text.
        model, _colon, pk = self.value().replace("\0", "").partition(":")
        events = LockEvent.objects.all() if queryset is None else queryset
        return events.filter(target_model=model, target_id=pk)


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
    list_filter = [SubjectFilter, "kind", "action", "source", PersonFilter, "at"]
    search_fields = ["target_name", "actor_name", "holder_name", "reason", "=target_id"]
    search_help_text = _("Subject, person or reason")
    paginator = NewestPaginator
    import_export_change_list_template = "admin/backoffice/lockevent/change_list.html"
    export_template_name = "admin/backoffice/lockevent/export.html"
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

    def get_actions(self, request):
        return {}  # a page of chosen rows could be as long as the log: it is filtered instead

    def get_valid_export_item_pks(self, request):
        return []

    def get_data_for_export(self, request, queryset, *args, **kwargs):
        newest = queryset.order_by("-pk")[:EXPORTED]
        return super().get_data_for_export(request, newest, *args, **kwargs)

    def get_export_context_data(self, **kwargs):
        return super().get_export_context_data(**kwargs) | {"exported": EXPORTED}

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
