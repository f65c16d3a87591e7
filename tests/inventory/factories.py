"""Rows of the warehouse for tests: complete, and no surprises."""

import datetime
from decimal import Decimal
from itertools import count

from inventory.models import (
    OURSELVES,
    CountLine,
    Direction,
    DocumentLine,
    FiscalYear,
    InspectionState,
    IssueConsignment,
    IssueConsumption,
    Item,
    ItemCategory,
    ItemUnit,
    OrgUnit,
    Party,
    ReceiptConsignment,
    ReceiptPermanent,
    ReceiptTemporary,
    StocktakingDeficit,
    StocktakingRecord,
    StocktakingSurplus,
    Unit,
    Warehouse,
)

NUMBERS = count(1)
DATE = datetime.date(2026, 10, 7)  # 1405/07/15


def ourselves():
    """Return the party that stands for the office; tests with real transactions lose it."""
    return Party.objects.get_or_create(pk=OURSELVES, defaults={"code": "0", "name": "خودی"})[0]


def make_unit(code="PCS", name="عدد", **kwargs):
    return Unit.objects.get_or_create(code=code, defaults={"name": name, **kwargs})[0]


def make_category(code="CAT", name="لوازم برقی"):
    return ItemCategory.objects.get_or_create(code=code, defaults={"name": name})[0]


def make_item(**kwargs):
    defaults = {"code": f"ITEM-{next(NUMBERS)}", "name": "کلید تک‌پل"}
    if "category" not in kwargs:
        defaults["category"] = make_category()
    if "base_unit" not in kwargs:
        defaults["base_unit"] = make_unit()
    return Item.objects.create(**defaults | kwargs)


def make_item_unit(item, factor="24", **kwargs):
    unit = kwargs.get("unit") or make_unit("CTN", "کارتن")
    return ItemUnit.objects.create(item=item, unit=unit, factor=Decimal(factor))


def make_warehouse(code="WH1", name="انبار مرکزی", **kwargs):
    return Warehouse.objects.get_or_create(code=code, defaults={"name": name, **kwargs})[0]


def make_org_unit(code="OU1", name="واحد فنی"):
    return OrgUnit.objects.get_or_create(code=code, defaults={"name": name})[0]


def make_party(code="P1", name="بازرگانی آریا", **kwargs):
    return Party.objects.get_or_create(code=code, defaults={"name": name, **kwargs})[0]


def make_fiscal_year(code="1405", start="2026-03-21", end="2027-03-20", **kwargs):
    dates = {
        "start_date": datetime.date.fromisoformat(start),
        "end_date": datetime.date.fromisoformat(end),
    }
    return FiscalYear.objects.get_or_create(code=code, defaults=dates | kwargs)[0]


def needed_by(model):
    """Return what a type of documents can not do without."""
    if model is ReceiptTemporary:
        return {"inspection_state": InspectionState.AWAITING}
    if model is ReceiptConsignment:
        return {"owner": make_party("P9", "شرکت امانت‌گذار", is_owner=True)}
    if model is IssueConsumption:
        return {"org_unit": make_org_unit()}
    if model is IssueConsignment:
        owner = make_party("P9", "شرکت امانت‌گذار", is_owner=True)
        return {"owner": owner, "direction": Direction.TO_OWNER}
    if model in (StocktakingDeficit, StocktakingSurplus):
        return {"stocktaking": make_stocktaking()}
    return {}


def make_document(model, lines=1, **kwargs):
    """Return a draft of a type, by default with one line of ten pieces."""
    ourselves()
    header = {"document_date": DATE, "description": "برای آزمایش"}
    header |= {"fiscal_year": make_fiscal_year(), "warehouse": make_warehouse()}
    document = model.objects.create(**header | needed_by(model) | kwargs)
    for number in range(1, lines + 1):
        make_line(document, row_no=number)
    document.give_owner_to_lines()
    return document


def make_receipt(**kwargs):
    return make_document(ReceiptPermanent, **kwargs)


def make_line(document, row_no=1, quantity="10", **kwargs):
    item = kwargs.pop("item", None) or make_item()
    line = DocumentLine(
        document=document,
        row_no=row_no,
        item=item,
        unit=kwargs.pop("unit", item.base_unit),
        entered_quantity=Decimal(quantity),
        **kwargs,
    )
    line.convert()
    line.save()
    return line


def make_stocktaking(lines=1, **kwargs):
    ourselves()
    header = {"document_date": DATE, "fiscal_year": make_fiscal_year()}
    header |= {"warehouse": make_warehouse()}
    record = StocktakingRecord.objects.create(**header | kwargs)
    for _number in range(lines):
        line = CountLine(record=record, item=make_item(), book_quantity=Decimal(10))
        line.clean()
        line.save()
    return record
