"""What the live map of an event shows: its plan, and the sparse state of its seats.

The page has the plan from the start and asks for the state every few seconds: the seats that are
not free, as the database's clock says. A state has a mark, which the database makes of all that
the state tells in the statement that reads it: a hold that only runs out leaves the mark too, and
what a page has under a mark is what it would be sent again.
"""

import hashlib
from functools import cache
from typing import NamedTuple

from django.db import connection, models
from django.db.models import Aggregate, Case, Count, F, Func, Sum, Value, When
from django.db.models.functions import Cast, Coalesce, JSONArray, Length, Replace
from django.http import JsonResponse

from backoffice import clock, json_api
from backoffice.audit import LockEvent
from reservations import holds
from reservations.models import Event, Seat, State, is_free

ORDER = ("row_position", "section", "row", "position", "natural_number")
PLAN = (
    "pk",
    "seat_number",
    "section",
    "row",
    "row_position",
    "position",
    "price",
    "accessible",
)
EVENT, ASKER = -1, -2  # in a statement that was made ahead: the keys that come with each request


class Layout(NamedTuple):
    """Sums that change when seats were added, removed or moved on the plan, or cost another."""

    seats: int
    rows: int
    places: int
    prices: int

    def __str__(self):
        return ".".join(map(str, self))


NO_SEATS = Layout(0, 0, 0, 0)


class MapState(NamedTuple):
    layout: Layout
    etag: str
    now: int  # milliseconds since 1970
    seats: str  # a list in JSON: key, state, until, holder, note, hold

    def as_json(self):
        return f'{{"now": {self.now}, "layout": "{self.layout}", "seats": {self.seats}}}'


class Milliseconds(Func):
    """An instant as milliseconds since 1970, as scripts count time."""

    output_field = models.BigIntegerField()

    def as_sqlite(self, compiler, connection, **context):
        template = "CAST(ROUND((JULIANDAY(%(expressions)s) - 2440587.5) * 86400000) AS INTEGER)"
        return self.as_sql(compiler, connection, template=template, **context)

    def as_postgresql(self, compiler, connection, **context):
        template = "CAST(EXTRACT(EPOCH FROM %(expressions)s) * 1000 AS bigint)"
        return self.as_sql(compiler, connection, template=template, **context)


class Spaced(Func):
    """Values as one text, a space between; nothing where one of them is nothing."""

    template = "(%(expressions)s)"
    arg_joiner = " || ' ' || "
    output_field = models.TextField()


class Joined(Aggregate):
    """Texts one after the other, a comma between."""

    output_field = models.TextField()

    def __init__(self, text, **extra):
        super().__init__(text, Value(","), **extra)

    def as_sqlite(self, compiler, connection, **context):
        return self.as_sql(compiler, connection, function="GROUP_CONCAT", **context)

    def as_postgresql(self, compiler, connection, **context):
        return self.as_sql(compiler, connection, function="STRING_AGG", **context)


def etag_of(event_id, asker):
    """Return the ETag of what ``state_of`` would return, None where the event has no seats."""
    row = _row(_mark(), event_id, asker)
    return row and _etag(asker, *row)


def state_of(event_id, asker):
    """Return the ``MapState`` of an event for a person, None where it is gone."""
    row = _row(_state(), event_id, asker)
    if row:
        *marked, now, seats = row
        return MapState(Layout(*marked[:-1]), _etag(asker, *marked), now, f"[{seats or ''}]")
    now = Milliseconds(clock.database_now())
    for (instant,) in Event.objects.filter(pk=event_id).values_list(now):
        return MapState(NO_SEATS, _etag(asker, *NO_SEATS, ""), instant, "[]")


def _etag(asker, *marked):
    *layout, mark = marked
    # Two plans of the database may tell the same seats in two orders.
    seats = ",".join(sorted((mark or "").split(",")))
    told = f"{asker.pk} {Layout(*layout)} {seats}".encode()
    return f'"{hashlib.blake2b(told, digest_size=16).hexdigest()}"'


def _row(statement, event_id, asker):
    sql, params = statement
    keys = {EVENT: event_id, ASKER: asker.pk}
    with connection.cursor() as cursor:
        cursor.execute(sql, [keys.get(param, param) for param in params])
        return cursor.fetchone()


# The ORM takes longer to make these statements than the database to answer them.


@cache
def _mark():
    return _marked().query.sql_with_params()


@cache
def _state():
    # The databases write a UUID in two ways; as it is asked for here, it has no hyphens.
    hold = Replace(Cast("hold_id", models.TextField()), Value("-"))
    seat = JSONArray(
        F("pk"),
        Case(When(blocked=True, then=Value(State.BLOCKED)), default=F("status")),
        Milliseconds("locked_until"),
        F("locked_by_name"),
        Coalesce("reservation__reference", "block_reason", output_field=models.TextField()),
        Case(When(locked_by=ASKER, then=hold), default=Value(""), output_field=models.TextField()),
    )
    now = Milliseconds(clock.database_now())
    text = Cast(seat, models.TextField())
    rows = _marked().annotate(now=now, told=Joined(text, filter=~is_free()))
    return rows.query.sql_with_params()


def _marked():
    # The reason after its length: no reason can look like the seats that follow.
    mark = Coalesce(
        Spaced("pk", "hold_id", "locked_until"),
        Spaced("pk", Value("reserved"), "reservation_id"),
        Spaced("pk", Value("blocked"), Length("block_reason"), "block_reason"),
    )
    return (
        Seat.objects.filter(event=EVENT)
        .order_by()
        .values("event")
        .annotate(
            seats=Count("pk"),
            rows=Sum(F("pk") * F("row_position")),
            places=Sum(F("pk") * F("position")),
            prices=Sum("price"),
            mark=Joined(mark, filter=~is_free()),
        )
        .values_list("seats", "rows", "places", "prices", "mark")
    )


def plan(event_id, asker):
    """Return what stays on the map: where the seats of an event are, in their natural order."""
    layout = state_of(event_id, asker).layout  # first: what changes after this the page is told
    rows = Seat.objects.filter(event=event_id).order_by(*ORDER).values_list(*PLAN)
    seats = [[*seat, int(accessible)] for *seat, accessible in rows]
    return {"seats": seats, "layout": str(layout)}


@json_api.endpoint("reservations.release_expired_seat", calls_a_minute=30)
def release_expired_locks(request):
    """Free seats whose hold ran out; answer how many."""
    count = len(holds.release_expired(by=request.user, source=LockEvent.Source.API))
    message = f"Released {count} expired locks"
    return JsonResponse({"success": True, "count": count, "message": message})
