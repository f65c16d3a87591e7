"""What a person at the desk does with orders."""

from dataclasses import dataclass, field

from django.db import transaction
from django.utils.translation import gettext as _t
from django_q.tasks import async_task

from backoffice.clock import database_now
from orders import journal, looks, polling
from orders.journal import OrderEvent
from orders.models import OrderAttempt, ProductOrder, Status
from orders.transport import redact
from orders.waking import wake_in

MOST_AT_ONCE = 2_000


@dataclass
class Checked:
    """What became of orders that somebody wants to be asked about."""

    wanted: list[ProductOrder] = field(default_factory=list)
    left: list[tuple[ProductOrder, str]] = field(default_factory=list)  # left alone, and why
    more: bool = False  # there are more than are taken at once


def check_status(rows, *, by):
    """Have a queryset's orders asked about at once, recorded; return which, and which were not.

    What is in line already keeps its place there: who asks twice changes nothing.
    """
    keys = list(rows.order_by("-pk").values_list("pk", flat=True)[: MOST_AT_ONCE + 1])
    checked = Checked(more=len(keys) > MOST_AT_ONCE)
    with transaction.atomic():
        known = ProductOrder.objects.filter(pk__in=keys[:MOST_AT_ONCE])
        askable = set(known.askable().values_list("pk", flat=True))
        beside = looks.wanted(known.values_list("pk", flat=True))
        rows = known.order_by("pk").annotate(read_at=database_now()).defer("pin_code")
        # Locked in the order in which all others lock them, and told the newest first.
        for order in reversed(rows.select_for_update()):
            why = _why_not(order, order.pk in askable)
            if order.pk in beside and order.pk not in askable:
                what, status = OrderEvent.What.CHECK_WANTED, order.external_status
                journal.record(order.pk, what, status=status, by=by)
                checked.wanted.append(order)
            elif why:
                checked.left.append((order, why))
            else:
                checked.wanted.append(order)
        polling.check_now(known.filter(pk__in=[o.pk for o in checked.wanted]), by=by)
        if beside:
            async_task("orders.tasks.look_beside_orders")
        wake_in(0)  # for what is in line as well: the loop may have been lost
    return checked


def _why_not(order, askable):
    """Return why an order is not asked about now; '' where it can be."""
    if not askable:
        told = {"state": order.get_external_status_display()}
        return _t("there is nothing to ask, it is “%(state)s”") % told
    if order.claimed_until and order.claimed_until > order.read_at:
        return _t("it is being asked about just now")
    if order.next_check_at and order.next_check_at <= order.read_at:
        return _t("it is in line already")
    return ""


class ReasonNeeded(Exception):
    """The PIN was delivered already, or is not the customer's: showing it takes a reason."""


def kept_pins(order_id):
    """Return the attempts of an order that keep a PIN beside the order's own, without the PINs."""
    rows = OrderAttempt.objects.filter(order=order_id, delivered_at__isnull=False)
    return rows.exclude(pin_code="")


def reveal_kept_pin(order_id, number, *, by, reason):
    """Return the PIN that an attempt keeps beside its order, recorded as seen by a person.

    None where there is none (any more). Raises ``ReasonNeeded`` without a reason.
    """
    with transaction.atomic():
        attempt = kept_pins(order_id).defer(None).filter(number=number).first()
        if attempt is None:
            return None
        if not reason:
            raise ReasonNeeded
        status = ProductOrder.objects.values_list("external_status", flat=True).get(pk=order_id)
        told = f"{attempt.referans}: {redact(reason, [attempt.pin_code])}"
        journal.record(order_id, OrderEvent.What.REVEALED, status=status, text=told, by=by)
    return attempt.pin_code


def reveal_pin(order_id, *, by, reason=""):
    """Return an order's PIN, recorded as seen by a person; None where there is none.

    The first time is the delivery: a completed order is delivered by it. Every other time raises
    ``ReasonNeeded`` without a reason.
    """
    rows = ProductOrder.objects.filter(pk=order_id).exclude(pin_code="")
    with transaction.atomic():
        completed = rows.filter(external_status=Status.COMPLETED)
        delivered = completed.update(external_status=Status.DELIVERED) == 1
        order = rows.first()
        if order is None:
            return None
        if not (delivered or reason):
            raise ReasonNeeded
        told = redact(reason, [order.pin_code])  # as somebody may write it down there
        journal.record(
            order_id, OrderEvent.What.REVEALED, status=order.external_status, text=told, by=by
        )
    return order.pin_code
