"""A document changes hands between two people, each in a browser of their own."""

import re

import pytest
from django.urls import reverse

from backoffice.audit import LockEvent
from inventory.models import ReceiptPermanent
from tests.browser.pages import crash, edit, open_receipt, told
from tests.processes import wait_for

pytestmark = pytest.mark.browser


@pytest.fixture(autouse=True)
def quick_beats(settings):
    settings.EDIT_LOCK_BEAT_SECONDS = 1


def actions():
    return list(LockEvent.objects.order_by("pk").values_list("action", flat=True))


def test_a_request_is_answered_by_handing_the_document_over(make_page, mary, ali, receipt):
    first = edit(make_page(mary), receipt)
    second = make_page(ali)
    open_receipt(second, receipt)

    second.get_by_role("button", name="درخواست ویرایش").click()
    told(first, "علی این سند را از شما درخواست کرده است")
    first.get_by_role("button", name="واگذاری").click()

    second.wait_for_selector("#edit-lock[data-state=mine]")
    told(first, "به علی واگذار کردید")
    assert second.locator("[name=description]").is_editable()
    assert ReceiptPermanent.objects.live().get().editing_by == ali
    assert "handed_over" in actions()


def test_a_request_that_is_declined_leaves_the_document_where_it_was(make_page, mary, ali, receipt):
    first = edit(make_page(mary), receipt)
    second = make_page(ali)
    open_receipt(second, receipt)

    second.get_by_role("button", name="درخواست ویرایش").click()
    first.get_by_role("button", name="نپذیرفتن").click()

    told(second, "مریم فعلاً نپذیرفت")
    assert first.get_attribute("#edit-lock", "data-state") == "mine"
    assert ReceiptPermanent.objects.live().get().editing_by == mary


def test_taking_over_needs_its_permission(make_page, mary, ali, receipt):
    edit(make_page(mary), receipt)
    second = make_page(ali)
    open_receipt(second, receipt)

    second.get_by_role("button", name="درخواست ویرایش").wait_for()
    assert second.get_by_role("button", name="در اختیار گرفتن").count() == 0


def test_who_takes_over_says_why_and_the_holder_is_told(make_page, mary, supervisor, receipt):
    first = edit(make_page(mary), receipt)
    second = make_page(supervisor)
    open_receipt(second, receipt)

    second.get_by_role("button", name="در اختیار گرفتن").click()
    second.get_by_role("button", name="در اختیار گرفتن").last.click()
    told(second, "دلیل در اختیار گرفتن این سند را بنویسید")
    second.get_by_label("دلیل در اختیار گرفتن").fill("مشتری منتظر است")
    second.get_by_role("button", name="در اختیار گرفتن").last.click()

    second.wait_for_selector("#edit-lock[data-state=mine]")
    told(first, "زهرا این سند را در اختیار گرفت: مشتری منتظر است")
    assert ReceiptPermanent.objects.live().get().editing_by == supervisor


def test_who_waits_comes_in_by_itself_as_soon_as_it_is_free(make_page, mary, ali, receipt):
    first = edit(make_page(mary), receipt)
    second = make_page(ali)
    open_receipt(second, receipt)
    second.get_by_label("به محض آزاد شدن وارد ویرایش شوم").check()

    first.fill("[name=description]", "شرح مریم")
    first.click("[name=_save]")

    second.wait_for_selector("#edit-lock[data-state=mine]")
    assert second.input_value("[name=description]") == "شرح مریم"
    assert ReceiptPermanent.objects.live().get().editing_by == ali


def test_who_did_not_ask_is_told_that_it_is_free_and_stays_a_reader(make_page, mary, ali, receipt):
    first = edit(make_page(mary), receipt)
    second = make_page(ali)
    open_receipt(second, receipt)

    first.click("[name=_save]")
    first.wait_for_url("**/receiptpermanent/")

    told(second, "سند اکنون آزاد است")
    assert not ReceiptPermanent.objects.claimed().exists()


