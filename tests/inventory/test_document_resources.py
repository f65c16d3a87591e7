"""Files of documents: a row for each line, in whole or not at all."""

import datetime
import io
from decimal import Decimal

import openpyxl
import pytest
from django.contrib.auth import get_user_model

from backoffice import locks
from backoffice.audit import LockEvent
from inventory.document_resources import RESOURCES
from inventory.models import (
    DocumentLine,
    IssueConsumption,
    ReceiptConsignment,
    ReceiptPermanent,
    Status,
    StocktakingRecord,
    WarehouseDocument,
)
from tests.inventory.factories import (
    make_document,
    make_fiscal_year,
    make_item,
    make_item_unit,
    make_line,
    make_party,
    make_receipt,
    make_stocktaking,
    make_unit,
    make_warehouse,
)
from tests.inventory.files import (
    HEADINGS,
    bring,
    bring_receipts,
    export,
    receipt_row,
    workbook,
)
from tests.inventory.states import post


@pytest.fixture(autouse=True)
def warehouse_data(db):
    make_fiscal_year()
    make_warehouse()
    make_party()
    make_item(code="ITEM-A")
    make_item(code="ITEM-B")


@pytest.fixture
def clerk(db):
    return get_user_model().objects.create_user("clerk", first_name="مریم")


def test_rows_are_counted_from_one(clerk):
    _result, refused = bring_receipts(receipt_row(ردیف=0), user=clerk)

    assert len(refused) == 1
    assert "ستون «ردیف»" in refused[0]
    assert not ReceiptPermanent.objects.exists()


def names(text, *words):
    """Return whether a refusal names the row, the column and whatever else it should."""
    return [word for word in words if word not in text] == []


def nothing_written():
    return not WarehouseDocument.objects.exists() and not DocumentLine.objects.exists()


def test_rows_of_one_temporary_number_become_one_draft_with_lines(clerk):
    result, refused = bring_receipts(
        receipt_row(),
        receipt_row(**{"ردیف": 2, "کد کالا": "ITEM-B", "مقدار واردشده": 3}),
        receipt_row(**{"شماره موقت": "R-2"}),
        user=clerk,
    )

    assert (refused, result.totals["new"]) == ([], 3)
    first = ReceiptPermanent.objects.get(draft_number="R-1")
    assert (first.status, first.document_number, first.created_by) == ("draft", None, clerk)
    lines = first.lines.values_list("row_no", "item__code", "quantity")
    assert list(lines) == [(1, "ITEM-A", 10), (2, "ITEM-B", 3)]
    assert ReceiptPermanent.objects.get(draft_number="R-2").lines.count() == 1


def test_a_header_may_stand_in_the_first_row_alone():
    empty = dict.fromkeys(("تاریخ سند", "انبار", "تأمین‌کننده", "شرح"))

    _result, refused = bring_receipts(
        receipt_row(**{"تأمین‌کننده": "P1"}), receipt_row(**empty | {"ردیف": 2})
    )

    assert refused == []
    document = ReceiptPermanent.objects.get()
    assert (document.supplier.code, document.lines.count()) == ("P1", 2)


def test_a_header_that_differs_within_a_document_is_refused():
    make_warehouse("WH2", "انبار دوم")

    _result, refused = bring_receipts(receipt_row(), receipt_row(**{"ردیف": 2, "انبار": "WH2"}))

    assert len(refused) == 1
    assert names(refused[0], "۳", "انبار") and "سطر نخست" in refused[0]
    assert nothing_written()


@pytest.mark.parametrize(
    "date",
    ["1405/07/15", "1405-7-15", "۱۴۰۵/۰۷/۱۵", "١٤٠٥/٧/١٥", datetime.datetime(2026, 10, 7)],
)
def test_a_date_is_read_in_each_of_its_forms(date):
    _result, refused = bring_receipts(receipt_row(**{"تاریخ سند": date}))

    assert refused == []
    assert ReceiptPermanent.objects.get().document_date == datetime.date(2026, 10, 7)


