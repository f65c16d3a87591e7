"""What a provider that hangs takes from one that answers."""

import os
import statistics
import time

import pytest
from django.conf import settings
from django.db import connection

from backoffice.clock import database_now
from orders.calling import SHARE
from orders.models import ProductOrder
from tests.benchmarks.due_orders import LATER, have_checked, make_sent
from tests.benchmarks.slow_provider import SlowProvider
from tests.clusters import Cluster
from tests.orders.factories import make_integration
from tests.processes import wait_for

pytestmark = [pytest.mark.benchmark, pytest.mark.django_db(transaction=True)]
GOOD, DEAD, WARMING, ROUNDS = 1_000, 300, 300, 5
RUNS = settings.ORDER_CHECK_LANES + 1  # that may be under way at once: the lanes, and the batch


@pytest.fixture
def cluster(tmp_path):
    # The breaker would leave the dead one alone after five failures; here it is called for ever.
    more = {"PROVIDER_PRIVATE_ADDRESSES": "yes", "PROVIDER_BREAKER_FAILURES": "1000"}
    with Cluster(tmp_path / "log", "DjangoORM", **more) as cluster:
        yield cluster


def test_a_dead_provider_leaves_the_good_one_its_rate(cluster):
    with SlowProvider(0.05) as good, SlowProvider(25) as dead:
        alive, hanging = make_integration(good.url), make_integration(dead.url)
        made = 0

        def seconds():
            nonlocal made
            orders = make_sent(GOOD, alive, first=made)
            made += GOOD
            return have_checked(orders)

        def are_free():
            return rows.filter(claimed_until=None).count() == DEAD

        hung = make_sent(DEAD, hanging)
        rows = ProductOrder.objects.filter(pk__in=[order.pk for order in hung])
        have_checked(make_sent(WARMING, alive, first=10**6))
        ratios, most = [], 0
        for _round in range(ROUNDS):
            alone = seconds()
            dead.seen()
            rows.update(next_check_at=database_now())
            time.sleep(1)  # it has what it can get of the connections
            beside = seconds()
            rows.filter(claimed_until=None).update(next_check_at=database_now() + LATER)
            most = max(most, *dead.seen()["most"].values())
            ratios.append(alone / beside)
            print(f"\n{GOOD / alone:.0f}/s alone, {GOOD / beside:.0f}/s beside it", end=" ")
            wait_for(are_free, seconds=60, what="the dead one's calls end")
            rows.update(next_check_at=database_now() + LATER)
    ratio, load = statistics.median(ratios), os.getloadavg()[0]
    print(f"\nof its rate on {connection.vendor}: {ratio:.2f}, {most} calls hang (load {load:.1f})")
    assert 0 < most <= SHARE * RUNS
    assert ratio >= 0.75
