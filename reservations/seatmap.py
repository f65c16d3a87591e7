"""What the live map of an event shows: its plan, and the sparse state of its seats.

The page has the plan from the start and asks for the state every few seconds: the seats that are
not free, as the database's clock says. Its ETag is made of a mark of all that it tells, which the
database makes in the statement that reads it: a hold that only runs out leaves the mark too, and
what a page has under an ETag is what it would be sent again.
"""

import hashlib
from functools import cache
from typing import NamedTuple

from django.core.exceptions import PermissionDenied
from django.db import connection, models
from django.db.models import Case, Exists, F, Func, Value, When
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


class MapState(NamedTuple):
    layout: str
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


class Glued(Func):
    """Values as one text; nothing where one of them is nothing."""

    template = "(%(expressions)s)"
    arg_joiner = " || "
    output_field = models.TextField()


# Of the rows together, and yet no ``Aggregate``: Django would group them, which takes its time.


class Joined(Func):
    """Texts of all rows, a comma between; those that are nothing left out."""

    output_field = models.TextField()

    def as_sqlite(self, compiler, connection, **context):
        template = "GROUP_CONCAT(%(expressions)s)"
        return self.as_sql(compiler, connection, template=template, **context)

    def as_postgresql(self, compiler, connection, **context):
        template = "STRING_AGG(CAST(%(expressions)s AS text), ',')"
        return self.as_sql(compiler, connection, template=template, **context)


class Marked(Joined):
    """What differs where one of the texts does, whatever the order in which rows are read."""

    def as_postgresql(self, compiler, connection, **context):
        template = "SUM(HASHTEXTEXTENDED(%(expressions)s, 0))"
        return self.as_sql(compiler, connection, template=template, **context)


def etag_of(event_id, asker):
    """Return the ETag of what ``state_of`` would return; some other where the event is gone."""
    return _etag(asker, *_row(_mark(), event_id, asker))


def state_of(event_id, asker):
    """Return the ``MapState`` of an event for a person, None where it is gone.

    As ``etag_of`` it raises ``PermissionDenied`` for who may not look.
    """
    layout, mark, now, seats = _row(_state(), event_id, asker)
    if layout is None and not Event.objects.filter(pk=event_id).exists():
        return None
    return MapState(str(layout or ""), _etag(asker, layout, mark), now, f"[{seats or ''}]")


def _etag(asker, layout, mark):
    told = f"{asker.pk} {layout} {mark}".encode()
    return f'"{hashlib.blake2b(told, digest_size=16).hexdigest()}"'


def _row(statement, event_id, asker):
    sql, params = statement
    # No event has the last key; beyond it the database would fail.
    keys = {EVENT: min(event_id, models.BigIntegerField.MAX_BIGINT), ASKER: asker.pk}
    with connection.cursor() as cursor:
        cursor.execute(sql, [keys.get(param, param) for param in params])
        may, *told = cursor.fetchone()
    if not (may or asker.is_superuser):
        raise PermissionDenied
    return told


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
    text = Case(When(is_free(), then=None), default=Cast(seat, models.TextField()))
    return _marked().annotate(now=now, told=Joined(text)).query.sql_with_params()


def _marked():
    """Return the rows of an event as one: who asks may look, a sum over the plan, and a mark.

    The sum is another where seats were added, removed or moved, or cost another price. The right
    comes with them because the guard's own query would take half as long as all of this.
    """
    layout = F("pk") * (F("row_position") * 1000 + F("position") + 1) + F("price")
    key = Cast("pk", models.TextField())
    mark = Case(
        When(is_free(), then=None),
        When(status=Seat.Status.LOCKED, then=Glued(key, "hold_id", "locked_until")),
        When(status=Seat.Status.RESERVED, then=Glued(key, Value("r"), "reservation_id")),
        # The reason after its length: no reason can look like the seats that follow.
        default=Glued(key, Value("b"), Length("block_reason"), Value(" "), "block_reason"),
    )
    rows = Seat.objects.filter(event=EVENT).order_by()
    return rows.annotate(
        may=Exists(json_api.given(ASKER, "reservations.view_seat")),
        layout=Func(layout, function="SUM", output_field=models.BigIntegerField()),
        mark=Marked(mark),
    ).values_list("may", "layout", "mark")


def plan(event_id, asker):
    """Return what stays on the map: where the seats of an event are, in their natural order."""
    layout = state_of(event_id, asker).layout  # first: what changes after this the page is told
    rows = Seat.objects.filter(event=event_id).order_by(*ORDER).values_list(*PLAN)
    seats = [[*seat, int(accessible)] for *seat, accessible in rows]
    return {"seats": seats, "layout": layout}


@json_api.endpoint("reservations.release_expired_seat", calls_a_minute=30)
def release_expired_locks(request):
    """Free seats whose hold ran out; answer how many."""
    count = len(holds.release_expired(by=request.user, source=LockEvent.Source.API))
    message = f"Released {count} expired locks"
    return JsonResponse({"success": True, "count": count, "message": message})
