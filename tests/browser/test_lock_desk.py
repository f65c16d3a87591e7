"""The lock desk in a real browser: it keeps itself fresh, and out of the way of whoever works."""

import pytest
from django.urls import reverse

from backoffice import locks
from inventory.models import ReceiptPermanent
from tests.backoffice.desk import DESK, lock

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def page(receipt, ali, make_page, admin_user):
    """The desk as a supervisor opened it, with one lock of a colleague."""
    lock(receipt, ali)
    page = make_page(admin_user)
    page.goto(DESK)
    assert page.locator("[name=claim]").count() == 1
    return page


def come_back(page):
    """Let the page notice that somebody looks at it again, as it does every 20 seconds."""
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def end_all():
    locks.force_release(ReceiptPermanent.objects.all(), by=None, reason="x")


def test_the_desk_refreshes_itself(page):
    end_all()

    come_back(page)

    page.get_by_text("اکنون چیزی قفل نیست.").wait_for()
    assert "به‌روزشده در ساعت" in page.inner_text("#lock-desk-note")


def test_what_is_ticked_stays(page):
    page.check("[data-tick-all]")
    end_all()

    come_back(page)
    page.wait_for_load_state("networkidle")

    assert page.locator("[name=claim]:checked").count() == 1
    assert page.inner_text("#lock-desk-note") == ""


def test_what_is_typed_stays(page):
    page.fill("[name=q]", "رسید")
    end_all()

    come_back(page)
    page.wait_for_load_state("networkidle")

    assert page.locator("[name=claim]").count() == 1
    assert page.input_value("[name=q]") == "رسید"


def test_a_session_that_is_over_is_told_in_words(page):
    page.context.clear_cookies()

    come_back(page)

    page.get_by_text("نشست شما پایان یافته است").wait_for()
    assert page.locator("[name=claim]").count() == 1


def test_an_office_that_does_not_answer_is_told_in_words(page):
    page.context.set_offline(True)

    come_back(page)

    page.get_by_text("سامانه پاسخ نمی‌دهد").wait_for()
    assert page.locator("[name=claim]").count() == 1


def test_a_live_lock_is_ended_from_the_desk(page, receipt):
    page.check("[data-tick-all]")
    page.get_by_role("button", name="آزادسازی قفل").click()
    page.fill("[name=reason]", "پایان شیفت")
    page.get_by_role("button", name="آزادسازی قفل").click()

    page.get_by_text("قفل آزاد شد").wait_for()
    assert page.url.split("?")[0].endswith(reverse("admin:lock_desk"))
    assert not ReceiptPermanent.objects.claimed().exists()
