"""What claiming a batch of orders costs, beside the bare statement that it can't do without."""

import pytest

from backoffice.clock import database_now
from orders.batches import claim_fairly
from orders.claims import UNCLAIMED, new_claim
from orders.models import ProductOrder
from tests.benchmarks.due_orders import LATER, make_sent
from tests.benchmarks.ratios import median_ratio, seconds
from tests.orders.factories import make_integration

pytestmark = [pytest.mark.benchmark, pytest.mark.django_db(transaction=True)]
FEW, MANY, BATCH, ROUNDS = 1_000, 100_000, 100, 9


def free():
    ProductOrder.objects.claimed().update(**UNCLAIMED)


def claim(integration):
    claimed = claim_fairly([integration.pk], lambda _pk: BATCH)
    assert len(claimed) == BATCH


def test_claiming_a_batch_costs_little_more_than_its_update_however_many_are_open():
    integration = make_integration()
    first = make_sent(FEW, integration, journal=False)
    ProductOrder.objects.update(next_check_at=database_now())
    keys = [order.pk for order in first[:BATCH]]

    def bare():
        assert ProductOrder.objects.filter(pk__in=keys).update(**new_claim()) == BATCH

    def timed():
        free()
        return seconds(lambda: claim(integration))

    claim(integration)
    among_few = sorted(timed() for _round in range(ROUNDS))[ROUNDS // 2]
    make_sent(MANY - FEW, integration, first=FEW, journal=False)
    ProductOrder.objects.filter(next_check_at__gt=database_now() + LATER / 2).update(
        next_check_at=database_now()
    )
    claim(integration)
    among_many = sorted(timed() for _round in range(ROUNDS))[ROUNDS // 2]
    name = f"Claiming {BATCH} of {MANY}, to the bare UPDATE of {BATCH} rows"
    ratio = median_ratio(name, lambda: claim(integration), bare, before=free, rounds=ROUNDS)
    print(f"Claiming {BATCH} of {MANY}, to of {FEW}: {among_many / among_few:.2f}")
    assert ratio <= 3
    assert among_many / among_few <= 2
