"""Lines: what was entered, and what it is in the base unit."""

from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from inventory.lines import FURTHER
from inventory.models import DocumentLine, ReceiptTemporary
from tests.inventory.factories import (
    make_document,
    make_item,
    make_item_unit,
    make_line,
    make_receipt,
    make_unit,
)


@pytest.fixture
def line(db):
    return make_receipt().lines.get()


def carton_of(item, quantity):
    unit = make_item_unit(item).unit
    return make_line(make_receipt(lines=0), item=item, unit=unit, quantity=quantity)


def test_a_quantity_in_the_base_unit_is_kept_as_it_is(line):
    assert (line.entered_quantity, line.factor, line.quantity) == (10, 1, 10)


def test_a_quantity_in_a_second_unit_becomes_one_in_the_base_unit(db):
    line = carton_of(make_item(), "3")

    assert (line.factor, line.quantity) == (24, 72)


def test_a_quantity_is_rounded_once_to_the_decimals_of_the_base_unit(db):
    item = make_item(base_unit=make_unit("L", "لیتر", decimal_places=2))
    gallon = make_item_unit(item, "3.785", unit=make_unit("GAL", "گالن")).unit

    line = make_line(make_receipt(lines=0), item=item, unit=gallon, quantity="3")

    line.refresh_from_db()
    assert line.quantity == Decimal("11.36")


@pytest.mark.parametrize("name", FURTHER)
def test_every_quantity_in_a_base_unit_of_pieces_is_whole(line, name):
    setattr(line, name, Decimal("2.5"))

    with pytest.raises(ValidationError) as refused:
        line.full_clean()

    assert list(refused.value.error_dict) == [name]


def test_a_later_change_of_the_factor_leaves_the_line_alone(db):
    item = make_item()
    line = carton_of(item, "3")

    item.second_units.update(factor=12)

    line.refresh_from_db()
    assert (line.factor, line.quantity) == (24, 72)


@pytest.mark.parametrize(
    ("quantity", "words"),
    [("1.5", "اعشار نمی‌پذیرد"), ("0", "بیشتر از صفر"), ("-2", "بیشتر از صفر")],
)
def test_a_quantity_that_its_unit_does_not_allow_is_refused(line, quantity, words):
    line.entered_quantity = Decimal(quantity)

    with pytest.raises(ValidationError) as refused:
        line.full_clean()

    assert list(refused.value.error_dict) == ["entered_quantity"]
    assert words in refused.value.messages[0]


def test_more_decimals_than_the_unit_has_are_refused(line):
    line.unit = line.item.base_unit = make_unit("M", "متر", decimal_places=2)
    line.entered_quantity = Decimal("1.125")

    with pytest.raises(ValidationError) as refused:
        line.full_clean()

    assert "متر" in refused.value.messages[0] and "2" in refused.value.messages[0]


@pytest.mark.parametrize("quantity", ["1e12", "999999999"])
def test_a_quantity_too_large_to_be_kept_is_refused(line, quantity):
    line.unit = make_item_unit(line.item).unit
    line.entered_quantity = Decimal(quantity)

    with pytest.raises(ValidationError) as refused:
        line.full_clean()

    assert list(refused.value.error_dict) == ["entered_quantity"]


def test_a_unit_that_the_item_does_not_have_is_refused(line):
    line.unit = make_unit("CTN", "کارتن")

    with pytest.raises(ValidationError) as refused:
        line.full_clean()

    assert list(refused.value.error_dict) == ["unit"]
    assert "کارتن" in refused.value.messages[0]


@pytest.mark.parametrize("quantity", [0, -1])
def test_the_database_keeps_quantities_above_zero(line, quantity):
    with pytest.raises(IntegrityError), transaction.atomic():
        DocumentLine.objects.update(quantity=quantity)

    line.refresh_from_db()
    assert line.quantity == 10


def test_a_row_number_is_given_once_in_a_document(line):
    with pytest.raises(IntegrityError), transaction.atomic():
        make_line(line.document, row_no=1)


def test_more_can_not_be_approved_and_rejected_than_came_in(db):
    line = make_document(ReceiptTemporary).lines.get()
    line.approved_quantity, line.rejected_quantity = Decimal(9), Decimal(2)

    with pytest.raises(ValidationError) as refused:
        line.full_clean()

    assert list(refused.value.error_dict) == ["approved_quantity"]
    with pytest.raises(IntegrityError), transaction.atomic():
        line.save()


def test_tenths_that_a_float_adds_wrongly_are_accepted(db):
    item = make_item(base_unit=make_unit("KG", "کیلوگرم", decimal_places=3))
    line = make_line(make_document(ReceiptTemporary, 0), item=item, quantity="0.3")
    line.approved_quantity, line.rejected_quantity = Decimal("0.1"), Decimal("0.2")

    line.full_clean()
    line.save()

    line.refresh_from_db()
    assert line.approved_quantity + line.rejected_quantity == line.quantity


def test_fifteen_digits_come_back_as_they_went_in(db):
    item = make_item(base_unit=make_unit("G", "گرم", decimal_places=6))

    line = make_line(make_receipt(lines=0), item=item, quantity="123456789.123457")

    line.refresh_from_db()
    assert line.quantity == Decimal("123456789.123457")
