"""Calls to a provider that a person stops, and lets go again."""

from datetime import timedelta

import pytest
from django.db import Error, transaction
from django.utils import timezone

from orders import balances, dispatch, limits, looks, polling, stopping
from orders.models import (
    CheckLoop,
    IntegrationEvent,
    IntegrationState,
    OrderAttempt,
    ProductOrder,
    ProviderIntegration,
)
from orders.stopping import ReasonNeeded
from tests.orders.factories import as_it_is, due, make_integration, make_order, make_package
from tests.orders.test_limits import fail, limit_of

pytestmark = pytest.mark.django_db
REASON = "حساب ما را بسته‌اند"


@pytest.fixture
def mina(make_user):
    return make_user("mina", first_name="مینا")


@pytest.fixture
def ali(make_user):
    return make_user("ali", first_name="علی")


def stop(integration, by, seen=0, reason=REASON):
    limits.read([integration.pk])
    return stopping.stop(integration.pk, seen=seen, reason=reason, by=by)


def resume(integration, by, seen=1):
    return stopping.resume(integration.pk, seen=seen, by=by)


def log_of(integration):
    rows = IntegrationEvent.objects.filter(integration=integration).order_by("pk")
    return [(row.what, row.by_name, row.reason) for row in rows]


def the_integration():
    return ProviderIntegration.objects.get()


def test_a_stop_tells_who_when_and_why_and_nothing_is_called(mina):
    integration = make_integration()
    assert stop(integration, mina, reason=f"  {REASON} ")
    limit = limit_of(integration)
    assert (limit.is_open, limit.is_half_open, limits.take(limit, 5, urgent=True)) == (True, 0, 0)
    assert (limit.state.stopped_by_name, limit.state.stop_reason) == ("مینا", REASON)
    assert (limit.state.stopped_at is not None, limit.state.open_until) == (True, None)
    assert log_of(integration) == [("stopped", "مینا", REASON)]


@pytest.mark.parametrize("reason", ["", " . ", "\u200c"])
def test_a_stop_takes_a_reason(mina, reason):
    integration = make_integration()
    with pytest.raises(ReasonNeeded):
        stop(integration, mina, reason=reason)
    assert (limit_of(integration).is_open, log_of(integration)) == (False, [])


def test_of_two_who_stop_it_one_did(mina, ali):
    integration = make_integration()
    assert stop(integration, mina)
    before = IntegrationState.objects.values().get()
    assert not stop(integration, ali) and not stop(integration, ali, seen=1)
    assert IntegrationState.objects.values().get() == before
    assert len(log_of(integration)) == 1


def test_a_page_from_before_a_stop_lets_nothing_go_again(mina, ali):
    integration = make_integration()
    fail(integration)  # which is what ali sees, and would end
    stop(integration, mina)
    assert not resume(integration, ali, seen=0)
    assert limit_of(integration).is_stopped
    assert [what for what, _name, _reason in log_of(integration)] == ["failed", "stopped"]


def test_a_resumption_ends_what_the_breaker_did_too(mina):
    integration = make_integration()
    fail(integration)
    assert resume(integration, mina, seen=0)
    state = limit_of(integration).state
    assert (state.open_until, state.failures, state.opened_times) == (None, 0, 0)
    assert limits.take(limit_of(integration), 8) == 8
    assert [what for what, _name, _reason in log_of(integration)] == ["failed", "resumed"]


def test_what_goes_already_is_not_let_go_again(mina):
    integration = make_integration()
    limits.read()
    assert not resume(integration, mina, seen=0)
    assert log_of(integration) == []


def test_what_was_read_before_a_stop_takes_no_counted_call_after_it(mina):
    paced, tried = make_integration(calls_per_second=2), make_integration()
    fail(tried)
    IntegrationState.objects.filter(pk=tried.pk).update(open_until="2020-01-01T00:00:00Z")
    before = [limit_of(paced), limit_of(tried)]
    assert stop(paced, mina) and stop(tried, mina)
    assert [limits.take(limit, 1, urgent=True) for limit in before] == [0, 0]


# Orders meanwhile


def test_orders_go_to_the_next_provider_while_one_is_stopped(simulator, mina):
    first, second = make_integration(simulator.url), make_integration(simulator.url)
    stop(first, mina)
    order = make_order(make_package(first, second))
    assert dispatch.try_auto_dispatch(order.pk) == "accepted"
    assert as_it_is(order).integration == second


def test_an_order_waits_for_a_stopped_provider_and_nothing_fails_for_it(place, store, mina):
    order = place()
    stop(the_integration(), mina)
    assert dispatch.try_auto_dispatch(order.pk) is None
    waits = as_it_is(order)
    assert (waits.external_status, waits.dispatches, waits.review_reason) == ("pending", 0, "")
    assert waits.provider_message == dispatch.STOPPED
    assert [event.what for event in order.events.all()] == ["created", "waiting"]
    polling.run()
    balances.refresh()
    assert set(store.counts()) == {"balance", "purchases"}  # and no call of any kind
    assert OrderAttempt.objects.count() == 0
    assert as_it_is(order).next_check_at - timezone.now() > timedelta(minutes=20)


