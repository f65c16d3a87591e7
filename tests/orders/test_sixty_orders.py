"""As a shop would: sixty orders over a provider that fails in every way come to their end."""

import sys
from collections import Counter

import pytest

from orders.models import ProductOrder, Status
from orders.simulator import SCENARIOS
from tests.clusters import office_clusters
from tests.orders.test_crashes import QUICK, run_batch
from tests.processes import wait_for

pytestmark = [
    pytest.mark.storm,
    pytest.mark.processes,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(sys.platform != "linux", reason="processes are counted in /proc"),
]
ORDERS = 60
# A day is half a minute here. The breaker's pauses are as short as all else.
A_DAY = QUICK | {"ORDER_DEADLINE_HOURS": 0.008, "PROVIDER_BREAKER_SECONDS": "1"}
ENDED = (Status.COMPLETED, Status.CANCELLED)


def settled(orders):
    """Return whether each order has ended, or is on the list of those that need a person."""
    run_batch()
    return not orders.open().filter(review_reason="").exists()


def test_sixty_orders_end_without_a_hand_and_those_that_need_one_are_listed(place, store, tmp_path):
    names = list(SCENARIOS)
    scenario_of = {}
    for number in range(ORDERS):
        name = names[number % len(names)]
        scenario_of[place(name, user_identifier=f"{name}-{number}").pk] = name
    orders = ProductOrder.objects.all()
    with office_clusters(tmp_path, **A_DAY):
        wait_for(lambda: settled(orders), seconds=180, what="all came to their end")

    for order in orders:
        assert store.purchases(player=order.user_identifier) <= 1, order.user_identifier
    listed = set(ProductOrder.objects.needing_a_person())
    for order in orders:
        good = order.external_status in ENDED
        assert (order in listed) is not good, (order.user_identifier, order.external_status)
        assert bool(order.review_reason) is not good
    outcomes = Counter((scenario_of[order.pk], order.external_status) for order in orders)
    print("\n" + "\n".join(f"{key}: {count}" for key, count in sorted(outcomes.items())))
    assert outcomes["normal", Status.COMPLETED] == list(scenario_of.values()).count("normal")
