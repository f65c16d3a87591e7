"""The race for a lock over and over, from processes as well: never two in, never nobody."""

import subprocess
import sys

import pytest
from django.contrib.auth import get_user_model
from django.db import connection

from backoffice import locks
from inventory.models import ReceiptPermanent
from tests.inventory.factories import make_receipt
from tests.locks.test_race import RUN_OUT, let_run_out
from tests.threads import at_once

ROUNDS, THREADS, PROCESSES = 25, 16, 8
TAKER = """
import sys
import django
django.setup()
from django.db import connections
from backoffice import locks
from django.contrib.auth import get_user_model
from inventory.models import ReceiptPermanent
connections.settings["default"]["NAME"] = sys.argv[3]
by = get_user_model().objects.get(pk=sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
try:
    locks.acquire(ReceiptPermanent, sys.argv[2], by=by, version=1)
    print("taken")
except locks.Refused as refused:
    print(refused.reason)
"""


NAIVE = TAKER.replace(
    """print("ready", flush=True)
sys.stdin.readline()
try:
    locks.acquire(ReceiptPermanent, sys.argv[2], by=by, version=1)
    print("taken")
except locks.Refused as refused:
    print(refused.reason)
""",
    """free = ReceiptPermanent.objects.free().filter(pk=sys.argv[2]).exists()
print("ready", flush=True)
sys.stdin.readline()
if free:
    ReceiptPermanent.objects.filter(pk=sys.argv[2]).update(editing_by=by)
print("taken" if free else "held")
""",
)


@pytest.fixture
def people(transactional_db):
    return [get_user_model().objects.create_user(f"user{n}") for n in range(THREADS)]


@pytest.mark.storm
def test_round_after_round_exactly_one_of_sixteen_gets_in(people):
    winners = []
    for _round in range(ROUNDS):
        receipt = make_receipt(lines=0)

        def take(number, pk=receipt.pk):
            return locks.acquire(ReceiptPermanent, pk, by=people[number], version=1)

        results = at_once(take, THREADS)
        winners.append(sum(isinstance(result, str) for result in results))
        assert all(isinstance(result, str | locks.Refused) for result in results)

    assert winners == [1] * ROUNDS


def take_in_processes(receipt, people, script):
    """Return what eight processes say that try for one document at the same moment."""
    database = str(connection.settings_dict["NAME"])
    takers = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(people[number].pk), str(receipt.pk), database],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(PROCESSES)
    ]
    for taker in takers:
        assert taker.stdout.readline() == "ready\n"
    for taker in takers:
        taker.stdin.write("go\n")
        taker.stdin.flush()
    return sorted(taker.communicate(timeout=60)[0].strip() for taker in takers)


@pytest.fixture(params=["fresh", *RUN_OUT, "holder shut out"])
def contested(request, people):
    receipt = make_receipt(lines=0)
    if request.param != "fresh":
        locks.acquire(ReceiptPermanent, receipt.pk, by=people[PROCESSES], version=1)
        let_run_out(people[PROCESSES], request.param)
    return receipt


@pytest.mark.storm
def test_exactly_one_of_eight_processes_gets_in(contested, people):
    said = take_in_processes(contested, people, TAKER)

    assert said == ["held"] * (PROCESSES - 1) + ["taken"]


@pytest.mark.storm
def test_control_processes_that_read_before_they_write_all_get_in(contested, people):
    assert take_in_processes(contested, people, NAIVE) == ["taken"] * PROCESSES
