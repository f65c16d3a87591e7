"""A reservation after its sale, at the box office's screen."""

import pytest
from django.urls import reverse

from reservations.models import Payment
from tests.reservations.conftest import BOX_OFFICE
from tests.reservations.factories import make_event, make_sale, make_seat

pytestmark = pytest.mark.browser
RIGHTS = ("view_reservation", "change_reservation", "cancel_reservation", "move_reservation")


@pytest.fixture
def cashier(transactional_db, make_user):
    rights = [f"reservations.{name}" for name in RIGHTS]
    return make_user("cashier", *BOX_OFFICE, *rights, first_name="مریم", last_name="رضایی")


@pytest.fixture
def sale(cashier):
    """A1 and A2 of five seats at a million each; B1 costs more."""
    event = make_event(seats=5, name="کنسرت یلدا")
    make_seat(event, seat_number="B1", row="B", row_position=2, price=1_300_000)
    return make_sale(cashier, event=event, seats=2, payment_method="card", customer="سارا")


@pytest.fixture(params=["with scripts", "without scripts"])
def scripts(request):
    return request.param == "with scripts"


def open_page(page, name, sale):
    page.goto(reverse(f"admin:reservations_reservation_{name}", args=[sale.pk]))
    return page


def seats_of(sale):
    return sorted(sale.seats.values_list("seat_number", flat=True))


def box(page, name, sale, number):
    """Return the tick box of a seat, under those given up or among the free ones."""
    pk = sale.event.seats.get(seat_number=number).pk
    return page.locator(f"input[name={name}][value='{pk}']")


def test_seats_are_moved_by_ticking_them(make_page, cashier, sale, scripts):
    page = make_page(cashier)
    if not scripts:
        page.route("**/move*.js", lambda route: route.abort())

    open_page(page, "change", sale).get_by_role("link", name="جابه‌جایی").click()
    box(page, "from", sale, "A1").check()
    box(page, "to", sale, "B1").check()
    page.get_by_role("button", name="ادامه و دیدن تفاوت بها").click()
    page.get_by_text("دریافت از مشتری: ۳۰۰٬۰۰۰").first.wait_for()
    page.get_by_role("button", name="جابه‌جایی به این صندلی‌ها").click()

    page.get_by_text("صندلی B1 جای صندلی A1 را گرفت").wait_for()
    assert seats_of(sale) == ["A2", "B1"]
    assert sale.payments.get(kind="difference").amount == 300_000


def test_the_keyboard_alone_moves_seats(make_page, cashier, sale):
    page = open_page(make_page(cashier), "move", sale)

    for name, number in (("from", "A2"), ("to", "A3")):
        box(page, name, sale, number).focus()
        page.keyboard.press("Space")
    page.keyboard.press("Enter")
    page.locator("#move-form input[type=submit]").focus()
    page.keyboard.press("Enter")

    page.get_by_text("صندلی A3 جای صندلی A2 را گرفت").wait_for()
    assert seats_of(sale) == ["A1", "A3"]


def test_the_page_counts_and_lets_nobody_choose_too_many(make_page, cashier, sale):
    page = open_page(make_page(cashier), "move", sale)
    told = page.locator("#move-count")
    assert told.inner_text() == "۰ از ۰ برگزیده شد"
    assert box(page, "to", sale, "B1").is_disabled()

    box(page, "from", sale, "A1").check()
    box(page, "to", sale, "B1").check()

    assert told.inner_text() == "۱ از ۱ برگزیده شد · دریافت از مشتری: ۳۰۰٬۰۰۰"
    assert box(page, "to", sale, "A3").is_disabled()
    box(page, "to", sale, "B1").uncheck()
    assert not box(page, "to", sale, "A3").is_disabled()


def test_a_double_click_cancels_once(make_page, cashier, sale):
    page = open_page(make_page(cashier), "cancel", sale)
    page.get_by_label("دلیل").fill("بیماری")

    page.get_by_role("button", name="لغو رزرو").dblclick()

    page.locator(".sale-cancelled").wait_for()
    assert seats_of(sale) == []
    assert Payment.objects.filter(kind="refund").count() == 1


def test_the_ticket_is_a_file_that_no_policy_of_ours_hinders(make_page, cashier, sale):
    page = open_page(make_page(cashier), "change", sale)
    link = page.get_by_role("link", name="بلیت")

    answer = page.request.get(link.get_attribute("href"))

    assert answer.headers["content-type"] == "application/pdf"
    assert answer.body().startswith(b"%PDF-")


def test_a_day_is_chosen_from_the_calendar(make_page, cashier, sale):
    page = make_page(cashier)
    page.goto(reverse("admin:reservations_reservation_changelist"))

    page.get_by_role("link", name="صندوق روز").click()
    assert "۲٬۰۰۰٬۰۰۰" in page.locator(".takings-table").inner_text()
    page.locator("input[name=date]").fill("۱۴۰۵/۰۱/۰۱")
    page.get_by_role("button", name="نمایش").click()

    page.get_by_text("۱ فروردین ۱۴۰۵").wait_for()
    page.get_by_text("ثبت نشده است").wait_for()


def test_the_takings_are_printed_without_what_surrounds_them(make_page, cashier, sale):
    page = make_page(cashier)
    page.goto(reverse("admin:reservations_payment_day"))

    page.emulate_media(media="print")

    assert page.locator(".takings-table").is_visible()
    for around in ("#header", ".breadcrumbs", ".takings-day", "#nav-sidebar"):
        assert not page.locator(around).first.is_visible(), around


@pytest.mark.parametrize("name", ["cancel", "move"])
def test_a_telephone_scrolls_no_page_sideways(make_page, cashier, sale, name):
    page = open_page(make_page(cashier, viewport=(390, 800)), name, sale)

    assert page.evaluate("document.documentElement.scrollWidth") <= 390
