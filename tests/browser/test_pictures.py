"""The pictures of the README, taken from the demo office as a visitor would see it.

Written to ``PICTURES`` where it is given (`make pictures`), else to a folder of the test.
"""

import os
from pathlib import Path

import pytest

from tests.staff import passwords

pytestmark = [pytest.mark.browser, pytest.mark.processes]


@pytest.fixture
def folder(tmp_path):
    return Path(os.environ.get("PICTURES") or tmp_path)


@pytest.fixture
def visit(make_office, demo_office, chromium):
    """Return a function that opens a page of the running demo office, logged in by its form."""
    office = make_office(copy_of=demo_office).start().wait_until_open()

    def open_as(username):
        context = chromium.new_context(
            base_url=office.url,
            locale="fa-IR",
            timezone_id="Asia/Tehran",
            viewport={"width": 1440, "height": 900},
        )
        page = context.new_page()
        page.goto("/admin/")
        page.fill("[name=username]", username)
        page.fill("[name=password]", passwords(office)[username])
        page.click("[type=submit]")
        page.wait_for_selector("#content")
        return page

    return open_as


def open_first_receipt(page):
    page.goto("/admin/inventory/receiptpermanent/")
    page.click("#result_list tbody th a")
    page.wait_for_selector("#edit-lock")


def test_the_first_page_and_both_sides_of_a_lock(visit, folder):
    holder, reader = visit("storekeeper"), visit("warehouse_manager")

    open_first_receipt(holder)
    holder.get_by_role("button", name="شروع ویرایش").click()
    holder.wait_for_selector("#edit-lock[data-state=mine]")

    open_first_receipt(reader)
    assert "مریم احمدی" in reader.inner_text("#edit-lock")
    reader.get_by_role("button", name="درخواست ویرایش").click()
    reader.wait_for_selector(".edit-lock-note:not([hidden])")
    reader.screenshot(path=folder / "lock-reader.png")

    holder.get_by_role("button", name="واگذاری").wait_for()  # with the next beat
    holder.screenshot(path=folder / "lock-holder.png")

    supervisor = visit("supervisor")
    assert "نگه‌داری صندلی‌ها" in supervisor.inner_text("#content")
    supervisor.screenshot(path=folder / "first-page.png")
    assert {path.name for path in folder.glob("*.png")} >= {"first-page.png", "lock-reader.png"}


def test_the_live_map_of_a_concert(visit, folder):
    colleague, seller = visit("supervisor"), visit("box_office")
    for page in (colleague, seller):
        page.goto("/admin/reservations/event/")
        page.get_by_role("link", name="کنسرت شب یلدا").first.click()
        page.goto(page.url.replace("change/", "map/"))
    colleague.get_by_role("button", name="\u2068۳\u2069 صندلی").click()
    colleague.wait_for_selector(".seat[data-state=mine]")

    seller.get_by_role("button", name="\u2068۴\u2069 صندلی").click()
    seller.wait_for_selector("[name=customer]:focus")
    seller.keyboard.type("سارا محمدی")

    seller.locator(".seat[data-state=held]").first.wait_for()
    assert seller.locator(".seat[data-state=mine]").count() >= 4
    seller.screenshot(path=folder / "seat-map.png")
