"""Real processes at the seats: killed at each step, all at once, and with a clock that is wrong."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model

from backoffice.audit import LockEvent
from backoffice.clock import database_now
from reservations import holds
from reservations.models import Reservation, Seat
from reservations.refusals import Refused
from tests.reservations import invariants, programs
from tests.reservations.factories import claim_of, let_run_out, make_event, sell

STEPS = 24  # more than any of the works has
# One child for each step, killed before it; the last ones get to the end and are killed there.
KILLED_AT_EACH_STEP = """
import os, signal
class Kill(stopping.Stop):
    def step(self, name):
        self.steps.append(name)
        if len(self.steps) == self.number + 1:
            os.kill(os.getpid(), signal.SIGKILL)
def work(at, by):
    seats = list(at.seats.all())
    token, pks = seats[0].hold_id, [seat.pk for seat in seats]
    WORK
by, pks = person(pk=sys.argv[1]), sys.argv[2].split()
connection.close()
for number, pk in enumerate(pks):
    child = os.fork()
    if not child:
        at = event(pk=pk)
        with Kill(number).watching():
            work(at, by)
        print("done", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
"""


@pytest.fixture
def people(transactional_db):
    return [get_user_model().objects.create_user(f"user{n}") for n in range(2)]


def kill_at_each_step(work, by, prepare):
    """Kill a work before each of its steps, each time at an event of its own; return these."""
    events = []
    for _step in range(STEPS):
        events.append(make_event(seats=2))
        prepare(events[-1])
    said = programs.run(
        KILLED_AT_EACH_STEP.replace("WORK", work), by.pk, " ".join(str(at.pk) for at in events)
    )
    assert 0 < said.count("done") < STEPS  # some were killed on the way, some at the end
    return events


def hold_all(by):
    return lambda event: holds.hold(event, event.seats.values_list("pk", flat=True), by=by)


def states(events):
    return [sorted(map(invariants.state_of, event.seats.all())) for event in events]


# Killed


def test_a_sale_that_is_killed_at_any_step_is_whole_or_never_was(people):
    work = "holds.confirm(token, pks, by=by, payment_method='cash')"
    events = kill_at_each_step(work, people[0], hold_all(people[0]))

    found = states(events)
    assert found == sorted(found)  # killed early: held; at the end: sold; nothing between
    assert (found[0], found[-1]) == (["held"] * 2, ["reserved"] * 2)
    invariants.check()
    for event in (event for event in events if event.seats.first().hold_id):
        sell(event.seats.first().hold_id, list(event.seats.all()), people[0])
    assert Reservation.objects.count() == STEPS
    invariants.check()


def test_a_hold_whose_holder_is_killed_before_the_sale_runs_out_and_can_be_taken(people):
    events = kill_at_each_step("holds.hold(at, pks, by=by)", people[0], lambda event: None)

    found = states(events)
    assert (found[0], found[-1]) == (["free"] * 2, ["held"] * 2)
    invariants.check()
    with pytest.raises(Refused):
        hold_all(people[1])(events[-1])
    let_run_out()
    for event in events:
        hold_all(people[1])(event)
    assert Seat.objects.live().filter(locked_by=people[1]).count() == 2 * STEPS
    invariants.check()


def test_a_cleaner_that_is_killed_at_any_step_has_freed_all_of_a_batch_or_nothing(people):
    def prepare(event):
        hold_all(people[0])(event)
        let_run_out(event.seats.all())

    events = kill_at_each_step("holds.release_expired(at.seats.all())", people[1], prepare)

    found = states(events)
    assert (found[0], found[-1]) == (["held"] * 2, ["free"] * 2)
    assert all(len(set(of_event)) == 1 for of_event in found)
    invariants.check()
    assert len(holds.release_expired()) == sum(of_event.count("held") for of_event in found)
    assert LockEvent.objects.filter(action="ran_out").count() == 2 * STEPS
    invariants.check()


@pytest.mark.parametrize(
    "work",
    [
        "sales.cancel(seats[0].reservation_id, by=by, reason='x')",
        "sales.move(seats[0].reservation_id, pks[:1], pks[1:], by=by)",
    ],
    ids=["cancelled", "moved"],
)
def test_a_reservation_killed_while_it_is(people, work):
    def prepare(event):
        first = event.seats.first()
        sell(holds.hold(event, [first.pk], by=people[0]), [first], people[0])

    kill_at_each_step(work, people[0], prepare)

    invariants.check()
    assert Reservation.objects.count() == STEPS


def test_control_a_sale_in_two_transactions_is_torn_by_a_kill(people):
    work = (
        "at.seats.filter(pk=pks[0]).update(**holds.AVAILABLE)\n"
        "    at.seats.filter(pk=pks[1]).update(**holds.AVAILABLE)"
    )
    events = kill_at_each_step(work, people[0], hold_all(people[0]))

    assert ["free", "held"] in states(events)
    assert invariants.broken()


# At once

CLEANER = """
from django.core.management import call_command
holds.BATCH = 7
ready()
call_command("release_expired_locks")
"""


@pytest.mark.parametrize("count", [2, pytest.param(5, marks=pytest.mark.storm)])
def test_cleaners_in_processes_print_each_seat_that_they_freed_once(people, count):
    event = make_event(seats=100)
    pks = list(event.seats.values_list("pk", flat=True))
    for half in (pks[:50], pks[50:]):
        holds.hold(event, half, by=people[half is pks])
        let_run_out()

    said = "".join(programs.run_together(CLEANER, count))

    printed = re.findall(r"Released lock on Seat (A\d+) ", said)
    freed = event.seats.filter(status="available").values_list("seat_number", flat=True)
    totals = [int(total) for total in re.findall(r"Total locks released: (\d+)", said)]
    assert sorted(printed) == sorted(freed)
    assert len(printed) == len(set(printed)) == sum(totals) == 100
    assert LockEvent.objects.filter(action="ran_out").count() == 100
    invariants.check()


NAIVE_CLEANER = """
stale = list(Seat.objects.stale())
ready()
for seat in stale:
    Seat.objects.filter(pk=seat.pk).update(**holds.AVAILABLE)
    print(seat.seat_number)
"""


def test_control_cleaners_that_read_first_print_a_seat_twice(people):
    hold_all(people[0])(make_event(seats=2))
    let_run_out()

    said = "".join(programs.run_together(NAIVE_CLEANER, 2))

    assert said.count("A1") == 2


# A clock that is wrong

OFF = pytest.mark.parametrize(
    "hours",
    [
        pytest.param(-1, marks=pytest.mark.storm, id="an hour behind"),
        pytest.param(1, id="an hour ahead"),
    ],
)
SHIFTED = """
import datetime, time_machine
hours = datetime.timedelta(hours=float(sys.argv[1]))
by, at = person(pk=sys.argv[2]), event(pk=sys.argv[3])
pks = [seat.pk for seat in at.seats.all()]
right = time.time()
with time_machine.travel(datetime.datetime.now(datetime.UTC) + hours):
    assert abs(time.time() - right - hours.total_seconds()) < 60
    try:
        print(WORK)
    except Refused as refused:
        print(refused.reason)
"""


def on_a_wrong_clock(work, hours, by, event):
    """Return what a host says whose clock is that many hours off."""
    return programs.run(SHIFTED.replace("WORK", work), hours, by.pk, event.pk).strip()


@OFF
def test_a_hold_of_a_host_with_a_wrong_clock_lasts_as_long_as_any(people, hours):
    event = make_event(seats=1)
    before = Seat.objects.values_list(database_now(), flat=True).first()

    token = on_a_wrong_clock("holds.hold(at, pks, by=by)", hours, people[0], event)

    claim = claim_of(event.seats.get())
    assert str(claim["hold_id"]) == token
    assert claim["locked_until"] - claim["held_since"] == timedelta(seconds=300)
    assert timedelta(0) <= claim["held_since"] - before < timedelta(seconds=30)
    with pytest.raises(Refused):
        hold_all(people[1])(event)
    invariants.check()


SELL = "holds.confirm(at.seats.get().hold_id, pks, by=by, payment_method='cash')"
CLEAN = "len(holds.release_expired())"


@OFF
def test_a_live_hold_is_live_for_a_host_with_a_wrong_clock(people, hours):
    event = make_event(seats=1)
    hold_all(people[0])(event)
    let_run_out(seconds=-60)  # in a minute

    assert on_a_wrong_clock(CLEAN, hours, people[1], event) == "0"
    said = on_a_wrong_clock(SELL, hours, people[0], event)

    assert said == Reservation.objects.get().reference
    invariants.check()


@OFF
def test_a_run_out_hold_is_over_for_a_host_with_a_wrong_clock(people, hours):
    event = make_event(seats=1)
    hold_all(people[0])(event)
    let_run_out()

    assert on_a_wrong_clock(SELL, hours, people[0], event) == "ran_out"
    assert on_a_wrong_clock(CLEAN, hours, people[1], event) == "1"

    assert not Reservation.objects.exists()
    invariants.check()
