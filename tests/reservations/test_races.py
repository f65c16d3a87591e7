"""Many at the same seats, over real connections; each race with its control, the guard taken out.

Whatever happens, a seat has one owner, a group comes whole, and the log tells what the table says.
"""

import threading
import time
from datetime import timedelta

import pytest
import tablib
from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.utils import timezone

from backoffice.audit import LockEvent
from reservations import holds
from reservations.models import Event, Reservation, Seat
from reservations.refusals import Refused
from reservations.resources import SeatResource
from tests.reservations import invariants
from tests.reservations.factories import claim_of, let_run_out, make_event, sell
from tests.reservations.pages import act, said
from tests.reservations.stopping import Work
from tests.threads import at_once

WORKERS, CROWD = 12, 50


@pytest.fixture
def people(transactional_db):
    return [get_user_model().objects.create_user(f"user{n}") for n in range(CROWD)]


def winners(results):
    """Return what was won; every loser was refused in words, and nobody met another error."""
    lost = [result for result in results if isinstance(result, Refused)]
    won = [result for result in results if not isinstance(result, Exception)]
    assert len(won) + len(lost) == len(results), results
    return won


# One owner


@pytest.mark.parametrize("state", ["fresh", "run out"])
def test_one_of_fifty_gets_a_seat(people, state):
    event = make_event(seats=1)
    seat = event.seats.get()
    if state == "run out":
        holds.hold(event, [seat.pk], by=people[0])
        let_run_out()

    results = at_once(lambda n: holds.hold(event, [seat.pk], by=people[n]), CROWD)

    [hold_id] = winners(results)
    claim = claim_of(seat)
    assert (claim["hold_id"], claim["locked_by"]) == (hold_id, people[results.index(hold_id)].pk)
    assert LockEvent.objects.filter(action="refused").count() == CROWD - 1
    invariants.check()


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
    invariants.check()


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


@pytest.fixture
def file_and_hold(people, monkeypatch):
    """A file of two seats pauses after its first; somebody holds both, in the other order.

    Return the event, and what came of each.
    """
    event = make_event(seats=2)
    pks = [seat.pk for seat in event.seats.all()]
    store, has_stored = SeatResource.do_instance_save, threading.Event()

    def store_slowly(self, instance, is_create):
        store(self, instance, is_create)
        if not has_stored.is_set():
            has_stored.set()
            time.sleep(1)

    def work(n):
        if n == 0:
            rows = [(event.code, number, "بالکن") for number in ("A2", "A1")]
            file = tablib.Dataset(*rows, headers=("event", "seat_number", "section"))
            return SeatResource().import_data(file, user=None).totals["update"]
        assert has_stored.wait(10)
        return holds.hold(event, pks, by=people[n])

    monkeypatch.setattr(SeatResource, "do_instance_save", store_slowly)
    return lambda: (event, *at_once(work, 2))


def test_a_file_and_a_hold_of_the_same_seats_never_wait_for_each_other(file_and_hold):
    event, imported, hold_id = file_and_hold()

    assert imported == 2
    assert winners([hold_id]) == [hold_id]
    assert event.seats.live().filter(section="بالکن").count() == 2


@pytest.mark.skipif("connection.vendor == 'sqlite'", reason="SQLite has one writer")
def test_control_a_file_that_locks_row_by_row_is_locked_out_with_a_hold(file_and_hold, monkeypatch):
    monkeypatch.setattr("reservations.layout.taken", lambda rows: [])

    _event, imported, held = file_and_hold()

    assert "deadlock detected" in str(held) or imported == 0


# Seats of one event


@pytest.fixture
def one_kept_open(people):
    """Return a function that lets two hold a seat each, the first keeping its transaction open.

    It returns whether the second was through before the first let go.
    """

    def race(before_holding=lambda event: None):
        event = make_event(seats=2)
        pks = [seat.pk for seat in event.seats.all()]
        has_held, let_go = threading.Event(), threading.Event()

        def hold(n):
            with transaction.atomic():
                before_holding(event)
                holds.hold(event, [pks[n]], by=people[n])
                if n == 0:
                    has_held.set()
                    assert let_go.wait(10)

        first = Work(lambda: hold(0))
        assert has_held.wait(10)
        second = Work(lambda: hold(1))
        second.join(1)
        was_through = not second.is_alive()
        let_go.set()
        for work in (first, second):
            work.join()
            assert work.result is None
        invariants.check()
        return was_through

    return race


@pytest.mark.skipif("connection.vendor == 'sqlite'", reason="SQLite has one writer")
def test_holds_on_other_seats_of_an_event_do_not_wait_for_each_other(one_kept_open):
    assert one_kept_open()


@pytest.mark.skipif("connection.vendor == 'sqlite'", reason="SQLite has one writer")
def test_control_with_one_lock_an_event_holds_on_other_seats_wait(one_kept_open):
    assert not one_kept_open(lambda event: Event.objects.select_for_update().get(pk=event.pk))


# The cap


def test_many_requests_of_one_person_stay_under_the_cap(people, settings):
    settings.SEAT_HOLDS_PER_USER = 3
    event = make_event(seats=WORKERS)
    pks = [seat.pk for seat in event.seats.all()]

    won = winners(at_once(lambda n: holds.hold(event, [pks[n]], by=people[0]), WORKERS))

    assert len(won) == 3
    assert event.seats.live().count() == 3
    invariants.check()


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
    invariants.check()


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
    invariants.check()


def test_control_a_cleaner_without_the_guard_frees_a_sold_seat(people):
    event = make_event(seats=1)
    hold_id = holds.hold(event, [event.seats.get().pk], by=people[0])
    read_before = event.seats.get()
    sell(hold_id, [read_before], people[0])

    Seat.objects.filter(pk=read_before.pk).update(reservation=None, **holds.AVAILABLE)

    assert Reservation.objects.get().seats.count() == 0
    assert invariants.broken()


def test_five_cleaners_at_once_share_the_work(people, monkeypatch):
    monkeypatch.setattr(holds, "BATCH", 4)
    event = make_event(seats=40)
    holds.hold(event, [seat.pk for seat in event.seats.all()], by=people[0])
    let_run_out()

    results = at_once(lambda n: holds.release_expired(), 5)

    freed = [seat.pk for result in results for seat in result]
    assert len(freed) == len(set(freed)) == event.seats.filter(status="available").count() == 40
    assert LockEvent.objects.filter(action="ran_out").count() == 40
    invariants.check()


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
