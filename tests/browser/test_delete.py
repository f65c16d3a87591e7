"""The question before a deletion is a page of the document: it takes the form's lock along."""

import pytest
from django.urls import reverse

from backoffice import locks
from backoffice.audit import LockEvent
from inventory.models import ReceiptPermanent
from tests.browser.pages import edit, open_receipt, told
from tests.processes import wait_for

pytestmark = pytest.mark.browser


def ask_to_delete(page):
    """Go from the form to the question, as the link below the form leads there."""
    page.get_by_role("link", name="حذف", exact=True).click()
    page.wait_for_url("**/delete/")
    return page


def deeds():
    """Return what the log tells, in the order in which it happened."""
    return list(LockEvent.objects.order_by("pk").values_list("action", flat=True))


def test_the_question_keeps_the_lock_of_the_form_and_beats(make_page, mary, receipt, settings):
    settings.EDIT_LOCK_BEAT_SECONDS = 0.3
    page = edit(make_page(mary), receipt)
    taken = ReceiptPermanent.objects.get()

    ask_to_delete(page).wait_for_selector("#edit-lock[data-state=mine]")
    asked = ReceiptPermanent.objects.get()

    assert (asked.editing_started_at, asked.editing_left_at) == (taken.editing_started_at, None)
    wait_for(
        lambda: ReceiptPermanent.objects.get().editing_last_seen_at > asked.editing_last_seen_at,
        seconds=10,
        what="a beat",
    )
    assert deeds() == ["taken"]


def test_who_says_yes_deletes_under_the_lock_of_the_form(make_page, mary, receipt):
    page = edit(make_page(mary), receipt)
    ask_to_delete(page).wait_for_selector("#edit-lock[data-state=mine]")

    page.click("#delete-form [type=submit]")
    page.wait_for_url("**/receiptpermanent/")

    assert not ReceiptPermanent.objects.exists()
    assert deeds() == ["taken", "given_back"]


def test_who_goes_back_to_the_form_goes_on_editing(make_page, mary, receipt):
    page = edit(make_page(mary), receipt)
    ask_to_delete(page).wait_for_selector("#edit-lock[data-state=mine]")

    page.click(".cancel-link")
    page.wait_for_url("**/change/")

    page.wait_for_selector("#edit-lock[data-state=mine]")
    assert deeds() == ["taken"]


def test_the_question_alone_takes_nothing_and_offers_no_editing(make_page, mary, receipt):
    page = make_page(mary)
    open_receipt(page, receipt)

    ask_to_delete(page).wait_for_load_state("networkidle")

    assert page.get_attribute("#edit-lock", "data-state") == "free"
    assert not page.get_by_role("button", name="شروع ویرایش").is_visible()
    assert not ReceiptPermanent.objects.claimed().exists()


def test_who_lost_the_lock_meanwhile_is_told_at_the_question(
    make_page, mary, ali, receipt, settings
):
    settings.EDIT_LOCK_BEAT_SECONDS = 0.3
    page = edit(make_page(mary), receipt)
    ask_to_delete(page).wait_for_selector("#edit-lock[data-state=mine]")

    locks.take_over(ReceiptPermanent, receipt.pk, by=ali, version=1, reason="فوری")

    told(page, "علی")
    page.click("#delete-form [type=submit]")
    page.locator(".edit-lock[data-state=refused]").get_by_text("علی").wait_for()
    assert ReceiptPermanent.objects.live().get().editing_by == ali


def test_a_document_that_is_open_in_another_tab_is_moved_before_it_is_deleted(
    make_page, mary, receipt
):
    first = edit(make_page(mary), receipt)
    second = first.context.new_page()

    second.goto(reverse("admin:inventory_receiptpermanent_delete", args=[receipt.pk]))
    second.get_by_role("button", name="انتقال به اینجا").click()
    second.wait_for_selector("#edit-lock[data-state=mine]")
    second.click("#delete-form [type=submit]")
    second.wait_for_url("**/receiptpermanent/")

    assert not ReceiptPermanent.objects.exists()
    assert deeds() == ["taken", "moved", "given_back"]
