"""The claim on an order while it is sent or asked about: taken, given back, run out, ended.

A claim only says who is busy with the order. What must not happen twice, sending, does not rest on
it: an order is sent from ``pending`` alone, and leaves that state before the call.
"""

import os
import secrets
import socket
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any, TypeAlias, TypedDict

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import OuterRef, Subquery
from django.db.models.expressions import Combinable

from backoffice import audit
from backoffice.audit import LockEvent
from backoffice.clock import database_now
from orders.models import ProductOrder, Tenant
from orders.states import OrderQuerySet

Orders: TypeAlias = OrderQuerySet[ProductOrder]

# Of a claimed order, what asking about it needs; the rest is read again with the answer.
NEEDED: tuple[str, ...] = ("integration_id", "tenant_id", "external_status", "provider_referans")
NEEDED += ("dispatches", "next_check_at", "claim_token")
MOST_SHARES = 200  # of one statement; SQLite takes 500 terms
CLAIM_AS_IT_WAS = ("next_check_at", "claimed_until", "claimed_at", "claimed_by")
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
    return _claim([(rows.due(), limit)])


def claim_fairly(
    integrations: Iterable[int], allowed: Callable[[int], int], *, last_looks: Iterable[int] = ()
) -> list[ProductOrder]:
    """Claim orders to be asked about: of each integration what is allowed, shared by its tenants.

    ``allowed`` tells for an integration with due orders how many of them may be asked about now.
    Of each tenant the oldest come first; what one leaves of its share the others get in the next
    round. Of an integration in ``last_looks`` only what is past its deadline is claimed.
    """
    rows = ProductOrder.objects.asked().due()
    late = rows.past_deadline()
    return _claim(_shares({pk: late if pk in last_looks else rows for pk in integrations}, allowed))


def waiting_to_be_sent(
    limit: int, *, but: Iterable[int] = (), full: Iterable[int] = ()
) -> list[int]:
    """Return the keys of pending orders that are due, shared by their tenants, oldest first.

    Of the packages in ``full`` only what was sent before, as that may go elsewhere.
    """
    rows = ProductOrder.objects.pending().due().free().exclude(pk__in=but)
    if full:
        rows = rows.exclude(package__in=full, dispatches=0)
    choices = _shares({None: rows}, lambda integration_id: limit)
    if not choices:
        return []
    return [order.pk for order in _oldest(choices)]


def _shares(
    rows: Mapping[int | None, Orders], allowed: Callable[[Any], int]
) -> list[tuple[Orders, int]]:
    """Return the due rows of each integration and tenant, with how many of them come now."""
    oldest = {
        f"due_{pk}": Subquery(
            chosen.free()
            .filter(integration_id=pk, tenant_id=OuterRef("pk"))
            .order_by("next_check_at")
            .values("next_check_at")[:1]
        )
        for pk, chosen in rows.items()
    }
    tenants: list[Any] = []
    if oldest:
        tenants += Tenant.objects.order_by().values("pk", **oldest)
    shares = []
    most = max(1, MOST_SHARES // max(1, len(rows)))
    for pk in rows:
        waiting = [(row[f"due_{pk}"], row["pk"]) for row in tenants if row[f"due_{pk}"]]
        waiting = sorted(waiting)[:most]  # the others come next
        room = allowed(pk) if waiting else 0
        for number, (_since, tenant) in enumerate(waiting):
            share = room // len(waiting) + (number < room % len(waiting))
            if share:
                shares.append((rows[pk].filter(integration_id=pk, tenant_id=tenant), share))
    return shares


def _claim(choices: list[tuple[Orders, int]]) -> list[ProductOrder]:
    """Claim so many free orders of each queryset, in one conditional UPDATE; return them."""
    if not choices:
        return []
    claim = new_claim()
    with transaction.atomic():
        free = [(rows.free(), limit) for rows, limit in choices]
        found = _oldest(free, lock=True)
        chosen = ProductOrder.objects.filter(pk__in=[order.pk for order in found])
        if not found or not chosen.due().free().update(**claim):
            return []
        record_run_out(found, source=LockEvent.Source.SCHEDULE)
    mine = chosen.filter(claim_token=claim["claim_token"]).order_by()
    return sorted(mine.only(*NEEDED), key=lambda order: (order.next_check_at, order.pk))


def give_back(orders: Iterable[ProductOrder]) -> None:
    """End the claims of orders, as they were claimed, that were not asked about after all."""
    for order in orders:
        rows = ProductOrder.objects.filter(pk=order.pk, claim_token=order.claim_token)
        rows.update(**UNCLAIMED)


def _oldest(choices: list[tuple[Orders, int]], *, lock: bool = False) -> list[ProductOrder]:
    """Return so many orders of each queryset, the oldest first, with their claims as they were.

    In SQL of its own, as SQLite takes no limit in a part of a UNION unless that is wrapped. With
    ``lock``, rows that another is just claiming are passed over where the database can do that;
    not within the UPDATE itself, as PostgreSQL may run such a subquery more than once.
    """
    skip = lock and connection.features.has_select_for_update_skip_locked
    parts: list[str] = []
    parameters: list[object] = []
    for rows, limit in choices:
        chosen = rows.order_by("next_check_at", "pk").only(*CLAIM_AS_IT_WAS)[:limit]
        query = chosen.select_for_update(skip_locked=True) if skip else chosen
        sql, values = query.query.sql_with_params()
        parts.append(f"SELECT * FROM ({sql}) AS part_{len(parts)}")  # noqa: S608 - a queryset's own
        parameters += values
    found = ProductOrder.objects.raw(" UNION ALL ".join(parts), parameters)
    return sorted(found, key=lambda order: (order.next_check_at, order.pk))


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
