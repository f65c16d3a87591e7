"""The warehouse in the admin: its documents with their lines, and the master data."""

from django.contrib import admin
from django.db.models import CharField, Value
from django.db.models.functions import Cast, Coalesce, Concat
from django.utils.translation import gettext_lazy as _

from backoffice import claims, persian
from backoffice.admin import EditLockAdminMixin, EditLockInlineMixin, edit_lock_kind
from backoffice.imports import OfficeImportExportMixin
from inventory import resources
from inventory.document_resources import RESOURCES
from inventory.document_types import TYPES
from inventory.forms import LineFormSet, WholeForm
from inventory.lines import DocumentLine
from inventory.master_data import (
    OURSELVES,
    FiscalYear,
    Item,
    ItemCategory,
    ItemUnit,
    OrgUnit,
    Party,
    Unit,
    Warehouse,
)
from inventory.stocktaking import CountLine, StocktakingRecord

COUNTERPARTS = ("supplier", "owner", "org_unit")


class SearchMixin:
    """Finds a word however its letters and digits are typed."""

    def get_search_results(self, request, queryset, search_term):
        term = persian.normalise_for_search(search_term)
        return super().get_search_results(request, queryset, term)


def without_links(field, *names):
    """Return a form field whose widget offers none of: add, change, delete, view."""
    for name in names:
        setattr(field.widget, f"can_{name}_related", False)
    return field


class MasterDataAdmin(SearchMixin, OfficeImportExportMixin, admin.ModelAdmin):
    search_fields = ["search_text"]
    ordering = ["code"]

    @admin.display(description=_("code"), ordering="code")
    def shown_code(self, obj):
        return persian.code(obj.code)


@admin.register(Unit)
class UnitAdmin(MasterDataAdmin):
    resource_classes = [resources.UnitResource]
    list_display = ["shown_code", "name", "decimal_places"]
    search_fields = ["code", "name"]


@admin.register(ItemCategory)
class ItemCategoryAdmin(MasterDataAdmin):
    resource_classes = [resources.ItemCategoryResource]
    list_display = ["shown_code", "name"]
    search_fields = ["code", "name"]


class ItemUnitInline(admin.TabularInline):
    model = ItemUnit
    extra = 0
    autocomplete_fields = ["unit"]


@admin.register(Item)
class ItemAdmin(MasterDataAdmin):
    resource_classes = [resources.ItemResource]
    list_display = [
        "shown_code",
        "name",
        "base_unit",
        "category",
        "minimum_stock",
        "maximum_stock",
        "is_active",
    ]
    list_filter = ["category", "is_active"]
    list_select_related = ["base_unit", "category"]
    inlines = [ItemUnitInline]


@admin.register(ItemUnit)
class ItemUnitAdmin(MasterDataAdmin):
    resource_classes = [resources.ItemUnitResource]
    list_display = ["item", "unit", "factor"]
    list_filter = ["unit"]
    list_select_related = ["item", "unit"]
    search_fields = ["item__search_text"]
    ordering = ["item__code", "unit__code"]
    autocomplete_fields = ["item", "unit"]


@admin.register(Warehouse)
class WarehouseAdmin(MasterDataAdmin):
    resource_classes = [resources.WarehouseResource]
    list_display = ["shown_code", "name", "keeper", "is_in_transit", "is_active"]
    list_select_related = ["keeper"]


@admin.register(OrgUnit)
class OrgUnitAdmin(MasterDataAdmin):
    resource_classes = [resources.OrgUnitResource]
    list_display = ["shown_code", "name", "is_active"]


@admin.register(Party)
class PartyAdmin(MasterDataAdmin):
    resource_classes = [resources.PartyResource]
    list_display = ["shown_code", "name", "is_supplier", "is_owner", "shown_phone", "is_active"]
    list_filter = ["is_supplier", "is_owner", "is_active"]

    @admin.display(description=_("phone"), ordering="phone")
    def shown_phone(self, obj):
        return persian.code(obj.phone)

    def has_delete_permission(self, request, obj=None):
        ourselves = obj is not None and obj.pk == OURSELVES
        return super().has_delete_permission(request, obj) and not ourselves


@admin.register(FiscalYear)
class FiscalYearAdmin(MasterDataAdmin):
    resource_classes = [resources.FiscalYearResource]
    list_display = ["shown_code", "start_date", "end_date", "status", "stock_frozen_until"]
    search_fields = ["code"]
    ordering = ["-start_date"]


class LineInline(EditLockInlineMixin, admin.TabularInline):
    form = WholeForm
    autocomplete_fields = ["item", "owner"]

    class Media:
        css = {"all": ["inventory/lines.css"]}

    def get_extra(self, request, obj=None, **kwargs):
        return 0 if obj else 3

    def formfield_for_dbfield(self, db_field, request, **kwargs):
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "unit":
            field.choices = list(field.choices)  # asked for once, not for every line
        links = ("add", "change", "delete", "view") if db_field.is_relation else ()
        return without_links(field, *links)


