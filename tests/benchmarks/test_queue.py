"""What the queue costs: small tasks a second, and statements of a cluster without work."""

import contextlib
import statistics
import time

import pytest
from django.db import connection, transaction
from django_q.models import OrmQ
from django_q.tasks import async_task

from tests.clusters import Cluster
from tests.processes import wait_for

pytestmark = [pytest.mark.benchmark, pytest.mark.django_db(transaction=True)]
TASKS, ROUNDS, IDLE_SECONDS = 500, 3, 10
BROKERS = {"ours": "tests.settings", "the library's": "tests.benchmarks.stock_queue"}


@contextlib.contextmanager
def running(folder, settings, count=1):
    with contextlib.ExitStack() as stack:
        clusters = [
            Cluster(folder / f"{settings}-{number}.log", DJANGO_SETTINGS_MODULE=settings)
            for number in range(count)
        ]
        yield [stack.enter_context(cluster) for cluster in clusters]


def drain():
    """Return how many small tasks a second are done."""
    with transaction.atomic():
        for _number in range(TASKS):
            async_task("time.sleep", 0)
    began = time.perf_counter()
    wait_for(lambda: not OrmQ.objects.exists(), seconds=120, what="the queue is empty")
    return TASKS / (time.perf_counter() - began)


@pytest.mark.parametrize("count", [1, 2])
def test_small_tasks_are_done_as_fast_as_by_the_librarys_broker(tmp_path, count):
    found = {name: [] for name in BROKERS}
    for _round in range(ROUNDS):
        for name, settings in BROKERS.items():
            with running(tmp_path, settings, count):
                found[name].append(drain())
    rates = {name: statistics.median(rates) for name, rates in found.items()}
    print(
        f"\n{count} clusters on {connection.vendor}:", {n: f"{r:.0f}/s" for n, r in rates.items()}
    )
    assert rates["ours"] >= 0.7 * rates["the library's"]


def transactions():
    """Return how many transactions the server has seen, each statement outside of one included."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT xact_commit + xact_rollback FROM pg_stat_database "
            "WHERE datname = current_database()"
        )
        return cursor.fetchone()[0]


def test_an_idle_cluster_asks_its_database_little(tmp_path):
    if connection.vendor != "postgresql":
        pytest.skip("SQLite counts no statements")
    rates = {}
    for name, settings in BROKERS.items():
        with running(tmp_path, settings):
            time.sleep(3)
            before = transactions()
            time.sleep(IDLE_SECONDS)
            rates[name] = (transactions() - before) / IDLE_SECONDS
    print(f"\nstatements a second of an idle cluster: {rates}")
    assert rates["ours"] < 7  # five looks a second
    assert rates["ours"] < 0.7 * rates["the library's"]
