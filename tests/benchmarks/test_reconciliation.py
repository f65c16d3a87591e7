"""How long a busy day takes to be compared with its balances, beside the sum of its costs."""

import time
import tracemalloc
from datetime import timedelta

import pytest
from django.db.models import Sum

from orders import reconciliation
from orders.models import OrderAttempt, ProductOrder
from tests.orders.factories import make_integration, make_package, make_tenant
from tests.orders.test_reconciliation import DATE, NOON

pytestmark = [pytest.mark.benchmark, pytest.mark.django_db]
PURCHASES = 20_000


def fill(provider):
    """A day of purchases that add up, two a second and answered in another order."""
    package, tenant = make_package(provider), make_tenant()
    ProductOrder.objects.bulk_create(
        [
            ProductOrder(
                package=package,
                tenant=tenant,
                price=50,
                user_identifier=f"player-{number}",
                external_status="completed",
                completed_at=NOON,
                next_check_at=None,
                dispatches=1,
                integration=provider,
            )
            for number in range(PURCHASES)
        ],
        batch_size=500,
    )
    orders = ProductOrder.objects.order_by("pk").values_list("pk", flat=True)
    start = NOON - timedelta(hours=4)
    OrderAttempt.objects.bulk_create(
        [
            OrderAttempt(
                order_id=pk,
                number=1,
                integration=provider,
                provider="znet",
                referans=str(pk),
                state="accepted",
                cost=10,
                balance=1_000_000 - 10 * number,
                request="",
                started_at=start,
                answered_at=start + timedelta(seconds=number / 2 + 5 * (number % 7)),
            )
            for number, pk in enumerate(orders)
        ],
        batch_size=500,
    )


def test_a_day_of_twenty_thousand_purchases():
    provider = make_integration()
    fill(provider)
    begun = time.monotonic()
    total = OrderAttempt.objects.filter(integration=provider).aggregate(sum=Sum("cost"))["sum"]
    summed = time.monotonic() - begun
    begun = time.monotonic()
    day = reconciliation.day(provider, DATE)
    took = time.monotonic() - begun
    tracemalloc.start()
    reconciliation.day(provider, DATE)
    megabytes = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    print(f"\n{PURCHASES} purchases of a day: {took:.2f} s, {took / summed:.0f} times their SUM, ")
    print(f"{megabytes:.0f} MB")
    assert (day.purchases, day.cost, day.findings) == (PURCHASES, total, 0)
