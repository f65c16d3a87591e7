"""Any life of seats that a box office can lead, beside a model of a few lines.

Two people hold, extend, sell, give back, cancel, move and block in any order and with tokens new
and old, while the clock runs. After each step the rows say what the model says, the invariants
hold and both replays of the log give the rows; a step that was refused has changed nothing.
"""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as bounds
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from reservations import holds, layout, sales
from reservations.models import Reservation, Seat
from reservations.refusals import Refused
from tests.reservations import invariants
from tests.reservations.factories import make_event

BEGIN = datetime(2026, 1, 1, 12, tzinfo=UTC)
PEOPLE, SEATS, CAP = 2, 6, 4
HOLD, LONGEST, SALE_ENDS = timedelta(seconds=300), timedelta(seconds=1200), timedelta(hours=2)
INSTANT = timedelta(microseconds=1)
# Around each bound, and what adds up to them.
TIMES = [INSTANT, *(timedelta(seconds=s) for s in (1, 100, 299, 300, 600)), HOLD - INSTANT]

person = st.integers(0, PEOPLE - 1)
some = st.lists(st.integers(0, SEATS - 1), min_size=1, max_size=3, unique=True)
number = st.integers(0, 3)  # of a hold or a sale, the newest first


@dataclass
class Place:
    """A seat as the model sees it."""

    state: str = "free"
    owner: int | None = None
    token: uuid.UUID | None = None
    since: datetime | None = None
    until: datetime | None = None
    sale: int | None = None


