"""Held orders: what a person has to know of each to decide about it, a page at a time.

An order is held by its reason for review, or by an incident that nobody closed. Nothing is decided
here (``orders/settling.py``), and nothing of what is read is a PIN.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Case, Count, Exists, Max, OuterRef, Q, QuerySet, Subquery, When
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from backoffice.clock import database_now
from orders import limits, lookup, settling
from orders.claims import Orders
from orders.limits import Limit
from orders.models import (
    OrderAttempt,
    OrderDecision,
    OrderEvent,
    OrderIncident,
    PackageRouting,
    ProductOrder,
    ProviderCost,
    ReviewReason,
)
from orders.states import DONE

INCIDENT = "incident"  # a narrowing beside those by the reason for review
State = OrderAttempt.State

NOT_THERE = _("It is not at the provider: nothing was bought.")
PERHAPS = _("It may have been bought: sending it again may mean paying twice.")
BOUGHT = _(
    "It was bought and has not been delivered: sending it again means paying twice, unless the "
    "provider gives the money back."
)
DELIVERED = _("It was bought and delivered: it is not sent again.")


@dataclass(frozen=True)
class Way:
    """A provider that delivers an order's package, and what speaks against it."""

    integration_id: int
    name: str
    cost: Decimal | None  # as last heard, in the money of prices
    costs_too_much: bool
    is_low: bool  # our money there
    is_left_alone: bool
    has_refused: bool


@dataclass(frozen=True)
class Call:
    """What a provider was asked last, and what came back; both masked."""

    at: datetime
    request: str
    answer: str


@dataclass(frozen=True)
class Pin:
    """That there is a PIN: of it no more than lists may show."""

    last_four: str
    provider: str  # of the attempt that keeps it beside its order; '' for the order's own


@dataclass(frozen=True)
class HeldOrder:
    """All that a decision about an order takes, as it was read."""

    order: Any  # as ``settling.with_version`` reads it
    seen: str
    choices: set[str]
    since: datetime
    risk: Any  # of sending it again, in words; '' where that is not at stake
    provider: str
    attempts: int
    call: Call | None
    incidents: list[OrderIncident]
    decisions: list[OrderDecision]
    ways: list[Way]
    pins: list[Pin]

    @property
    def left_to_refund(self) -> Decimal:
        """How much of the price was not given back yet, as far as that was registered."""
        amounts = (decision.amount for decision in self.decisions if decision.amount is not None)
        left: Decimal = self.order.price - sum(amounts, Decimal(0))
        return max(left, Decimal(0))


def find(*, tenant: int | None = None, integration: int | None = None, words: str = "") -> Orders:
    """Return the held orders of a tenant and an integration that a search for ``words`` means."""
    rows: Orders = ProductOrder.objects.needing_a_person()
    if tenant:
        rows = rows.filter(tenant=tenant)
    if integration:
        tried = OrderAttempt.objects.filter(order=OuterRef("pk"), integration=integration)
        ways = PackageRouting.objects.filter(package=OuterRef("package"), integration=integration)
        never_sent = Q(dispatches=0) & Exists(ways)
        rows = rows.filter(Exists(tried) | never_sent)
    return lookup.find(rows, words)


def of_reason(rows: Orders, reason: str) -> Orders:
    """Return those of the orders that are held for a reason, or by an incident; '' for all."""
    if reason == INCIDENT:
        return rows.filter(Exists(_unclosed()))
    return rows.filter(review_reason=reason) if reason else rows


def counts(rows: Orders) -> dict[str, int]:
    """Return how many of the orders are held for each reason there is, by incidents, and in all."""
    counted = rows.order_by().values("review_reason")
    found = list(counted.annotate(orders=Count("pk"), unclosed=Count("pk", Exists(_unclosed()))))
    reasons = {row["review_reason"]: row["orders"] for row in found if row["review_reason"]}
    unclosed = sum(row["unclosed"] for row in found)
    incidents = {INCIDENT: unclosed} if unclosed else {}
    return {"": sum(row["orders"] for row in found)} | reasons | incidents


def _unclosed() -> "QuerySet[OrderIncident]":
    return OrderIncident.objects.filter(order=OuterRef("pk"), closed_at__isnull=True)


def in_review_since() -> Coalesce:
    """Return the SQL expression of when an order came to need a person, as its journal tells."""
    lines = OrderEvent.objects.filter(order=OuterRef("pk")).order_by("-pk")
    reason = OuterRef("review_reason")
    named = lines.filter(Q(text=reason) | Q(what=reason))
    failed = lines.filter(what=OrderEvent.What.GIVEN_UP)
    return Coalesce(*(Subquery(rows.values("at")[:1]) for rows in (named, failed, lines)))


