"""What each cashier took in and gave back on a day, by payment method."""

import datetime
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count, Sum
from django.utils import timezone

from reservations.models import Payment, Reservation

FREE = Reservation.PaymentMethod.FREE


@dataclass
class Takings:
    """Payments added up: how many, and how much of each kind."""

    sales_count: int = 0
    sales: int = 0
    refunds_count: int = 0
    refunds: int = 0
    differences: int = 0

    @property
    def net(self) -> int:
        return self.sales + self.refunds + self.differences

    def add(self, kind: str, count: int, amount: int) -> None:
        if kind == Payment.Kind.SALE:
            self.sales_count += count
            self.sales += amount
        elif kind == Payment.Kind.REFUND:
            self.refunds_count += count
            self.refunds += amount
        else:
            self.differences += amount

    def __add__(self, other: "Takings") -> "Takings":
        mine, others = vars(self), vars(other)
        return Takings(**{name: mine[name] + others[name] for name in mine})


@dataclass
class Cashier:
    name: str
    by_method: dict[str, Takings] = field(default_factory=dict)

    @property
    def money(self) -> Takings:
        return money(self.by_method)


@dataclass
class Day:
    date: datetime.date
    cashiers: list[Cashier]

    @property
    def by_method(self) -> dict[str, Takings]:
        found: dict[str, Takings] = {}
        for cashier in self.cashiers:
            for method, takings in cashier.by_method.items():
                found[method] = found.get(method, Takings()) + takings
        return dict(in_order(found))

    @property
    def money(self) -> Takings:
        return money(self.by_method)


def money(by_method: dict[str, Takings]) -> Takings:
    """Return the sum of what is money: free tickets are worth something, and bring nothing."""
    return sum((row for method, row in by_method.items() if method != FREE), Takings())


def in_order(by_method: dict[str, Takings]) -> Iterator[tuple[str, Takings]]:
    return (
        (method, by_method[method])
        for method in Reservation.PaymentMethod.values
        if method in by_method
    )


def day(date: datetime.date, *, cashier_id: int | None = None) -> Day:
    """Return the takings of a day in the office's time zone, of all cashiers or of one."""
    start = timezone.make_aware(datetime.datetime.combine(date, datetime.time()))
    following = date + datetime.timedelta(days=1)
    end = timezone.make_aware(datetime.datetime.combine(following, datetime.time()))
    rows = Payment.objects.filter(at__gte=start, at__lt=end).order_by("cashier_name")
    if cashier_id is not None:
        rows = rows.filter(cashier_id=cashier_id)
    sums = rows.values("cashier_id", "cashier_name", "method", "kind")
    return Day(date, _by_cashier(sums.annotate(count=Count("pk"), total=Sum("amount"))))


def _by_cashier(sums: Iterable[Mapping[str, Any]]) -> list[Cashier]:
    """Return a row a cashier: one whose name was changed during the day is still one person."""
    found: dict[object, Cashier] = {}
    for row in sums:
        key = row["cashier_id"] or row["cashier_name"]
        cashier = found.setdefault(key, Cashier(row["cashier_name"]))
        takings = cashier.by_method.setdefault(row["method"], Takings())
        takings.add(row["kind"], row["count"], int(row["total"]))
    for cashier in found.values():
        cashier.by_method = dict(in_order(cashier.by_method))
    return list(found.values())
