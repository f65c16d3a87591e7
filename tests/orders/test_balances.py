"""Our money at the providers, where orders wait for it."""

from decimal import Decimal

import pytest

from orders import balances, dispatch, polling
from orders.models import IntegrationState, ProductOrder, ProviderIntegration
from tests.orders.factories import NOWHERE, due

pytestmark = pytest.mark.django_db


@pytest.fixture
def waiting(place):
    """An order that waits, as our money was low when another was sent."""
    order = place()
    ProviderIntegration.objects.update(low_balance=Decimal(1000))
    account = order.package.routings.get().integration
    IntegrationState.objects.create(integration=account, balance=Decimal(5))
    dispatch.try_auto_dispatch(order.pk)
    order.refresh_from_db()
    assert order.review_reason == "low_balance"
    return order


def test_an_order_that_waits_for_money_goes_on_when_it_was_paid_in(waiting, store):
    assert balances.refresh() == 1
    polling.run()
    waiting.refresh_from_db()
    assert (waiting.external_status, waiting.review_reason) == ("sent", "")
    assert store.purchases() == 1


def test_while_the_money_is_still_low_the_order_waits(waiting, store):
    ProviderIntegration.objects.update(low_balance=Decimal(10**9))
    assert balances.refresh() == 0
    assert store.purchases() == 0


def test_a_balance_that_did_not_grow_sends_nothing_again(waiting):
    IntegrationState.objects.update(balance=Decimal(10**7))
    assert balances.refresh() == 0


def test_a_provider_that_does_not_answer_leaves_the_order_waiting(waiting):
    ProviderIntegration.objects.update(base_url=NOWHERE)
    assert balances.refresh() == 0
    assert IntegrationState.objects.get().failures == 1


def test_without_waiting_orders_nobody_is_asked(waiting, store):
    ProductOrder.objects.update(review_reason="")
    balances.refresh()
    assert store.counts().get("bakiye_kontrol", 0) == 0


def test_the_batch_reads_the_balance_and_sends(waiting, store):
    due(waiting)
    polling.run_batch()
    waiting.refresh_from_db()
    assert (waiting.external_status, store.purchases()) == ("sent", 1)
