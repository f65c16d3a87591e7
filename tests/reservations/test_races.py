"""Many at the same seats, over real connections; each race with its control, the guard taken out.

Whatever happens, a seat has one owner, a group comes whole, and the log tells what the table says.
"""

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
import uuid
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.utils import timezone

from backoffice.audit import LockEvent
from reservations import holds
from reservations.models import Reservation, Seat
from reservations.refusals import Refused
from tests.reservations.factories import claim_of, let_run_out, make_event, sell
from tests.reservations.pages import act, said
from tests.threads import at_once

WORKERS = 12


@pytest.fixture
def people(transactional_db):
    return [get_user_model().objects.create_user(f"user{n}") for n in range(WORKERS)]


def winners(results):
    """Return what was won; every loser was refused in words, and nobody met another error."""
    lost = [result for result in results if isinstance(result, Refused)]
    won = [result for result in results if not isinstance(result, Exception)]
    assert len(won) + len(lost) == len(results), results
    return won


# One owner


@pytest.mark.parametrize("state", ["fresh", "run out"])
def test_one_of_many_gets_a_seat(people, state):
    event = make_event(seats=1)
    seat = event.seats.get()
    if state == "run out":
        holds.hold(event, [seat.pk], by=people[0])
        let_run_out()

    results = at_once(lambda n: holds.hold(event, [seat.pk], by=people[n]), WORKERS)

    [hold_id] = winners(results)
    claim = claim_of(seat)
    assert (claim["hold_id"], claim["locked_by"]) == (hold_id, people[results.index(hold_id)].pk)
    assert LockEvent.objects.filter(action="refused").count() == WORKERS - 1


def test_control_reading_before_writing_gives_a_seat_to_several(people):
    event = make_event(seats=1)
    everybody_has_read = threading.Barrier(WORKERS)

    def hold_naively(n):
        free = event.seats.free().exists()
        everybody_has_read.wait()
        return free

    assert at_once(hold_naively, WORKERS).count(True) > 1


# A group comes whole


def test_overlapping_groups_in_opposite_orders_come_whole_or_not_at_all(people):
    event = make_event(seats=6)
    pks = [seat.pk for seat in event.seats.all()]

    def take(n):
        wanted = [pks[(n + step) % 6] for step in range(3)]
        return holds.hold(event, wanted if n % 2 else wanted[::-1], by=people[n])

    hold_ids = winners(at_once(take, WORKERS))

    assert hold_ids
    assert [event.seats.filter(hold_id=hold_id).count() for hold_id in hold_ids] == [3] * len(
        hold_ids
    )
    assert event.seats.live().count() == 3 * len(hold_ids)


def test_control_seat_by_seat_a_group_crumbles(people):
    event = make_event(seats=2)
    pks = [seat.pk for seat in event.seats.all()]
    both_have_one = threading.Barrier(2)

    def take_one_after_the_other(n):
        holds.hold(event, [pks[n]], by=people[n])
        both_have_one.wait()
        holds.hold(event, [pks[1 - n]], by=people[n])

    results = at_once(take_one_after_the_other, 2)

    assert all(isinstance(result, Refused) for result in results)
    assert event.seats.live().count() == 2


# The cap


def test_many_requests_of_one_person_stay_under_the_cap(people, settings):
    settings.SEAT_HOLDS_PER_USER = 3
    event = make_event(seats=WORKERS)
    pks = [seat.pk for seat in event.seats.all()]

    won = winners(at_once(lambda n: holds.hold(event, [pks[n]], by=people[0]), WORKERS))

    assert len(won) == 3
    assert event.seats.live().count() == 3


def test_control_counting_outside_the_transaction_overruns_the_cap(people):
    cap, event = 3, make_event(seats=WORKERS)
    pks = [seat.pk for seat in event.seats.all()]
    everybody_has_counted = threading.Barrier(WORKERS)

    def hold_naively(n):
        held = event.seats.live().filter(locked_by=people[0]).count()
        everybody_has_counted.wait()
        if held < cap:
            holds.hold(event, [pks[n]], by=people[0])

    at_once(hold_naively, WORKERS)

    assert event.seats.live().count() > cap


# The end of the time


