"""The claim on an order while it is sent or asked about: taken, given back, run out, ended.

A claim only says who is busy with the order. What must not happen twice, sending, does not rest on
it: an order is sent from ``pending`` alone, and leaves that state before the call.
"""

import os
import secrets
import socket
from collections.abc import Iterable
from datetime import timedelta
from typing import NamedTuple, TypeAlias, TypedDict

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
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


class Claimed(NamedTuple):
    """A claimed order: what asking about it needs. The rest is read again with the answer.

    Named as the columns are, of which it is made; a model instance takes longer to make than all
    of its claiming.
    """

    pk: int
    integration_id: int
    tenant_id: int
    external_status: str
    provider_referans: str
    dispatches: int
    claim_token: str


def new_claim() -> Claim:
    """Return the columns of a claim that begins now, with a token of its own."""
    return {
        "claimed_until": database_now() + timedelta(seconds=settings.ORDER_CLAIM_SECONDS),
        "claimed_at": database_now(),
        "claimed_by": f"{socket.gethostname()}:{os.getpid()}",
        "claim_token": secrets.token_hex(16),
    }


def give_back(orders: Iterable[Claimed]) -> None:
    """End the claims of orders, as they were claimed, that were not asked about after all."""
    for order in orders:
        rows = ProductOrder.objects.filter(pk=order.pk, claim_token=order.claim_token)
        rows.update(**UNCLAIMED)


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
    rows: Orders,
    *,
    by: User | None = None,
    source: str = LockEvent.Source.BULK,
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