@pytest.mark.parametrize(
    ("typed", "quantity"),
    [("۱۲۳٫۵", "123.5"), ("١٢٣٫٥", "123.5"), ("1,234", "1234"), ("۱٬۲۳۴", "1234"), (12.5, "12.5")],
)
def test_a_quantity_is_read_in_each_of_its_forms(typed, quantity):
    make_item(code="ITEM-M", base_unit=make_unit("M", "متر", decimal_places=2))

    _result, refused = bring_receipts(
        receipt_row(**{"کد کالا": "ITEM-M", "واحد": "M", "مقدار واردشده": typed})
    )

    assert refused == []
    assert DocumentLine.objects.get().quantity == Decimal(quantity)


def test_arabic_letters_and_persian_digits_of_a_keyboard_are_understood():
    _result, refused = bring_receipts(
        receipt_row(**{"انبار": "WH۱", "شرح": "خريد كالا", "ردیف": "۱", "شماره موقت": "R-٧"})
    )

    assert refused == []
    document = ReceiptPermanent.objects.get(draft_number="R-7")
    assert document.description == "خرید کالا"


def test_headings_are_known_by_arabic_letters_too():
    headings = [heading.replace("ی", "ي").replace("ک", "ك") for heading in HEADINGS]

    _result, refused = bring_receipts(receipt_row(), headings=headings)

    assert refused == []
    assert ReceiptPermanent.objects.count() == 1


def test_a_second_unit_is_converted_into_the_base_unit():
    make_item_unit(make_item(code="ITEM-C"), "24")

    bring_receipts(receipt_row(**{"کد کالا": "ITEM-C", "واحد": "CTN", "مقدار واردشده": 2}))

    line = DocumentLine.objects.get()
    assert (line.entered_quantity, line.factor, line.quantity) == (2, 24, 48)


def test_all_that_is_wrong_is_said_at_once_with_row_column_and_value():
    _result, refused = bring_receipts(
        receipt_row(),
        receipt_row(**{"شماره موقت": "R-2", "انبار": "NONE"}),
        receipt_row(**{"شماره موقت": "R-3", "کد کالا": "ITEM-X", "مقدار واردشده": "ده تا"}),
    )

    assert len(refused) == 3
    assert names(refused[0], "۳", "انبار", "NONE", "انبارها")
    assert names(refused[1], "۴", "کد کالا", "ITEM-X", "کالاها")
    assert names(refused[2], "۴", "مقدار واردشده", "ده تا")
    assert nothing_written()


@pytest.mark.parametrize(
    ("cells", "column"),
    [
        ({"مقدار واردشده": "12/5"}, "مقدار واردشده"),
        ({"مقدار واردشده": 0}, "مقدار واردشده"),
        ({"مقدار واردشده": -3}, "مقدار واردشده"),
        ({"مقدار واردشده": 1.5}, "مقدار واردشده"),
        ({"مقدار واردشده": None}, "مقدار واردشده"),
        ({"مقدار واردشده": "1" * 30}, "مقدار واردشده"),
        ({"ردیف": 1.5}, "ردیف"),
        ({"ردیف": None}, "ردیف"),
        ({"واحد": "CTN"}, "واحد"),
        ({"کد کالا": None}, "کد کالا"),
        ({"تاریخ سند": "1405/12/30"}, "تاریخ سند"),
        ({"تاریخ سند": "1404/12/01"}, "تاریخ سند"),
        ({"تاریخ سند": "05/07/15"}, "تاریخ سند"),
        ({"تاریخ سند": None}, "تاریخ سند"),
        ({"شماره موقت": None}, "شماره موقت"),
        ({"شماره موقت": "رسید ۱"}, "شماره موقت"),
        ({"شماره موقت": datetime.datetime(2026, 10, 7)}, "شماره موقت"),
    ],
)
def test_a_wrong_cell_is_refused_with_its_column(cells, column):
    make_unit("CTN", "کارتن")

    _result, refused = bring_receipts(receipt_row(**cells))

    assert len(refused) == 1
    assert names(refused[0], "۲", column)
    assert nothing_written()


