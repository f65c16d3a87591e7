"""What a page carries of its document, and how a later change is told."""

import json

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.core import signing
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from backoffice import content
from inventory.models import DocumentLine, ReceiptPermanent
from tests.inventory.factories import (
    make_item,
    make_line,
    make_receipt,
    make_stocktaking,
    make_warehouse,
)
from tests.locks.pages import Person
from tests.locks.test_admin import LINE_RIGHTS, RIGHTS
from tests.orders.factories import make_integration


@pytest.fixture
def boss(make_user):
    return make_user("boss", is_superuser=True, first_name="علی")


@pytest.fixture
def request_of_boss(boss, rf):
    request = rf.get("/")
    request.user = boss
    return request


@pytest.fixture
def read(request_of_boss):
    """Return a function that reads the content of a document as a page would carry it."""

    def read(obj):
        found = content.content_of(admin.site._registry[type(obj)], request_of_boss, obj)
        return content.unsealed(content.sealed(found))

    return read


@pytest.fixture
def tell(request_of_boss):
    """Return a function that tells what changed in a document since its content was read."""

    def tell(obj, base):
        model_admin = admin.site._registry[type(obj)]
        return content.changes_since(model_admin, request_of_boss, obj, base)

    return tell


# What a page carries


def test_content_is_what_people_fill_and_the_state(read, receipt):
    found = read(receipt)

    header = {*ReceiptPermanent.header_fields(), "status"}
    assert set(found["fields"]) == header
    assert set(found["lines"]) == {"lines"}
    (line,) = found["lines"]["lines"].values()
    assert line["name"] == "1"
    assert set(line["fields"]) == {
        "item",
        "unit",
        "entered_quantity",
        *ReceiptPermanent.LINE_FIELDS,
        "notes",
    }
    assert (found["version"], found["document"][1]) == (1, str(receipt.pk))


def test_content_holds_no_secret(read, db):
    assert set(read(make_integration())["fields"]) == {
        "code",
        "name",
        "provider",
        "base_url",
        "allowed_hosts",
        "calls_per_second",
        "low_balance",
        "exchange_rate",
        "is_active",
    }


def forged(found):
    return signing.dumps(found, key="another", salt=content.SALT, compress=True)


@pytest.mark.parametrize("text", ["", "x", "a:b:c", "\u06f1:\x00", "ب" * 9000])
def test_content_that_is_broken_is_none(text):
    assert content.unsealed(text) is None


def test_content_that_is_forged_is_none(read, receipt):
    found = read(receipt)

    assert content.unsealed(forged(found)) is None
    assert content.unsealed(signing.dumps(found, compress=True)) is None
    assert content.unsealed(content.sealed(found)) == found


@pytest.mark.parametrize("make", [make_receipt, make_stocktaking])
def test_lines_cost_one_query_however_many_they_are(read, db, make):
    counts = []
    for lines in (1, 200):
        obj = make(lines=lines)
        read(obj)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            found = read(obj)
        counts.append(len(queries))
        assert len(found["lines"]["lines"]) == lines

    assert counts[0] == counts[1]


# What changed


def test_nothing_is_told_where_nothing_changed(read, tell, receipt):
    assert tell(receipt, read(receipt)) == []


def test_another_form_of_the_same_value_is_no_change(read, tell, receipt):
    base = read(receipt)
    (line,) = base["lines"]["lines"].values()
    line["fields"]["entered_quantity"] = "10.0"
    base["fields"]["document_date"] = "2026-10-7".replace("-7", "-07")

    assert tell(receipt, base) == []


def test_content_of_another_document_tells_nothing(read, tell, receipt):
    assert tell(receipt, read(make_receipt(description="دیگر"))) == []


def test_a_document_that_is_gone_tells_nothing(read, tell, receipt):
    base = read(receipt)
    ReceiptPermanent.objects.filter(pk=receipt.pk).delete()

    assert tell(receipt, base) == []


def test_what_a_form_wrote_into_the_row_at_hand_is_not_told(read, tell, receipt):
    base = read(receipt)
    receipt.description = "typed"

    assert tell(receipt, base) == []


def test_values_are_told_as_people_read_them(read, tell, receipt):
    base = read(receipt)
    make_warehouse("WH2", "انبار دوم")
    ReceiptPermanent.objects.filter(pk=receipt.pk).update(
        document_date="2026-11-22", warehouse=make_warehouse("WH2"), description=""
    )
    DocumentLine.objects.update(entered_quantity="1234.5")

    told = {change.field: (change.before, change.now) for change in tell(receipt, base)}

    assert told == {
        "تاریخ سند": ("\u2066۱۴۰۵/۰۷/۱۵\u2069", "\u2066۱۴۰۵/۰۹/۰۱\u2069"),
        "انبار": ("انبار مرکزی", "انبار دوم"),
        "شرح": ("برای آزمایش", "-"),
        "مقدار واردشده": ("۱۰", "۱٬۲۳۴٫۵"),
    }


