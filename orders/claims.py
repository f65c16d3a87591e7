"""The claim on an order while it is sent or asked about: taken, given back, run out, ended.

A claim only says who is busy with the order. What must not happen twice, sending, does not rest on
it: an order is sent from ``pending`` alone, and leaves that state before the call.
"""

import os
import secrets
import socket
from collections.abc import Iterable
from datetime import timedelta
from typing import TypeAlias, TypedDict

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models.expressions import Combinable

from backoffice import audit
from backoffice.audit import LockEvent
from backoffice.clock import database_now
from orders.models import ProductOrder
from orders.states import OrderQuerySet

Orders: TypeAlias = OrderQuerySet[ProductOrder]

UNCLAIMED = {"claimed_until": None, "claimed_at": None, "claimed_by": "", "claim_token": ""}


class Claim(TypedDict):
    """The columns of a claim as they are written, its times by the database's clock."""

    claimed_until: Combinable
    claimed_at: Combinable
    claimed_by: str
    claim_token: str


def new_claim() -> Claim:
    """Return the columns of a claim that begins now, with a token of its own."""
    return {
        "claimed_until": database_now() + timedelta(seconds=settings.ORDER_CLAIM_SECONDS),
        "claimed_at": database_now(),
        "claimed_by": f"{socket.gethostname()}:{os.getpid()}",
        "claim_token": secrets.token_hex(16),
    }


def claim_due(rows: Orders, limit: int) -> list[ProductOrder]:
    """Claim up to ``limit`` orders of a queryset that are due and free, oldest first.

    Returns them as they are now; none of them can be claimed by another until the claim ends.
    """
    claim = new_claim()
    skip = connection.features.has_select_for_update_skip_locked
    with transaction.atomic():
        found = list(
            rows.due()
            .free()
            .order_by("next_check_at", "pk")
            .select_for_update(skip_locked=skip)
            .defer("pin_code")[:limit]
        )
        chosen = ProductOrder.objects.filter(pk__in=[order.pk for order in found])
        chosen.due().free().update(**claim)
        record_run_out(found, source=LockEvent.Source.SCHEDULE)
    mine = ProductOrder.objects.filter(claim_token=claim["claim_token"])
    mine = mine.select_related("integration").defer("integration__credentials", "pin_code")
    return list(mine.order_by("next_check_at", "pk"))


def record_run_out(orders: Iterable[ProductOrder], *, source: str, by: User | None = None) -> None:
    """Record the claims of orders, as they were read, that ran out before anybody ended them."""
    audit.record(
        *(
            audit.event(
                LockEvent.Kind.ORDER,
                LockEvent.Action.RAN_OUT,
                order,
                by=by,
                holder=(None, order.claimed_by),
                held_since=order.claimed_at,
                ended_at=order.claimed_until,
                source=source,
            )
            for order in orders
            if order.claimed_until
        )
    )


def clear_stale(
    rows: Orders, *, by: User | None = None, source: str = LockEvent.Source.BULK
) -> int:
    """End the claims of a queryset that ran out; return how many."""
    with transaction.atomic():
        found = _locked(rows.stale())
        ended = rows.stale().filter(pk__in=[order.pk for order in found]).update(**UNCLAIMED)
        record_run_out(found, source=source, by=by)
    return ended


def force_release(
    rows: Orders, *, by: User | None, reason: str, source: str = LockEvent.Source.BULK
) -> int:
    """End the claims of a queryset, live or not; return how many.

    Frees the orders for asking. An order that is being sent stays sent: only its provider knows.
    """
    stale = clear_stale(rows, by=by, source=source)
    with transaction.atomic():
        found = _locked(rows.live())
        ended = rows.claimed().filter(pk__in=[order.pk for order in found]).update(**UNCLAIMED)
        audit.record(
            *(
                audit.event(
                    LockEvent.Kind.ORDER,
                    LockEvent.Action.FORCED,
                    order,
                    by=by,
                    holder=(None, order.claimed_by),
                    held_since=order.claimed_at,
                    reason=reason,
                    source=source,
                )
                for order in found
            )
        )
    return stale + ended


def _locked(rows: Orders) -> list[ProductOrder]:
    return list(rows.order_by("pk").select_for_update(of=("self",)).defer("pin_code"))