class Life(RuleBasedStateMachine):
    set_clock = people = None  # set by the test

    @initialize()
    def begin(self):
        self.now = BEGIN
        self.set_clock(BEGIN)
        self.cut_off = BEGIN + SALE_ENDS
        event = make_event(seats=SEATS, cut_off=self.cut_off)
        self.event, self.pks = event, list(event.seats.values_list("pk", flat=True))
        self.places = [Place() for _seat in range(SEATS)]
        self.tokens, self.sales = [(0, uuid.uuid4())], []

    # What the model knows

    def is_live(self, place):
        return place.state == "held" and place.until > self.now

    def is_free(self, place):
        return place.state == "free" or (place.state == "held" and place.until <= self.now)

    def at(self, numbers):
        return [self.places[n] for n in numbers]

    def rows(self, numbers):
        return Seat.objects.filter(pk__in=self.pks_of(numbers))

    def pks_of(self, numbers):
        return [self.pks[n] for n in numbers]

    def hold_numbered(self, number):
        return self.tokens[-1 - number % len(self.tokens)]

    def of(self, token, who):
        return [
            n for n in range(SEATS) if (at := self.places[n]).token == token and at.owner == who
        ]

    def tries(self, work, allowed):
        """Return what a step gives, or None where it is refused, as it must be or must not."""
        before = list(Seat.objects.order_by("pk").values())
        try:
            result = work()
        except Refused:
            assert not allowed
            assert list(Seat.objects.order_by("pk").values()) == before
            return None
        assert allowed
        return result

    # What people do

    @rule(who=person, numbers=some)
    def hold(self, who, numbers):
        places, now = self.at(numbers), self.now
        mine = sum(self.is_live(place) and place.owner == who for place in self.places)
        allowed = all(map(self.is_free, places)) and mine + len(places) <= CAP
        token = self.tries(
            lambda: holds.hold(self.event, self.pks_of(numbers), by=self.people[who]),
            allowed and now < self.cut_off,
        )
        if token:
            self.tokens.append((who, token))
            until = min(now + HOLD, self.cut_off)
            for n in numbers:
                self.places[n] = Place("held", who, token, now, until)

    @rule(number=number, stranger=st.booleans())
    def extend(self, number, stranger):
        owner, token = self.hold_numbered(number)
        who = 1 - owner if stranger else owner
        live = [self.places[n] for n in self.of(token, who) if self.is_live(self.places[n])]
        ends = [min(self.now + HOLD, place.since + LONGEST, self.cut_off) for place in live]
        allowed = bool(live) and live[0].until < ends[0]
        if self.tries(lambda: holds.extend(token, by=self.people[who]), allowed):
            for place in live:
                place.until = ends[0]

    @rule(number=number, stranger=st.booleans(), again=st.booleans(), others=some)
    def sell(self, number, stranger, again, others):
        owner, token = self.hold_numbered(number)
        who = 1 - owner if stranger else owner
        numbers = self.of(token, owner) or others
        places = self.at(numbers)
        mine = [self.is_live(at) and (at.token, at.owner) == (token, who) for at in places]
        anew = again and self.now < self.cut_off
        free = [anew and self.is_free(at) for at in places]
        allowed = all(map(max, mine, free))
        known = Reservation.objects.filter(hold_id=token, cashier=self.people[who])
        done = {at.sale for at in places} <= set(known.values_list("pk", flat=True))
        sale = self.tries(
            lambda: holds.confirm(
                token,
                self.pks_of(numbers),
                by=self.people[who],
                payment_method="cash",
                again=again,
            ),
            allowed or (done and len({at.sale for at in places}) == 1),
        )
        if sale and allowed:
            self.sales.append(sale.pk)
            for n in numbers:
                self.places[n] = Place("reserved", sale=sale.pk)

    @rule(number=number, stranger=st.booleans(), only=st.none() | some)
    def give_back(self, number, stranger, only):
        owner, token = self.hold_numbered(number)
        who = 1 - owner if stranger else owner
        mine = [n for n in self.of(token, who) if self.is_live(self.places[n])]
        mine = [n for n in mine if only is None or n in only]
        asked = None if only is None else self.pks_of(only)
        assert holds.release(token, by=self.people[who], seat_ids=asked) == len(mine)
        self.empty(mine)

    def empty(self, numbers):
        for n in numbers:
            self.places[n] = Place()

    @precondition(lambda self: self.sales)
    @rule(number=number, who=person)
    def cancel(self, number, who):
        pk = self.sales[-1 - number % len(self.sales)]
        numbers = [n for n in range(SEATS) if self.places[n].sale == pk]
        work = {"by": self.people[who], "reason": "x", "refund_method": "cash"}
        self.tries(lambda: sales.cancel(pk, **work), bool(numbers))
        self.empty(numbers)

    @precondition(lambda self: self.sales)
    @rule(number=number, who=person, to=some, how_many=st.integers(1, 2))
    def move(self, number, who, to, how_many):
        pk = self.sales[-1 - number % len(self.sales)]
        sold = [n for n in range(SEATS) if self.places[n].sale == pk][:how_many]
        allowed = len(sold) == len(to) and all(map(self.is_free, self.at(to)))
        sale = self.tries(
            lambda: sales.move(
                pk,
                self.pks_of(sold),
                self.pks_of(to),
                by=self.people[who],
                payment_method="cash",
            ),
            allowed,
        )
        if sale:
            self.empty(sold)
            for n in to:
                self.places[n] = Place("reserved", sale=pk)

    @rule(who=person, numbers=some)
    def block(self, who, numbers):
        free = [n for n in numbers if self.is_free(self.places[n])]
        blocked = layout.block(self.rows(numbers), by=self.people[who], reason="x")
        assert {seat.pk for seat in blocked} == set(self.pks_of(free))
        for n in free:
            self.places[n] = Place("blocked")

    @rule(who=person, numbers=some)
    def unblock(self, who, numbers):
        blocked = [n for n in numbers if self.places[n].state == "blocked"]
        assert len(layout.unblock(self.rows(numbers), by=self.people[who])) == len(blocked)
        self.empty(blocked)

    # What happens to them

    @rule(time=st.sampled_from(TIMES))
    def time_passes(self, time):
        self.now += time
        self.set_clock(self.now)

    @rule()
    def clean(self):
        over = [n for n in range(SEATS) if (at := self.places[n]).token and self.is_free(at)]
        ended = holds.release_expired(self.event.seats.all())
        assert {seat.pk for seat in ended} == set(self.pks_of(over))
        self.empty(over)

    @rule(who=person, numbers=some)
    def end_by_force(self, who, numbers):
        held = [n for n in numbers if self.places[n].state == "held"]
        ended = holds.force_release(self.rows(numbers), by=self.people[who], reason="x")
        assert {seat.pk for seat in ended} == set(self.pks_of(held))
        self.empty(held)

    # What must hold

    @invariant()
    @precondition(lambda self: hasattr(self, "pks"))
    def the_rows_say_what_the_model_says(self):
        rows = {seat.pk: seat for seat in self.event.seats.all()}
        owners = [*(person.pk for person in self.people)]
        for pk, at in zip(self.pks, self.places, strict=True):
            seat = rows[pk]
            owner = None if at.owner is None else owners[at.owner]
            assert invariants.state_of(seat) == at.state
            assert (seat.locked_by_id, seat.hold_id, seat.reservation_id) == (
                owner,
                at.token,
                at.sale,
            )
            assert (seat.held_since, seat.locked_until) == (at.since, at.until)

    @invariant()
    @precondition(lambda self: hasattr(self, "pks"))
    def the_invariants_hold(self):
        invariants.check(self.event)


def live_on(set_clock, make_user, settings, *, examples, steps):
    settings.SEAT_HOLDS_PER_USER = CAP
    Life.set_clock = staticmethod(set_clock)
    Life.people = [make_user(f"person{n}") for n in range(PEOPLE)]
    run_state_machine_as_test(
        Life,
        settings=bounds(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_seats_live_as_their_model_does(clock, make_user, settings):
    live_on(clock, make_user, settings, examples=10, steps=25)


@pytest.mark.storm
def test_seats_live_long_as_their_model_does(clock, make_user, settings):
    live_on(clock, make_user, settings, examples=100, steps=60)
