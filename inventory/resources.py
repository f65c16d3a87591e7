"""The files of the master data: their columns, and the codes that their rows are known by."""

from django.utils.translation import gettext_lazy as _
from import_export.fields import Field

from backoffice.imports import CodeKeyWidget, OfficeResource
from inventory.master_data import (
    FiscalYear,
    Item,
    ItemCategory,
    ItemUnit,
    OrgUnit,
    Party,
    Unit,
    Warehouse,
)


class UnitResource(OfficeResource):
    class Meta:
        model = Unit
        import_id_fields = ("code",)
        fields = ("code", "name", "decimal_places")


class ItemCategoryResource(OfficeResource):
    class Meta:
        model = ItemCategory
        import_id_fields = ("code",)
        fields = ("code", "name")


class ItemResource(OfficeResource):
    class Meta:
        model = Item
        import_id_fields = ("code",)
        fields = (
            "code",
            "name",
            "category",
            "base_unit",
            "national_code",
            "barcode",
            "minimum_stock",
            "maximum_stock",
            "is_active",
        )


class ItemUnitResource(OfficeResource):
    item = Field("item", _("item code"), CodeKeyWidget(Item))

    class Meta:
        model = ItemUnit
        import_id_fields = ("item", "unit")
        fields = ("item", "unit", "factor")


class WarehouseResource(OfficeResource):
    class Meta:
        model = Warehouse
        import_id_fields = ("code",)
        fields = ("code", "name", "keeper", "is_in_transit", "is_active")


class OrgUnitResource(OfficeResource):
    class Meta:
        model = OrgUnit
        import_id_fields = ("code",)
        fields = ("code", "name", "is_active")


class PartyResource(OfficeResource):
    class Meta:
        model = Party
        import_id_fields = ("code",)
        fields = ("code", "name", "is_supplier", "is_owner", "phone", "is_active")


class FiscalYearResource(OfficeResource):
    class Meta:
        model = FiscalYear
        import_id_fields = ("code",)
        fields = ("code", "start_date", "end_date", "status", "stock_frozen_until")
