"""The page of a provider, and its switch."""

from xml.etree import ElementTree

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from orders import dispatch, limits, stopping
from orders.models import IntegrationEvent, IntegrationState, OrderAttempt, ProductOrder
from tests.orders.factories import make_integration, make_order, make_package
from tests.orders.sendings import make_sending
from tests.orders.test_limits import fail

pytestmark = pytest.mark.django_db
RIGHTS = ("view_integrationstate", "view_productorder", "stop_providerintegration")
REASON = "حساب ما را بسته‌اند"


@pytest.fixture
def desk(client, make_user):
    user = make_user("desk", *(f"orders.{right}" for right in RIGHTS), first_name="مینا")
    client.force_login(user)
    return user


@pytest.fixture
def provider(db):
    integration = make_integration(name="ارائه‌دهندهٔ نمونه", low_balance=100)
    limits.read()
    return integration


def page_of(integration, name="change"):
    return reverse(f"admin:orders_integrationstate_{name}", args=[integration.pk])


def text_of(client, integration, **query):
    return client.get(page_of(integration), query).content.decode()


def press(client, integration, name, *, seen=0, **content):
    answer = client.post(page_of(integration, name), {"seen": seen, **content}, follow=True)
    return answer.content.decode()


def is_stopped(integration):
    return limits.read([integration.pk])[integration.pk].is_stopped


def drawings(text):
    return [
        ElementTree.fromstring("<svg" + piece.split("</svg>")[0] + "</svg>")
        for piece in text.split("<svg")[1:]
    ]


# What it shows


def test_the_page_tells_rate_answer_time_open_orders_money_and_cost(client, desk, provider):
    for became in ("completed", "completed", "failed", "refused", "open"):
        make_sending(provider, became, cost=7, milliseconds=1250)
    IntegrationState.objects.update(balance="99.5", failures=3)
    shown = client.get(page_of(provider)).context
    assert (shown["total"].rate, shown["total"].half, shown["total"].most) == (
        "۶۶٫۶٪",
        "۱٫۲۵ ثانیه",
        "۱٫۲۵ ثانیه",
    )
    assert (shown["total"].figures.sent, shown["total"].outcomes) == (5, [2, 1, 1, 0, 1])
    assert (shown["cost_of_today"], shown["limit"].state.failures) == (28, 3)
    assert "کم" in shown["balance"]


def test_open_orders_lead_to_the_list_that_shows_just_these(client, desk, provider):
    make_sending(provider, "open")
    make_sending(make_integration(), "open")
    mine = make_sending(provider, "unknown").order
    rows = client.get(page_of(provider)).context["open_rows"]
    links = {label: (count, address) for label, count, address in rows if address}
    for label, expected in {"ارسال‌شده": 2, "نتیجه نامعلوم": 1, "عقب‌افتاده": 0}.items():
        count, address = links[label]
        listed = client.get(address).context["cl"]
        assert (count, listed.result_count) == (expected, expected), label
    assert list(client.get(links["نتیجه نامعلوم"][1]).context["cl"].queryset) == [mine]


@pytest.mark.parametrize(("span", "rows"), [("hours", 1), ("days", 2), ("nonsense", 1)])
def test_the_time_that_is_shown_is_chosen(client, desk, provider, span, rows):
    make_sending(provider, milliseconds=1)
    make_sending(provider, minutes=3 * 24 * 60)
    make_sending(provider, minutes=40 * 24 * 60)
    shown = client.get(page_of(provider), {"span": span}).context
    assert len(shown["rows"]) == rows
    assert shown["total"].figures.sent == rows


def test_both_charts_are_drawn_and_told_with_persian_digits(client, desk, provider):
    make_sending(provider, milliseconds=1200)
    first, second = [svg for svg in drawings(text_of(client, provider)) if svg.get("role") == "img"]
    assert "۱۰۰٪، ۱ از ۱" in first.find("desc").text
    assert second.find("desc").text.count("۱٫۲ ثانیه") == 2
    assert [group.get("class") for group in second.findall("g")][1].endswith("chart-line-1")
    labels = "".join(text.text for svg in (first, second) for text in svg.findall("text"))
    assert not set(labels) & set("0123456789")


def test_a_provider_to_which_nothing_went_has_no_charts(client, desk, provider):
    text = text_of(client, provider)
    assert "سفارشی به این ارائه‌دهنده فرستاده نشد" in text
    assert 'role="img"' not in text and "همواره باز بوده است" in text


def test_the_last_refusals_are_told_in_words(client, desk, provider):
    attempt = make_sending(provider, "refused", reason="Bakiye <yetersiz>")
    text = text_of(client, provider)
    assert "Bakiye &lt;yetersiz&gt;" in text
    assert reverse("admin:orders_productorder_change", args=[attempt.order_id]) in text


def test_who_sees_no_orders_finds_no_way_to_them(client, make_user, provider):
    client.force_login(make_user("auditor", "orders.view_integrationstate"))
    make_sending(provider, "refused", reason="Bakiye")
    text = text_of(client, provider)
    assert "Bakiye" in text and "orders/productorder" not in text
    assert page_of(provider, "stop") not in text


