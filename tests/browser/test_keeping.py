"""How a page keeps its lock, and warns before it is over."""

import pytest

from backoffice.clock import database_now
from inventory.models import ReceiptPermanent
from tests.browser.pages import edit, open_receipt, told
from tests.processes import wait_for

pytestmark = pytest.mark.browser

HIDE = """
Object.defineProperty(document, "hidden", {configurable: true, get: () => true});
document.dispatchEvent(new Event("visibilitychange"));
"""


def beats(page):
    """Return the list that grows by each beat which the page sends from now on."""
    sent = []
    page.on("request", lambda ask: sent.append(ask) if ask.url.endswith("/lock/beat/") else None)
    return sent


def test_an_idle_holder_sees_a_countdown_and_a_key_ends_it(make_page, mary, receipt, settings):
    settings.EDIT_LOCK_IDLE_MINUTES = 8 / 60
    page = edit(make_page(mary), receipt)

    told(page, "ثانیهٔ دیگر پس داده می‌شود")
    page.press("[name=description]", "a")

    page.wait_for_selector(".edit-lock-note", state="hidden")
    assert page.get_attribute("#edit-lock", "data-state") == "mine"


def test_the_longest_hold_is_prolonged_by_a_click_alone(make_page, mary, receipt, settings):
    settings.EDIT_LOCK_MAXIMUM_HOURS, settings.EDIT_LOCK_BEAT_SECONDS = 4 / 60, 1
    page = edit(make_page(mary), receipt)
    told(page, "قفل ویرایش تا ۴ دقیقهٔ دیگر پایان می‌یابد")
    taken = ReceiptPermanent.objects.get().editing_extended_at

    page.fill("[name=description]", "نوشتن آن را تمدید نمی‌کند")
    page.wait_for_timeout(2500)
    assert ReceiptPermanent.objects.get().editing_extended_at == taken
    page.get_by_role("button", name="ادامهٔ ویرایش", exact=True).click()

    wait_for(
        lambda: ReceiptPermanent.objects.get().editing_extended_at > taken, seconds=10, what="more"
    )


def test_a_page_in_the_background_beats_slowly_while_something_is_unsaved(
    make_page, mary, receipt, settings
):
    settings.EDIT_LOCK_BEAT_SECONDS, settings.EDIT_LOCK_HIDDEN_BEAT_SECONDS = 0.5, 3
    page = edit(make_page(mary), receipt)
    page.fill("[name=description]", "نیمه‌کاره")
    page.evaluate(HIDE)
    sent = beats(page)

    page.wait_for_timeout(4500)

    assert len(sent) == 1
    assert ReceiptPermanent.objects.live().exists()


def test_a_page_in_the_background_with_nothing_unsaved_lets_its_lock_run_out(
    make_page, mary, receipt, settings
):
    settings.EDIT_LOCK_BEAT_SECONDS = settings.EDIT_LOCK_HIDDEN_BEAT_SECONDS = 0.5
    page = edit(make_page(mary), receipt)
    page.evaluate(HIDE)
    sent = beats(page)

    page.wait_for_timeout(2000)

    assert sent == []


def test_reading_in_a_page_that_is_open_sends_no_beat(make_page, mary, receipt, settings):
    settings.EDIT_LOCK_BEAT_SECONDS = 0.3
    page = make_page(mary)
    sent = beats(page)
    open_receipt(page, receipt)

    page.wait_for_timeout(1500)

    assert sent == []
    assert not ReceiptPermanent.objects.filter(editing_last_seen_at__lte=database_now()).exists()
