"""What somebody typed comes back: after a take-over, a refusal, a crash, an idle hour."""

import pytest
from django.contrib.sessions.models import Session
from django.urls import reverse

from backoffice.drafts import EditDraft
from inventory.models import DocumentLine, ReceiptPermanent
from tests.browser.pages import crash, edit, open_receipt, told
from tests.processes import wait_for

pytestmark = pytest.mark.browser


@pytest.fixture(autouse=True)
def quick_beats(settings):
    settings.EDIT_LOCK_BEAT_SECONDS = 1


def add_line(page, receipt, quantity):
    """Fill a new line of the document as its writer would; it is not saved."""
    line = receipt.lines.first()
    page.click(".inline-group .add-row a")
    row = page.locator("tr.dynamic-lines").last
    row.locator(".select2-selection").first.click()
    page.locator(".select2-search__field").fill(line.item.name)
    page.locator(".select2-results__option--highlighted").click()
    row.locator("select[name$=unit]").select_option(str(line.unit_id))
    row.locator("input[name$=entered_quantity]").fill(quantity)


def take_over(page, reason="مشتری منتظر است"):
    page.get_by_role("button", name="در اختیار گرفتن").click()
    page.get_by_label("دلیل در اختیار گرفتن").fill(reason)
    page.get_by_role("button", name="در اختیار گرفتن").last.click()
    page.wait_for_selector("#edit-lock[data-state=mine]")


def drafted():
    return {name: value for draft in EditDraft.objects.all() for name, value in draft.fields}


def test_who_was_taken_over_gets_all_back_with_the_unsaved_lines(
    make_page, mary, supervisor, receipt
):
    first = edit(make_page(mary), receipt)
    first.fill("[name=description]", "شرح مریم")
    add_line(first, receipt, "7")
    first.fill("[name=lines-0-notes]", "یادداشت مریم")
    second = make_page(supervisor)
    open_receipt(second, receipt)
    take_over(second)
    told(first, "پیش‌نویس نگه داشته شد")
    second.fill("[name=reference]", "حواله ۹۹")
    second.click("[name=_save]")
    second.wait_for_url("**/receiptpermanent/")

    open_receipt(first, receipt)
    first.get_by_role("link", name="بازیابی پیش‌نویس").click()
    first.wait_for_selector(".edit-lock-changes")

    assert "زهرا" in first.inner_text(".edit-lock-changes")
    assert first.input_value("[name=description]") == "شرح مریم"
    assert first.input_value("[name=lines-0-notes]") == "یادداشت مریم"
    assert first.input_value("[name=reference]") == "حواله ۹۹"
    first.click("[name=_save]")
    first.wait_for_url("**/receiptpermanent/")
    receipt.refresh_from_db()
    assert (receipt.description, receipt.reference) == ("شرح مریم", "حواله ۹۹")
    assert DocumentLine.objects.filter(document=receipt, entered_quantity=7).count() == 1
    assert not EditDraft.objects.exists()


def test_a_refused_save_shows_who_changed_what_beside_all_that_was_typed(
    make_page, mary, supervisor, receipt, settings
):
    settings.EDIT_LOCK_BEAT_SECONDS = 30  # the save comes before the next beat
    first = edit(make_page(mary), receipt)
    first.fill("[name=description]", "شرح مریم")
    second = make_page(supervisor)
    open_receipt(second, receipt)
    take_over(second)
    second.fill("[name=description]", "شرح زهرا")
    second.fill("[name=lines-0-notes]", "یادداشت زهرا")
    second.click("[name=_save]")
    second.wait_for_url("**/receiptpermanent/")

    first.click("[name=_save]")

    table = first.locator(".edit-lock-changes")
    table.wait_for()
    for words in ("شرح زهرا", "یادداشت زهرا", "زهرا"):
        assert words in table.inner_text()
    assert first.input_value("[name=description]") == "شرح مریم"
    assert ReceiptPermanent.objects.get().description == "شرح زهرا"


def test_a_browser_that_was_killed_leaves_a_draft(make_page, mary, receipt):
    first = edit(make_page(mary), receipt)
    first.fill("[name=description]", "پیش از خاموشی")
    wait_for(lambda: drafted().get("description") == "پیش از خاموشی", seconds=10, what="draft")
    context = first.context
    crash(first)

    second = context.new_page()
    open_receipt(second, receipt)
    second.get_by_role("link", name="بازیابی پیش‌نویس").wait_for()
    assert second.input_value("[name=description]") != "پیش از خاموشی"


