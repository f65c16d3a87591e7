"""What clearing edit locks costs among a million documents: it follows the locks."""

import time

import pytest
from django.apps import apps
from django.db import connection, transaction

from backoffice import audit, locks
from backoffice.clock import database_now
from backoffice.editable import UNLOCKED, beat_timeout
from inventory.models import WarehouseDocument
from tests.benchmarks import million
from tests.benchmarks.million import STALE, TABLE, execute
from tests.benchmarks.ratios import seconds

pytestmark = [pytest.mark.benchmark, pytest.mark.django_db(transaction=True)]
FEW, MANY = 10_000, 1_000_000


def clear():
    """Do what the scheduled task does."""
    tables = locks.lockable_tables(apps.get_models())
    assert sum(locks.clear_stale(table) for table in tables) == STALE


def silent(rows):
    return rows.filter(
        editing_by__isnull=False, editing_last_seen_at__lte=database_now() - beat_timeout()
    )


def bare():
    """Send the one UPDATE that ends the locks, and log them."""
    with transaction.atomic():
        assert silent(WarehouseDocument.objects).update(**UNLOCKED) == STALE
        target = (WarehouseDocument, 1, "x")
        audit.record(
            *(audit.event("edit", "ran_out", target, source="schedule") for _row in range(STALE))
        )


def count_then_update():
    """Do it the usual way, model by model, and leave no log."""
    for model in locks.lockable_models(apps.get_models()):
        rows = silent(model._default_manager)
        if rows.count():
            rows.update(**UNLOCKED)


def in_database(work):
    """Return how many seconds the database works at something, without the log.

    The usual way leaves none, and to write it costs the same whatever it tells of.
    """
    spent = []

    def timed(execute, sql, params, many, context):
        began = time.perf_counter()
        result = execute(sql, params, many, context)
        if not sql.startswith("INSERT"):
            spent.append(time.perf_counter() - began)
        return result

    with connection.execute_wrapper(timed):
        work()
    return sum(spent)


@pytest.mark.parametrize("figures", ["without figures", "analyzed"])
def test_clearing_costs_what_the_locks_cost_and_not_the_documents(make_user, figures):
    holder = make_user("holder")

    def scene():
        million.lock_some(holder)

    def filled(count):
        million.fill(count)
        scene()
        if figures == "analyzed":
            execute(f"ANALYZE {TABLE}")
        return least(seconds, clear, scene)

    with million.light_table():
        few, many = filled(FEW), filled(MANY - FEW)
        raw = least(seconds, bare, scene)
        ours = least(in_database, clear, scene)
        with million.without_indexes():
            usual = least(in_database, count_then_update, scene)
    print(f"\n{connection.vendor}, {figures}: clearing {STALE} locks takes {few * 1000:.0f} ms")
    print(
        f"among {FEW} documents and {many * 1000:.0f} ms among {MANY}, {many / raw:.1f} times one"
    )
    print(f"UPDATE and a bulk log. Without the log the database works {ours * 1000:.0f} ms,")
    print(f"on the usual way {usual / ours:.0f} times as long.")
    assert many / raw <= 3
    assert many / few <= 1.5
    assert usual / ours >= 20


def least(measure, work, before, rounds=9):
    """Return what some work takes where nobody disturbs it."""
    spent = []
    for _round in range(rounds):
        before()
        spent.append(measure(work))
    return min(spent)
