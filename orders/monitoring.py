"""How the orders are just now: open by state, due and overdue, completed last.

Told on the first page of the app, as JSON and as metrics for a monitoring system. Nothing of it
names a customer or holds a PIN.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from django.db.models import Count, Max, Min, Q
from django.http import HttpRequest, HttpResponse, JsonResponse

from backoffice.clock import database_now
from backoffice.metrics import Metric, Samples, for_monitoring, register
from orders.api import instant
from orders.limits import Limit, read
from orders.models import OPEN, OrderIncident, ProductOrder
from orders.states import OVERDUE_AFTER

NEWEST = 10


@dataclass(frozen=True)
class Overview:
    """The orders by the database's clock, with those that were completed last, the newest first."""

    open: dict[str, int]  # state -> how many
    unknown: int
    due: int
    overdue: int
    oldest_due_age: timedelta | None
    for_review: dict[str, int]  # reason -> how many; "incident" where there is but one of these
    completed: list[ProductOrder] = field(default_factory=list)


def overview() -> Overview:
    """Return how the orders are now, read in three queries over what is open or new."""
    now = database_now()
    is_due = Q(next_check_at__lte=now)
    rows = ProductOrder.objects.open().filter(next_check_at__isnull=False)
    counted = (
        rows.order_by()
        .values("external_status")
        .annotate(
            read_at=Max(now),
            count=Count("pk"),
            unknown=Count("pk", filter=Q(outcome_unknown=True)),
            due=Count("pk", filter=is_due),
            overdue=Count("pk", filter=Q(next_check_at__lte=now - OVERDUE_AFTER)),
            oldest=Min("next_check_at", filter=is_due),
        )
    )
    found = {row["external_status"]: row for row in counted}
    review = ProductOrder.objects.needing_a_person().order_by().values("review_reason")
    newest = ProductOrder.objects.filter(completed_at__isnull=False).order_by("-completed_at")
    newest = newest.select_related("package").defer("pin_code")[:NEWEST]
    ages = [row["read_at"] - row["oldest"] for row in found.values() if row["oldest"]]
    return Overview(
        open={state: found[state]["count"] if state in found else 0 for state in OPEN},
        unknown=sum(row["unknown"] for row in found.values()),
        due=sum(row["due"] for row in found.values()),
        overdue=sum(row["overdue"] for row in found.values()),
        oldest_due_age=max(ages, default=None),
        for_review={
            row["review_reason"] or "incident": row["count"]
            for row in review.annotate(count=Count("pk"))
        },
        completed=list(newest),
    )


@for_monitoring
def orders_now(request: HttpRequest) -> HttpResponse:
    """Answer with the overview as JSON: ages in seconds, times in UTC."""
    seen = overview()
    age = seen.oldest_due_age
    return JsonResponse(
        {
            "open": seen.open,
            "unknown": seen.unknown,
            "due": seen.due,
            "overdue": seen.overdue,
            "oldestDueSeconds": round(age.total_seconds(), 3) if age is not None else None,
            "forReview": seen.for_review,
            "lastCompleted": [
                {
                    "id": str(order.public_id),
                    "packageId": order.package.code,
                    "createdAt": instant(order.created_at),
                    "completedAt": instant(order.completed_at),
                    "seconds": round(taken(order).total_seconds(), 3),
                }
                for order in seen.completed
            ],
        }
    )


def taken(order: ProductOrder) -> timedelta:
    """Return how long a completed order took from its taking."""
    assert order.completed_at, "not completed"
    return order.completed_at - order.created_at


def of_orders() -> list[Metric]:
    """Return the metrics of the orders and of the integrations."""
    seen, limits = overview(), read().values()
    age = seen.oldest_due_age.total_seconds() if seen.oldest_due_age is not None else 0.0
    incidents = OrderIncident.objects.filter(closed_at__isnull=True).order_by().values("kind")
    opened = dict(incidents.annotate(count=Count("pk")).values_list("kind", "count"))
    return [
        _by("orders_open", "Orders that have not ended, by state.", "state", seen.open),
        _one(
            "orders_unknown",
            "Sent orders of which nobody knows whether they arrived.",
            seen.unknown,
        ),
        _one("orders_due", "Open orders whose next look is due.", seen.due),
        _one(
            "orders_overdue", "Open orders that two rounds of the batch have missed.", seen.overdue
        ),
        _one("orders_oldest_due_seconds", "For how long the oldest of them has been due.", age),
        _by(
            "orders_for_review", "Orders that need a person, by reason.", "reason", seen.for_review
        ),
        _by("order_incidents_open", "Incidents that nobody has closed, by kind.", "kind", opened),
        Metric(
            "provider_left_alone",
            "Whether a provider is not called: it fails, or staff stopped the calls.",
            _all(limits, _is_open),
        ),
        Metric("provider_balance", "Our money at a provider, in its own.", _all(limits, _balance)),
        Metric("provider_balance_low", "Whether that is below its mark.", _all(limits, _is_low)),
    ]


def _one(name: str, told: str, number: float) -> Metric:
    return Metric(name, told, [({}, float(number))])


def _by(name: str, told: str, label: str, counts: Mapping[str, int]) -> Metric:
    return Metric(name, told, [({label: value}, float(count)) for value, count in counts.items()])


def _all(limits: Iterable[Limit], read: Callable[[Limit], float | None]) -> Samples:
    found = ((limit.integration.code, read(limit)) for limit in limits)
    return [({"integration": name}, number) for name, number in found if number is not None]


def _is_open(limit: Limit) -> float:
    return float(limit.is_open)


def _is_low(limit: Limit) -> float:
    return float(limit.is_low)


def _balance(limit: Limit) -> float | None:
    return None if limit.state.balance is None else float(limit.state.balance)


register(of_orders)
