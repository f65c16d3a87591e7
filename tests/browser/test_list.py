"""A list of documents that stays open: its column tells who edits, by one request for all rows."""

import pytest
from django.urls import reverse

from backoffice import locks
from inventory.models import ReceiptPermanent
from tests.browser.test_keeping import HIDE
from tests.inventory.factories import make_receipt

pytestmark = pytest.mark.browser
MARK = '.edit-lock-mark[data-live="yes"]'


@pytest.fixture
def listed(make_page, mary):
    """Return a function that opens the list, with a clock of its own and what it asks."""

    def open_list(query=""):
        page, asked = make_page(mary), []
        page.on("request", lambda ask: asked.append(ask.url) if "/lock/" in ask.url else None)
        page.clock.install()
        page.goto(reverse("admin:inventory_receiptpermanent_changelist") + query)
        page.wait_for_load_state("networkidle")
        return page, asked

    return open_list


def test_what_another_takes_and_gives_back_is_shown_without_a_reload(listed, mary, ali, receipt):
    make_receipt()
    page, asked = listed()
    token = locks.acquire(ReceiptPermanent, receipt.pk, by=ali, version=1)

    page.clock.run_for(20_000)
    page.locator(MARK).get_by_text("علی").wait_for()
    locks.release(ReceiptPermanent, receipt.pk, token=token, by=ali)
    page.clock.run_for(20_000)

    page.wait_for_selector(MARK, state="detached")
    assert len(asked) == 2


def test_a_row_that_is_marked_can_still_be_ticked_while_it_is_kept_fresh(listed, ali, receipt):
    page, _asked = listed()
    page.check(".action-select")
    locks.acquire(ReceiptPermanent, receipt.pk, by=ali, version=1)

    page.clock.run_for(20_000)

    page.wait_for_selector(MARK)
    assert page.is_checked(".action-select")
    assert page.is_enabled(".action-select")


def test_a_list_that_nobody_looks_at_asks_nothing(listed, receipt):
    page, asked = listed()
    page.evaluate(HIDE)

    page.clock.run_for(120_000)

    assert asked == []


def test_a_list_without_rows_asks_nothing(listed, receipt):
    page, asked = listed("?q=nothing-is-called-so")

    page.clock.run_for(120_000)

    assert page.locator("[data-edit-lock]").count() == 0
    assert asked == []
