"""What stands behind the seats, at the screen: plans from files, a seat's life, occupancy."""

import json
import re

import pytest
from django.urls import reverse

from reservations import holds
from tests.reservations.conftest import BOX_OFFICE

pytestmark = pytest.mark.browser
RIGHTS = ("import_seat", "export_seat", "delete_seat", "change_seat", "view_payment")


@pytest.fixture
def manager(transactional_db, make_user):
    rights = [f"reservations.{name}" for name in RIGHTS]
    return make_user("manager", *BOX_OFFICE, *rights, first_name="زهرا")


def open_plan(page, event):
    page.goto(reverse("admin:reservations_event_plan", args=[event.pk]))
    return page


def bring(page, folder, name, text):
    file = folder / name
    file.write_text(text)
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_label("صندلی‌های آزادی که در پرونده نیستند حذف شوند").check()
    page.get_by_role("button", name="پیش‌نمایش").click()


def test_a_plan_is_brought_looked_at_and_confirmed(make_page, manager, colleague, hall, tmp_path):
    holds.hold(hall, [hall.seats.get(seat_number="B1").pk], by=colleague)
    page = open_plan(make_page(manager), hall)

    bring(page, tmp_path, "hall.csv", "شماره صندلی,بها\nA1,۷۰۰۰۰۰\nC1,۵۰۰۰۰۰\n")
    page.get_by_text("صندلی B1: نزد علی").wait_for()
    assert "۱٬۰۰۰٬۰۰۰" in page.locator("del").inner_text()
    assert hall.seats.count() == 20
    page.get_by_role("button", name="تأیید بارگذاری").click()

    page.get_by_text("۱ صندلی افزوده شد.").wait_for()
    numbers = hall.seats.order_by("natural_number").values_list("seat_number", flat=True)
    assert list(numbers) == ["A1", "B1", "C1"]
    assert hall.seats.get(seat_number="A1").price == 700_000


def test_what_was_downloaded_comes_in_again_and_changes_nothing(make_page, manager, hall, tmp_path):
    page = open_plan(make_page(manager), hall)
    with page.expect_download() as download:
        page.get_by_role("link", name="صندلی‌های این رویداد به JSON").click()
    text = download.value.path().read_text()
    assert len(json.loads(text)["seats"]) == 20

    bring(page, tmp_path, "hall.json", text)

    page.get_by_text("کاری برای انجام نیست").wait_for()
    assert page.locator("#plan-confirm").count() == 0


def test_the_page_of_a_seat_answers_who_has_it(make_page, manager, colleague, hall):
    seat = hall.seats.get(seat_number="A1")
    holds.hold(hall, [seat.pk], by=colleague)
    page = make_page(manager)
    page.goto(reverse("admin:reservations_seat_change", args=[seat.pk]))

    page.locator("#id_time").fill("۰۰:۰۰")
    page.get_by_role("button", name="پرسش").click()
    page.get_by_text("صندلی A1 آزاد بود").wait_for()

    row = page.locator(".seat-life-table tbody tr")
    assert "نگه‌داری موقت" in row.inner_text() and "علی" in row.inner_text()


def test_a_bar_of_occupancy_fills_from_the_right_and_reads_as_an_image(
    make_page, manager, colleague, hall
):
    holds.hold(hall, [seat.pk for seat in hall.seats.all()[:5]], by=colleague)
    page = make_page(manager, viewport=(390, 800))

    page.goto(reverse("admin:reservations_event_occupancy"))

    page.get_by_role("img", name=re.compile("درصد اشغال: ۰٪.*نگه‌داری موقت: ۵")).wait_for()
    bar = page.locator(".occupancy-bar").bounding_box()
    held = page.locator(".occupancy-bar .occupancy-held rect").bounding_box()
    assert held["x"] + held["width"] == pytest.approx(bar["x"] + bar["width"], abs=2)
    assert held["width"] == pytest.approx(bar["width"] / 4, abs=3)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
