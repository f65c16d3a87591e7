"""Which provider an order goes to: the best of its package that may have it now.

What may stand against it, for now or for good, is told with it; nothing here writes but the count
of an integration's calls.
"""

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import F, Q

from orders import limits
from orders.encryption import Undecryptable
from orders.models import PackageRouting, ProductOrder, ReviewReason
from orders.providers import Misconfigured, ProviderBinding, get_provider_binding

logger = logging.getLogger(__name__)


class NoRoom(Exception):
    """The best provider of an order takes no more calls just now. The order stays as it is."""

    def __init__(self, order: ProductOrder) -> None:
        super().__init__(f"no room for order {order.pk}")
        self.order = order


@dataclass(frozen=True)
class Prepared:
    """The routing that an order may go now, with what its call needs."""

    routing: PackageRouting
    binding: ProviderBinding
    creds: dict[str, Any] = field(repr=False)
    payload: dict[str, Any]
    request: str


@dataclass(frozen=True)
class Choice:
    """The way that an order may go now, or else what stands against it."""

    prepared: Prepared | None = None
    left_alone: tuple[int, ...] = ()  # the integrations that it waits for
    open_until: datetime | None = None  # one of them fails, and is left alone until then
    reason: str = ""  # why it takes a person
    hopeless: bool = False  # every provider has refused it


def choose(order: ProductOrder, room: Callable[[int], int]) -> Choice:
    """Return the way for an order, whose ``now`` is the database's; its call is counted by then.

    Raises ``NoRoom``: it is no reason to pay another provider more. ``room`` tells how many more
    calls an integration may get.
    """
    routings, hopeless = routings_left(order)
    known = limits.read([routing.integration_id for routing in routings])
    reasons, left_alone = [], []
    for routing in routings:
        limit = known[routing.integration_id]
        if limit.is_open:
            left_alone.append(limit)
            continue
        reason = _money(order, routing, limit)
        prepared = None if reason else _describe(order, routing)
        if prepared is None:
            reasons.append(reason or ReviewReason.MISCONFIGURED)
        elif room(routing.integration_id) and limits.take(limit, 1, urgent=True):
            return Choice(prepared)
        else:
            raise NoRoom(order)
    if left_alone:
        return _wait(left_alone)
    if not reasons and hopeless:
        return Choice(hopeless=True)
    return Choice(reason=reasons[0] if reasons else ReviewReason.NO_ROUTE)


def _wait(left_alone: list[limits.Limit]) -> Choice:
    """Return for which of them an order waits; a person's stop has no end that is known."""
    ends = [limit.state.open_until for limit in left_alone if not limit.is_stopped]
    keys = tuple(limit.integration.pk for limit in left_alone)
    return Choice(left_alone=keys, open_until=min(filter(None, ends), default=None))


def _money(order: ProductOrder, routing: PackageRouting, limit: limits.Limit) -> str:
    """Return why an order may not be sent there for money's sake, '' where it may."""
    if limit.is_low:
        return ReviewReason.LOW_BALANCE
    if routing.integration_id == order.chosen_id:
        return ""  # the person who chose it was shown what it costs
    if limits.costs_too_much(order.package, routing.integration, order.price):
        return ReviewReason.COST_ABOVE_PRICE
    return ""


def _describe(order: Any, routing: PackageRouting) -> Prepared | None:
    """Return what the call by a routing needs, None where it can't be used as it is set."""
    # Seconds of the database's clock before our own numbers: a database that was restored
    # from a backup gives these numbers again, and the provider knows them already.
    referans = f"{int(order.now.timestamp())}{order.pk}{order.dispatches + 1:03d}"
    payload = {
        "referans": referans,
        "userIdentifier": order.user_identifier,
        "extraField": order.extra_field,
        "fieldMapping": routing.field_mapping,
    }
    try:
        binding = get_provider_binding(routing.integration.provider, routing.integration)
        creds = binding.to_credentials()
        request = binding.adapter.describe_order(creds, routing.provider_package_id, payload)
    except (Misconfigured, Undecryptable) as problem:
        logger.error("Integration %s can't be used: %s", routing.integration.code, problem)
        return None
    return Prepared(routing, binding, creds, payload, request)


def routings_left(order: ProductOrder) -> tuple[list[PackageRouting], int]:
    """Return (routings that may still be used, the best first; how many refused for good).

    The untried come first, by priority; then those that were not reached, the least tried first.
    Where a person chose one it is the only one, and what was before that does not count.
    """
    since = Q(order__resent_at__isnull=True) | Q(started_at__gte=F("order__resent_at"))
    attempts = list(order.attempts.filter(since).values_list("integration_id", "may_retry"))
    refused = {integration for integration, may_retry in attempts if not may_retry}
    tried = Counter(integration for integration, _may_retry in attempts)
    routings = order.package.routings.filter(is_active=True, integration__is_active=True)
    if order.chosen_id:
        routings = routings.filter(integration=order.chosen_id)
    left = [
        routing
        for routing in routings.select_related("integration").defer("integration__credentials")
        if routing.integration_id not in refused
    ]
    left.sort(key=lambda routing: (tried[routing.integration_id], routing.priority))
    return left, len(refused)