class DocumentLineInline(LineInline):
    model = DocumentLine
    formset = LineFormSet
    verbose_name_plural = _("lines of the document")
    readonly_fields = ["row_no", "quantity"]

    def get_fields(self, request, obj=None):
        own = self.parent_model.LINE_FIELDS
        return ["row_no", "item", "unit", "entered_quantity", "quantity", *own, "notes"]


class CountLineInline(LineInline):
    model = CountLine
    readonly_fields = ["final_count", "variance"]
    fields = ["item", "owner", "book_quantity", "count_1", "count_2", "count_3", *readonly_fields]


class NumberedDocumentAdmin(
    EditLockAdminMixin, SearchMixin, OfficeImportExportMixin, admin.ModelAdmin
):
    """What the admin of every document is; a posted one is for reading."""

    list_display = ["shown_draft_number", "shown_number", "document_date", "warehouse", "status"]
    list_filter = ["status", "warehouse", "fiscal_year", "document_date"]
    form = WholeForm
    steps = [
        "fiscal_year",
        "created_by",
        "created_at",
        "updated_by",
        "updated_at",
        "approved_by",
        "approved_at",
        "posted_by",
        "posted_at",
        "cancelled_by",
        "cancelled_at",
        "cancel_reason",
    ]

    def get_resource_classes(self, request):
        return [RESOURCES[self.model]]

    def counterparts(self):
        """Return the columns that say with whom, or for whom, goods move in this type."""
        return [name for name in self.model.type_fields() if name in COUNTERPARTS]

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("warehouse", *self.counterparts())

    def get_list_display(self, request):
        shown = super().get_list_display(request)
        return [*shown[:4], *self.counterparts(), *shown[4:]]

    def get_search_fields(self, request):
        return ["search_text", *(f"{name}__search_text" for name in self.counterparts())]

    def get_fieldsets(self, request, obj=None):
        header = self.model.header_fields()
        if obj is None:
            return [(None, {"fields": ["draft_number", *header]})]
        return [
            (None, {"fields": ["draft_number", "document_number", "status", *header]}),
            (_("Steps"), {"fields": self.steps, "classes": ["collapse"]}),
        ]

    def get_readonly_fields(self, request, obj=None):
        return ["draft_number", "document_number", "status", *self.steps] if obj else []

    def get_autocomplete_fields(self, request):
        sought = {*COUNTERPARTS, "temporary_receipt", "stocktaking"}
        return [name for name in self.model.type_fields() if name in sought]

    def formfield_for_dbfield(self, db_field, request, **kwargs):
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name in self.model.required_fields():
            field.required = True
        if db_field.name == "description":
            field.widget.attrs["rows"] = 2
        # A document is no place to change or delete the warehouse that it names.
        return without_links(field, "change", "delete") if db_field.is_relation else field

    def has_change_permission(self, request, obj=None):
        # A page that was refused is shown once more with all that was typed, posted or not.
        final = obj and obj.is_final and not hasattr(request, "edit_lock_refused")
        return super().has_change_permission(request, obj) and not final

    def has_delete_permission(self, request, obj=None):
        return super().has_delete_permission(request, obj) and not (obj and obj.is_final)

    def save_model(self, request, obj, form, change):
        obj.updated_by = request.user
        if not change:
            obj.created_by = request.user
        super().save_model(request, obj, form, change)

    @admin.display(description=_("temporary number"), ordering="draft_number")
    def shown_draft_number(self, obj):
        return persian.code(obj.draft_number)

    @admin.display(description=_("document number"), ordering="document_number")
    def shown_number(self, obj):
        return persian.to_persian_digits(obj.document_number) if obj.document_number else "-"


@admin.register(*TYPES)
class WarehouseDocumentAdmin(NumberedDocumentAdmin):
    inlines = [DocumentLineInline]

    def save_related(self, request, form, formsets, change):
        super().save_related(request, form, formsets, change)
        form.instance.give_owner_to_lines()


@admin.register(StocktakingRecord)
class StocktakingRecordAdmin(NumberedDocumentAdmin):
    inlines = [CountLineInline]


def document_name(model):
    """Return the SQL expression of ``str(document)``."""
    text = CharField()
    kind = Value(model._meta.verbose_name, output_field=text)
    number = Coalesce(Cast("document_number", text), "draft_number", output_field=text)
    return Concat(kind, Value(" "), number)


for model in (*TYPES, StocktakingRecord):
    claims.register(edit_lock_kind(model, document_name(model)))
