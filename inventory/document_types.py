"""The types of warehouse documents, each with its own list, form, file and permissions."""

from django.utils.translation import gettext_lazy as _

from inventory.document_rules import DocumentType
from inventory.documents import WarehouseDocument
from inventory.master_data import PERMISSIONS


class ReceiptTemporary(WarehouseDocument):
    """Goods that came in and await inspection; moves no stock."""

    TYPE = DocumentType.RECEIPT_TEMPORARY
    LINE_FIELDS = ("approved_quantity", "rejected_quantity")

    class Meta:
        proxy = True
        verbose_name = _("temporary receipt")
        verbose_name_plural = _("temporary receipts")
        default_permissions = PERMISSIONS


class ReceiptPermanent(WarehouseDocument):
    TYPE = DocumentType.RECEIPT_PERMANENT

    class Meta:
        proxy = True
        verbose_name = _("permanent receipt")
        verbose_name_plural = _("permanent receipts")
        default_permissions = PERMISSIONS


class ReceiptConsignment(WarehouseDocument):
    TYPE = DocumentType.RECEIPT_CONSIGNMENT

    class Meta:
        proxy = True
        verbose_name = _("consignment receipt")
        verbose_name_plural = _("consignment receipts")
        default_permissions = PERMISSIONS


class IssuePermanent(WarehouseDocument):
    TYPE = DocumentType.ISSUE_PERMANENT

    class Meta:
        proxy = True
        verbose_name = _("permanent issue")
        verbose_name_plural = _("permanent issues")
        default_permissions = PERMISSIONS


class IssueConsumption(WarehouseDocument):
    TYPE = DocumentType.ISSUE_CONSUMPTION

    class Meta:
        proxy = True
        verbose_name = _("consumption issue")
        verbose_name_plural = _("consumption issues")
        default_permissions = PERMISSIONS


class IssueConsignment(WarehouseDocument):
    TYPE = DocumentType.ISSUE_CONSIGNMENT

    class Meta:
        proxy = True
        verbose_name = _("consignment issue")
        verbose_name_plural = _("consignment issues")
        default_permissions = PERMISSIONS


class StocktakingDeficit(WarehouseDocument):
    TYPE = DocumentType.STOCKTAKING_DEFICIT
    LINE_FIELDS = ("owner", "expected_quantity", "counted_quantity")

    class Meta:
        proxy = True
        verbose_name = _("stocktaking deficit")
        verbose_name_plural = _("stocktaking deficits")
        default_permissions = PERMISSIONS


class StocktakingSurplus(WarehouseDocument):
    TYPE = DocumentType.STOCKTAKING_SURPLUS
    LINE_FIELDS = ("owner", "expected_quantity", "counted_quantity")

    class Meta:
        proxy = True
        verbose_name = _("stocktaking surplus")
        verbose_name_plural = _("stocktaking surpluses")
        default_permissions = PERMISSIONS


TYPES = (
    ReceiptTemporary,
    ReceiptPermanent,
    ReceiptConsignment,
    IssuePermanent,
    IssueConsumption,
    IssueConsignment,
    StocktakingDeficit,
    StocktakingSurplus,
)
