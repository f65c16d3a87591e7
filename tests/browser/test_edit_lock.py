"""Two people at one document, each in a browser of their own."""

import pytest
from django.contrib.sessions.models import Session
from django.urls import reverse

from inventory.models import ReceiptPermanent
from tests.browser.pages import open_receipt
from tests.inventory.factories import make_item
from tests.processes import wait_for

pytestmark = pytest.mark.browser


def test_opening_takes_nothing_and_the_button_takes_the_lock(make_page, mary, receipt):
    page = make_page(mary)
    bar = open_receipt(page, receipt)
    assert not ReceiptPermanent.objects.claimed().exists()

    page.get_by_role("button", name="شروع ویرایش").click()
    page.wait_for_selector("#edit-lock[data-state=mine]")

    assert "شما در حال ویرایش این سند هستید" in bar.inner_text()
    assert ReceiptPermanent.objects.live().count() == 1


def test_a_document_that_is_opened_by_a_click_in_the_list_takes_nothing(make_page, mary, receipt):
    page = make_page(mary)
    page.goto(reverse("admin:inventory_receiptpermanent_changelist"))
    asked = []
    page.on("request", lambda ask: asked.append(ask.url) if "/lock/take/" in ask.url else None)

    page.click("#result_list tbody th a")
    page.wait_for_selector("#edit-lock")
    page.wait_for_load_state("networkidle")

    assert asked == []
    assert page.get_attribute("#edit-lock", "data-state") == "free"


def test_choosing_from_a_list_of_suggestions_takes_the_lock(make_page, mary, receipt):
    make_item(name="فیوز مینیاتوری")
    page = make_page(mary)
    open_receipt(page, receipt)

    page.locator("#lines-0 .select2-selection").first.click()
    page.get_by_role("option", name="فیوز مینیاتوری").click()

    page.wait_for_selector("#edit-lock[data-state=mine]")
    assert ReceiptPermanent.objects.live().get().editing_by == mary


def test_the_first_input_takes_the_lock_and_saving_gives_it_back(make_page, mary, receipt):
    page = make_page(mary)
    open_receipt(page, receipt)

    page.fill("[name=description]", "شرح تازه")
    page.wait_for_selector("#edit-lock[data-state=mine]")
    page.click("[name=_save]")
    page.wait_for_url("**/receiptpermanent/")

    receipt.refresh_from_db()
    assert (receipt.description, receipt.editing_by) == ("شرح تازه", None)


def test_the_second_person_reads_who_edits_and_can_not_type(make_page, mary, ali, receipt):
    first = make_page(mary)
    open_receipt(first, receipt)
    first.get_by_role("button", name="شروع ویرایش").click()
    first.wait_for_selector("#edit-lock[data-state=mine]")

    second = make_page(ali)
    bar = open_receipt(second, receipt)

    assert "مریم" in bar.inner_text()
    assert second.locator("[name=description], [name=_save]").count() == 0
    assert not second.get_by_role("button", name="شروع ویرایش").is_visible()


def test_a_reload_of_the_same_tab_gets_its_own_lock_back(make_page, mary, receipt):
    page = make_page(mary)
    open_receipt(page, receipt)
    page.get_by_role("button", name="شروع ویرایش").click()
    page.wait_for_selector("#edit-lock[data-state=mine]")

    page.reload()

    page.wait_for_selector("#edit-lock[data-state=mine]")
    assert ReceiptPermanent.objects.live().get().editing_by == mary


def test_leaving_the_page_gives_the_lock_back(make_page, mary, receipt):
    page = make_page(mary)
    open_receipt(page, receipt)
    page.get_by_role("button", name="شروع ویرایش").click()
    page.wait_for_selector("#edit-lock[data-state=mine]")

    page.goto(reverse("admin:index"))

    wait_for(lambda: not ReceiptPermanent.objects.live().exists(), seconds=15, what="free")


def test_a_page_at_which_nobody_types_gives_the_lock_back(make_page, mary, receipt, settings):
    settings.EDIT_LOCK_IDLE_MINUTES, settings.EDIT_LOCK_BEAT_SECONDS = 0.02, 0.3
    page = make_page(mary)
    open_receipt(page, receipt)
    page.fill("[name=description]", "نوشتهٔ من")
    page.wait_for_selector("#edit-lock[data-state=mine]")

    page.wait_for_selector("#edit-lock[data-state=free]")

    assert page.input_value("[name=description]") == "نوشتهٔ من"
    wait_for(lambda: not ReceiptPermanent.objects.claimed().exists(), seconds=10, what="free")


def test_a_refused_save_keeps_on_the_page_what_was_typed(make_page, mary, receipt):
    page = make_page(mary)
    open_receipt(page, receipt)
    page.fill("[name=description]", "نوشتهٔ من")
    page.wait_for_selector("#edit-lock[data-state=mine]")
    ReceiptPermanent.objects.update(version=5, description="نوشتهٔ دیگری")

    with page.expect_response(lambda answer: answer.request.method == "POST") as answer:
        page.click("[name=_save]")

    assert answer.value.status == 409
    assert page.input_value("[name=description]") == "نوشتهٔ من"
    assert "این صفحه قدیمی است" in page.inner_text("#content")


def test_opening_a_document_again_after_saving_takes_nothing(make_page, mary, receipt):
    page = make_page(mary)
    open_receipt(page, receipt)
    page.get_by_role("button", name="شروع ویرایش").click()
    page.wait_for_selector("#edit-lock[data-state=mine]")
    page.click("[name=_save]")
    page.wait_for_url("**/receiptpermanent/")

    open_receipt(page, receipt)
    page.wait_for_load_state("networkidle")

    assert page.get_attribute("#edit-lock", "data-state") == "free"
    assert not ReceiptPermanent.objects.claimed().exists()


def test_saving_to_go_on_editing_keeps_the_lock(make_page, mary, receipt):
    page = make_page(mary)
    open_receipt(page, receipt)
    page.fill("[name=description]", "شرح تازه")
    page.wait_for_selector("#edit-lock[data-state=mine]")

    page.click("[name=_continue]")

    page.wait_for_selector(".messagelist .success")
    page.wait_for_selector("#edit-lock[data-state=mine]")
    assert ReceiptPermanent.objects.live().get().version == 2


def test_a_page_whose_session_has_ended_does_not_say_that_it_edits(make_page, mary, receipt):
    page = make_page(mary)
    bar = open_receipt(page, receipt)
    Session.objects.all().delete()

    page.get_by_role("button", name="شروع ویرایش").click()

    bar.get_by_text(bar.get_attribute("data-session-over")).wait_for()
    assert bar.get_attribute("data-state") == "free"
    assert page.input_value("[name=editing_token]") == ""
