"""How full events are, and how they sold: seats by their state at this instant, and money."""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass, fields

from django.db.models import Count, OuterRef, Q, Subquery, Sum
from django.db.models.functions import TruncDate

from reservations.models import Payment, Reservation, Seat, is_free, is_live
from reservations.takings import Takings

RESERVED = Q(status=Seat.Status.RESERVED)


@dataclass
class Occupancy:
    """Seats of an event by what they are, and what they are worth."""

    reserved: int = 0
    held: int = 0
    blocked: int = 0
    free: int = 0
    reserved_worth: int = 0
    free_worth: int = 0

    @property
    def total(self) -> int:
        return self.reserved + self.held + self.blocked + self.free

    @property
    def percent(self) -> int | None:
        """How much of what is for sale is reserved; None where nothing is."""
        for_sale = self.total - self.blocked
        return round(100 * self.reserved / for_sale) if for_sale else None

    def __add__(self, other: "Occupancy") -> "Occupancy":
        names = [field.name for field in fields(self)]
        return Occupancy(*(getattr(self, name) + getattr(other, name) for name in names))


def of_events(keys: Iterable[int]) -> dict[int, Occupancy]:
    """Return the occupancy of each event, by one query; an event without seats has its own."""
    keys = list(keys)
    rows = Seat.objects.filter(event__in=keys).order_by().values("event")
    counted = rows.annotate(
        reserved=Count("pk", filter=RESERVED),
        held=Count("pk", filter=is_live()),
        blocks=Count("pk", filter=Q(blocked=True)),
        free=Count("pk", filter=is_free()),
        reserved_worth=Sum("price", filter=RESERVED, default=0),
        free_worth=Sum("price", filter=is_free(), default=0),
    )
    found = {key: Occupancy() for key in keys}
    for row in counted:
        found[row["event"]] = Occupancy(
            reserved=row["reserved"],
            held=row["held"],
            blocked=row["blocks"],
            free=row["free"],
            reserved_worth=int(row["reserved_worth"]),
            free_worth=int(row["free_worth"]),
        )
    return found


def received() -> Subquery:
    """Return the expression, for a query of events, of the money that came in for each."""
    payments = Payment.objects.filter(reservation__event=OuterRef("pk")).order_by()
    payments = payments.exclude(method=Reservation.PaymentMethod.FREE)
    sums = payments.values("reservation__event").annotate(money=Sum("amount"))
    return Subquery(sums.values("money"))


def sales_by_day(event_id: int) -> dict[datetime.date, Takings]:
    """Return what was taken in and given back for an event on each day that had any of it."""
    payments = Payment.objects.filter(reservation__event=event_id)
    payments = payments.exclude(method=Reservation.PaymentMethod.FREE)
    rows = payments.annotate(day=TruncDate("at")).order_by("day").values("day", "kind")
    found: dict[datetime.date, Takings] = {}
    for row in rows.annotate(count=Count("pk"), money=Sum("amount")):
        found.setdefault(row["day"], Takings()).add(row["kind"], row["count"], int(row["money"]))
    return found
