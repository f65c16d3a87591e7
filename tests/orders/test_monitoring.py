"""How the orders are now: on the app's page, as JSON and as metrics."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from orders import dispatch, incidents, monitoring
from orders.models import IntegrationState, OrderIncident, ProductOrder
from tests.orders.factories import make_order, make_package

pytestmark = pytest.mark.django_db
PAGE = reverse("admin:app_list", args=["orders"])


def asked(client, address):
    token = {"Authorization": f"Bearer {settings.METRICS_TOKEN}"}
    return client.get(address, headers=token)


def orders_now(client):
    return asked(client, "/api/monitoring/orders/").json()


def minutes_ago(minutes):
    return timezone.now() - timedelta(minutes=minutes)


def complete(order, *, minutes):
    ProductOrder.objects.filter(pk=order.pk).update(
        external_status="completed",
        created_at=minutes_ago(minutes + 1),
        completed_at=minutes_ago(minutes),
        next_check_at=None,
        pin_last_four="9876",
    )


def test_an_office_without_orders_says_so(client, admin_client):
    assert orders_now(client) == {
        "open": {"pending": 0, "sent": 0, "processing": 0},
        "unknown": 0,
        "due": 0,
        "overdue": 0,
        "oldestDueSeconds": None,
        "forReview": {},
        "lastCompleted": [],
    }
    assert "تاکنون سفارشی تکمیل نشده" in admin_client.get(PAGE).content.decode()


def test_open_orders_are_counted_by_state_and_by_how_late_they_are(client, place):
    pending, late, sent = place(), place(), place()
    dispatch.try_auto_dispatch(sent.pk)
    ProductOrder.objects.filter(pk=sent.pk).update(outcome_unknown=True, review_reason="unknown")
    ProductOrder.objects.filter(pk=pending.pk).update(next_check_at=minutes_ago(-5))
    ProductOrder.objects.filter(pk=late.pk).update(next_check_at=minutes_ago(30))
    told = orders_now(client)
    assert told["open"] == {"pending": 2, "sent": 1, "processing": 0}
    assert (told["unknown"], told["due"], told["overdue"]) == (1, 1, 1)
    assert told["forReview"] == {"unknown": 1}
    assert told["oldestDueSeconds"] == pytest.approx(1800, abs=30)


def test_an_order_that_failed_by_time_is_not_open_although_it_is_still_asked(client, place):
    order = place()
    dispatch.try_auto_dispatch(order.pk)
    ProductOrder.objects.filter(pk=order.pk).update(
        external_status="failed", review_reason="timeout", next_check_at=minutes_ago(60)
    )
    told = orders_now(client)
    assert (told["open"]["sent"], told["due"], told["oldestDueSeconds"]) == (0, 0, None)
    assert told["forReview"] == {"timeout": 1}


def test_the_ten_completed_last_are_told_the_newest_first(client):
    package = make_package()
    orders = [make_order(package) for _number in range(12)]
    for age, order in enumerate(orders):
        complete(order, minutes=age)
    told = orders_now(client)["lastCompleted"]
    assert [row["id"] for row in told] == [str(order.public_id) for order in orders[:10]]
    assert told[0]["seconds"] == pytest.approx(60, abs=1)
    assert told[0]["packageId"] == package.code


def test_a_monitoring_system_learns_neither_customers_nor_pins(client, completed):
    for address in ("/api/monitoring/orders/", "/metrics"):
        text = asked(client, address).content.decode()
        assert completed.user_identifier not in text
        assert completed.pin_last_four not in text and completed.pin_code not in text


def test_the_page_of_the_app_tells_all_three(admin_client, completed, place):
    place()
    text = admin_client.get(PAGE).content.decode()
    for words in ("سفارش‌های باز", "در انتظار ارسال", "آخرین سفارش‌های تکمیل‌شده"):
        assert words in text
    assert completed.user_identifier in text
    assert completed.pin_code not in text and completed.pin_last_four not in text


def test_who_may_not_see_orders_sees_none_of_it(client, make_user, completed):
    client.force_login(make_user("other", "orders.view_tenant"))
    text = client.get(PAGE).content.decode()
    assert completed.user_identifier not in text and "آخرین سفارش‌های" not in text


def test_many_orders_cost_as_many_queries_as_none(client):
    def queries():
        with CaptureQueriesContext(connection) as found:
            orders_now(client)
        return len(found)

    before = queries()
    package = make_package()
    for _number in range(5):
        make_order(package)
    complete(make_order(package), minutes=1)
    assert queries() == before


def test_metrics_tell_orders_incidents_and_providers(client, place):
    order = place()
    dispatch.try_auto_dispatch(order.pk)
    incidents.open_incident(order.pk, OrderIncident.Kind.LATE_SUCCESS, "", status="sent")
    integration = order.package.routings.get().integration
    IntegrationState.objects.update(balance="12.50", open_until=minutes_ago(-5))
    text = asked(client, "/metrics").content.decode()
    for line in (
        'office_orders_open{state="sent"} 1',
        'office_order_incidents_open{kind="late_success"} 1',
        f'office_provider_balance{{integration="{integration.code}"}} 12.5',
        f'office_provider_left_alone{{integration="{integration.code}"}} 1',
        "office_orders_overdue 0",
    ):
        assert line in text.splitlines(), line


def test_what_is_read_is_open_or_new(django_assert_num_queries):
    with django_assert_num_queries(3):
        monitoring.overview()
