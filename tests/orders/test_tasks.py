"""The names that scripts and queue rows call, each with the keys it takes."""

import pytest

from orders import tasks
from tests.orders.factories import due

pytestmark = pytest.mark.django_db


def test_a_new_order_is_sent_and_asked_about_by_its_keys(place):
    order = place()

    assert tasks.dispatch_order(order.pk) == "accepted"
    assert tasks.check_order_status(due(order).pk, order.tenant_id) == "completed"

    order.refresh_from_db()
    assert len(order.pin_code) == 19


def test_an_order_that_ended_is_left_alone(place, store):
    order = place()
    tasks.dispatch_order(order.pk)
    tasks.check_order_status(due(order).pk, order.tenant_id)
    asked = store.counts()

    assert tasks.check_order_status(order.pk, order.tenant_id) is None
    assert tasks.dispatch_order(order.pk) is None
    assert store.counts() == asked
