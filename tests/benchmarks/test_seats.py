"""What a hold costs beside its own statements, and tidying up beside the barest way to do it."""

import uuid

import pytest
from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from backoffice.audit import LockEvent
from reservations import holds
from reservations.models import Seat
from tests.benchmarks.ratios import median_ratio, seconds
from tests.reservations.factories import let_run_out, make_event

pytestmark = pytest.mark.django_db(transaction=True)
HOLDS = 200
MANY, SAVED = 100_000, 2_000
LONG_AGO = "2020-01-01T00:00:00Z"


@pytest.fixture
def person(transactional_db):
    return get_user_model().objects.create_user("holder")


def execute(statement, parameters=()):
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.rowcount


# A hold


def verbs(asked):
    return [" ".join(query["sql"].split()[:1]) for query in asked]


@pytest.mark.parametrize("count, state", [(1, "free"), (5, "free"), (5, "run out")])
def test_a_hold_sends_its_own_statements_and_no_more(person, count, state):
    event = make_event(seats=5)
    pks = [seat.pk for seat in event.seats.all()][:count]
    if state == "run out":
        holds.hold(event, pks, by=person)
        let_run_out()

    with CaptureQueriesContext(connection) as asked:
        holds.hold(event, pks, by=person)

    turn = ["SELECT"] if connection.vendor == "postgresql" else []
    assert verbs(asked) == ["BEGIN", *turn, "SELECT", "UPDATE", "INSERT", "COMMIT"]


class Recorded:
    """The statements of holds, to be sent again without what stands around them."""

    def __init__(self):
        self.statements = []

    def __call__(self, execute, sql, params, many, context):
        self.statements.append((sql, params))
        return execute(sql, params, many, context)

    def send(self):
        """Send them as they were, each hold in a transaction of its own."""
        begin = "BEGIN IMMEDIATE" if connection.vendor == "sqlite" else "BEGIN"
        with connection.cursor() as cursor:
            for number, (sql, params) in enumerate(self.statements):
                if number % self.in_a_hold == 0:
                    cursor.execute(begin)
                cursor.execute(sql, params)
                if cursor.description:
                    cursor.fetchall()
                if number % self.in_a_hold == self.in_a_hold - 1:
                    cursor.execute("COMMIT")

    @property
    def in_a_hold(self):
        return len(self.statements) // HOLDS


@pytest.mark.benchmark
def test_a_hold_beside_its_own_statements(person, settings):
    settings.SEAT_HOLDS_PER_USER = HOLDS
    event = make_event(seats=HOLDS)
    pks, recorded = [seat.pk for seat in event.seats.all()], Recorded()

    def hold_each():
        for pk in pks:
            holds.hold(event, [pk], by=person)

    def free_all():
        event.seats.update(**holds.AVAILABLE)

    with connection.execute_wrapper(recorded):
        hold_each()
    recorded.statements = [
        (sql, params) for sql, params in recorded.statements if not sql.startswith("BEGIN")
    ]
    name = f"{connection.vendor}: a hold's own statements as SQL, to the hold"
    ratio = median_ratio(name, recorded.send, hold_each, before=free_all, rounds=7)
    assert event.seats.live().count() == HOLDS
    if connection.vendor == "postgresql":
        assert ratio >= 0.4


# A hundred thousand holds that ran out


def fill(event, count):
    """Add that many seats, in a statement."""
    [pattern] = Seat.objects.bulk_create([Seat(event=event, seat_number="P", price=0)])
    table = Seat._meta.db_table
    columns = [field.column for field in Seat._meta.concrete_fields if not field.primary_key]
    values = {column: f"pattern.{column}" for column in columns}
    values["seat_number"] = values["natural_number"] = "'S' || n.i"
    execute(
        f"INSERT INTO {table} ({', '.join(columns)}) "
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %s) "
        f"SELECT {', '.join(values.values())} FROM n CROSS JOIN {table} AS pattern "
        f"WHERE pattern.id = {pattern.pk}",
        [count],
    )
    pattern.delete()


def hold_all(seats, person):
    """Have seats held by somebody until long ago."""
    seats.update(
        status="locked",
        locked_until=LONG_AGO,
        locked_by=person,
        locked_by_name="holder",
        held_since=LONG_AGO,
        hold_id=uuid.uuid4(),
    )


def tidy_up_barely():
    """One UPDATE and one bulk insert of the log, as one would write them by hand."""
    seat, log = Seat._meta.db_table, LockEvent._meta.db_table
    with transaction.atomic():
        execute(
            f"INSERT INTO {log} (kind, action, source, target_model, target_id, target_name, "
            "actor_name, holder_id, holder_name, held_since, ended_at, reason) "
            "SELECT 'seat', 'ran_out', 'schedule', 'reservations.Seat', CAST(s.id AS varchar), "
            "s.seat_number || ' · ' || e.name, '', s.locked_by_id, s.locked_by_name, "
            f"s.held_since, s.locked_until, '' FROM {seat} s "
            "JOIN reservations_event e ON e.id = s.event_id "
            "WHERE s.status = 'locked' AND s.locked_until <= CURRENT_TIMESTAMP"
        )
        freed = execute(
            f"UPDATE {seat} SET status = 'available', locked_until = NULL, locked_by_id = NULL, "
            "locked_by_name = '', held_since = NULL, hold_id = NULL "
            "WHERE status = 'locked' AND locked_until <= CURRENT_TIMESTAMP"
        )
    assert freed == MANY


def save_some():
    """Free seats in the usual way, each in a transaction of its own."""
    for seat in Seat.objects.stale():
        for name, value in holds.AVAILABLE.items():
            setattr(seat, name, value)
        seat.save()


@pytest.mark.benchmark
def test_tidying_up_a_hundred_thousand_holds(person):
    event = make_event()
    fill(event, MANY)
    some = event.seats.filter(pk__in=list(event.seats.values_list("pk", flat=True)[:SAVED]))
    ways = {
        "tidied up": (event.seats, holds.release_expired),
        "by hand": (event.seats, tidy_up_barely),
        "saved": (some, save_some),
    }
    taken = {name: [] for name in ways}
    for _round in range(3):
        for name, (seats, way) in ways.items():
            hold_all(seats, person)
            if connection.vendor == "postgresql":
                execute("VACUUM ANALYZE reservations_seat")
            taken[name].append(seconds(way))
    took = {name: min(times) for name, times in taken.items()}  # the least disturbed
    to_save = took["saved"] / SAVED * MANY / took["tidied up"]
    to_barest = took["tidied up"] / took["by hand"]
    print(f"\n{connection.vendor}: {MANY} run-out holds in {took['tidied up']:.2f} s, ", end="")
    print(
        f"{to_save:.0f} times as fast as save(), {to_barest:.2f} times as long as by hand; ", end=""
    )
    print(f"by hand {to_save * to_barest:.0f} times as fast as save()")
    assert to_save >= 50
    assert to_barest <= 3
