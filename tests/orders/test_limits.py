"""Breaker, rate and money of an integration, one row for all hosts."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from orders import dispatch, limits, polling
from orders.limits import IntegrationState
from orders.models import OrderIncident, ProductOrder, ProviderCost, ProviderIntegration
from tests.orders.factories import NOWHERE, due, make_integration, make_order, make_package
from tests.orders.test_dispatch import in_threads

pytestmark = pytest.mark.django_db


def limit_of(integration):
    return limits.read([integration.pk])[integration.pk]


def fail(integration, times=5):
    limits.read([integration.pk])
    for _number in range(times):
        limits.heard(integration.pk, answered=False)


def end_pause(integration):
    past = timezone.now() - timedelta(seconds=1)
    IntegrationState.objects.filter(pk=integration.pk).update(open_until=past)


def seconds_open(integration):
    return (limit_of(integration).state.open_until - timezone.now()).total_seconds()


def test_the_breaker_opens_after_failures_in_a_row():
    integration = make_integration()
    fail(integration, 4)
    assert limits.take(limit_of(integration), 3) == 3
    fail(integration, 1)
    assert limits.take(limit_of(integration), 3) == 0
    assert seconds_open(integration) == pytest.approx(30, abs=5)


def test_an_answer_between_failures_keeps_the_breaker_closed():
    integration = make_integration()
    fail(integration, 4)
    limits.heard(integration.pk, answered=True)
    fail(integration, 4)
    assert not limit_of(integration).is_open


def test_calls_that_began_before_the_breaker_opened_do_not_open_it_for_longer():
    integration = make_integration()
    fail(integration, 30)
    assert seconds_open(integration) == pytest.approx(30, abs=5)


def test_after_the_pause_one_call_is_tried():
    integration = make_integration()
    fail(integration)
    end_pause(integration)
    assert limits.take(limit_of(integration), 8) == 1
    assert limits.take(limit_of(integration), 8) == 0


@pytest.mark.django_db(transaction=True)
def test_of_many_who_would_try_at_once_one_does():
    integration = make_integration()
    fail(integration)
    end_pause(integration)
    limit = limit_of(integration)
    assert sorted(in_threads(6, limits.take, limit, 4)) == [0, 0, 0, 0, 0, 1]


def test_a_failed_trial_opens_the_breaker_for_longer():
    integration = make_integration()
    fail(integration)
    for pause in (60, 120, 300, 600, 600):
        end_pause(integration)
        limits.take(limit_of(integration), 1)
        limits.heard(integration.pk, answered=False)
        assert seconds_open(integration) == pytest.approx(pause, abs=5)


def test_an_answered_trial_closes_the_breaker():
    integration = make_integration()
    fail(integration)
    end_pause(integration)
    limits.take(limit_of(integration), 1)
    limits.heard(integration.pk, answered=True)
    state = limit_of(integration).state
    assert (state.open_until, state.failures, state.opened_times) == (None, 0, 0)
    assert limits.take(limit_of(integration), 8) == 8


def test_a_rate_holds_for_all_and_recovers_with_time():
    integration = make_integration(calls_per_second=Decimal(20))
    assert limits.take(limit_of(integration), 50) == 5
    assert limits.take(limit_of(integration), 50) == 0
    past = timezone.now() - timedelta(seconds=9)
    IntegrationState.objects.filter(pk=integration.pk).update(next_call_at=past)
    assert limits.take(limit_of(integration), 50) == 5


def test_a_sending_goes_ahead_of_what_the_checks_have_used_up():
    integration = make_integration(calls_per_second=Decimal(2))
    limits.take(limit_of(integration), 10)
    assert limits.take(limit_of(integration), 1) == 0
    assert limits.take(limit_of(integration), 1, urgent=True) == 1


def test_of_two_who_read_the_same_rate_one_gets_it():
    integration = make_integration(calls_per_second=Decimal(2))
    first, second = limit_of(integration), limit_of(integration)
    assert (limits.take(first, 1), limits.take(second, 1)) == (1, 0)


def test_control_a_rate_that_is_written_without_its_condition_is_given_twice(monkeypatch):
    integration = make_integration(calls_per_second=Decimal(2))
    first, second = limit_of(integration), limit_of(integration)
    every = IntegrationState.objects.filter
    monkeypatch.setattr(
        IntegrationState.objects, "filter", lambda *conditions, **columns: every(**columns)
    )
    assert (limits.take(first, 1), limits.take(second, 1)) == (1, 1)


def test_while_a_provider_is_left_alone_its_orders_go_to_the_next(simulator, store):
    first, second = make_integration(NOWHERE), make_integration(simulator.url)
    fail(first)
    order = make_order(make_package(first, second))
    assert dispatch.try_auto_dispatch(order.pk) == "accepted"
    order.refresh_from_db()
    assert (order.integration, order.dispatches, store.purchases()) == (second, 1, 1)


def test_an_order_whose_only_provider_is_left_alone_waits_and_is_not_counted(simulator):
    integration = make_integration(simulator.url)
    fail(integration)
    order = make_order(make_package(integration))
    assert dispatch.try_auto_dispatch(order.pk) is None
    order.refresh_from_db()
    assert (order.external_status, order.dispatches, order.review_reason) == ("pending", 0, "")
    assert (order.next_check_at - timezone.now()).total_seconds() == pytest.approx(30, abs=5)
    assert [event.what for event in order.events.all()] == ["created", "waiting"]
    end_pause(integration)
    assert dispatch.try_auto_dispatch(order.pk) == "accepted"


def test_an_order_that_waits_past_its_deadline_has_failed(simulator):
    integration = make_integration(simulator.url)
    fail(integration)
    order = make_order(make_package(integration))
    due(order, created_at=timezone.now() - timedelta(hours=25))
    dispatch.try_auto_dispatch(order.pk)
    order.refresh_from_db()
    assert (order.external_status, order.review_reason) == ("failed", "never_sent")


def test_a_provider_that_is_left_alone_is_asked_about_nothing_but_last_looks(place, store):
    waiting, late = place("never"), place("never")
    for order in (waiting, late):
        dispatch.try_auto_dispatch(order.pk)
        ProductOrder.objects.filter(pk=order.pk).update(
            integration=waiting.package.routings.get().integration
        )
    fail(waiting.package.routings.get().integration)
    due(waiting)
    due(late, sent_at=timezone.now() - timedelta(hours=25))
    polling.run()
    waiting.refresh_from_db()
    late.refresh_from_db()
    assert (waiting.external_status, waiting.tries, waiting.transport_errors) == ("sent", 0, 0)
    assert (late.external_status, store.counts()["pin_kontrol"]) == ("failed", 1)


def test_low_money_keeps_an_order_back_and_says_so(place, store):
    order = place()
    dispatch.try_auto_dispatch(order.pk)
    integration = order.package.routings.get().integration
    ProviderIntegration.objects.filter(pk=integration.pk).update(low_balance=Decimal(10**6))
    second = make_order(order.package)
    assert dispatch.try_auto_dispatch(second.pk) is None
    second.refresh_from_db()
    assert (second.external_status, second.review_reason) == ("pending", "low_balance")
    assert store.purchases() == 1


def test_a_cost_above_the_price_stops_the_sending_with_its_reason(place, store):
    order = place()
    integration = order.package.routings.get().integration
    ProviderCost.objects.create(package=order.package, integration=integration, cost=51)
    assert dispatch.try_auto_dispatch(order.pk) is None
    order.refresh_from_db()
    assert (order.external_status, order.review_reason) == ("pending", "cost_above_price")
    assert store.purchases() == 0


def test_a_cost_is_compared_in_the_money_of_the_price(place):
    order = place()
    integration = order.package.routings.get().integration
    ProviderCost.objects.create(package=order.package, integration=integration, cost=40)
    ProviderIntegration.objects.filter(pk=integration.pk).update(exchange_rate=Decimal("1.3"))
    assert dispatch.try_auto_dispatch(order.pk) is None
    ProviderIntegration.objects.filter(pk=integration.pk).update(exchange_rate=Decimal("1.2"))
    assert dispatch.try_auto_dispatch(order.pk) == "accepted"


def test_an_answer_teaches_cost_and_balance(place):
    order = place()
    dispatch.try_auto_dispatch(order.pk)
    state = limit_of(order.package.routings.get().integration).state
    assert (float(ProviderCost.objects.get().cost), float(state.balance)) == (10.12, 99989.88)


def test_what_cost_more_than_its_price_opens_an_incident(place):
    order = place()
    ProductOrder.objects.filter(pk=order.pk).update(price=5)
    dispatch.try_auto_dispatch(order.pk)
    incident = OrderIncident.objects.get()
    assert (incident.order, incident.kind) == (order, "cost_above_price")


def test_one_failed_call_about_many_orders_is_one_failure(canned):
    package = make_package(make_integration(canned.url, "barakat"))
    canned.reply = (200, '{"status": "OK", "data": {"status": "wait"}}', {})
    for _number in range(6):
        order = make_order(package)
        dispatch.try_auto_dispatch(order.pk)
        due(order)
    canned.seen.clear()
    canned.reply = (502, "<html>", {})
    polling.run()
    state = IntegrationState.objects.get()
    assert (len(canned.seen), state.failures, state.open_until) == (1, 1, None)


def test_one_order_alone_is_not_asked_about_either_while_its_provider_is_left_alone(place, store):
    order = place()
    dispatch.try_auto_dispatch(order.pk)
    IntegrationState.objects.update(open_until="2999-01-01T00:00:00Z", failures=5)
    due(order)
    assert polling.check_order(order.pk, order.tenant_id) is None
    order.refresh_from_db()
    assert (order.external_status, order.claimed_until) == ("sent", None)


def test_costs_are_kept_in_whole_cents_and_never_made_cheaper():
    account = make_integration()
    package = make_package(account)
    for cost in ("10.01", "10.000001"):
        limits.remember_costs({(package.pk, account.pk): Decimal(cost)})
    assert ProviderCost.objects.values_list("cost", flat=True).get() == Decimal("10.01")