def test_states_and_yes_or_no_are_told_in_words(read, tell, receipt, boss):
    base = read(receipt)
    ReceiptPermanent.objects.filter(pk=receipt.pk).update(
        status="approved", approved_by=boss, approved_at=timezone.now()
    )
    integration = make_integration()
    other = read(integration)
    type(integration).objects.update(is_active=False)

    assert [(change.before, change.now) for change in tell(receipt, base)] == [
        ("پیش‌نویس", "تأییدشده")
    ]
    assert [(change.before, change.now) for change in tell(integration, other)] == [("بله", "خیر")]


def test_lines_added_and_deleted_are_told_with_what_they_hold(read, tell, receipt):
    base = read(receipt)
    receipt.lines.all().delete()
    make_line(receipt, row_no=2, item=make_item(name="کابل"), quantity="3", notes="تازه")

    gone, added = tell(receipt, base)

    assert (gone.kind, gone.line, gone.now) == ("deleted", "ردیف سند ۱", "-")
    assert gone.before.replace(code(gone), "") == "کالا: کلید تک‌پل\nواحد: عدد\nمقدار واردشده: ۱۰"
    assert (added.kind, added.line, added.before) == ("added", "ردیف سند ۲", "-")
    assert added.now.endswith("ملاحظات: تازه")


def code(change):
    """Return the code that an item's name begins with."""
    item = change.before.split("\n")[0].removeprefix("کالا: ")
    return item.removesuffix("کلید تک‌پل")


def test_telling_costs_no_query_a_line(read, tell, db):
    counts = []
    for lines in (1, 200):
        receipt = make_receipt(lines=lines)
        base = read(receipt)
        receipt.lines.update(notes="تازه")
        with CaptureQueriesContext(connection) as queries:
            changes = tell(receipt, base)
        counts.append(len(queries))
        assert len(changes) == lines

    assert counts[0] == counts[1]


# Who and when


@pytest.fixture
def mary(make_user, receipt):
    return Person(make_user("mary", *RIGHTS, *LINE_RIGHTS, first_name="مریم"), receipt)


@pytest.fixture
def zahra(make_user, receipt):
    return Person(make_user("zahra", *RIGHTS, *LINE_RIGHTS, first_name="زهرا"), receipt)


def test_each_change_names_the_last_person_who_made_it(read, tell, receipt, mary, zahra):
    make_line(receipt, row_no=2)
    base = read(receipt)
    mary.save(mary.open() | {"description": "از مریم", "lines-1-notes": "از مریم"})
    zahra.save(zahra.open() | {"document_date": "۱۴۰۵/۰۸/۰۱", "lines-0-DELETE": "on"})

    told = {(change.line, change.field): change.by for change in tell(receipt, base)}

    assert told == {
        ("", "شرح"): "مریم",
        ("", "تاریخ سند"): "زهرا",
        ("ردیف سند ۱", ""): "زهرا",
        ("ردیف سند ۲", "ملاحظات"): "مریم",
    }


def test_a_change_without_a_name_of_its_own_is_the_last_persons(read, tell, receipt, mary):
    base = read(receipt)
    mary.save(mary.open() | {"description": "از مریم"})
    LogEntry.objects.update(change_message="بارگذاری شد")

    (change,) = tell(receipt, base)

    assert change.by == "مریم"
    assert change.at


def test_nobody_is_named_for_a_change_that_left_no_history(read, tell, receipt, mary):
    mary.save(mary.open() | {"description": "پیش از این"})
    receipt.refresh_from_db()
    base = read(receipt)
    ReceiptPermanent.objects.filter(pk=receipt.pk).update(description="از جایی")

    (change,) = tell(receipt, base)

    assert (change.by, change.at) == ("", "")


@pytest.mark.parametrize("message", ["", "[", "[1]", json.dumps({"changed": {}}), "null"])
def test_history_in_any_wording_is_borne(read, tell, receipt, mary, message):
    base = read(receipt)
    mary.save(mary.open() | {"description": "از مریم"})
    LogEntry.objects.update(change_message=message)

    assert [change.by for change in tell(receipt, base)] == ["مریم"]