@pytest.fixture
def seat_locked_past_its_end(people):
    """A seat held for a second, whose row somebody else keeps locked until that is over."""
    event = make_event(seats=1, hold_seconds=1)
    seat, row_is_locked = event.seats.get(), threading.Event()
    hold_id = holds.hold(event, [seat.pk], by=people[0])

    def keep_row():
        with transaction.atomic():
            Seat.objects.select_for_update().get(pk=seat.pk)
            row_is_locked.set()
            while timezone.now() < claim_of(seat)["locked_until"] + timedelta(seconds=0.1):
                time.sleep(0.05)
        connection.close()

    blocker = threading.Thread(target=keep_row)
    blocker.start()
    row_is_locked.wait()
    yield seat, hold_id
    blocker.join()


def test_a_sale_that_waited_past_the_end_is_refused(people, seat_locked_past_its_end):
    seat, hold_id = seat_locked_past_its_end

    with pytest.raises(Refused) as refused:
        sell(hold_id, [seat], people[0])

    assert refused.value.reason == "ran_out"
    assert not Reservation.objects.exists()


@pytest.mark.skipif("connection.vendor == 'sqlite'", reason="SQLite judges time after its wait")
def test_control_without_the_row_locked_first_a_late_sale_goes_through(seat_locked_past_its_end):
    seat, hold_id = seat_locked_past_its_end

    # The statement began before the end, and judges time as of then.
    assert Seat.objects.live().filter(pk=seat.pk, hold_id=hold_id).update(price=1) == 1
    assert seat.event.seats.live().count() == 0


@pytest.mark.skipif("connection.vendor == 'sqlite'", reason="SQLite has no locks of rows")
def test_giving_back_a_seat_that_others_are_at_is_refused_in_words(
    client, admin_user, people, monkeypatch
):
    monkeypatch.setattr(holds, "WAIT", "50ms")
    event = make_event(seats=1)
    seat, row_is_locked, answered = event.seats.get(), threading.Event(), threading.Event()
    holds.hold(event, [seat.pk], by=admin_user)

    def keep_row():
        with transaction.atomic():
            Seat.objects.select_for_update().get(pk=seat.pk)
            row_is_locked.set()
            answered.wait(10)
        connection.close()

    blocker = threading.Thread(target=keep_row)
    blocker.start()
    row_is_locked.wait()
    client.force_login(admin_user)
    response = act(client, "give_back", [seat])
    answered.set()
    blocker.join()

    assert "دوباره" in said(response)
    assert claim_of(seat)["locked_by"] == admin_user.pk


# The cleaner


def test_the_cleaner_does_not_free_a_seat_that_is_being_sold(people, clock):
    event = make_event(seats=1)
    seat, sold, cleaning = event.seats.get(), threading.Event(), threading.Event()
    hold_id = holds.hold(event, [seat.pk], by=people[0])
    released = []

    def work(n):
        if n == 0:
            with transaction.atomic():
                sell(hold_id, [seat], people[0])
                clock(timezone.now() + timedelta(hours=1))  # its time is over before it commits
                sold.set()
                cleaning.wait()
        else:
            sold.wait()
            cleaning.set()
            released.extend(holds.release_expired())

    assert at_once(work, 2) == [None, None]
    assert released == []
    assert claim_of(seat)["status"] == "reserved"


def test_control_a_cleaner_without_the_guard_frees_a_sold_seat(people):
    event = make_event(seats=1)
    hold_id = holds.hold(event, [event.seats.get().pk], by=people[0])
    read_before = event.seats.get()
    sell(hold_id, [read_before], people[0])

    Seat.objects.filter(pk=read_before.pk).update(reservation=None, **holds.AVAILABLE)

    assert Reservation.objects.get().seats.count() == 0


def test_five_cleaners_at_once_share_the_work(people, monkeypatch):
    monkeypatch.setattr(holds, "BATCH", 4)
    event = make_event(seats=40)
    holds.hold(event, [seat.pk for seat in event.seats.all()], by=people[0])
    let_run_out()

    results = at_once(lambda n: holds.release_expired(), 5)

    freed = [seat.pk for result in results for seat in result]
    assert len(freed) == len(set(freed)) == event.seats.filter(status="available").count() == 40
    assert LockEvent.objects.filter(action="ran_out").count() == 40


