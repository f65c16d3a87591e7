"""The figures of a provider: counted by when a sending began, each outcome once."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from orders import dispatch, provider_health
from orders.models import OrderAttempt, ProductOrder
from orders.provider_health import Figures
from tests.orders.factories import make_integration, make_order, make_package
from tests.orders.sendings import make_sending

pytestmark = pytest.mark.django_db
BECAME = ("completed", "delivered", "failed", "given_up", "refused", "unknown", "sending", "open")


def of_the_day(integration):
    now = timezone.now()
    return provider_health.figures(integration.pk, provider_health.last_hours(now))


def in_all(integration):
    return provider_health.together(of_the_day(integration))


def test_each_sending_counts_once_by_what_became_of_it():
    integration = make_integration()
    for became in BECAME:
        make_sending(integration, became)
    total = in_all(integration)
    expected = {"delivered": 2, "failed": 2, "refused": 1, "unknown": 1, "open": 2}
    assert (dict(total.outcomes), total.sent) == (expected, len(BECAME))


def test_the_success_rate_is_of_what_ended_and_none_of_nothing():
    integration = make_integration()
    for became in ("refused", "unknown", "open"):
        make_sending(integration, became)
    assert in_all(integration).success_rate is None
    for became in ("completed", "completed", "delivered", "failed"):
        make_sending(integration, became)
    assert in_all(integration).success_rate == 0.75


def test_an_hour_has_what_began_in_it_and_others_have_nothing():
    integration = make_integration()
    make_sending(integration, minutes=60)
    make_sending(integration, "failed", minutes=60)
    make_sending(integration, minutes=24 * 60)  # an hour that the page shows no more
    parts = of_the_day(integration)
    assert [part.sent for part in parts] == [0] * 22 + [2, 0]
    assert [part.success_rate for part in parts[-2:]] == [0.5, None]


def test_of_another_provider_nothing_counts():
    mine, other = make_integration(), make_integration()
    make_sending(other, milliseconds=900)
    total = in_all(mine)
    assert (total.sent, total.answered_within(0.5)) == (0, None)


def test_hours_and_days_are_those_of_the_offices_clocks():
    night = datetime(2026, 11, 22, 20, 45, tzinfo=UTC)  # in Tehran a quarter past midnight
    hours, days = provider_health.last_hours(night), provider_health.last_days(night)
    assert (len(hours), len(days)) == (25, 31)
    assert hours[-2:] == [night - timedelta(minutes=15), night + timedelta(minutes=45)]
    midnight = datetime(2026, 11, 22, 20, 30, tzinfo=UTC)
    assert days[-2:] == [midnight, midnight + timedelta(days=1)]
    assert days[0] == midnight - timedelta(days=29)


@pytest.mark.parametrize(
    ("times", "half", "most"),
    [
        ({}, None, None),
        ({120: 1}, 1200, 1200),
        ({10: 1, 20: 1}, 100, 200),
        ({10: 94, 500: 6}, 100, 5000),
        ({10: 95, 500: 5}, 100, 100),
    ],
)
def test_so_many_of_the_answers_came_within(times, half, most):
    figures = Figures(timezone.now(), timezone.now(), times=times)
    assert (figures.answered_within(0.5), figures.answered_within(0.95)) == (half, most)


def test_answer_times_are_read_by_the_hundredth_of_a_second():
    integration = make_integration()
    for milliseconds in (999, 1000, 1009, None):
        make_sending(integration, milliseconds=milliseconds)
    assert dict(in_all(integration).times) == {99: 1, 100: 2}


def test_a_sending_keeps_how_soon_it_was_answered(place):
    order = place()
    dispatch.try_auto_dispatch(order.pk)
    attempt = OrderAttempt.objects.get()
    assert attempt.milliseconds == order.events.get(what="accepted").milliseconds


def test_what_was_not_answered_has_no_answer_time(canned):
    canned.reply = (502, "<html>", {})
    order = make_order(make_package(make_integration(canned.url)))
    assert dispatch.try_auto_dispatch(order.pk) == "unknown"
    assert OrderAttempt.objects.get().milliseconds is None
    assert order.events.get(what="unknown").milliseconds is not None


def test_open_orders_are_told_by_state_and_by_how_late_they_are():
    integration = make_integration()
    for became in ("open", "unknown", "unknown", "completed"):
        make_sending(integration, became)
    make_sending(make_integration(), "open")
    late = ProductOrder.objects.filter(outcome_unknown=True).first()
    late.next_check_at = timezone.now() - timedelta(minutes=30)
    late.save(update_fields=["next_check_at"])
    found = provider_health.open_orders(integration.pk)
    assert found.states == {"sent": 3, "processing": 0}
    assert (found.unknown, found.due, found.overdue, found.waiting) == (2, 3, 1, 0)


def test_an_order_that_waits_for_a_provider_is_told_at_that_one():
    integration, other = make_integration(), make_integration()
    order = make_order(make_package(integration))
    ProductOrder.objects.filter(pk=order.pk).update(provider_message=dispatch.STOPPED)
    make_order(make_package(integration))  # waits for nobody
    waiting = [provider_health.open_orders(row.pk).waiting for row in (integration, other)]
    assert waiting == [1, 0]


def test_the_cost_of_today_is_what_was_not_refused_since_midnight():
    integration = make_integration()
    make_sending(integration, cost=Decimal("10.25"))
    make_sending(integration, "unknown", cost=Decimal(3))
    make_sending(integration, "refused", cost=Decimal(100))
    make_sending(integration, cost=Decimal(1000), minutes=24 * 60)
    now = timezone.now()
    assert provider_health.cost_of_today(integration.pk, now) == Decimal("13.25")
    assert provider_health.cost_of_today(make_integration().pk, now) == 0


def test_the_last_refusals_come_the_newest_first_and_not_all():
    integration = make_integration()
    refused = [make_sending(integration, "refused", minutes=age) for age in range(12)]
    make_sending(integration)
    bounds = provider_health.last_hours(timezone.now())
    assert list(provider_health.last_refusals(integration.pk, bounds)) == refused[:10]