def test_a_second_tab_is_told_of_the_first_and_can_take_its_place(make_page, mary, receipt):
    first = edit(make_page(mary), receipt)
    second = first.context.new_page()
    open_receipt(second, receipt)
    told(second, "در برگهٔ دیگری باز است")

    second.get_by_role("button", name="انتقال به اینجا").click()

    second.wait_for_selector("#edit-lock[data-state=mine]")
    told(first, "ویرایش این سند را به برگهٔ دیگری بردید")
    assert ReceiptPermanent.objects.live().get().editing_by == mary


def test_a_duplicated_tab_does_not_push_the_first_one_out(make_page, mary, receipt):
    first = edit(make_page(mary), receipt)
    copied = first.evaluate("JSON.stringify(sessionStorage)")
    second = first.context.new_page()
    second.goto(reverse("admin:index"))
    second.evaluate(
        "all => Object.entries(JSON.parse(all)).forEach(e => sessionStorage.setItem(...e))", copied
    )

    open_receipt(second, receipt)

    told(second, "در برگهٔ دیگری باز است")
    assert first.get_attribute("#edit-lock", "data-state") == "mine"


def test_logging_out_gives_back_all_that_somebody_edits(make_page, mary, receipt):
    first = edit(make_page(mary), receipt)
    second = first.context.new_page()
    second.goto(reverse("admin:index"))

    second.evaluate("document.getElementById('logout-form').submit()")

    wait_for(lambda: not ReceiptPermanent.objects.claimed().exists(), seconds=10, what="free")
    # A beat in the moment between hears the one, each later one the other.
    told(first, re.compile("قفل ویرایش شما پس داده شد|از سامانه خارج شده‌اید"))


def test_a_killed_browser_keeps_nobody_out_for_long(make_page, mary, ali, receipt, settings):
    settings.EDIT_LOCK_TIMEOUT_MINUTES = 3 / 60
    first = edit(make_page(mary), receipt)
    crash(first)

    second = make_page(ali)
    open_receipt(second, receipt)
    second.get_by_label("به محض آزاد شدن وارد ویرایش شوم").check()

    second.wait_for_selector("#edit-lock[data-state=mine]")
    assert ReceiptPermanent.objects.live().get().editing_by == ali


def test_a_minute_offline_is_bridged(make_page, mary, receipt):
    first = edit(make_page(mary), receipt)

    first.context.set_offline(True)
    told(first, "سامانه پاسخ نمی‌دهد")
    first.fill("[name=description]", "نوشتهٔ بی‌شبکه")
    first.context.set_offline(False)

    told(first, "شما در حال ویرایش این سند هستید")
    first.click("[name=_save]")
    first.wait_for_url("**/receiptpermanent/")
    receipt.refresh_from_db()
    assert receipt.description == "نوشتهٔ بی‌شبکه"


def test_going_back_to_the_page_takes_no_lock_that_another_has(make_page, mary, ali, receipt):
    first = edit(make_page(mary), receipt)
    first.goto(reverse("admin:index"))
    wait_for(lambda: not ReceiptPermanent.objects.live().exists(), seconds=15, what="free")
    second = edit(make_page(ali), receipt)

    first.go_back()
    first.wait_for_load_state("networkidle")

    told(first, "علی")
    assert first.get_attribute("#edit-lock", "data-state") in {"held", "refused"}
    assert second.get_attribute("#edit-lock", "data-state") == "mine"


def test_a_page_out_of_the_back_forward_cache_looks_before_anybody_types(
    make_page, mary, ali, receipt
):
    first = edit(make_page(mary), receipt)
    first.evaluate("window.dispatchEvent(new PageTransitionEvent('pagehide', {persisted: true}))")
    wait_for(lambda: not ReceiptPermanent.objects.live().exists(), seconds=15, what="free")
    edit(make_page(ali), receipt)

    first.evaluate("window.dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")

    told(first, "علی")
    assert first.get_attribute("#edit-lock", "data-state") == "refused"
    assert ReceiptPermanent.objects.live().get().editing_by == ali
