"""The demo warehouse goes in by the imports of staff, whole, and never among real data."""

import datetime
from collections import Counter

import pytest
from django.core.management import CommandError, call_command

from inventory import demo_office
from inventory.document_types import TYPES
from inventory.models import (
    DocumentLine,
    FiscalYear,
    Item,
    ItemCategory,
    Party,
    Status,
    StocktakingRecord,
    Unit,
    Warehouse,
    WarehouseDocument,
)
from tests.inventory.factories import make_item


def test_the_demo_fills_every_list(db, capsys):
    call_command("load_inventory_demo")

    assert (Item.objects.count(), Warehouse.objects.count()) == (200, 3)
    assert WarehouseDocument.objects.count() + StocktakingRecord.objects.count() == 300
    assert all(model.objects.count() >= 10 for model in TYPES)
    assert (ItemCategory.objects.count(), FiscalYear.objects.get().code) == (10, "1405")
    assert "200 rows of item.xlsx" in capsys.readouterr().out
    check_documents()


def check_documents():
    sizes = Counter(DocumentLine.objects.values_list("document", flat=True)).values()
    assert (min(sizes), max(sizes)) == (2, 6)
    for rows in (WarehouseDocument.objects.all(), StocktakingRecord.objects.all()):
        assert not rows.exclude(status=Status.DRAFT).exists()
        assert min(rows.values_list("document_date", flat=True)) >= datetime.date(2026, 3, 21)
        assert max(rows.values_list("document_date", flat=True)) <= datetime.date(2026, 11, 21)


def test_the_demo_is_refused_where_items_are(db):
    make_item()

    with pytest.raises(CommandError, match="has items already"):
        call_command("load_inventory_demo")

    assert (Item.objects.count(), WarehouseDocument.objects.count()) == (1, 0)


def test_a_demo_file_that_is_refused_leaves_nothing_behind(db, monkeypatch):
    wrong = [*demo_office.FILES[:3], ("receipt_permanent.xlsx", demo_office.FILES[9][1])]
    monkeypatch.setattr(demo_office, "FILES", wrong)

    with pytest.raises(CommandError, match=r"receipt_permanent\.xlsx"):
        call_command("load_inventory_demo")

    assert not Unit.objects.exists()
    assert (Item.objects.count(), Party.objects.count()) == (0, 1)
