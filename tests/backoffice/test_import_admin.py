"""The import and export pages: who may, what is said, and what is never half done."""

import io

import openpyxl
import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from backoffice import locks
from backoffice.audit import LockEvent
from backoffice.import_storage import ImportUpload
from inventory.models import Item, ReceiptPermanent, Unit
from tests.backoffice.files import confirm, make_csv, make_xlsx, told, upload
from tests.inventory.factories import make_category, make_receipt, make_unit

pytestmark = pytest.mark.django_db
HEADINGS = ["code", "name", "decimal_places"]
UNITS = ["inventory.view_unit", "inventory.import_unit", "inventory.export_unit"]


@pytest.fixture
def clerk(make_user):
    return make_user("clerk", *UNITS)


@pytest.fixture
def page(clerk):
    """Return the browser of somebody who may import and export units."""
    client = Client()
    client.force_login(clerk)
    return client


def units(*rows):
    return make_csv(HEADINGS, *rows)


def said(response):
    return [str(message) for message in response.context["messages"]]


def stored():
    return list(Unit.objects.order_by("code").values_list("code", "name"))


def test_a_file_is_previewed_then_imported_with_its_history(page, clerk):
    make_unit("A", "old")
    preview = upload(page, units(["A", "new", 0], ["B", "b", 0]))
    assert stored() == [("A", "old")]
    done = confirm(page, preview)
    assert done.redirect_chain == [(reverse("admin:inventory_unit_changelist"), 302)]
    assert stored() == [("A", "new"), ("B", "b")]
    history = LogEntry.objects.filter(user=clerk).order_by("object_repr")
    assert [(entry.object_repr, entry.action_flag) for entry in history] == [("b", 1), ("new", 2)]
    assert "units.csv" in history[0].change_message


def test_an_excel_file_goes_the_same_way(page):
    confirm(page, upload(page, make_xlsx(HEADINGS, ["A", "a", 0]), name="units.xlsx"))
    assert stored() == [("A", "a")]


def test_a_file_with_an_error_can_not_be_confirmed(page):
    answer = upload(page, units(["A", "a", 0], ["B", "b", "x"]))
    assert len(told(answer)) == 1
    assert "confirm_form" not in answer.context
    assert stored() == []


def test_an_error_is_told_in_persian_digits(page):
    shown = upload(page, units(["A", "a", -1])).content.decode()
    assert "مساوی ۰" in shown
    assert "مساوی 0" not in shown
    assert stored() == []


def test_a_file_of_old_windows_is_named_in_the_preview(page):
    preview = upload(page, make_csv(HEADINGS, ["A", "كيلو", "0"], encoding="cp1256"))
    assert "cp1256" in preview.content.decode()
    confirm(page, preview)
    assert stored() == [("A", "کیلو")]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("units.csv", b"\x00garbage" * 100),
        ("units.csv", b"x" * 10_000_000),
        ("units.xlsx", b"PK\x03\x04 no archive"),
        ("units.xlsx", make_csv(["code"])),
        ("units.ods", b"PK\x03\x04"),
        ("units.csv", b""),
    ],
)
def test_a_file_that_can_not_be_read_is_refused_in_the_form(page, name, data):
    answer = upload(page, data, name=name)
    assert list(answer.context["form"].errors) == ["import_file"]
    assert "result" not in answer.context
    assert stored() == []


def test_what_changed_since_the_preview_is_said_and_nothing_is_imported(make_user):
    make_category("CAT")
    unit = make_unit("PCS")
    client = Client()
    client.force_login(make_user("clerk", "inventory.import_item"))
    rows = [["1", "a", "CAT", "PCS"], ["2", "b", "CAT", "PCS"]]
    items = make_csv(["code", "name", "category", "base_unit"], *rows)
    preview = upload(client, items, model="inventory_item")
    unit.delete()
    answer = confirm(client, preview, model="inventory_item")
    assert len(told(answer)) == 2
    assert len(said(answer)) == 1
    assert not Item.objects.exists()
    assert not LogEntry.objects.exists()


def test_a_confirmed_file_is_imported_once(page):
    preview = upload(page, units(["A", "a", 0]))
    confirm(page, preview)
    Unit.objects.update(name="changed by hand")
    again = confirm(page, preview)
    assert again.redirect_chain == [(reverse("admin:inventory_unit_import"), 302)]
    assert len(said(again)) == 1
    assert stored() == [("A", "changed by hand")]


def test_nothing_is_left_of_a_file_that_was_imported(page):
    confirm(page, upload(page, units(["A", "a", 0])))
    assert not ImportUpload.objects.exists()


@pytest.mark.parametrize("view", ["import", "export", "template", "process_import"])
def test_who_has_no_permission_is_turned_away(make_user, view):
    make_unit("A", "a")
    client = Client()
    client.force_login(make_user("stranger", "inventory.view_unit", "inventory.change_unit"))
    address = reverse(f"admin:inventory_unit_{view}")
    assert client.post(address, {"format": "0", "unitresource_code": "on"}).status_code == 403
    assert stored() == [("A", "a")]


