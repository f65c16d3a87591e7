"""A crowd at the seats of one event, through the real web server; the sweep has the last word.

Real sessions, the page's own token, gunicorn with its workers. A storm in which nobody won fails.
"""

import random
import re
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Lock

import pytest
from django.db import connection

from backoffice.audit import LockEvent
from reservations.models import Reservation
from tests.reservations import invariants
from tests.reservations.factories import let_run_out, make_event
from tests.reservations.web import WebServer

CROWD, WANTED = 50, 10
MAY = ("view_event", "view_seat", "hold_seat", "change_seat", "release_expired_seat")
REFUSALS = {"in_the_way", "lost", "ran_out", "limit", "cap", "gone", "busy", "few"}


@pytest.fixture
def make_people(transactional_db, make_user):
    def make(count):
        rights = [f"reservations.{name}" for name in MAY]
        return [make_user(f"cashier{n}", *rights) for n in range(count)]

    return make


@pytest.fixture
def log(tmp_path):
    return tmp_path / "web.txt"


def together(cashiers, work):
    """Return what each cashier gets who does some work at the same moment as all others."""
    barrier = Barrier(len(cashiers))

    def wait_and_work(cashier, number):
        barrier.wait()
        try:
            return work(cashier, number)
        finally:
            cashier.close()

    with ThreadPoolExecutor(len(cashiers)) as pool:
        return list(pool.map(wait_and_work, cashiers, range(len(cashiers))))


def rush(server, event, people):
    """Let everybody ask for one of ten seats, five for each; return the answers."""
    pks = [seat.pk for seat in event.seats.all()]
    cashiers = [server.cashier(person, event) for person in people]
    return together(cashiers, lambda at, number: at.post("hold", seats=pks[number % WANTED]))


@pytest.mark.processes
@pytest.mark.parametrize("state", ["free", pytest.param("run out", marks=pytest.mark.storm)])
def test_of_fifty_cashiers_at_ten_seats_ten_win_and_forty_are_refused_in_words(
    make_people, log, state
):
    people, event = make_people(CROWD), make_event(seats=WANTED)
    with WebServer(log) as server:
        if state == "run out":
            won = rush(server, event, people[:WANTED])
            assert all(won)
            let_run_out()
        answers = rush(server, event, people)

    assert Counter(answer.status for answer in answers) == {200: WANTED, 409: CROWD - WANTED}
    tokens = {answer.json["hold_id"] for answer in answers if answer}
    assert tokens == {seat.hold_id.hex for seat in event.seats.live()}
    for answer in answers:
        if not answer:
            assert answer.json["reason"] == "in_the_way" and len(answer.json["seats"]) == 1
            assert re.search("[آ-ی]", answer.json["error"])
    invariants.check()


@pytest.mark.storm
@pytest.mark.processes
def test_control_without_the_guard_the_same_rush_sells_a_seat_to_several(make_people, log):
    people, event = make_people(CROWD), make_event(seats=WANTED)
    with WebServer(log, "tests.reservations.unguarded") as server:
        answers = rush(server, event, people)

    assert sum(map(bool, answers)) > WANTED
    assert [line for line in invariants.broken() if "and was taken from" in line]


# Anything, for a while


class Weather:
    """What is known of a storm: the answers, and which seats were sold before a page looked."""

    def __init__(self):
        self.lock, self.sold = Lock(), set()
        self.answers, self.faults = Counter(), []

    def count(self, name, answer):
        clean = answer.status in (200, 304) or (
            answer.status == 409 and answer.json["reason"] in REFUSALS
        )
        with self.lock:
            self.answers[name, answer.status] += 1
            if not clean and not (name == "clear-run-out" and answer.status == 429):
                self.faults.append((name, answer.status, answer.json))
        return answer

    def look(self, cashier):
        """Refresh a map; it never shows as free what was sold before it asked."""
        with self.lock:
            sold = set(self.sold)
        self.count("state", cashier.look())
        shown = {seat[0] for seat in cashier.seats if seat[1] == "reserved"}
        if sold - shown:
            self.faults.append(("sold and shown as free", sold - shown))


