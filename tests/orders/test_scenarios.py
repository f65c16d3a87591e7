"""Every way in which a provider can fare, over every adapter: what is bought, and how it ends.

Both lists are found: a new adapter or a new scenario is judged by being there.
"""

from datetime import timedelta

import pytest
from django.utils import timezone

from orders import dispatch, polling, providers
from orders.models import OrderIncident, ProductOrder
from orders.simulator import OUTAGES, PROTOCOLS, SCENARIOS
from tests.orders.factories import due, make_integration, make_order, make_package

pytestmark = pytest.mark.django_db
# Scenario -> purchases; the end; why a person is to look at it; the incident.
EXPECTED = {
    "normal": (1, "completed", "", None),
    "top_up": (1, "completed", "", None),
    "slow": (1, "completed", "", None),
    "cancelled": (1, "cancelled", "", None),
    "never": (1, "failed", "timeout", None),
    "reset": (1, "completed", "", None),
    "error": (0, "failed", "never_known", None),
    "empty": (0, "failed", "never_known", None),
    "html": (0, "failed", "never_known", None),
    "out_of_balance": (0, "pending", "low_balance", None),
    "refused": (0, "failed", "refused", None),
    "hanging": (1, "completed", "", None),
    "error_bought": (1, "completed", "", None),
    "wrong_encoding": (1, "completed", "", None),
    "duplicate": (1, "completed", "", None),
    "unknown_reference": (1, "failed", "timeout", None),
    "late": (1, "failed", "late_success", "late_success"),
    "going_back": (1, "completed", "", None),
    "busy": (0, "pending", "", None),
}
UNKNOWN_AT_FIRST = {
    "reset", "error", "empty", "html", "hanging", "error_bought", "duplicate",
}  # fmt: skip
WITHOUT_PIN = {"top_up"}
SENT_AGAIN = {"out_of_balance", "busy"}  # they certainly bought nothing, and may do so later


@pytest.fixture(params=providers.names())
def order(request, simulator, settings):
    """Return a function that makes a new order of a scenario at one of the providers."""
    settings.PROVIDER_READ_SECONDS = 0.8

    def make(scenario):
        integration = make_integration(simulator.url, provider=request.param)
        return make_order(make_package(integration, scenario=scenario))

    return make


def sent_long_ago(order):
    ProductOrder.objects.filter(pk=order.pk).exclude(sent_at=None).update(
        sent_at=timezone.now() - timedelta(hours=24)
    )
    return due(order)


def live(order):
    """Let an order live through its sending, two checks, its deadline and a look after that."""
    outcome = dispatch.try_auto_dispatch(order.pk)
    polling.run()
    for age in (due, due, sent_long_ago, due):
        order.refresh_from_db()
        if order.next_check_at:
            age(order)
            polling.run()
    order.refresh_from_db()
    return outcome


def test_every_scenario_has_its_end_and_every_adapter_its_simulator():
    assert set(EXPECTED) == set(SCENARIOS)
    assert set(PROTOCOLS) == set(providers.names())


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_an_order_comes_to_the_end_that_its_scenario_deserves(order, store, scenario):
    purchases, end, reason, incident = EXPECTED[scenario]
    one = order(scenario)
    outcome = live(one)
    assert (store.purchases(), store.bought_twice()) == (purchases, [])
    assert scenario in SENT_AGAIN or store.sendings() == one.attempts.count() == 1
    assert (one.external_status, one.review_reason) == (end, reason)
    assert [row.kind for row in OrderIncident.objects.all()] == [incident] * bool(incident)
    assert (outcome == "unknown") == (scenario in UNKNOWN_AT_FIRST)
    delivered = end == "completed" or incident == "late_success"
    assert bool(one.pin_code) == (delivered and scenario not in WITHOUT_PIN)


@pytest.mark.parametrize("scenario", sorted(SENT_AGAIN))
def test_what_was_refused_for_now_is_bought_once_when_it_can_be(order, store, scenario):
    one = order(scenario)
    dispatch.try_auto_dispatch(one.pk)
    store.switch("normal")
    due(one)
    polling.run()
    due(one)
    polling.run()
    one.refresh_from_db()
    assert (one.external_status, one.review_reason) == ("completed", "")
    assert (store.purchases(one.user_identifier), store.bought_twice()) == (1, [])


def test_a_status_that_goes_back_takes_nothing_away(order, store, make_user):
    one = order("going_back")
    live(one)
    before = ProductOrder.objects.values().get(pk=one.pk)
    assert polling.check_now(ProductOrder.objects.all(), by=make_user("desk")) == 0
    polling.run()
    assert ProductOrder.objects.values().get(pk=one.pk) == before


@pytest.mark.parametrize(
    "scenario", [name for name in SCENARIOS if SCENARIOS[name].sending in OUTAGES]
)
def test_a_provider_that_was_unwell_for_a_while_delivers_what_it_had(order, store, scenario):
    one = order("normal")
    dispatch.try_auto_dispatch(one.pk)
    store.switch(scenario)
    due(one)
    polling.run()
    one.refresh_from_db()
    ended = "completed" if scenario == "slow" else "sent"
    assert (one.external_status, one.review_reason) == (ended, "")
    store.switch()
    if one.next_check_at:
        due(one)
    polling.run()
    one.refresh_from_db()
    assert (one.external_status, store.bought_twice()) == ("completed", [])
