"""The live map as axe finds it: in both views, with each state, a hold and a refusal on it."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from reservations import holds, layout
from reservations.models import Seat
from tests.browser.seat_pages import choose, open_map, press, sees
from tests.reservations.factories import sell

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def page(make_page, hall, cashier, colleague):
    """The map with seats in every state, and the sale form open."""
    first, second, third, *_others = seats = list(hall.seats.order_by("pk"))
    layout.block(Seat.objects.filter(pk=first.pk), by=colleague, reason="دید محدود")
    sell(holds.hold(hall, [second.pk], by=colleague), [second], colleague)
    holds.hold(hall, [third.pk], by=colleague)
    Seat.objects.filter(pk=seats[-1].pk).update(accessible=True)
    page = open_map(make_page(cashier), hall)
    choose(page, "A5 A6")
    press(page, "نگه‌داری موقت")
    page.wait_for_selector(".seat-map-sale:not([hidden])")
    sees(page, "A5", "mine")
    choose(page, "B2")
    return page


def faults(page):
    found = Axe().run(page, context="#content-start").response["violations"]
    return {fault["id"]: [node["html"] for node in fault["nodes"][:3]] for fault in found}


def test_the_map_is_without_a_fault(page):
    page.evaluate("document.getElementById('seat-map-stale').hidden = false")

    assert faults(page) == {}


def test_the_list_is_without_a_fault(page):
    press(page, "فهرست")
    page.get_by_role("checkbox", name="انتخاب صندلی \u2068B3\u2069").check()

    assert faults(page) == {}
    assert page.inner_text(".seat-map-numbers") == "B2, B3"
