"""The calendar of date inputs, inline rows and counters, in a real browser on a Persian page."""

import datetime

import jdatetime
import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse

from reservations.models import Event
from tests.inventory.factories import make_item, make_receipt
from tests.reservations.factories import make_event

pytestmark = pytest.mark.browser
DIALOG = ".date-picker"


@pytest.fixture
def page(make_page, transactional_db):
    return make_page(get_user_model().objects.create_superuser("head"))


@pytest.fixture
def event_page(page):
    page.goto(reverse("admin:reservations_event_add"))
    return page


def test_the_calendar_agrees_with_the_server_on_every_new_year_and_month(event_page):
    years = list(range(1300, 1500))
    in_browser = event_page.evaluate(
        """(years) => years.flatMap((year) => [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12].map(
          (month) => window.jalaliCalendar.time({year, month, day: 1})))""",
        years,
    )
    firsts = [jdatetime.date(y, m, 1).togregorian() for y in years for m in range(1, 13)]

    assert in_browser == [
        datetime.datetime(d.year, d.month, d.day, tzinfo=datetime.UTC).timestamp() * 1000
        for d in firsts
    ]


def test_a_day_is_chosen_with_the_keyboard_alone(event_page):
    event_page.fill("#id_starts_at_0", "۱۴۰۵/۰۹/۰۱")
    event_page.focus("#id_starts_at_0")
    event_page.keyboard.press("ArrowDown")
    assert event_page.locator(f"{DIALOG} [data-day='1']").evaluate(
        "e => e === document.activeElement"
    )

    for key in ("ArrowLeft", "ArrowDown", "PageDown", "Enter"):
        event_page.keyboard.press(key)

    assert event_page.input_value("#id_starts_at_0") == "۱۴۰۵/۱۰/۰۹"
    assert event_page.locator(DIALOG).count() == 0


def test_escape_closes_the_calendar_and_changes_nothing(event_page):
    event_page.fill("#id_starts_at_0", "۱۴۰۵/۰۹/۰۱")
    event_page.locator(".field-starts_at .date-input-button").click()
    event_page.keyboard.press("ArrowLeft")
    event_page.keyboard.press("Escape")

    assert event_page.locator(DIALOG).count() == 0
    assert event_page.input_value("#id_starts_at_0") == "۱۴۰۵/۰۹/۰۱"
    assert event_page.evaluate("document.activeElement.className") == "date-input-button"


def test_a_day_is_chosen_with_the_mouse_and_saved(event_page):
    event_page.fill("[name=code]", "spring-۱")
    event_page.fill("[name=name]", "كنسرت بهار")
    event_page.fill("#id_starts_at_0", "۱۴۰۵/۰۹/۰۱")
    event_page.locator(".field-starts_at .date-input-button").click()
    event_page.locator(f"{DIALOG} [data-day='20']").click()
    event_page.fill("#id_starts_at_1", "۲۰:۳۰")
    event_page.click("[name=_save]")
    event_page.wait_for_url("**/event/")

    event = Event.objects.get()
    assert (event.code, event.name) == ("spring-1", "کنسرت بهار")
    assert event.starts_at.isoformat() == "2026-12-11T17:00:00+00:00"


def test_a_row_added_in_the_browser_is_stored(page):
    receipt = make_receipt(lines=1)
    make_item(code="IT-2", name="کالای دوم")
    page.goto(reverse("admin:inventory_receiptpermanent_change", args=[receipt.pk]))
    rows = page.locator(".inline-related tr.form-row:not(.empty-form)")
    before = rows.count()
    page.locator(".add-row a").first.click()

    assert rows.count() == before + 1
    assert page.input_value("[name$=TOTAL_FORMS]") == str(before + 1)
    assert rows.last.get_attribute("id").endswith(f"-{before}")


def test_the_counter_of_chosen_rows_counts_in_persian(page):
    for number in range(3):
        make_event(name=f"رویداد {number}")
    page.goto(reverse("admin:reservations_event_changelist"))
    page.locator(".action-select").nth(0).check()
    page.locator(".action-select").nth(1).check()

    page.wait_for_function(
        "document.querySelector('.action-counter').textContent.includes('۲ از ۳')"
    )


def test_no_page_is_wider_than_the_window(make_page, transactional_db):
    make_receipt()
    head = get_user_model().objects.create_superuser("head")
    names = ("index", "inventory_receiptpermanent_changelist", "inventory_receiptpermanent_add")
    for width in (390, 1440):
        page = make_page(head, viewport=(width, 900))
        for name in names:
            page.goto(reverse(f"admin:{name}"))
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (name, width)
