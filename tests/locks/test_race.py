"""Many at one lock, over real connections: one gets in, and without the guard more than one."""

import threading
import time
from functools import partial

import pytest
from django.contrib.auth import get_user_model
from django.db import connection, transaction

from backoffice import locks
from backoffice.audit import LockEvent
from backoffice.clock import database_now
from inventory.models import ReceiptPermanent
from tests.inventory.factories import make_receipt
from tests.threads import at_once

THREADS = 16


@pytest.fixture
def people(transactional_db):
    return [get_user_model().objects.create_user(f"user{n}") for n in range(THREADS)]


LONG_AGO = "2020-01-01T00:00:00Z"
RUN_OUT = {
    "no beat": "editing_last_seen_at",
    "no input": "editing_last_input_at",
    "held too long": "editing_extended_at",
    "page left": "editing_left_at",
}


def let_run_out(holder, how):
    """End a lock in one of the ways in which locks end by themselves."""
    if how == "holder shut out":
        get_user_model().objects.filter(pk=holder.pk).update(is_active=False)
    else:
        ReceiptPermanent.objects.update(**{RUN_OUT[how]: LONG_AGO})


@pytest.fixture(params=["fresh", *RUN_OUT, "holder shut out"])
def contested(request, people):
    receipt = make_receipt()
    if request.param != "fresh":
        holder = get_user_model().objects.create_user("gone")
        locks.acquire(ReceiptPermanent, receipt.pk, by=holder, version=1)
        let_run_out(holder, request.param)
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


# Steps of all kinds at one moment


@pytest.fixture
def held(people):
    """A document that the first of the people is editing, and the token."""
    receipt = make_receipt()
    return receipt, locks.acquire(ReceiptPermanent, receipt.pk, by=people[0], version=1)


def replay(receipt):
    """Return who holds a document by its log, in which nobody takes what another still has."""
    holder = None
    ended = {"given_back", "ran_out", "forced", "handed_over"}
    for event in LockEvent.objects.filter(target_id=str(receipt.pk)).order_by("pk"):
        if event.action == "taken":
            assert holder is None
            holder = event.actor_id
        elif event.action in ended:
            assert holder == event.holder_id
            holder = None
        elif event.action in ("taken_over", "moved"):
            assert holder == event.holder_id
            holder = event.actor_id
    return holder


def test_steps_of_all_kinds_at_once_leave_one_holder_and_a_true_log(held, people):
    receipt, token = held
    model, pk = ReceiptPermanent, receipt.pk

    def save(by, token):
        with transaction.atomic():
            return locks.require(model, pk, by=by, token=token, version=1)

    steps = [
        lambda: save(people[0], token),
        lambda: locks.renew(model, pk, token=token, by=people[0]),
        lambda: locks.leave(model, pk, token=token, by=people[0]),
        lambda: locks.acquire(model, pk, by=people[0], version=1, own_token=token),
        lambda: locks.hand_over(
            model, pk, token=token, by=people[0], to=people[1], ticket=locks.fingerprint("ticket")
        ),
        lambda: locks.take_over(model, pk, by=people[2], version=1, reason="x"),
        lambda: locks.take_over(model, pk, by=people[3], version=1, reason="x"),
        lambda: locks.move(model, pk, by=people[0], version=1),
        lambda: locks.acquire(model, pk, by=people[4], version=1),
        lambda: save(people[5], ""),
        lambda: locks.force_release(model.objects.all(), by=people[6], reason="x"),
        lambda: locks.clear_stale(model),
    ]
    results = at_once(lambda number: steps[number](), len(steps))

    problems = [result for result in results if isinstance(result, Exception)]
    assert all(isinstance(problem, locks.Refused) for problem in problems), problems
    row = ReceiptPermanent.objects.get(pk=pk)
    assert replay(receipt) == row.editing_by_id
    assert row.version == 1 + sum(isinstance(results[number], str) for number in (0, 9))
    tokens = {result for result in results if isinstance(result, str)} | {token, "ticket"}
    holding = {locks.fingerprint(each) for each in tokens} & {row.editing_session_key}
    assert len(holding) == (row.editing_by_id is not None)


def test_the_beacon_of_an_old_page_never_ends_what_its_next_page_takes(held, people):
    receipt, token = held
    model, pk = ReceiptPermanent, receipt.pk
    for _round in range(5):
        old = token
        steps = [
            partial(locks.leave, model, pk, token=old, by=people[0]),
            partial(locks.acquire, model, pk, by=people[0], version=1, own_token=old),
        ]
        _left, token = at_once(lambda number, steps=steps: steps[number](), 2)
        receipt.refresh_from_db()
        assert receipt.editing_left_at is None
        assert receipt.editing_session_key == locks.fingerprint(token)


def test_a_release_waits_for_whoever_is_writing_the_row(held, people):
    receipt, token = held
    writing = threading.Event()

    def write():
        with transaction.atomic():
            assert locks.renew(ReceiptPermanent, receipt.pk, token=token, by=people[0])
            writing.set()
            time.sleep(0.3)

    def end():
        writing.wait()
        return locks.release_all_of(people[0], [ReceiptPermanent])

    results = at_once(lambda number: (write, end)[number](), 2)

    assert results == [None, 1]
    assert not ReceiptPermanent.objects.claimed().exists()


@pytest.mark.skipif(
    connection.vendor == "sqlite", reason="SQLite has one writer, which the cleaner waits for"
)
def test_the_cleaner_passes_a_row_that_is_being_written_and_ends_all_others(
    held, people, monkeypatch
):
    monkeypatch.setattr(locks, "BATCH", 1)
    receipt, _token = held
    for _number in range(3):
        locks.acquire(ReceiptPermanent, make_receipt().pk, by=people[1], version=1)
    ReceiptPermanent.objects.update(editing_last_seen_at=LONG_AGO)
    writing, cleaned = threading.Event(), threading.Event()

    def write():
        with transaction.atomic():
            ReceiptPermanent.objects.select_for_update().get(pk=receipt.pk)
            writing.set()
            cleaned.wait(10)

    def clean():
        writing.wait()
        count = locks.clear_stale(ReceiptPermanent)
        cleaned.set()
        return count

    assert at_once(lambda number: (write, clean)[number](), 2) == [None, 3]
    assert list(ReceiptPermanent.objects.claimed()) == [receipt]
