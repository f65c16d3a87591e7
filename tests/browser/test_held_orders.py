"""Held orders of every kind, settled in a real browser from their one screen."""

from urllib.parse import urlsplit

import pytest
from django.urls import reverse

from orders import deciding
from orders.models import OrderDecision, ProductOrder
from tests.orders.held_orders import make_held

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
HELD = reverse("admin:orders_productorder_held")


@pytest.fixture
def desk(transactional_db, make_user):
    return make_user("desk", "orders.view_productorder", *deciding.PERMISSIONS.values())


def test_forty_held_orders_of_all_kinds_are_settled_from_one_screen(make_page, desk):
    orders = make_held(40)
    page = make_page(desk)
    opened = []
    page.on("framenavigated", lambda frame: opened.append(urlsplit(frame.url).path))
    page.goto(HELD)
    assert page.locator(".held-order").count() == 40

    settle_the_first_by_their_own_buttons(page, orders)
    page.check("[name=everything]")
    assert "۳۷ برگزیده" in page.inner_text("#held-count")
    page.fill("[name=shared-reason]", "پایان شیفت")
    page.locator("[name=shared-integration]").select_option(index=1)
    for label in ("ارسال به ارائه‌دهندهٔ دیگر", "ثبت تحویل دستی", "بستن رویداد"):
        page.locator("#held-bar").get_by_role("button", name=label).click()
        page.wait_for_load_state()

    page.get_by_text("سفارشی منتظر تصمیم نیست").wait_for()
    assert not ProductOrder.objects.needing_a_person().exists()
    assert set(opened) == {HELD}


def settle_the_first_by_their_own_buttons(page, orders):
    """One is refunded, one delivered with a PIN, and one sent where it was chosen."""

    def card(order):
        return page.locator(f"#order-{order.pk}")

    def press(order, label):
        card(order).get_by_label("دلیل").fill("مشتری تماس گرفت")
        card(order).get_by_role("button", name=label).click()
        page.locator(f"#order-{order.pk}").wait_for(state="detached")

    card(orders[0]).get_by_label("مبلغ بازپرداخت").fill("۱۲٫۵")
    page.keyboard.press("Enter")  # decides nothing
    press(orders[0], "لغو و ثبت بازپرداخت")
    card(orders[1]).get_by_label("کد پین").fill("HAND-1234-5678")
    press(orders[1], "ثبت تحویل دستی")
    card(orders[2]).get_by_label("ارائه‌دهنده").select_option(index=2)
    press(orders[2], "ارسال به ارائه‌دهندهٔ دیگر")
    kinds = OrderDecision.objects.filter(order__in=orders[:3]).order_by("pk").values_list("kind")
    assert [kind for (kind,) in kinds] == ["refunded", "by_hand", "sent_elsewhere"]
