from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from orders import held, limits, settling
from orders.held import BOUGHT, DELIVERED, NOT_THERE, PERHAPS
from orders.models import IntegrationState, ProductOrder
from tests.orders import held_orders
from tests.orders.factories import make_order, make_tenant
from tests.orders.held_orders import INCIDENTS, KINDS, MIXED, PIN, REASONS, make_held, make_ways

pytestmark = pytest.mark.django_db
by_name = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


def read(order):
    [found] = held.read([order.pk])
    return found


@by_name
def test_an_order_of_each_kind_is_held_with_its_why_and_since_when(kind):
    order = kind(make_ways())
    assert list(held.find()) == [order]
    shown = read(order)
    refunded = kind is held_orders.refunded_and_delivered
    reason = "late_success" if refunded else kind.__name__ if kind in REASONS else ""
    assert shown.order.review_reason == reason
    assert bool(shown.incidents) is (kind in [*INCIDENTS, *MIXED, held_orders.late_success])
    assert shown.since <= shown.order.read_at
    assert shown.choices - {"check"}


RISKS = {
    "unknown": PERHAPS,
    "timeout": BOUGHT,
    "never_known": PERHAPS,
    "late_success": DELIVERED,
    "cost_more": "",  # it is with its provider, and not sent again
    "delivered_twice": DELIVERED,
    "went_back": DELIVERED,
    "refunded_and_delivered": DELIVERED,
    "elsewhere_and_delivered": DELIVERED,
}


@by_name
def test_what_is_risked_by_sending_again_is_told_of_each_kind(kind):
    shown = read(kind(make_ways()))
    assert shown.risk == RISKS.get(kind.__name__, NOT_THERE)
    offered = settling.SEND_ELSEWHERE in shown.choices
    assert offered is (shown.risk in (PERHAPS, BOUGHT, NOT_THERE))


def test_the_last_call_is_that_of_the_last_question():
    call = read(held_orders.timeout(make_ways())).call
    assert "pin_kontrol" in call.request
    assert call.answer == "OK|2|***|"


def test_a_sending_whose_answer_never_came_is_the_last_call():
    call = read(held_orders.unknown(make_ways())).call
    assert ("pin_ekle" in call.request, call.answer) == (True, "")


def test_a_pin_is_told_by_its_last_four_and_never_read():
    order = held_orders.delivered_twice(make_ways())
    with CaptureQueriesContext(connection) as asked:
        shown = read(order)
    assert [pin.last_four for pin in shown.pins] == ["5555", "3333"]
    assert shown.pins[1].provider == order.attempts.get().integration.name
    assert PIN not in repr(shown)
    assert not any(' "orders_productorder"."pin_code",' in query["sql"] for query in asked)


def test_what_was_refunded_before_is_not_proposed_again():
    order = held_orders.refunded_and_delivered(make_ways())
    assert read(order).left_to_refund == Decimal(0)
    assert read(held_orders.unknown(make_ways())).left_to_refund == Decimal(50)


def test_each_way_says_what_speaks_against_it():
    package = make_ways(price=20)
    order = held_orders.refused(package)
    first, second = package.routings.all()
    account = second.integration
    account.__class__.objects.filter(pk=account.pk).update(exchange_rate=3, low_balance=100)
    limits.remember_cost(package.pk, account.pk, Decimal(7))
    states = IntegrationState.objects.filter(pk=account.pk)
    states.update(balance=5, open_until="2100-01-01T00:00:00Z")
    one, two = read(order).ways
    assert (one.cost, one.costs_too_much, one.is_low, one.is_left_alone) == (None,) + (False,) * 3
    assert (two.cost, two.costs_too_much, two.is_low, two.is_left_alone) == (21,) + (True,) * 3
    assert one.has_refused and two.has_refused
    assert (one.integration_id, two.integration_id) == (first.integration_id, account.pk)


def test_a_way_that_is_switched_off_is_none():
    package = make_ways()
    order = held_orders.unknown(package)
    package.routings.filter(priority=1).update(is_active=False)
    assert [way.integration_id for way in read(order).ways] == [
        package.routings.get(priority=2).integration_id
    ]


def test_fifty_orders_are_read_in_as_many_queries_as_three():
    def queries(orders):
        with CaptureQueriesContext(connection) as asked:
            assert len(held.read([order.pk for order in orders])) == len(orders)
        return len(asked)

    orders = make_held(50)
    assert queries(orders[:3]) == queries(orders) == 6


def test_orders_are_counted_by_reason_and_by_unclosed_incidents():
    package = make_ways()
    for kind in (held_orders.unknown, held_orders.unknown, held_orders.late_success):
        kind(package)
    held_orders.cost_more(package)
    make_order(package)
    counts = held.counts(held.find())
    assert counts == {"": 4, "unknown": 2, "late_success": 1, held.INCIDENT: 2}
    for reason, count in counts.items():
        assert held.of_reason(held.find(), reason).count() == count


def test_held_orders_are_found_by_tenant_provider_and_words():
    mine, others = make_ways(), make_ways()
    order = held_orders.unknown(mine)
    waiting, _other = held_orders.low_balance(others), held_orders.no_route(others)
    ProductOrder.objects.filter(pk=order.pk).update(tenant=make_tenant("second"))
    way = mine.routings.first().integration_id
    assert list(held.find(tenant=make_tenant("second").pk)) == [order]
    assert list(held.find(integration=way)) == [order]
    assert list(held.find(integration=others.routings.first().integration_id)) == [waiting]
    assert list(held.find(words=order.user_identifier)) == [order]
    assert held.find(integration=way, words=waiting.user_identifier).count() == 0