def test_a_missing_column_and_an_unknown_one_are_named():
    headings = [*HEADINGS[:-1], "تعداد"]

    _result, refused = bring_receipts(receipt_row(), headings=headings)

    assert len(refused) == 2
    assert names(refused[0], "تعداد") and names(refused[1], "مقدار واردشده")
    assert nothing_written()


def test_the_same_row_of_a_document_twice_is_refused():
    _result, refused = bring_receipts(receipt_row(), receipt_row())

    assert len(refused) == 1
    assert names(refused[0], "۳", "۲")
    assert nothing_written()


def test_a_type_refuses_a_file_without_what_it_can_not_do_without():
    content = workbook(HEADINGS[:3] + HEADINGS[4:], receipt_row()[:3] + receipt_row()[4:])

    _result, refused = bring(RESOURCES[IssueConsumption], content)

    assert len(refused) == 1 and names(refused[0], "واحد سازمانی")
    assert nothing_written()


def test_consigned_goods_belong_to_their_owner_line_by_line():
    make_party("P9", "امانت‌گذار")
    headings = [*HEADINGS[:3], "مالک کالای امانی", *HEADINGS[4:]]
    row = receipt_row(**{"تأمین‌کننده": "P9"})

    _result, refused = bring(RESOURCES[ReceiptConsignment], workbook(headings, row))

    assert refused == []
    assert DocumentLine.objects.get().owner.code == "P9"


def test_consigned_goods_of_our_own_are_refused():
    headings = [*HEADINGS[:3], "مالک کالای امانی", *HEADINGS[4:]]
    row = receipt_row(**{"تأمین‌کننده": "0"})

    _result, refused = bring(RESOURCES[ReceiptConsignment], workbook(headings, row))

    assert len(refused) == 1
    assert names(refused[0], "۲", "مالک کالای امانی")
    assert nothing_written()


@pytest.mark.parametrize("model", RESOURCES, ids=lambda model: model.__name__)
def test_an_export_comes_in_again_without_a_change(model, clerk):
    document = make_stocktaking(2) if model is StocktakingRecord else make_document(model, 2)
    before = model.objects.values().get(pk=document.pk)

    content = export(RESOURCES[model], model.objects.filter(pk=document.pk))
    result, refused = bring(RESOURCES[model], content, user=clerk)

    assert (refused, result.totals["skip"], result.totals["update"]) == ([], 2, 0)
    assert model.objects.values().get(pk=document.pk) == before


def test_an_export_that_was_edited_changes_what_was_edited(clerk):
    document = make_receipt(lines=2)
    content = export(RESOURCES[ReceiptPermanent], ReceiptPermanent.objects.all())
    edited = edit(content, {"مقدار واردشده": 7, "شرح": "اصلاح"}, rows=[2, 3])

    _result, refused = bring(RESOURCES[ReceiptPermanent], edited, user=clerk)

    document.refresh_from_db()
    assert refused == []
    assert (document.description, document.version, document.updated_by) == ("اصلاح", 2, clerk)
    assert set(document.lines.values_list("quantity", flat=True)) == {7}


def test_a_line_that_a_file_leaves_out_stays(clerk):
    document = make_receipt(lines=2)
    content = export(RESOURCES[ReceiptPermanent], ReceiptPermanent.objects.all())
    edited = edit(content, {"مقدار واردشده": 7}, rows=[2], drop=[3])

    bring(RESOURCES[ReceiptPermanent], edited, user=clerk)

    assert list(document.lines.values_list("quantity", flat=True)) == [7, 10]


def test_a_file_older_than_the_document_is_refused(clerk):
    document = make_receipt()
    content = export(RESOURCES[ReceiptPermanent], ReceiptPermanent.objects.all())
    ReceiptPermanent.objects.filter(pk=document.pk).update(version=2)

    edited = edit(content, {"مقدار واردشده": 7}, rows=[2])
    _result, refused = bring(RESOURCES[ReceiptPermanent], edited, user=clerk)

    assert len(refused) == 1
    assert document.lines.get().quantity == 10


