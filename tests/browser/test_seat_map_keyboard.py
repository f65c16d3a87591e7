"""The live map without a mouse, from the login to the sale."""

import pytest
from django.urls import reverse

from reservations.models import Reservation
from tests.browser.seat_pages import look_again, sees, told

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def tab_to(page, selector):
    for _press in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    pytest.fail(f"The Tab key does not lead to {selector}")


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


def focused(page):
    return page.evaluate("document.activeElement.getAttribute('aria-label')").split("،")[0]


def test_two_seats_are_sold_by_keys_alone(make_page, hall, cashier):
    page = make_page()
    page.goto(reverse("admin:reservations_event_map", args=[hall.pk]))
    page.keyboard.type("cashier")
    press(page, "Tab")
    page.keyboard.type("open-sesame-7")
    press(page, "Enter")
    page.wait_for_selector("#seat-map-fresh:not(:empty)")

    tab_to(page, ".seat")
    press(page, "ArrowDown", "ArrowRight", "ArrowRight", "Space", "Shift+ArrowRight")
    sees(page, "B3 B4", "chosen")
    press(page, "Control+Enter")
    page.wait_for_selector("[name=customer]:focus")
    page.keyboard.type("سارا محمدی")
    tab_to(page, "[name=payment_method]")
    press(page, "ArrowLeft")
    tab_to(page, "[type=submit]")
    press(page, "Enter")

    told(page, "کد رزرو")
    sold = Reservation.objects.get()
    assert (sold.customer, sold.seat_numbers) == ("سارا محمدی", "B3, B4")
    assert sold.payment_method != "card"


def test_arrows_go_where_the_eye_goes_and_a_refresh_leaves_the_focus(make_page, hall, cashier):
    page = make_page(cashier)
    page.goto(reverse("admin:reservations_event_map", args=[hall.pk]))
    tab_to(page, ".seat")
    moves = {"End": "A10", "ArrowLeft": "A9", "ArrowDown": "B9", "Home": "B1", "ArrowUp": "A1"}
    for key, seat in moves.items():
        press(page, key)
        assert focused(page) == seat
    press(page, "Control+End")
    assert focused(page) == "B10"

    with page.expect_response("**/map/state/"):
        look_again(page)

    assert focused(page) == "B10"
    press(page, "Enter", "Escape")
    assert page.locator(".seat[data-state=chosen]").count() == 0
    assert page.locator(".seat[tabindex='0']").count() == 1