def test_control_without_the_guard_a_stopped_provider_is_called(place, store, mina, monkeypatch):
    order = place()
    stop(the_integration(), mina)
    monkeypatch.setattr(limits.Limit, "is_stopped", False)
    assert dispatch.try_auto_dispatch(order.pk) == "accepted"
    assert store.purchases() == 1


def test_nothing_is_asked_of_a_stopped_provider_but_last_looks(place, store, mina):
    waiting, late = place("never"), place("never")
    integration = waiting.package.routings.get().integration
    late.package.routings.update(integration=integration)
    for order in (waiting, late):
        dispatch.try_auto_dispatch(order.pk)
    stop(integration, mina)
    due(waiting)
    due(late, sent_at=timezone.now() - timedelta(hours=25))
    before = ProductOrder.objects.values().get(pk=waiting.pk)
    polling.run()
    assert ProductOrder.objects.values().get(pk=waiting.pk) == before
    assert polling.check_order(waiting.pk, waiting.tenant_id) is None
    assert store.counts()["pin_kontrol"] == 1


def test_attempts_that_were_given_up_are_looked_at_later(place, store, mina):
    order = place()
    dispatch.try_auto_dispatch(order.pk)
    past = timezone.now() - timedelta(minutes=1)
    OrderAttempt.objects.update(state="given_up", next_look_at=past)
    stop(the_integration(), mina)
    assert looks.run() == 0
    attempt = OrderAttempt.objects.get()
    assert (attempt.state, "pin_kontrol" in store.counts()) == ("given_up", False)
    assert attempt.next_look_at > timezone.now()


def test_a_resumption_has_what_waits_sent_at_once(place, store, mina):
    order, other = place(), make_order(make_package())
    ProductOrder.objects.filter(pk=other.pk).update(next_check_at="2999-01-01T00:00:00Z")
    stop(the_integration(), mina)
    dispatch.try_auto_dispatch(order.pk)
    CheckLoop.objects.update(wake_at="2999-01-01T00:00:00Z")
    assert resume(the_integration(), mina)
    assert CheckLoop.objects.get(pk=1).wake_at < timezone.now() + timedelta(seconds=5)
    polling.run()
    assert (as_it_is(order).external_status, store.purchases()) == ("sent", 1)
    assert as_it_is(other).next_check_at.year == 2999
    assert log_of(the_integration())[-1] == ("resumed", "مینا", "")


def resumed_meanwhile(monkeypatch, mina):
    """Have the only provider go again between an order's choice and its putting off."""
    choose = dispatch.choose

    def choose_and_resume(*arguments):
        choice = choose(*arguments)
        assert resume(the_integration(), mina)
        return choice

    monkeypatch.setattr(dispatch, "choose", choose_and_resume)


def test_an_order_does_not_wait_for_what_goes_again_meanwhile(place, mina, monkeypatch):
    order = place()
    stop(the_integration(), mina)
    resumed_meanwhile(monkeypatch, mina)
    assert dispatch.try_auto_dispatch(order.pk) is None
    assert as_it_is(order).next_check_at <= timezone.now()
    assert [event.what for event in order.events.all()] == ["created"]


def test_control_without_the_second_look_it_waits_for_nothing(place, mina, monkeypatch):
    order = place()
    stop(the_integration(), mina)
    resumed_meanwhile(monkeypatch, mina)
    monkeypatch.setattr(limits, "are_left_alone", lambda keys: True)
    dispatch.try_auto_dispatch(order.pk)
    assert as_it_is(order).next_check_at > timezone.now() + timedelta(minutes=20)


# The log


def test_an_outage_is_two_lines_however_often_it_was_tried():
    integration = make_integration()
    fail(integration)
    past = timezone.now() - timedelta(seconds=1)
    IntegrationState.objects.update(open_until=past)
    limits.heard(integration.pk, answered=False)
    assert log_of(integration) == [("failed", "", "")]
    limits.heard(integration.pk, answered=True)
    limits.heard(integration.pk, answered=True)
    assert log_of(integration) == [("failed", "", ""), ("answered", "", "")]


def test_a_failure_that_opened_nothing_is_no_line():
    integration = make_integration()
    fail(integration, 4)
    limits.heard(integration.pk, answered=True)
    assert (limit_of(integration).state.failures, log_of(integration)) == (0, [])


def test_nobody_changes_the_log(mina):
    stop(make_integration(), mina)
    for change in (
        lambda: IntegrationEvent.objects.update(reason="another"),
        lambda: IntegrationEvent.objects.all().delete(),
    ):
        with pytest.raises(Error, match="append-only"), transaction.atomic():
            change()
    assert IntegrationEvent.objects.get().reason == REASON