def test_the_page_shows_no_secret(client, desk, provider):
    attempt = make_sending(provider)
    ProductOrder.objects.filter(pk=attempt.order_id).update(pin_code="PIN-4711-8822")
    text = text_of(client, provider)
    assert "PIN-4711-8822" not in text and "sifre" not in text


def test_many_sendings_cost_as_many_queries_as_one(client, desk, provider):
    def queries():
        with CaptureQueriesContext(connection) as asked:
            text_of(client, provider)
        return len(asked)

    make_sending(provider, "refused")
    queries()
    one = queries()
    for minutes in (0, 70, 300, 800):
        make_sending(provider, "refused", minutes=minutes, milliseconds=minutes)
        make_sending(provider, "unknown")
    assert queries() == one


def test_a_get_changes_nothing(client, desk, provider):
    before = IntegrationState.objects.values().get()
    for name in ("stop", "resume"):
        assert client.get(page_of(provider, name)).status_code == 405
    text_of(client, provider)
    assert IntegrationState.objects.values().get() == before


def test_the_page_of_the_app_leads_to_each_provider(client, desk, provider):
    stopping.stop(provider.pk, seen=0, reason=REASON, by=desk)
    text = client.get(reverse("admin:app_list", args=["orders"])).content.decode()
    assert page_of(provider) in text and "بسته به دست مینا" in text


# Its switch


def test_stopping_takes_one_click_and_a_reason(client, desk, provider):
    text = press(client, provider, "stop", reason=REASON)
    assert is_stopped(provider)
    for words in ("ارائه‌دهنده بسته شد", "بسته به دست مینا", REASON, page_of(provider, "resume")):
        assert words in text
    assert page_of(provider, "stop") not in text
    event = IntegrationEvent.objects.get()
    assert (event.what, event.by_id, event.reason) == ("stopped", desk.pk, REASON)


def test_without_a_reason_nothing_is_stopped(client, desk, provider):
    assert "دلیل را بنویسید" in press(client, provider, "stop", reason=" ")
    assert not is_stopped(provider) and not IntegrationEvent.objects.exists()


def test_resuming_sends_what_waited(client, desk, simulator):
    integration = make_integration(simulator.url)
    limits.read()
    press(client, integration, "stop", reason=REASON)
    order = make_order(make_package(integration))
    dispatch.try_auto_dispatch(order.pk)
    assert "در انتظار بازشدن" in text_of(client, integration)
    assert "ارائه‌دهنده باز شد" in press(client, integration, "resume", seen=1)
    assert dispatch.try_auto_dispatch(order.pk) == "accepted"


def test_what_the_breaker_closed_is_opened_by_hand(client, desk, provider):
    fail(provider)
    assert page_of(provider, "resume") in text_of(client, provider)
    press(client, provider, "resume")
    assert not limits.read([provider.pk])[provider.pk].is_open


@pytest.mark.parametrize("name", ["stop", "resume"])
@pytest.mark.parametrize("seen", ["0", "7", "", "x", "-1"])
def test_a_page_that_is_out_of_date_changes_nothing_and_says_so(
    client, desk, provider, make_user, name, seen
):
    stopping.stop(provider.pk, seen=0, reason=REASON, by=make_user("ali", first_name="علی"))
    before = IntegrationState.objects.values().get()
    text = press(client, provider, name, seen=seen, reason="دلیل دیگر")
    assert "این صفحه قدیمی شده بود" in text and "بسته به دست علی" in text
    assert IntegrationState.objects.values().get() == before
    assert IntegrationEvent.objects.count() == 1


@pytest.mark.parametrize("right", RIGHTS[::2])
def test_who_lacks_a_right_changes_nothing(client, make_user, provider, right):
    client.force_login(make_user("other", f"orders.{right}"))
    for name in ("stop", "resume"):
        answer = client.post(page_of(provider, name), {"seen": 0, "reason": REASON})
        assert answer.status_code == 403
    assert not is_stopped(provider)


def test_a_stop_needs_the_pages_own_token(desk, provider):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(desk)
    answer = strict.post(page_of(provider, "stop"), {"seen": 0, "reason": REASON})
    assert (answer.status_code, is_stopped(provider)) == (403, False)


def test_a_provider_that_is_not_there_is_not_found(client, desk, provider):
    address = reverse("admin:orders_integrationstate_stop", args=[provider.pk + 1])
    assert client.post(address, {"seen": 0, "reason": REASON}).status_code == 404
    assert OrderAttempt.objects.count() == 0


def test_the_log_tells_who_and_why_page_by_page(client, desk, provider):
    for seen in range(0, 12, 2):
        stopping.stop(provider.pk, seen=seen, reason=f"{REASON} {seen}", by=desk)
        stopping.resume(provider.pk, seen=seen + 1, by=desk)
    first, second = text_of(client, provider), text_of(client, provider, log="2")
    assert f"{REASON} 10" in first and f"{REASON} 0" not in first
    assert f"{REASON} 0" in second and "بازکردن به دست کارکنان" in second
