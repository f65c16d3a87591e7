"""Comparing a day's purchases at a provider with what it says is left of our money.

Each accepted call tells what it cost and the balance after it. So the balance before it is known as
well, and the purchases of a day make a chain: what one leaves is what the next one finds. They are
linked by these amounts and not by time, as answers that came side by side are written in any order.
Where the chain is broken money moved that no purchase tells of: a gap. It may be a payment of ours,
a refund, or a debit that nobody ordered.

Two movements without a purchase that add up to nothing, with no purchase in between, show no gap;
and of a purchase or two within a minute of the movement nobody can tell on which side they were.
"""

import datetime
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from typing import Any, NamedTuple

from django.db.models import Count, Exists, OuterRef, Q, Sum
from django.db.models.functions import TruncDate
from django.utils import timezone

from orders.models import (
    OPEN,
    OrderAttempt,
    OrderDecision,
    ProductOrder,
    ProviderIntegration,
    Status,
)
from orders.states import DONE, PERHAPS_THERE

State = OrderAttempt.State
BESIDE = 200  # purchases before and after a day that may belong into its chain
TOGETHER = datetime.timedelta(minutes=1)  # answers closer than that may be written in any order
TWICE_WITHIN = datetime.timedelta(minutes=2)
LONGEST_LIFE = datetime.timedelta(days=30)  # of an order, from its taking to its end
MOST_DAYS = 31
ZERO = Decimal(0)


class Purchase(NamedTuple):
    """An accepted call: when it was answered, what it cost, and what was left of our money."""

    at: datetime.datetime
    cost: Decimal
    balance: Decimal
    attempt_id: int = 0
    order_id: int = 0
    referans: str = ""

    @property
    def before(self) -> Decimal:
        return self.balance + self.cost


@dataclass(frozen=True)
class Gap:
    """Money that moved between two purchases without one: more than zero came in."""

    amount: Decimal
    after: Purchase
    before: Purchase
    # Attempts of that time of which nobody knows whether they were bought, and may explain it
    candidates: list[OrderAttempt] = field(default_factory=list)


@dataclass
class Day:
    """A provider's day. ``None`` of a balance: it told none."""

    integration: ProviderIntegration
    date: datetime.date
    purchases: int = 0
    cost: Decimal = ZERO
    opening: Decimal | None = None
    closing: Decimal | None = None
    gaps: list[Gap] = field(default_factory=list)
    without_end: list[OrderAttempt] = field(default_factory=list)
    without_attempt: list[ProductOrder] = field(default_factory=list)
    twins: list[tuple[ProductOrder, ProductOrder]] = field(default_factory=list)

    @property
    def movement(self) -> Decimal | None:
        """How our money there changed over the day."""
        if self.opening is None or self.closing is None:
            return None
        return self.closing - self.opening

    @property
    def difference(self) -> Decimal | None:
        """What moved without a purchase; zero where all is accounted for."""
        return None if self.movement is None else self.movement + self.cost

    @property
    def findings(self) -> int:
        """How many things somebody should look at."""
        ends = len(self.without_end) + len(self.without_attempt)
        return len(self.gaps) + ends + len(self.twins)


def days(
    first: datetime.date, last: datetime.date, integration_id: int | None = None
) -> Iterator[Day]:
    """Yield each provider's day on which something was bought or ended, the newest first.

    Raises ``ValueError`` for more than ``MOST_DAYS``.
    """
    if not 0 <= (last - first).days < MOST_DAYS:
        raise ValueError(f"1 to {MOST_DAYS} days")
    start, end = _bounds(first)[0], _bounds(last)[1]
    # Each by its key, so that an index leads to the days of each.
    asked = ProviderIntegration.objects.order_by().values_list("pk", flat=True)
    keys = [integration_id] if integration_id else list(asked)
    attempts = OrderAttempt.objects.filter(answered_at__gte=start, answered_at__lt=end)
    orders = ProductOrder.objects.filter(completed_at__gte=start, completed_at__lt=end)
    busy: set[tuple[datetime.date, int]] = set()
    for rows, column in ((attempts, "answered_at"), (orders, "completed_at")):
        found = rows.filter(integration__in=keys).order_by().annotate(day=TruncDate(column))
        busy |= set(found.values_list("day", "integration").distinct())
    known = ProviderIntegration.objects.in_bulk({pk for _date, pk in busy})
    for date, pk in sorted(busy, key=lambda pair: (-pair[0].toordinal(), known[pair[1]].code)):
        yield day(known[pk], date)