class Clerk:
    """Somebody who does whatever comes to mind at the map."""

    def __init__(self, weather, cashier, pks, seed):
        self.weather, self.cashier, self.pks = weather, cashier, pks
        self.chance, self.tokens = random.Random(seed), [(uuid.uuid4().hex, pks[:1])]
        self.steps = {self.hold: 9, self.best: 4, self.extend: 3, self.sell: 3, self.give_back: 3}
        self.steps |= {self.look: 6, self.block: 1, self.clear: 1}

    def work_until(self, end):
        while time.monotonic() < end:
            [step] = self.chance.choices(list(self.steps), self.steps.values())
            step()

    def post(self, name, **fields):
        return self.weather.count(name, self.cashier.post(name, **fields))

    def hold(self):
        seats = self.chance.sample(self.pks, self.chance.choice([1, 2, 4]))
        self.keep(self.post("hold", seats=seats))

    def best(self):
        self.keep(self.post("best", count=self.chance.choice([1, 2, 4])))

    def keep(self, answer):
        if answer:
            self.tokens.append((answer.json["hold_id"], answer.json["seats"]))

    def extend(self):
        self.post("extend", hold_id=self.some()[0])

    def sell(self):
        token, seats = self.some()
        again = self.chance.choice(["", "yes"])
        fields = {"hold_id": token, "seats": seats, "payment_method": "cash", "again": again}
        if self.post("confirm", **fields):
            with self.weather.lock:
                self.weather.sold |= set(seats)

    def give_back(self):
        self.post("give-back", hold_id=self.some()[0])

    def look(self):
        self.weather.look(self.cashier)

    def block(self):
        seats = self.chance.sample(self.pks, 2)
        self.post("block", seats=seats, reason="دوربین")
        self.post("unblock", seats=seats)

    def clear(self):
        self.post("clear-run-out")

    def some(self):
        return self.chance.choice(self.tokens[-3:])


def storm(make_people, log, *, clerks, seats, seconds):
    """Let clerks do anything at one event for a while; return what was seen of it."""
    event, weather = make_event(seats=seats), Weather()
    pks = [seat.pk for seat in event.seats.all()]
    # Holds that run out within the storm, so that they are taken, sold anew and tidied up.
    with WebServer(log, SEAT_HOLD_SECONDS=1, SEAT_HOLD_MAXIMUM_SECONDS=2) as server:
        cashiers = [server.cashier(person, event) for person in make_people(clerks)]
        end = time.monotonic() + seconds
        together(
            cashiers,
            lambda cashier, number: Clerk(weather, cashier, pks, number).work_until(end),
        )
    print(f"\n{connection.vendor}, {clerks} clerks, {seconds} s: {sorted(weather.answers.items())}")
    return weather


def judge(weather):
    assert not weather.faults
    for name in ("hold", "best", "confirm", "give-back"):
        assert weather.answers[name, 200], f"nobody won at {name}"
    assert weather.answers["hold", 409] and weather.answers["state", 200]
    assert Reservation.objects.exists()
    done = set(LockEvent.objects.values_list("action", flat=True))
    assert {"taken", "confirmed", "given_back", "ran_out", "refused"} <= done
    invariants.check()


@pytest.mark.processes
def test_a_short_storm_of_anything_breaks_nothing(make_people, log, settings):
    settings.SEAT_HOLD_MAXIMUM_SECONDS = 2
    judge(storm(make_people, log, clerks=8, seats=150, seconds=3))


@pytest.mark.storm
def test_a_long_storm_of_anything_breaks_nothing(make_people, log, settings):
    settings.SEAT_HOLD_MAXIMUM_SECONDS = 2
    judge(storm(make_people, log, clerks=24, seats=400, seconds=60))
