"""How long the list of orders takes with 100,000 of them, whichever way it is narrowed."""

import time

import pytest
from django.db import connection
from django.urls import reverse

from orders.models import OrderAttempt, ProductOrder
from tests.orders.factories import make_integration, make_order, make_package, make_tenant

pytestmark = [pytest.mark.django_db, pytest.mark.benchmark]
MANY = 100_000
SECONDS = 1.0
LIST = reverse("admin:orders_productorder_changelist")
RARE = 4_711  # one in so many is open, or waits for somebody


@pytest.fixture
def many(db):
    """Return one order of many, of the middle."""
    integration, tenant = make_integration(), make_tenant()
    package = make_package(integration)
    made = make_order(package)
    orders = [
        ProductOrder(
            tenant=tenant,
            package=package,
            price=50,
            user_identifier=f"player-{number}",
            external_key=f"K-{number}",
            integration=integration,
            provider_referans=str(10**9 + number),
            sent_at=made.created_at,
            pin_last_four=f"{number % 10_000:04d}",
            **of_state(number, made),
        )
        for number in range(MANY)
    ]
    ProductOrder.objects.bulk_create(orders, batch_size=1_000)
    known = ProductOrder.objects.exclude(pk=made.pk).values_list("pk", "provider_referans")
    attempts = [
        OrderAttempt(
            order_id=pk,
            number=1,
            integration=integration,
            provider="znet",
            referans=referans,
            state="accepted",
            request="GET",
        )
        for pk, referans in known
    ]
    OrderAttempt.objects.bulk_create(attempts, batch_size=2_000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return ProductOrder.objects.get(user_identifier=f"player-{MANY // 2}")


def of_state(number, made):
    if number % RARE == 0:
        return {"external_status": "sent", "next_check_at": made.created_at}
    if number % RARE == 1:
        return {"external_status": "failed", "next_check_at": None, "review_reason": "timeout"}
    return {
        "external_status": "completed",
        "next_check_at": None,
        "completed_at": made.created_at,
    }


def test_the_list_of_many_orders_opens_at_once(admin_client, many):
    queries = [
        {},
        {"p": "50"},
        {"o": "4"},
        {"attention": "needing_a_person"},
        {"attention": "overdue"},
        {"external_status__exact": "failed"},
        {"tenant__id__exact": many.tenant_id},
        {"q": many.user_identifier},
        {"q": many.provider_referans},
        {"q": str(many.public_id)},
        {"q": many.external_key},
        {"q": many.pin_last_four},
    ]
    admin_client.get(LIST)
    slow = {}
    for query in queries:
        begun = time.perf_counter()
        reply = admin_client.get(LIST, query)
        took = time.perf_counter() - begun
        print(f"{query}: {took * 1000:.0f} ms, {reply.context['cl'].result_count} found")
        if took > SECONDS:
            slow[str(query)] = took
    assert slow == {}
