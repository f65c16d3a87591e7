"""Items, units, parties and fiscal years."""

import datetime
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError

from inventory.models import OURSELVES, FiscalYear, Item, ItemUnit, Party
from tests.inventory.factories import (
    make_fiscal_year,
    make_item,
    make_item_unit,
    make_receipt,
    make_unit,
)


def test_the_office_itself_is_a_party_from_the_start(db):
    ourselves = Party.objects.get(pk=OURSELVES)

    assert (ourselves.name, ourselves.search_text) == ("خودی", "0 خودی")


def test_a_party_that_comes_later_gets_another_key(db):
    assert Party.objects.create(code="P1", name="آریا").pk != OURSELVES


@pytest.mark.parametrize("code", ["کالا", "A B", "-A", "A؛", "۱۲"])
def test_a_code_that_is_not_ascii_is_refused(db, code):
    item = make_item()
    item.code = code

    with pytest.raises(ValidationError) as refused:
        item.full_clean()

    assert list(refused.value.error_dict) == ["code"]


def test_the_words_of_an_item_are_kept_in_one_spelling(db):
    item = make_item(code="EL-1", name="كليد مينياتوري ۱۶ آمپر")

    item.refresh_from_db()

    assert item.search_text == "el-1 کلید مینیاتوری 16 آمپر"
    assert item.name == "كليد مينياتوري ۱۶ آمپر"


@pytest.mark.parametrize(
    "changes", [{"minimum_stock": -1}, {"minimum_stock": 5, "maximum_stock": 4}]
)
def test_stock_limits_that_contradict_are_refused(db, changes):
    item = make_item()

    with pytest.raises(IntegrityError), transaction.atomic():
        Item.objects.update(**changes)
    for name, value in changes.items():
        setattr(item, name, Decimal(value))
    with pytest.raises(ValidationError):
        item.full_clean()


def test_a_barcode_belongs_to_one_item_and_many_have_none(db):
    make_item(barcode="2001")
    make_item(), make_item()

    with pytest.raises(IntegrityError), transaction.atomic():
        make_item(barcode="2001")


def test_an_item_in_a_document_is_not_deleted(db):
    item = make_receipt().lines.get().item

    with pytest.raises(ProtectedError):
        item.delete()

    assert Item.objects.filter(pk=item.pk).exists()


@pytest.mark.parametrize("factor", [0, -1])
def test_a_factor_is_above_zero(db, factor):
    with pytest.raises(IntegrityError), transaction.atomic():
        make_item_unit(make_item(), factor)


def test_a_second_unit_is_given_once_and_is_not_the_base_unit(db):
    item = make_item()
    make_item_unit(item)

    with pytest.raises(IntegrityError), transaction.atomic():
        make_item_unit(item)
    with pytest.raises(ValidationError):
        ItemUnit(item=item, unit=item.base_unit, factor=2).full_clean()


def test_a_factor_that_sqlite_would_round_is_refused(db):
    unit = ItemUnit(item=make_item(), unit=make_unit("CTN", "کارتن"))
    unit.factor = Decimal("1234567.123456789")

    with pytest.raises(ValidationError) as refused:
        unit.full_clean()

    assert list(refused.value.error_dict) == ["factor"]


@pytest.mark.parametrize(
    "changes",
    [
        {"end_date": datetime.date(2026, 3, 21)},
        {"start_date": datetime.date(1405, 1, 1)},
        {"stock_frozen_until": datetime.date(2027, 3, 21)},
        {"status": "frozen"},
    ],
)
def test_a_fiscal_year_that_makes_no_sense_is_refused(db, changes):
    year = make_fiscal_year()

    with pytest.raises(IntegrityError), transaction.atomic():
        FiscalYear.objects.update(**changes)
    for name, value in changes.items():
        setattr(year, name, value)
    with pytest.raises(ValidationError):
        year.full_clean()


def test_fiscal_years_do_not_overlap(db):
    make_fiscal_year()
    other = FiscalYear(
        code="1406", start_date=datetime.date(2027, 3, 20), end_date=datetime.date(2028, 3, 19)
    )

    with pytest.raises(ValidationError) as refused:
        other.full_clean()
    assert "۱۴۰۵" in refused.value.messages[0]

    other.start_date = datetime.date(2027, 3, 21)
    other.full_clean()