def read(order_ids: Iterable[int]) -> list[HeldOrder]:
    """Return what there is to know of some orders, the oldest first, in eight queries at most."""
    rows = ProductOrder.objects.filter(pk__in=list(order_ids)).order_by("pk")
    known = settling.with_version(
        rows.select_related("tenant", "package__product").annotate(
            read_at=database_now(), in_review_since=in_review_since()
        )
    )
    orders: list[Any] = list(known)
    keys = [order.pk for order in orders]
    attempts = _of_orders(_attempts(), keys)
    incidents = _of_orders(OrderIncident.objects.filter(closed_at__isnull=True), keys)
    decisions = _of_orders(OrderDecision.objects.select_related("integration"), keys)
    lines, ways = _last_calls(keys), _ways(orders)
    return [
        _held(
            order,
            attempts[order.pk],
            incidents[order.pk],
            decisions[order.pk],
            lines.get(order.pk),
            ways[order.package_id],
        )
        for order in orders
    ]


def _of_orders(rows: "QuerySet[Any]", keys: list[int]) -> defaultdict[int, list[Any]]:
    found: defaultdict[int, list[Any]] = defaultdict(list)
    for row in rows.filter(order__in=keys).order_by("pk"):
        found[row.order_id].append(row)
    return found


def _attempts() -> "QuerySet[Any]":
    has_pin = Case(When(pin_code="", then=False), default=True)
    return OrderAttempt.objects.select_related("integration").annotate(has_pin=has_pin)


def _last_calls(keys: list[int]) -> dict[int, OrderEvent]:
    """Return of each order the last line of its journal that tells of a call."""
    called = OrderEvent.objects.filter(order__in=keys).exclude(request="").order_by()
    newest = called.values("order").annotate(newest=Max("pk")).values("newest")
    return {line.order_id: line for line in OrderEvent.objects.filter(pk__in=newest)}


def _ways(orders: list[Any]) -> defaultdict[int, list[PackageRouting]]:
    """Return the ways of the orders' packages, each with the last known cost as ``cost``."""
    packages = {order.package_id for order in orders}
    cost = ProviderCost.objects.filter(
        package=OuterRef("package"), integration=OuterRef("integration")
    )
    rows = PackageRouting.objects.filter(
        package__in=packages, is_active=True, integration__is_active=True
    )
    rows = rows.select_related("integration__state").annotate(
        cost=Subquery(cost.values("cost")[:1])
    )
    ways: defaultdict[int, list[PackageRouting]] = defaultdict(list)
    for routing in rows.order_by("priority"):
        ways[routing.package_id].append(routing)
    return ways


def _held(
    order: Any,
    attempts: list[Any],
    incidents: list[OrderIncident],
    decisions: list[OrderDecision],
    line: OrderEvent | None,
    routings: list[PackageRouting],
) -> HeldOrder:
    opened = min((incident.opened_at for incident in incidents), default=order.in_review_since)
    last = attempts[-1] if attempts else None
    return HeldOrder(
        order=order,
        seen=settling.version(order),
        choices=settling.choices(order),
        since=order.in_review_since if order.review_reason else opened,
        risk=_risk(order, attempts),
        provider=last.integration.name if last else "",
        attempts=len(attempts),
        call=_call(last, line),
        incidents=incidents,
        decisions=decisions,
        ways=[_way(order, routing, attempts) for routing in routings],
        pins=_pins(order, attempts),
    )


def _risk(order: Any, attempts: list[Any]) -> Any:
    """Return what sending an order again would risk."""
    late = order.review_reason == ReviewReason.LATE_SUCCESS or order.kept_attempts
    if late or order.external_status in DONE:
        return DELIVERED
    if settling.SEND_ELSEWHERE not in settling.choices(order):
        return ""
    states = {attempt.state for attempt in attempts}
    if State.ACCEPTED in states:
        return BOUGHT
    return PERHAPS if states & {State.SENDING, State.UNKNOWN, State.GIVEN_UP} else NOT_THERE


def _call(attempt: OrderAttempt | None, line: OrderEvent | None) -> Call | None:
    """Return the later of an order's last sending and the last call that its journal tells of."""
    if attempt and (line is None or attempt.started_at > line.last_at):
        return Call(attempt.started_at, attempt.request, attempt.answer or attempt.reason)
    return Call(line.last_at, line.request, line.text) if line else None


def _way(order: Any, routing: Any, attempts: list[Any]) -> Way:
    integration, state = routing.integration, getattr(routing.integration, "state", None)
    limit = Limit(integration, state, order.read_at) if state else None
    cost = None if routing.cost is None else limits.in_our_money(routing.cost, integration)
    return Way(
        integration_id=integration.pk,
        name=integration.name,
        cost=cost,
        costs_too_much=cost is not None and cost > order.price,
        is_low=limit is not None and limit.is_low,
        is_left_alone=limit is not None and limit.is_open,
        has_refused=any(
            attempt.integration_id == integration.pk and attempt.state == State.REFUSED
            for attempt in attempts
        ),
    )


def _pins(order: Any, attempts: list[Any]) -> list[Pin]:
    own = [Pin(order.pin_last_four, "")] if order.has_pin else []
    return own + [
        Pin(attempt.pin_last_four, attempt.integration.name)
        for attempt in attempts
        if attempt.has_pin
    ]