def test_who_has_no_permission_sees_neither_links_nor_action(make_user):
    unit = make_unit("A", "a")
    client = Client()
    client.force_login(make_user("stranger", "inventory.view_unit", "inventory.change_unit"))
    address = reverse("admin:inventory_unit_changelist")
    content = client.get(address).content.decode()
    assert reverse("admin:inventory_unit_import") not in content
    assert reverse("admin:inventory_unit_export") not in content
    answer = client.post(address, {"action": "export_admin_action", "_selected_action": [unit.pk]})
    assert "export_items" not in answer.content.decode()


def exported(response):
    sheet = openpyxl.load_workbook(io.BytesIO(response.content)).active
    return list(sheet.values)[1:]


COLUMNS = {"resource": "0", "format": "0", "unitresource_code": "on", "unitresource_name": "on"}


def test_an_export_has_the_rows_of_the_filtered_list_and_the_chosen_columns(page):
    make_unit("A", "a")
    make_unit("B", "b")
    answer = page.post(f"{reverse('admin:inventory_unit_export')}?q=B", COLUMNS)
    assert exported(answer) == [("B", "b")]


def test_the_rows_that_were_ticked_are_exported(page):
    make_unit("A", "a")
    ticked = make_unit("B", "b")
    action = {"action": "export_admin_action", "_selected_action": [ticked.pk]}
    form = page.post(reverse("admin:inventory_unit_changelist"), action)
    assert f'name="export_items" value="{ticked.pk}"' in form.content.decode()
    answer = page.post(
        reverse("admin:inventory_unit_export"), COLUMNS | {"export_items": [ticked.pk]}
    )
    assert exported(answer) == [("B", "b")]


def test_a_csv_is_exported_for_excel(page):
    make_unit("A", "=a")
    answer = page.post(reverse("admin:inventory_unit_export"), COLUMNS | {"format": "1"})
    assert answer.content.startswith(b"\xef\xbb\xbf")
    assert answer.content.decode("utf-8-sig").splitlines()[1] == "A,'=a"


def test_the_pages_have_no_script_of_their_own(page):
    for view in ("import", "export"):
        content = page.get(reverse(f"admin:inventory_unit_{view}")).content.decode()
        assert "onchange=" not in content
        assert "onclick=" not in content


# A document that somebody edits


@pytest.fixture
def receipt():
    return make_receipt(description="old")


def receipts(receipt):
    line = receipt.lines.get()
    columns = ["draft_number", "document_date", "warehouse", "description"]
    columns += ["row_no", "item", "unit", "entered_quantity"]
    cells = [receipt.draft_number, "1405/07/15", "WH1", "from a file"]
    return make_csv(columns, [*cells, 1, line.item.code, "PCS", 7])


def bring_receipt(client, receipt):
    return upload(client, receipts(receipt), model="inventory_receiptpermanent")


@pytest.fixture
def receipts_page(make_user):
    client = Client()
    client.force_login(make_user("storekeeper", "inventory.import_receiptpermanent"))
    return client


def test_a_document_that_is_edited_is_refused_in_the_preview(receipts_page, receipt, make_user):
    holder = make_user("holder", first_name="مریم")
    locks.acquire(ReceiptPermanent, receipt.pk, by=holder, version=1)
    [message] = told(bring_receipt(receipts_page, receipt))
    assert "مریم" in message
    assert not LockEvent.objects.filter(action="refused").exists()


def test_a_document_that_is_taken_after_the_preview_is_refused_whole(
    receipts_page, receipt, make_user
):
    preview = bring_receipt(receipts_page, receipt)
    holder = make_user("holder", first_name="مریم")
    token = locks.acquire(ReceiptPermanent, receipt.pk, by=holder, version=1)
    answer = confirm(receipts_page, preview, model="inventory_receiptpermanent")
    assert "مریم" in told(answer)[0]
    assert len(said(answer)) == 1
    receipt.refresh_from_db()
    assert (receipt.description, receipt.version) == ("old", 1)
    assert locks.renew(ReceiptPermanent, receipt.pk, token=token, by=holder)
    assert not LogEntry.objects.exists()
    assert LockEvent.objects.filter(action="refused", source="import").count() == 1


def test_the_fault_is_there_without_the_guard(receipts_page, receipt, make_user, monkeypatch):
    monkeypatch.setattr("backoffice.imports.LockAwareResource._guard", lambda *args: None)
    preview = bring_receipt(receipts_page, receipt)
    locks.acquire(ReceiptPermanent, receipt.pk, by=make_user("holder"), version=1)
    confirm(receipts_page, preview, model="inventory_receiptpermanent")
    receipt.refresh_from_db()
    assert receipt.description == "from a file"


def test_an_import_makes_open_pages_out_of_date_and_leaves_no_lock(receipts_page, receipt):
    preview = bring_receipt(receipts_page, receipt)
    confirm(receipts_page, preview, model="inventory_receiptpermanent")
    receipt.refresh_from_db()
    assert (receipt.description, receipt.version, receipt.editing_by) == ("from a file", 2, None)
    [entry] = LogEntry.objects.all()
    assert (entry.object_id, entry.action_flag) == (str(receipt.pk), 2)
