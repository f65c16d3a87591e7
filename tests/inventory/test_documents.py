"""Documents and their types: what the table holds, whoever writes to it."""

import datetime

import pytest
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from inventory.document_types import TYPES
from inventory.documents import new_draft_number
from inventory.models import (
    OURSELVES,
    Direction,
    DocumentType,
    IssueConsignment,
    IssueConsumption,
    ReceiptConsignment,
    ReceiptPermanent,
    ReceiptTemporary,
    Status,
    StocktakingSurplus,
    WarehouseDocument,
)
from tests.inventory.factories import (
    make_document,
    make_fiscal_year,
    make_org_unit,
    make_party,
    make_receipt,
    make_stocktaking,
    make_warehouse,
    ourselves,
)
from tests.inventory.states import cancel, post


@pytest.fixture
def poster(db):
    return get_user_model().objects.create_user("poster")


def refused_by_database(rows, **changes):
    """Return whether the database refuses a change that no rule of ours was asked about."""
    with pytest.raises(IntegrityError), transaction.atomic():
        rows.update(**changes)
    return True


@pytest.mark.parametrize("model", TYPES)
def test_each_type_sees_its_own_documents_and_the_table_all(db, model):
    mine = make_document(model)
    other = make_document(ReceiptTemporary if model is ReceiptPermanent else ReceiptPermanent)

    assert list(model.objects.all()) == [mine]
    assert mine.document_type == model.TYPE
    assert set(WarehouseDocument.objects.all()) == {mine, other}


def test_the_types_and_their_proxies_are_the_same():
    assert [model.TYPE for model in TYPES] == list(DocumentType)


def test_the_type_of_a_stored_document_is_what_the_table_says(db):
    issue = make_document(IssueConsumption)

    loaded = WarehouseDocument.objects.get(pk=issue.pk)

    assert loaded.document_type == DocumentType.ISSUE_CONSUMPTION
    assert "حواله مصرف" in str(loaded)


def test_a_deferred_type_is_read_and_not_made_up(db):
    issue = make_document(IssueConsumption)

    loaded = WarehouseDocument.objects.defer("document_type").get(pk=issue.pk)

    assert loaded.document_type == DocumentType.ISSUE_CONSUMPTION


def test_a_type_that_is_unknown_is_refused(db):
    receipt = make_receipt()

    assert refused_by_database(WarehouseDocument.objects.all(), document_type="receipt")
    receipt.refresh_from_db()
    assert receipt.document_type == DocumentType.RECEIPT_PERMANENT


def test_a_draft_has_a_temporary_number_and_no_other(db):
    first, second = make_receipt(), make_receipt()

    assert first.draft_number != second.draft_number
    assert (first.status, first.document_number) == (Status.DRAFT, None)


def test_temporary_numbers_hold_the_day_and_no_letter_that_looks_like_a_digit():
    numbers = {new_draft_number() for _number in range(500)}

    assert len(numbers) == 500
    assert not set("".join(number[8:] for number in numbers)) & set("01OIL")
    assert {number[0] for number in numbers} == {"D"}  # digits in front would turn round


def test_a_temporary_number_is_given_once_in_a_type(db):
    make_receipt(draft_number="R-1")
    make_document(ReceiptTemporary, draft_number="R-1")

    with pytest.raises(IntegrityError), transaction.atomic():
        make_receipt(draft_number="R-1")


@pytest.mark.parametrize("missing", ["document_number", "posted_at", "posted_by"])
def test_a_posted_document_has_number_time_and_person(poster, missing):
    receipt = make_receipt()

    with pytest.raises(IntegrityError), transaction.atomic():
        post(receipt, poster, **{missing: None})

    receipt.refresh_from_db()
    assert receipt.status == Status.DRAFT


def test_a_draft_can_not_be_numbered(db):
    make_receipt()

    assert refused_by_database(ReceiptPermanent.objects.all(), document_number=5)


def test_a_draft_can_not_be_cancelled(db, poster):
    make_receipt()

    assert refused_by_database(
        ReceiptPermanent.objects.all(),
        status=Status.CANCELLED,
        cancelled_at=timezone.now(),
        cancelled_by=poster,
        cancel_reason="x",
    )


def test_a_cancelled_document_keeps_its_number_and_needs_a_reason(poster):
    receipt = make_receipt()
    cancel(receipt, poster)

    assert ReceiptPermanent.objects.get().document_number == 17
    assert refused_by_database(ReceiptPermanent.objects.all(), cancel_reason="")


def test_an_approved_document_has_who_approved_it(db):
    make_receipt()

    assert refused_by_database(ReceiptPermanent.objects.all(), status=Status.APPROVED)


