"""How an order comes in: with its price, its journal, and its sending queued, all or nothing."""

from django.db import transaction

from orders import dispatch, journal
from orders.journal import OrderEvent


def accept(order, *, by, by_name=""):
    """Save a new order and queue its sending in one transaction; return the order.

    ``by_name`` is how the journal calls a shop's program; ``by`` is None then.
    The queue is in the same database, so that there is no order without a task, and no task
    without an order. A lost task is made good by the batch: the order is due from now on.
    """
    assert order._state.adding, "only a new order comes in"
    order.price = order.package.price
    order.created_by = by
    with transaction.atomic():
        order.save()
        journal.record(
            order.pk, OrderEvent.What.CREATED, status=order.external_status, by=by, by_name=by_name
        )
        dispatch.queue(order.pk)
    return order
