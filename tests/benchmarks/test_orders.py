"""How many orders a second are checked: ours, beside Celery and Redis as they are usually set up.

To run it alone: make -s development && VAR_DIR=$PWD/var/test .venv/bin/python -m pytest -s \
-p no:randomly tests/benchmarks/test_orders.py (on PostgreSQL: VAR_DIR=... DURABLE=yes
.venv/bin/python -m tests.postgresql .venv/bin/python -m pytest ...).
"""

import os
import signal
import statistics
import subprocess
import sys

import pytest

from backoffice.environment import BASE_DIR
from tests.benchmarks.celery_rate import Redis, Worker
from tests.benchmarks.slow_provider import SlowProvider

pytestmark = pytest.mark.benchmark
ORDERS, WARMING, ROUNDS = 2_000, 400, int(os.environ.get("ROUNDS", "3"))
WORKERS = 4


class Cluster:
    """The real cluster of an office, told by lines to check orders; a context manager."""

    def __init__(self, office, provider):
        self.log = office.folder / "cluster.txt"
        self.provider = provider
        self.environment = office.environment | {"CLUSTER_WORKERS": str(WORKERS)}

    def __enter__(self):
        with self.log.open("a") as words:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "run_cluster"],
                cwd=BASE_DIR,
                env=self.environment,
                stdout=words,
                stderr=words,
                start_new_session=True,
            )
        self.feeder = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.due_orders", self.provider.url],
            cwd=BASE_DIR,
            env=self.environment | {"DJANGO_SETTINGS_MODULE": "backoffice.settings"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *exception):
        self.feeder.communicate()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(120)

    def check(self, count):
        """Return how many seconds the cluster takes for so many orders."""
        self.say(count)
        assert self.feeder.stdout.readline() == "ready\n", self.log.read_text()
        self.say("go")
        return float(self.feeder.stdout.readline())

    def say(self, word):
        self.feeder.stdin.write(f"{word}\n")
        self.feeder.stdin.flush()


@pytest.fixture
def provider():
    with SlowProvider(0.05) as provider:
        yield provider


@pytest.fixture
def office(make_office, empty_office):
    return make_office(copy_of=empty_office, PROVIDER_PRIVATE_ADDRESSES="yes")


def rate(name, checker, provider):
    """Print and return the orders a second, each asked about once."""
    provider.seen()
    seconds = checker.check(ORDERS)
    assert len(provider.seen()["arrivals"]) == ORDERS
    load = os.getloadavg()[0]
    print(f"{name:8} {ORDERS / seconds:5.0f} orders/s ({seconds:5.2f} s, load {load:.1f})")
    return ORDERS / seconds


def usual(pool, tmp_path, databases, redis, provider):
    """Return the rate of Celery's worker with a pool."""
    folder = tmp_path / pool
    folder.mkdir(exist_ok=True)
    worker = Worker(
        pool,
        redis=redis,
        database_url=databases.make(folder),
        provider_url=provider.url,
        log=folder / "worker.txt",
    )
    with worker:
        worker.check(WARMING)
        return rate(pool, worker, provider)


def ours(office, provider):
    with Cluster(office, provider) as cluster:
        cluster.check(WARMING)
        cluster.check(WARMING)
        return rate("ours", cluster, provider)


def test_orders_are_checked_five_times_as_fast_as_is_usual(office, tmp_path, databases, provider):
    print(f"\n{ORDERS} due orders on {databases.kind}, answers in 50 ms, {WORKERS} workers:")
    beside = {"prefork": [], "gevent": []}
    with Redis(tmp_path) as redis:
        for _round in range(ROUNDS):
            own = ours(office, provider)
            for pool, ratios in beside.items():
                ratios.append(own / usual(pool, tmp_path, databases, redis, provider))
    for pool, ratios in beside.items():
        print(f"ours to {pool}: {statistics.median(ratios):.2f} {[f'{r:.2f}' for r in ratios]}")
    assert statistics.median(beside["prefork"]) >= 5
    assert statistics.median(beside["gevent"]) >= 1
