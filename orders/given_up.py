"""Attempts that a person gave up, as their order was to come to its end in another way.

A provider that never told what became of an attempt may deliver it all the same. So each is still
looked at for a while (``orders/looks.py``), and what it brings is kept: by an order that is not
sent again yet it is taken as its own, of any other it is an incident, and its PIN stays with the
attempt until the desk has use for it.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import models

from backoffice.clock import database_now
from orders import journal
from orders.claims import UNCLAIMED, Orders
from orders.encryption import last_four
from orders.journal import OrderEvent
from orders.models import OrderAttempt, ProductOrder, Status

State = OrderAttempt.State
MAY_COUNT = (State.SENDING, State.UNKNOWN, State.ACCEPTED)


def give_up(order: ProductOrder) -> int:
    """Give up what was sent of an order that is decided on otherwise; return how many attempts.

    They are looked at soon: the sooner it is known, the less is paid twice.
    """
    soon = database_now() + timedelta(seconds=settings.ORDER_CHECK_DELAYS[0])
    rows = OrderAttempt.objects.filter(order=order, state__in=MAY_COUNT)
    return rows.update(state=State.GIVEN_UP, next_look_at=soon)


def told(rows: "models.QuerySet[OrderAttempt]", *, refused: bool, **columns: Any) -> bool:
    """Keep what the sender of an attempt heard that was given up meanwhile; False if it was not.

    One that was refused is no more looked at: nothing was bought by it.
    """
    state = {"state": State.REFUSED, "next_look_at": None} if refused else {}
    return rows.filter(state=State.GIVEN_UP).update(**columns, **state) == 1


def delivered(order_ids: Iterable[int]) -> dict[int, OrderAttempt]:
    """Return of each order the first attempt that was given up and delivered after all."""
    rows = OrderAttempt.objects.filter(
        order__in=list(order_ids), state=State.GIVEN_UP, delivered_at__isnull=False
    )
    return {attempt.order_id: attempt for attempt in rows.order_by("-number")}


def keep(attempt: OrderAttempt, pin: str) -> None:
    """Keep with an attempt what it delivered, in the caller's transaction."""
    OrderAttempt.objects.filter(pk=attempt.pk).update(
        delivered_at=database_now(), next_look_at=None, pin_code=pin, pin_last_four=last_four(pin)
    )


def adopt(rows: Orders, attempt: OrderAttempt, *, text: str, by: Any = None) -> bool:
    """Complete an order with what an attempt delivered that was given up; False where it may not.

    ``rows`` are the order under the condition that it may. In the caller's transaction; every
    other attempt of the order has to be refused or given up.
    """
    kept = OrderAttempt.objects.filter(pk=attempt.pk)
    changed = rows.filter(pk=attempt.order_id).update(
        external_status=Status.COMPLETED,
        integration=attempt.integration_id,
        provider_referans=attempt.referans,
        sent_at=attempt.started_at,
        completed_at=database_now(),
        outcome_unknown=False,
        next_check_at=None,
        review_reason="",
        # As it is stored: this needs no key.
        pin_code=models.Subquery(kept.values("pin_code")),
        pin_last_four=models.Subquery(kept.values("pin_last_four")),
        **UNCLAIMED,
    )
    if changed == 0:
        return False
    kept.update(
        state=State.ACCEPTED, next_look_at=None, delivered_at=None, pin_code="", pin_last_four=""
    )
    what = OrderEvent.What.BY_HAND if by else OrderEvent.What.CHECKED
    journal.record(attempt.order_id, what, status=Status.COMPLETED, text=text, by=by)
    return True
