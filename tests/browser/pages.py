"""What people do at the page of a document, in a real browser."""

import pytest
from django.urls import reverse
from playwright.sync_api import Error as PlaywrightError


def open_receipt(page, receipt):
    page.goto(reverse("admin:inventory_receiptpermanent_change", args=[receipt.pk]))
    return page.locator("#edit-lock")


def edit(page, receipt):
    """Open the document in a page and take its lock; return the page."""
    open_receipt(page, receipt)
    page.get_by_role("button", name="شروع ویرایش").click()
    page.wait_for_selector("#edit-lock[data-state=mine]")
    return page


def told(page, words):
    """Wait until the bar of a page says something."""
    page.locator("#edit-lock").get_by_text(words).first.wait_for()


def crash(page):
    """Let the browser's process of this page die, as when the machine loses its power."""
    with pytest.raises(PlaywrightError):
        page.goto("chrome://crash")
