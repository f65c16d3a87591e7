"""What a person at the desk does with an order."""

from django.db import transaction

from orders import journal
from orders.journal import OrderEvent
from orders.models import ProductOrder, Status


def reveal_pin(order_id, *, by):
    """Return an order's PIN, recorded as seen by a person; None where there is none.

    The first time is the delivery: a completed order is delivered by it.
    """
    with transaction.atomic():
        order = ProductOrder.objects.filter(pk=order_id).exclude(pin_code="").first()
        if order is None:
            return None
        first = ProductOrder.objects.filter(pk=order_id, external_status=Status.COMPLETED)
        delivered = first.update(external_status=Status.DELIVERED) == 1
        status = Status.DELIVERED if delivered else order.external_status
        journal.record(order_id, OrderEvent.What.REVEALED, status=status, by=by)
    return order.pin_code
