"""How a provider does: what became of what was sent there, how soon it answered, what is open.

Sendings are counted by when they began, in the database: of a hundred thousand some thousand rows
are read, one for each outcome and answer time of an hour or a day. The success rate is of the
orders that ended there; a refusal is none of these, as its order went on to another provider, and
is told beside it.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Case, Count, F, Q, QuerySet, Sum, Value, When
from django.db.models.functions import Coalesce
from django.utils import timezone

from backoffice.clock import database_now
from orders.models import AT_PROVIDER, OrderAttempt, ProductOrder
from orders.states import DONE, OVERDUE_AFTER, Status
from orders.stopping import waiting

State = OrderAttempt.State
STEP = 10  # milliseconds; answer times are counted by hundredths of a second
REFUSALS = 10
DELIVERED, FAILED, REFUSED = "delivered", "failed", "refused"
UNKNOWN, OPEN = "unknown", "open"


@dataclass(frozen=True)
class Figures:
    """The sendings to a provider that began within a time."""

    begins: datetime
    ends: datetime
    outcomes: Mapping[str, int] = field(default_factory=dict)
    times: Mapping[int, int] = field(default_factory=dict)  # hundredths of a second -> answers

    def count(self, outcome: str) -> int:
        return self.outcomes.get(outcome, 0)

    @property
    def sent(self) -> int:
        return sum(self.outcomes.values())

    @property
    def ended(self) -> int:
        return self.count(DELIVERED) + self.count(FAILED)

    @property
    def success_rate(self) -> float | None:
        """The share of the ended orders that were delivered; None where none has ended."""
        return self.count(DELIVERED) / self.ended if self.ended else None

    def answered_within(self, share: float) -> int | None:
        """Return the milliseconds within which such a share of the answers came; None of none."""
        left = math.ceil(share * sum(self.times.values()))
        for step, count in sorted(self.times.items()):
            left -= count
            if left <= 0:
                return step * STEP
        return None


@dataclass(frozen=True)
class Open:
    """The orders that are with a provider now, or wait for it."""

    states: dict[str, int]
    unknown: int
    due: int
    overdue: int
    waiting: int


def last_hours(now: datetime, count: int = 24) -> list[datetime]:
    """Return the bounds of so many hours, with the one that ``now`` is in as the last."""
    hour = timezone.localtime(now).replace(minute=0, second=0, microsecond=0).astimezone(UTC)
    return [hour + timedelta(hours=number) for number in range(1 - count, 2)]


def last_days(now: datetime, count: int = 30) -> list[datetime]:
    """Return the bounds of so many days as the office's clocks show them, today as the last."""
    today = timezone.localtime(now).replace(tzinfo=None, hour=0, minute=0, second=0, microsecond=0)
    days = [today + timedelta(days=number) for number in range(1 - count, 2)]
    return [timezone.make_aware(day) for day in days]


def figures(integration_id: int, bounds: Sequence[datetime]) -> list[Figures]:
    """Return the figures of a provider between each two bounds, read in one query."""
    rows = _sendings(integration_id, bounds[0], bounds[-1]).annotate(
        place=_place(bounds[1:-1]), outcome=_outcome(), step=F("milliseconds") / STEP
    )
    outcomes: list[Counter[str]] = [Counter() for _bound in bounds[1:]]
    times: list[Counter[int]] = [Counter() for _bound in bounds[1:]]
    counted = rows.values("place", "outcome", "step").annotate(count=Count("pk"))
    for row in counted.iterator():
        outcomes[row["place"]][row["outcome"]] += row["count"]
        if row["step"] is not None:
            times[row["place"]][row["step"]] += row["count"]
    return [Figures(*row) for row in zip(bounds, bounds[1:], outcomes, times, strict=False)]


def together(parts: Sequence[Figures]) -> Figures:
    """Return the figures of some spans in a row as those of one."""
    outcomes: Counter[str] = Counter()
    times: Counter[int] = Counter()
    for part in parts:
        outcomes.update(part.outcomes)
        times.update(part.times)
    return Figures(parts[0].begins, parts[-1].ends, outcomes, times)


def _place(bounds: Sequence[datetime], first: int = 0) -> Case | Value:
    """Return the SQL of the number of the bounds that a sending began after.

    By halving: each of a hundred thousand rows is compared five times, not up to thirty.
    """
    if not bounds:
        return Value(first)
    half = len(bounds) // 2
    before = When(started_at__lt=bounds[half], then=_place(bounds[:half], first))
    return Case(before, default=_place(bounds[half + 1 :], first + half + 1))


def _sendings(integration_id: int, begins: datetime, ends: datetime) -> "QuerySet[Any]":
    return OrderAttempt.objects.filter(
        integration=integration_id, started_at__gte=begins, started_at__lt=ends
    ).order_by()


def _outcome() -> Case:
    """Return the SQL of what became of a sending."""
    return Case(
        When(state=State.REFUSED, then=Value(REFUSED)),
        When(state=State.GIVEN_UP, then=Value(FAILED)),  # by a person, as nothing came of it
        When(order__external_status__in=DONE, then=Value(DELIVERED)),
        When(order__external_status__in=(Status.FAILED, Status.CANCELLED), then=Value(FAILED)),
        When(state=State.UNKNOWN, then=Value(UNKNOWN)),
        default=Value(OPEN),
    )


def open_orders(integration_id: int) -> Open:
    """Return how many orders are with a provider now, by state, and how many wait for it."""
    now = database_now()
    rows = ProductOrder.objects.at_provider().filter(
        integration=integration_id, next_check_at__isnull=False
    )
    counted = (
        rows.order_by()
        .values("external_status")
        .annotate(
            count=Count("pk"),
            unknown=Count("pk", filter=Q(outcome_unknown=True)),
            due=Count("pk", filter=Q(next_check_at__lte=now)),
            overdue=Count("pk", filter=Q(next_check_at__lte=now - OVERDUE_AFTER)),
        )
    )
    found = {row["external_status"]: row for row in counted}
    counts = {state: row["count"] for state, row in found.items()}
    return Open(
        states={str(state): counts.get(state, 0) for state in AT_PROVIDER},
        unknown=sum(row["unknown"] for row in found.values()),
        due=sum(row["due"] for row in found.values()),
        overdue=sum(row["overdue"] for row in found.values()),
        waiting=waiting(integration_id).count(),
    )


def cost_of_today(integration_id: int, now: datetime) -> Decimal:
    """Return what was bought at a provider since midnight, in its money, as its answers said."""
    (midnight, end) = last_days(now, 1)
    rows = _sendings(integration_id, midnight, end).exclude(state=State.REFUSED)
    total: Decimal = rows.aggregate(total=Coalesce(Sum("cost"), Decimal(0)))["total"]
    return total


def last_refusals(integration_id: int, bounds: Sequence[datetime]) -> "QuerySet[OrderAttempt]":
    """Return the last sendings that a provider refused within a time, the newest first."""
    rows = _sendings(integration_id, bounds[0], bounds[-1]).filter(state=State.REFUSED)
    rows = rows.select_related("order__package").defer("order__pin_code")
    return rows.order_by("-started_at", "-pk")[:REFUSALS]
