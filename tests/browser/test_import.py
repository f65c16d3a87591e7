"""A file is brought and taken in a real browser, under the policy that forbids inline scripts."""

import openpyxl
import pytest
from django.urls import reverse

from inventory.models import Unit
from tests.backoffice.files import make_xlsx
from tests.inventory.factories import make_unit

pytestmark = pytest.mark.browser
HEADINGS = ["کد", "نام", "رقم‌های اعشار"]


@pytest.fixture
def page(transactional_db, make_user, make_page):
    make_unit("A", "old")
    names = ("view", "import", "export")
    return make_page(make_user("clerk", *(f"inventory.{name}_unit" for name in names)))


def bring(page, *rows):
    page.goto(reverse("admin:inventory_unit_import"))
    file = {"name": "units.xlsx", "mimeType": "", "buffer": make_xlsx(HEADINGS, *rows)}
    page.set_input_files("[name=import_file]", file)
    page.get_by_role("button", name="پیش‌نمایش").click()


def test_a_file_is_previewed_and_confirmed(page):
    bring(page, ["A", "new", 0], ["B", "b", 3])
    assert page.locator(".import-rows ins").inner_text() == "new"
    page.click("[name=confirm]")
    page.wait_for_selector(".messagelist .success")
    assert set(Unit.objects.values_list("code", "name")) == {("A", "new"), ("B", "b")}


def test_errors_are_shown_and_the_page_stays_as_wide_as_a_phone(page):
    page.set_viewport_size({"width": 390, "height": 844})
    bring(page, ["A", "new", "x"], ["ب", "y" * 60, 7])
    errors = page.locator(".import-errors li").all_inner_texts()
    assert len(errors) == 3
    assert all("سطر" in error and "ستون" in error for error in errors)
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_all_columns_are_chosen_at_once_and_the_rows_leave(page, tmp_path):
    page.goto(reverse("admin:inventory_unit_export"))
    columns = page.locator(".selectable-field-export-row input")
    page.uncheck("#select-all-columns")
    assert not any(column.is_checked() for column in columns.all())
    columns.first.check()
    with page.expect_download() as download:
        page.get_by_role("button", name="خروجی").click()
    download.value.save_as(tmp_path / "units.xlsx")
    sheet = openpyxl.load_workbook(tmp_path / "units.xlsx").active
    assert list(sheet.values) == [("کد",), ("A",)]