def test_a_page_that_was_left_with_unsaved_changes_leaves_a_draft(
    make_page, mary, receipt, settings
):
    settings.EDIT_LOCK_BEAT_SECONDS = 30
    first = edit(make_page(mary), receipt)
    first.fill("[name=description]", "نیمه‌کاره")

    first.goto(reverse("admin:index"))

    wait_for(lambda: drafted().get("description") == "نیمه‌کاره", seconds=10, what="draft")


def test_what_is_typed_after_the_lock_was_lost_leaves_a_draft_too(
    make_page, mary, supervisor, receipt
):
    first = edit(make_page(mary), receipt)
    first.fill("[name=description]", "پیش از آن")
    second = make_page(supervisor)
    open_receipt(second, receipt)
    take_over(second)
    told(first, "پیش‌نویس نگه داشته شد")
    first.fill("[name=description]", "پس از آن")

    first.goto(reverse("admin:index"))

    wait_for(lambda: drafted().get("description") == "پس از آن", seconds=10, what="draft")
    assert ReceiptPermanent.objects.get().editing_by == supervisor


def test_an_idle_page_keeps_a_draft_before_it_gives_the_lock_back(
    make_page, mary, receipt, settings
):
    settings.EDIT_LOCK_IDLE_MINUTES, settings.EDIT_LOCK_BEAT_SECONDS = 2 / 60, 30
    first = edit(make_page(mary), receipt)
    first.fill("[name=description]", "پیش از ناهار")

    first.wait_for_selector("#edit-lock[data-state=free]")

    assert drafted()["description"] == "پیش از ناهار"
    assert first.input_value("[name=description]") == "پیش از ناهار"


def test_a_draft_can_be_thrown_away(make_page, mary, receipt):
    first = edit(make_page(mary), receipt)
    first.fill("[name=description]", "بی‌فایده")
    wait_for(lambda: "description" in drafted(), seconds=10, what="draft")
    first.goto(reverse("admin:index"))

    open_receipt(first, receipt)
    first.get_by_role("button", name="دور انداختن پیش‌نویس").click()

    first.locator(".edit-lock-draft").wait_for(state="detached")
    assert not EditDraft.objects.exists()


def test_looking_at_a_page_keeps_no_draft(make_page, mary, receipt):
    first = edit(make_page(mary), receipt)
    first.wait_for_timeout(2500)

    first.goto(reverse("admin:index"))
    first.wait_for_timeout(500)

    assert not EditDraft.objects.exists()


def test_saving_without_the_office_keeps_the_page(make_page, mary, receipt):
    first = edit(make_page(mary), receipt)
    first.fill("[name=description]", "بی‌شبکه")
    first.context.set_offline(True)

    first.click("[name=_save]")

    told(first, "سامانه پاسخ نمی‌دهد")
    assert first.input_value("[name=description]") == "بی‌شبکه"
    first.context.set_offline(False)
    first.click("[name=_save]")
    first.wait_for_url("**/receiptpermanent/")
    receipt.refresh_from_db()
    assert receipt.description == "بی‌شبکه"


def test_saving_after_the_session_has_ended_keeps_the_page(make_page, mary, receipt):
    first = edit(make_page(mary), receipt)
    first.fill("[name=description]", "پس از خروج")
    Session.objects.all().delete()

    first.click("[name=_save]")

    told(first, "از سامانه خارج شده‌اید")
    assert first.input_value("[name=description]") == "پس از خروج"


def test_who_types_far_below_sees_that_the_lock_was_taken(make_page, mary, supervisor, receipt):
    first = edit(make_page(mary, viewport=(1440, 500)), receipt)
    first.locator("[name=lines-0-notes]").scroll_into_view_if_needed()
    second = make_page(supervisor)
    open_receipt(second, receipt)

    take_over(second)

    told(first, "زهرا این سند را در اختیار گرفت")
    first.wait_for_timeout(300)
    assert first.locator("#edit-lock").bounding_box()["y"] >= 0
