"""The tables of the warehouse; each is written where its life is told."""

from inventory.document_rules import Direction, DocumentType, InspectionState, Status
from inventory.document_types import (
    IssueConsignment,
    IssueConsumption,
    IssuePermanent,
    ReceiptConsignment,
    ReceiptPermanent,
    ReceiptTemporary,
    StocktakingDeficit,
    StocktakingSurplus,
)
from inventory.documents import WarehouseDocument
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

__all__ = [
    "OURSELVES",
    "CountLine",
    "Direction",
    "DocumentLine",
    "DocumentType",
    "FiscalYear",
    "InspectionState",
    "IssueConsignment",
    "IssueConsumption",
    "IssuePermanent",
    "Item",
    "ItemCategory",
    "ItemUnit",
    "OrgUnit",
    "Party",
    "ReceiptConsignment",
    "ReceiptPermanent",
    "ReceiptTemporary",
    "Status",
    "StocktakingDeficit",
    "StocktakingRecord",
    "StocktakingSurplus",
    "Unit",
    "Warehouse",
    "WarehouseDocument",
]