def test_control_cleaners_that_read_first_all_claim_the_same_seats(people):
    event = make_event(seats=4)
    holds.hold(event, [seat.pk for seat in event.seats.all()], by=people[0])
    let_run_out()
    everybody_has_read = threading.Barrier(5)

    def clean_naively(n):
        stale = list(event.seats.stale())
        everybody_has_read.wait()
        Seat.objects.filter(pk__in=[seat.pk for seat in stale]).update(**holds.AVAILABLE)
        return stale

    assert sum(len(result) for result in at_once(clean_naively, 5)) > 4


# A crash


def address_of_test_database():
    values = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{values['NAME']}"
    return "postgres://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format(**values)


def test_a_killed_sale_leaves_the_hold_as_it_was(people):
    event = make_event(seats=1)
    seat = event.seats.get()
    hold_id = holds.hold(event, [seat.pk], by=people[0])
    before = claim_of(seat)
    script = (
        "import os, signal, uuid, django; django.setup()\n"
        "from django.contrib.auth import get_user_model\n"
        "from django.db import transaction\n"
        "from reservations import holds\n"
        f"by = get_user_model().objects.get(pk={people[0].pk})\n"
        "with transaction.atomic():\n"
        f"    holds.confirm(uuid.UUID('{hold_id}'), [{seat.pk}], by=by, payment_method='cash')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )

    killed = subprocess.run(
        [sys.executable, "-c", script],
        cwd=Path(django_settings.BASE_DIR),
        env=os.environ
        | {
            "DATABASE_URL": address_of_test_database(),
            "DJANGO_SETTINGS_MODULE": "backoffice.settings",
        },
    )

    assert killed.returncode == -signal.SIGKILL
    assert claim_of(seat) == before
    assert sell(hold_id, [seat], people[0]).seats.get() == seat


# Anything, in any order


def check_invariants(event):
    """Whatever was done: whole claims, spans within bounds, and a log that tells the same."""
    maximum = timedelta(seconds=django_settings.SEAT_HOLD_MAXIMUM_SECONDS)
    for seat in event.seats.all():
        last = (
            LockEvent.objects.filter(kind="seat", target_id=str(seat.pk))
            .exclude(action="refused")
            .values_list("action", flat=True)
            .first()
        )
        told = {"taken": "locked", "extended": "locked", "confirmed": "reserved"}
        assert seat.status == told.get(last, "available"), (seat, last)
        if seat.status == "locked":
            assert seat.held_since <= seat.locked_until <= seat.held_since + maximum
    sold = sum(reservation.seats.count() for reservation in Reservation.objects.all())
    assert sold == event.seats.filter(status="reserved").count()


def do_anything(chance, event, by, tokens):
    """Do one thing that a person or the cluster might do just now."""
    some, token = chance.sample(list(event.seats.all()), 2), chance.choice(tokens[-2:])
    steps = {"hold": 6, "extend": 6, "sell": 3, "release": 3, "clean": 1, "force": 2}
    [step] = chance.choices(list(steps), steps.values())
    if step == "hold":
        tokens.append(holds.hold(event, [seat.pk for seat in some], by=by))
    elif step == "extend":
        holds.extend(token, by=by)
    elif step == "sell":
        sell(token, event.seats.filter(hold_id=token)[:1] or some, by)
    elif step == "release":
        holds.release(token, by=by)
    elif step == "clean":
        holds.release_expired()
    else:
        holds.force_release(event.seats.filter(pk=some[0].pk), by=by, reason="x")


@pytest.mark.parametrize("seed", range(3))
def test_the_invariants_hold_after_every_step_of_a_random_life(make_user, clock, seed):
    chance, event, now = random.Random(seed), make_event(seats=8), timezone.now()
    users, tokens = [make_user("a")] * 3 + [make_user("b")], [uuid.uuid4()]

    for _step in range(80):
        now += timedelta(seconds=chance.choice([1, 20, 150]))
        clock(now)
        with contextlib.suppress(Refused):
            do_anything(chance, event, chance.choice(users), tokens)
        check_invariants(event)

    done = set(LockEvent.objects.values_list("action", flat=True))
    assert "taken" in done and len(done) >= 5  # else nothing was shown
