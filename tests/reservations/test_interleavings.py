"""Two at one seat, one of them stopped before each of its steps while the other goes through.

The clock is turned against them: who acts for the holder sees an instant before the end, who acts
against the holder an instant after it, so that each believes to be in the right.
"""

import threading
import uuid
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from django.contrib.auth import get_user_model
from django.db.models import DateTimeField, Value

from backoffice.audit import record
from reservations import holds, layout, sales
from reservations.models import Seat
from reservations.refusals import Refused
from tests.reservations import invariants
from tests.reservations.factories import claim_of, make_event, sell
from tests.reservations.stopping import at_each_step

BEGIN = datetime(2026, 1, 1, 12, tzinfo=UTC)
INSTANT = timedelta(milliseconds=1)


@pytest.fixture
def people(transactional_db):
    return [get_user_model().objects.create_user(f"user{n}") for n in range(2)]


@pytest.fixture
def sees(monkeypatch):
    """Return a function that makes work see an instant, while other threads see others."""
    of_thread, real = threading.local(), holds.clock.database_now

    def now():
        instant = getattr(of_thread, "instant", None)
        return real() if instant is None else Value(instant, output_field=DateTimeField())

    monkeypatch.setattr("backoffice.clock.database_now", now)

    def at(instant, work):
        def seeing():
            of_thread.instant = instant
            try:
                return work()
            finally:
                of_thread.instant = None

        return seeing

    return at


class Scene:
    """An event with a seat that is held by the first of two people, and one that is sold."""

    def __init__(self, people, sees):
        self.holder, self.other = people
        self.event = make_event(seats=3)
        self.seat, self.sold, self.free = self.event.seats.all()
        hold = partial(holds.hold, self.event, [self.seat.pk], by=self.holder)
        self.hold_id = sees(BEGIN, hold)()
        self.end = claim_of(self.seat)["locked_until"]
        hold_id = holds.hold(self.event, [self.sold.pk], by=self.holder)
        self.sale = sell(hold_id, [self.sold], self.holder)

    @property
    def rows(self):
        return Seat.objects.filter(pk=self.seat.pk)

    # For the holder

    def sell(self):
        return sell(self.hold_id, [self.seat], self.holder)

    def extend(self):
        return holds.extend(self.hold_id, by=self.holder)

    def give_back(self):
        return holds.release(self.hold_id, by=self.holder)

    # Against the holder

    def clean(self):
        return holds.release_expired(self.rows)

    def take(self):
        return holds.hold(self.event, [self.seat.pk], by=self.other)

    def sell_anew(self):
        return holds.confirm(
            self.hold_id, [self.seat.pk], by=self.other, payment_method="cash", again=True
        )

    def move_here(self):
        return sales.move(self.sale.pk, [self.sold.pk], [self.seat.pk], by=self.other)

    def block(self):
        return layout.block(self.rows, by=self.other, reason="x")

    def force(self):
        return holds.force_release(self.rows, by=self.other, reason="x")

    # Without a guard: what was read is believed, and the row is written by its key

    def clean_naively(self):
        stale = list(self.rows.stale())
        self.rows.filter(pk__in=[seat.pk for seat in stale]).update(
            **holds.AVAILABLE, reservation=None
        )
        record(*(holds.ran_out(seat, "schedule") for seat in stale))
        return stale

    def take_naively(self):
        found = list(self.rows.free())
        mine = {"locked_by": self.other, "locked_by_name": self.other.username}
        until = {"held_since": self.end, "locked_until": self.end, "hold_id": uuid.uuid4()}
        self.rows.filter(pk__in=[seat.pk for seat in found]).update(
            status="locked", reservation=None, **mine, **until
        )
        record(*(holds.ran_out(seat, "page") for seat in found))
        record(
            *(
                holds.event_of("taken", seat, "page", by=self.other, holder=self.other)
                for seat in found
            )
        )
        return found

    def sell_naively(self):
        found = list(self.rows.live().filter(hold_id=self.hold_id))
        if found:
            self.rows.update(status="reserved", reservation=self.sale, **holds.NO_HOLD)
            by = self.holder
            record(holds.event_of("confirmed", found[0], "page", by=by, holder=by))
        return found

    # After the sale

    def cancel(self):
        return sales.cancel(self.sale.pk, by=self.holder, reason="x")

    def move_away(self):
        return sales.move(self.sale.pk, [self.sold.pk], [self.free.pk], by=self.other)