def test_a_document_that_somebody_edits_is_refused_and_that_is_recorded(clerk, make_user):
    document = make_receipt()
    holder = make_user("holder", first_name="علی")
    locks.acquire(ReceiptPermanent, document.pk, by=holder, version=1)
    content = export(RESOURCES[ReceiptPermanent], ReceiptPermanent.objects.all())

    edited = edit(content, {"مقدار واردشده": 7}, rows=[2])
    _result, refused = bring(RESOURCES[ReceiptPermanent], edited, user=clerk)

    document.refresh_from_db()
    assert len(refused) == 1 and "علی" in refused[0]
    assert (document.editing_by, document.lines.get().quantity) == (holder, 10)
    assert LockEvent.objects.first().action == "refused"


def test_without_its_guard_a_file_would_write_over_the_holder(clerk, make_user):
    class Unguarded(RESOURCES[ReceiptPermanent]):
        def guard(self, document, row, *, by):
            pass

    document = make_receipt()
    locks.acquire(ReceiptPermanent, document.pk, by=make_user("holder"), version=1)
    content = export(Unguarded, ReceiptPermanent.objects.all())

    _result, refused = bring(Unguarded, edit(content, {"مقدار واردشده": 7}, rows=[2]), user=clerk)

    assert (refused, document.lines.get().quantity) == ([], 7)


def test_a_posted_document_is_not_changed_by_a_file(clerk):
    document = make_receipt()
    post(document, clerk)
    content = export(RESOURCES[ReceiptPermanent], ReceiptPermanent.objects.all())

    edited = edit(content, {"مقدار واردشده": 7}, rows=[2])
    _result, refused = bring(RESOURCES[ReceiptPermanent], edited, user=clerk)

    document.refresh_from_db()
    assert len(refused) == 1 and "قطعی" in refused[0]
    assert (document.status, document.lines.get().quantity) == (Status.POSTED, 10)


def test_a_file_never_sets_status_or_number(clerk):
    headings = [*HEADINGS, "وضعیت", "شماره سند"]

    _result, refused = bring_receipts([*receipt_row(), "قطعی", 5], headings=headings, user=clerk)

    document = ReceiptPermanent.objects.get()
    assert (refused, document.status, document.document_number) == ([], Status.DRAFT, None)


def test_a_preview_writes_nothing(clerk):
    result, refused = bring_receipts(receipt_row(), dry_run=True, user=clerk)

    assert (refused, result.totals["new"]) == ([], 1)
    assert nothing_written()


def test_the_history_tells_of_the_document_not_of_its_lines(clerk):
    result, _refused = bring_receipts(
        receipt_row(), receipt_row(**{"ردیف": 2}), user=clerk, retain_instance_in_row_result=True
    )

    document = ReceiptPermanent.objects.get()
    assert [(row.instance, row.is_new) for row in result] == [(document, True)] * 2


def test_the_documents_of_a_file_are_found_in_few_queries(django_assert_max_num_queries, clerk):
    item = make_item()
    for _number in range(3):
        document = make_receipt(lines=0)
        for row_no in (1, 2, 3):
            make_line(document, row_no, item=item)
    content = export(RESOURCES[ReceiptPermanent], ReceiptPermanent.objects.all())

    with django_assert_max_num_queries(30):  # 18 of them for the savepoints of 9 rows
        result, _refused = bring(RESOURCES[ReceiptPermanent], content, user=clerk)

    assert result.totals["skip"] == 9


def edit(content, cells, *, rows, drop=()):
    """Return an Excel file with cells changed, as staff do between export and import."""
    book = openpyxl.load_workbook(io.BytesIO(content))
    sheet = book.active
    columns = {cell.value: cell.column for cell in sheet[1]}
    for row in rows:
        for heading, value in cells.items():
            sheet.cell(row, columns[heading]).value = value
    for row in drop:
        sheet.delete_rows(row)
    edited = io.BytesIO()
    book.save(edited)
    return edited.getvalue()
