"""Many at one lock, over real connections: one gets in, and without the guard more than one."""

import threading

import pytest
from django.contrib.auth import get_user_model
from django.db import close_old_connections, connections

from backoffice import locks
from backoffice.clock import database_now
from inventory.models import ReceiptPermanent
from tests.inventory.factories import make_receipt

THREADS = 16


def at_once(work, count=THREADS):
    """Run work(number) in threads that start together; return what each returned or raised."""
    barrier = threading.Barrier(count)
    results = [None] * count

    def run(number):
        close_old_connections()
        try:
            barrier.wait()
            results[number] = work(number)
        except Exception as problem:
            results[number] = problem
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@pytest.fixture
def people(transactional_db, django_db_serialized_rollback):
    return [get_user_model().objects.create_user(f"user{n}") for n in range(THREADS)]


@pytest.fixture(params=["fresh", "run out"])
def contested(request, people):
    receipt = make_receipt()
    if request.param == "run out":
        locks.acquire(ReceiptPermanent, receipt.pk, by=people[0], version=1)
        ReceiptPermanent.objects.update(editing_last_seen_at="2020-01-01T00:00:00Z")
    return receipt


def test_one_of_sixteen_takers_gets_the_lock(contested, people):
    def take(number):
        return locks.acquire(ReceiptPermanent, contested.pk, by=people[number], version=1)

    results = at_once(take)

    tokens = [result for result in results if isinstance(result, str)]
    refusals = [result for result in results if isinstance(result, locks.Refused)]
    assert (len(tokens), len(refusals)) == (1, THREADS - 1)
    assert locks.renew(ReceiptPermanent, contested.pk, token=tokens[0])


def test_control_reading_before_writing_lets_several_in(contested, people):
    read = threading.Barrier(THREADS)

    def take_naively(number):
        free = ReceiptPermanent.objects.free().filter(pk=contested.pk).exists()
        read.wait()
        if free:
            ReceiptPermanent.objects.filter(pk=contested.pk).update(
                editing_by=people[number], editing_last_seen_at=database_now()
            )
        return free

    assert at_once(take_naively).count(True) > 1


def test_one_of_sixteen_saves_of_one_version_goes_through(contested, people):
    from django.db import transaction

    def save(number):
        with transaction.atomic():
            return locks.require(
                ReceiptPermanent, contested.pk, by=people[number], token="", version=1
            )

    results = at_once(save)

    assert sum(isinstance(result, str) for result in results) == 1
    assert sum(isinstance(result, locks.Refused) for result in results) == THREADS - 1
    assert ReceiptPermanent.objects.get(pk=contested.pk).version == 2