def test_a_number_is_given_once_in_a_type_and_a_year(poster):
    post(make_receipt(), poster)
    post(make_document(ReceiptTemporary), poster)
    other = make_receipt()

    with pytest.raises(IntegrityError), transaction.atomic():
        post(other, poster)

    other.refresh_from_db()
    assert other.document_number is None


@pytest.mark.parametrize("day", [datetime.date(1405, 7, 15), datetime.date(2201, 1, 1)])
def test_a_date_of_the_wrong_calendar_is_refused(db, day):
    make_receipt()

    assert refused_by_database(ReceiptPermanent.objects.all(), document_date=day)


def test_a_type_can_not_be_without_what_it_needs(db):
    make_document(IssueConsumption)

    assert refused_by_database(IssueConsumption.objects.all(), org_unit=None)


def test_a_type_can_not_hold_what_belongs_to_another(db):
    make_receipt()

    assert refused_by_database(ReceiptPermanent.objects.all(), org_unit=make_org_unit())
    assert refused_by_database(ReceiptPermanent.objects.all(), direction=Direction.OUT)


def test_received_consigned_goods_are_not_our_own(db):
    make_document(ReceiptConsignment)

    assert refused_by_database(ReceiptConsignment.objects.all(), owner=OURSELVES)


def test_own_goods_that_go_out_lie_in_another_warehouse(db):
    make_document(IssueConsignment)
    rows, there = IssueConsignment.objects.all(), make_warehouse("WH2", "نزد پیمانکار")
    out = {"direction": Direction.OUT, "owner": ourselves()}

    assert refused_by_database(rows, **out)
    assert refused_by_database(rows, **out, destination_warehouse=make_warehouse())
    assert rows.update(**out, destination_warehouse=there) == 1


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"owner_id": None}, ["owner"]),
        ({"owner_id": OURSELVES}, ["owner"]),
        ({"direction": Direction.OUT}, ["owner", "destination_warehouse"]),
        ({"direction": ""}, ["direction"]),
        ({"direction": Direction.OUT, "owner_id": OURSELVES}, ["destination_warehouse"]),
    ],
)
def test_what_the_database_would_refuse_is_told_in_words_before(db, changes, fields):
    issue = make_document(IssueConsignment)
    for name, value in changes.items():
        setattr(issue, name, value)

    with pytest.raises(ValidationError) as refused:
        issue.full_clean()

    assert list(refused.value.error_dict) == fields


def test_a_temporary_receipt_is_converted_once(poster):
    temporary = make_document(ReceiptTemporary)
    first = make_receipt(temporary_receipt=temporary)

    with pytest.raises(IntegrityError), transaction.atomic():
        make_receipt(temporary_receipt=temporary)

    cancel(first, poster)
    assert make_receipt(temporary_receipt=temporary).temporary_receipt == temporary


def test_a_stocktaking_has_one_surplus(db):
    record = make_stocktaking()
    make_document(StocktakingSurplus, stocktaking=record)

    with pytest.raises(IntegrityError), transaction.atomic():
        make_document(StocktakingSurplus, stocktaking=record)


def test_the_fiscal_year_follows_from_the_date(db):
    receipt = make_receipt()
    next_year = make_fiscal_year("1406", "2027-03-21", "2028-03-19")
    receipt.document_date = datetime.date(2027, 3, 21)

    receipt.clean()

    assert receipt.fiscal_year == next_year


@pytest.mark.parametrize(
    ("year", "words"),
    [
        ({"status": "closed"}, "بسته است"),
        ({"stock_frozen_until": datetime.date(2026, 10, 7)}, "۱۴۰۵/۰۷/۱۵"),
        ({"end_date": datetime.date(2026, 10, 6)}, "تعریف نشده"),
    ],
)
def test_a_day_that_takes_no_documents_is_refused(db, year, words):
    receipt = make_receipt()
    for name, value in year.items():
        setattr(receipt.fiscal_year, name, value)
    receipt.fiscal_year.save()

    with pytest.raises(ValidationError) as refused:
        receipt.clean()

    assert words in refused.value.message_dict["document_date"][0]


def test_the_lines_follow_the_owner_of_their_document(db):
    receipt = make_document(ReceiptConsignment, 2)
    receipt.owner = make_party("P8", "مالک دیگر")

    receipt.give_owner_to_lines()

    assert {line.owner.code for line in receipt.lines.all()} == {"P8"}


def test_the_lines_of_a_surplus_keep_their_own_owners(db):
    surplus = make_document(StocktakingSurplus)
    surplus.lines.update(owner=make_party())

    surplus.give_owner_to_lines()

    assert surplus.lines.get().owner == make_party()


def test_a_document_is_found_by_each_spelling_of_its_words(db):
    receipt = make_receipt(description="خريد كالاي يدكي ۱۲", reference="نگه\u200cداری")

    receipt.refresh_from_db()

    assert "خرید کالای یدکی 12" in receipt.search_text
    assert "نگهداری" in receipt.search_text