def day(integration: ProviderIntegration, date: datetime.date) -> Day:
    """Return all that is known of a provider's day, in a bounded number of queries."""
    start, end = _bounds(date)
    found = Day(integration, date)
    bought = _accepted().filter(integration=integration)
    sums = bought.filter(answered_at__gte=start, answered_at__lt=end).aggregate(
        count=Count("pk"), cost=Sum("cost")
    )
    found.purchases, found.cost = sums["count"], sums["cost"] or ZERO
    _follow_money(found, bought.filter(cost__isnull=False, balance__isnull=False), start, end)
    found.without_end = _without_end(bought, start, end)
    found.without_attempt = _without_attempt(integration, start, end)
    found.twins = _twins(integration, start, end)
    return found


def _bounds(date: datetime.date) -> tuple[datetime.datetime, datetime.datetime]:
    """Return when a day of the office's clocks begins, and when the next one does."""
    midnight = datetime.time()
    following = date + datetime.timedelta(days=1)
    return (
        timezone.make_aware(datetime.datetime.combine(date, midnight)),
        timezone.make_aware(datetime.datetime.combine(following, midnight)),
    )


def _accepted() -> Any:
    """Return the attempts that were bought: those a person gave up cost as much."""
    given_up = Q(state=State.GIVEN_UP, cost__isnull=False)
    return OrderAttempt.objects.filter(
        Q(state=State.ACCEPTED) | given_up, answered_at__isnull=False
    )


# Our money


def _follow_money(
    found: Day, bought: Any, start: datetime.datetime, end: datetime.datetime
) -> None:
    """Write balances and gaps into a day."""
    columns = ("answered_at", "cost", "balance", "pk", "order_id", "referans")
    rows = bought.values_list(*columns)
    before = rows.filter(answered_at__lt=start).order_by("-answered_at", "-pk")[:BESIDE]
    after = rows.filter(answered_at__gte=end).order_by("answered_at", "pk")[:BESIDE]
    inside = rows.filter(answered_at__gte=start, answered_at__lt=end)
    chain = in_order([Purchase(*row) for part in (before, inside, after) for row in part])
    within = [number for number, one in enumerate(chain) if start <= one.at < end]
    if not within:
        return
    first, last = within[0], within[-1]
    found.opening = chain[first - 1].balance if first else chain[first].before
    found.closing = chain[last].balance
    unknown = list(
        OrderAttempt.objects.filter(
            integration=found.integration,
            state__in=(State.SENDING, State.UNKNOWN, State.GIVEN_UP),
            cost__isnull=True,
            started_at__gte=start - datetime.timedelta(days=1),
            started_at__lt=end,
        )
        .select_related("order__package")
        .defer("order__pin_code")
        .order_by("started_at")
    )
    for earlier, later in gaps_of(chain):
        if start <= later.at < end:
            amount = later.before - earlier.balance
            maybe = [
                attempt
                for attempt in unknown
                if earlier.at - TOGETHER <= attempt.started_at <= later.at
            ]
            found.gaps.append(Gap(amount, earlier, later, maybe))


def in_order(purchases: Iterable[Purchase]) -> list[Purchase]:
    """Return purchases as the provider made them: linked by the balances that they tell.

    Without those that cost nothing, which fit in anywhere.
    """
    parts = _parts(sorted({one for one in purchases if one.cost}))
    return [one for part in parts for one in part]


def gaps_of(chain: Sequence[Purchase]) -> Iterator[tuple[Purchase, Purchase]]:
    """Yield the neighbours in a chain between which money moved without a purchase."""
    for earlier, later in pairwise(chain):
        if later.before != earlier.balance:
            yield earlier, later


