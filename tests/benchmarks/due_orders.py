"""Has the running cluster of an office check orders, and says how many seconds that took.

``python -m tests.benchmarks.due_orders PROVIDER`` reads counts, a line each. For each it makes so
many orders that were sent, says "ready", makes them due at the next line, and prints the seconds
until the last one is settled.
"""

import sys
import time
from datetime import timedelta
from itertools import count

import django

if __name__ == "__main__":
    django.setup()

from django.db import transaction

from backoffice.clock import database_now
from orders.journal import OrderEvent
from orders.models import OrderAttempt, ProductOrder, ProviderIntegration, Status
from orders.waking import wake_in
from tests.orders import factories
from tests.orders.factories import make_integration, make_package, make_tenant

What = OrderEvent.What
LATER = timedelta(days=1)
TENANTS = 3


def make_sent(count, integration, *, first=0, journal=True):
    """Make orders that were accepted a minute ago and are asked about tomorrow; return them.

    Without a ``journal`` they have neither attempts nor events.
    """
    package = make_package(integration)
    tenants = [make_tenant(f"shop-{number}") for number in range(TENANTS)]
    orders = ProductOrder.objects.bulk_create(
        [
            ProductOrder(
                tenant=tenants[number % TENANTS],
                package=package,
                price=50,
                user_identifier=f"player-{number}",
                integration=integration,
                external_status=Status.SENT,
                provider_referans=f"{integration.pk}{1_000_000 + number}",
                dispatches=1,
                sent_at=database_now() - timedelta(minutes=1),
                next_check_at=database_now() + LATER,
            )
            for number in range(first, first + count)
        ],
        batch_size=500,
    )
    if not journal:
        return orders
    OrderAttempt.objects.bulk_create(
        [
            OrderAttempt(
                order=order,
                number=1,
                integration=integration,
                provider="znet",
                referans=order.provider_referans,
                state=OrderAttempt.State.ACCEPTED,
            )
            for order in orders
        ],
        batch_size=500,
    )
    past = ((What.CREATED, Status.PENDING), (What.SENDING, Status.SENT), (What.ACCEPTED, "sent"))
    OrderEvent.objects.bulk_create(
        [
            OrderEvent(order=order, what=what, status=status)
            for order in orders
            for what, status in past
        ],
        batch_size=500,
    )
    return orders


def have_checked(orders):
    """Make orders due; return the seconds until the last of them is settled."""
    rows = ProductOrder.objects.filter(pk__gte=orders[0].pk, pk__lte=orders[-1].pk)
    begin = time.perf_counter()
    with transaction.atomic():
        rows.update(next_check_at=database_now())
        wake_in(0)
    while rows.filter(last_sync_at__isnull=True).exists():
        time.sleep(0.02)
    seconds = time.perf_counter() - begin
    rows.open().update(next_check_at=database_now() + LATER)
    return seconds


def main(url):
    # Of an office that a process before this one has used already.
    factories.numbers = count(1000 * (1 + ProviderIntegration.objects.count()))
    integration, made = make_integration(url), 0
    for line in iter(sys.stdin.readline, ""):
        orders = make_sent(int(line), integration, first=made)
        made += len(orders)
        print("ready", flush=True)
        sys.stdin.readline()
        print(have_checked(orders), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
