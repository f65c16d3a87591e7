"""Many at one lock, over real connections: one gets in, and without the guard more than one."""

import threading

import pytest
from django.contrib.auth import get_user_model
from django.db import transaction

from backoffice import locks
from backoffice.clock import database_now
from inventory.models import ReceiptPermanent
from tests.inventory.factories import make_receipt
from tests.threads import at_once

THREADS = 16


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

    results = at_once(take, THREADS)

    tokens = [result for result in results if isinstance(result, str)]
    refusals = [result for result in results if isinstance(result, locks.Refused)]
    assert (len(tokens), len(refusals)) == (1, THREADS - 1)
    winner = ReceiptPermanent.objects.get(pk=contested.pk).editing_by
    assert locks.renew(ReceiptPermanent, contested.pk, token=tokens[0], by=winner)


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

    assert at_once(take_naively, THREADS).count(True) > 1


def test_one_of_sixteen_saves_of_one_version_goes_through(contested, people):
    def save(number):
        with transaction.atomic():
            return locks.require(
                ReceiptPermanent, contested.pk, by=people[number], token="", version=1
            )

    results = at_once(save, THREADS)

    assert sum(isinstance(result, str) for result in results) == 1
    assert sum(isinstance(result, locks.Refused) for result in results) == THREADS - 1
    assert ReceiptPermanent.objects.get(pk=contested.pk).version == 2