def _parts(purchases: list[Purchase]) -> list[list[Purchase]]:
    """Return the unbroken parts of what was bought, in the order of their time.

    By their middles, as at their ends they may overlap. Where these are no further apart than
    answers are that came together, the higher balance comes first: more goes out than comes in.
    """
    following = _links(purchases)
    linked = set(following.values())
    parts = []
    for one in purchases:
        if one in linked:
            continue
        part = [one]
        while part[-1] in following:
            part.append(following[part[-1]])
        parts.append(part)
    parts.sort(key=_middle)
    for place in range(1, len(parts)):
        while place and _middle(parts[place]) - _middle(parts[place - 1]) <= TOGETHER:
            if parts[place][0].before <= parts[place - 1][0].before:
                break
            parts[place - 1 : place + 1] = parts[place], parts[place - 1]
            place -= 1
    return parts


def _middle(part: list[Purchase]) -> datetime.datetime:
    return part[len(part) // 2].at


def _links(purchases: list[Purchase]) -> dict[Purchase, Purchase]:
    """Return what followed what: of those that left a balance the last is followed by its finder.

    The same balance comes twice where money was paid in.
    """
    left: defaultdict[Decimal, list[Purchase]] = defaultdict(list)
    for one in purchases:
        left[one.balance].append(one)
    following = {}
    for finder in purchases:
        before = [one for one in left[finder.before] if one.at <= finder.at + TOGETHER]
        if before:
            left[finder.before].remove(before[-1])
            following[before[-1]] = finder
    return following


# What has no counterpart


def _without_end(
    bought: Any, start: datetime.datetime, end: datetime.datetime
) -> list[OrderAttempt]:
    """Return what was bought on a day and has not come to its end."""
    late = Q(order__external_status=Status.FAILED, order__review_reason__in=PERHAPS_THERE)
    still_open = Q(state=State.ACCEPTED) & (Q(order__external_status__in=OPEN) | late)
    given_up = Q(state=State.GIVEN_UP, delivered_at__isnull=True, next_look_at__isnull=False)
    rows = bought.filter(still_open | given_up, answered_at__gte=start, answered_at__lt=end)
    rows = rows.select_related("order__package").defer("order__pin_code")
    return list(rows.order_by("answered_at"))


def _without_attempt(
    integration: ProviderIntegration, start: datetime.datetime, end: datetime.datetime
) -> list[ProductOrder]:
    """Return what ended at a provider on a day, though nothing was bought there for it.

    What a person delivered or cancelled by hand is no such end.
    """
    # Not by the provider: SQLite would look through all that was bought there for each order.
    bought = _accepted().filter(order=OuterRef("pk"))
    ended = Q(external_status__in=DONE, completed_at__gte=start, completed_at__lt=end)
    cancelled = Q(external_status=Status.CANCELLED, last_sync_at__gte=start, last_sync_at__lt=end)
    by_hand = OrderDecision.objects.filter(order=OuterRef("pk")).exclude(
        kind=OrderDecision.Kind.SENT_ELSEWHERE
    )
    rows = ProductOrder.objects.filter(ended | cancelled, integration=integration)
    rows = rows.filter(~Exists(bought), ~Exists(by_hand)).select_related("package")
    return list(rows.defer("pin_code").order_by("pk"))


def _twins(
    integration: ProviderIntegration, start: datetime.datetime, end: datetime.datetime
) -> list[tuple[ProductOrder, ProductOrder]]:
    """Return pairs of orders for one player and package that came in shortly after one another.

    One of the two went to this provider; the later one came in on the day.
    """
    rows = ProductOrder.objects.filter(
        created_at__gte=start - TWICE_WITHIN, created_at__lt=end, dispatches__gt=0
    )
    columns = ("package_id", "user_identifier", "created_at", "pk", "integration_id")
    ordered = list(rows.order_by(*columns[:4]).values_list(*columns))
    pairs = [
        (one[3], two[3])
        for one, two in pairwise(ordered)
        if one[:2] == two[:2]
        and two[2] - one[2] <= TWICE_WITHIN
        and two[2] >= start
        and integration.pk in (one[4], two[4])
    ]
    keys = {pk for pair in pairs for pk in pair}
    orders = ProductOrder.objects.select_related("package", "tenant").defer("pin_code")
    known = orders.in_bulk(keys)
    return [(known[one], known[two]) for one, two in pairs]