def has_won(result):
    """Return whether work changed the seat; it either did or was refused, and nothing else."""
    if isinstance(result, Exception):
        assert isinstance(result, Refused), repr(result)
        return False
    return bool(result)


FOR_THE_HOLDER = [
    "sell",
    pytest.param("extend", marks=pytest.mark.storm),
    pytest.param("give_back", marks=pytest.mark.storm),
]
AGAINST = ["clean", "take", "sell_anew", "move_here", "block", "force"]


@pytest.mark.parametrize("against", AGAINST)
@pytest.mark.parametrize("mine", FOR_THE_HOLDER)
@pytest.mark.parametrize("stopped", ["holder", "other"])
def test_at_whatever_step_one_is_stopped_a_seat_goes_one_way(people, sees, stopped, mine, against):
    def make_scene():
        scene = Scene(people, sees)
        works = [
            sees(scene.end - INSTANT, getattr(scene, mine)),
            sees(scene.end + INSTANT, getattr(scene, against)),
        ]
        return scene, *(works if stopped == "holder" else works[::-1])

    winners, done = set(), set()
    for scene, *results, steps in at_each_step(make_scene):
        won = [has_won(result) for result in results]
        # What gives a seat back, extends or ends a hold leaves it to the next one.
        assert any(won) if mine != "sell" else sum(won) == 1, steps
        invariants.check(scene.event)
        winners.add(tuple(won))
        done = {step.split()[0] for step in steps}
    assert {"SELECT", "UPDATE", "INSERT", "COMMIT"} <= done
    assert mine != "sell" or winners == {(True, False), (False, True)}


@pytest.mark.parametrize("naive", ["clean_naively", "take_naively", "sell_naively"])
def test_control_whoever_reads_first_and_writes_by_key_breaks_it(people, sees, naive):
    def make_scene():
        scene = Scene(people, sees)
        before, after = scene.end - INSTANT, scene.end + INSTANT
        if naive == "sell_naively":
            return scene, sees(before, scene.sell_naively), sees(after, scene.clean)
        return scene, sees(after, getattr(scene, naive)), sees(before, scene.sell)

    faults = []
    for scene, *results, _steps in at_each_step(make_scene):
        if all(map(has_won, results)):
            faults += invariants.broken(scene.event)
    assert faults


@pytest.mark.parametrize("first, second", [("cancel", "move_away"), ("move_away", "cancel")])
def test_at_whatever_step_one_is_stopped_a_reservation_is_cancelled_once(
    people, sees, first, second
):
    def make_scene():
        scene = Scene(people, sees)
        return scene, getattr(scene, first), getattr(scene, second)

    for scene, *results, steps in at_each_step(make_scene):
        assert any(map(has_won, results)), steps
        scene.sale.refresh_from_db()
        assert scene.sale.cancelled_at and not scene.sale.seats.exists()
        invariants.check(scene.event)


@pytest.mark.parametrize("work", ["cancel", "sell", "clean", "extend", "give_back", "force"])
def test_at_whatever_step_one_is_stopped_the_same_again_does_nothing_twice(people, sees, work):
    def make_scene():
        scene = Scene(people, sees)
        end = scene.end + INSTANT if work == "clean" else scene.end - INSTANT
        return scene, *[sees(end, getattr(scene, work))] * 2

    for scene, *results, _steps in at_each_step(make_scene):
        won = [result for result in results if has_won(result)]
        if work == "sell":  # asked again, it answers with the same reservation
            assert len(won) == 2 and len({sale.pk for sale in won}) == 1
        else:
            assert len(won) == 1 or work == "extend"
        invariants.check(scene.event)
