"""A seat's life by the log alone: who had it when, and on its page in words."""

from collections import defaultdict
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django.utils.timezone import make_aware
from hypothesis.stateful import invariant, precondition

from backoffice import audit
from backoffice.audit import LockEvent
from reservations import holds, layout, sales, seat_history
from reservations.models import Seat, State
from reservations.seat_history import life, replay, state_at
from tests.latin import ascii_numbers, latin_phrases
from tests.reservations import invariants, test_life
from tests.reservations.factories import let_run_out, make_event, make_seat, sell

NOON = make_aware(datetime(2026, 11, 22, 14, 0))  # 1 Azar 1405
MINUTE = timedelta(minutes=1)


def at(minutes):
    return NOON + minutes * MINUTE


@pytest.fixture
def tell(seats):
    """Return a function that appends an event of the seat A1, at so many minutes after two."""

    def tell(minutes, action, who="مریم", *, holder="", ended=None, **kwargs):
        actor = {"actor_name": who, "actor_id": 1, "holder_name": holder or who, "holder_id": 1}
        return LockEvent.objects.create(
            at=at(minutes),
            kind="seat",
            action=action,
            source="page",
            target_model="reservations.Seat",
            target_id=str(seats[0].pk),
            target_name="A1",
            ended_at=None if ended is None else at(ended),
            **actor | kwargs,
        )

    return tell


@pytest.fixture
def story(tell):
    """Held, run out and found late, sold, cancelled, blocked and freed again."""
    tell(0, "taken")
    tell(2, "extended")
    tell(30, "ran_out", "", holder="مریم", ended=7)
    tell(30, "taken", "علی")
    tell(32, "confirmed", "علی", reason="ABCD2345")
    tell(33, "refused", "مریم", reason="رزرو شده است")
    tell(40, "cancelled", "زهرا", reason="ABCD2345: بیماری")
    tell(50, "blocked", "زهرا", reason="دوربین")
    tell(60, "unblocked", "زهرا")


def seat_now(seat):
    return Seat.objects.with_state().get(pk=seat.pk)


def was(seat, minutes):
    """Return the state and the person at an instant."""
    found = state_at(life(seat_now(seat)), at(minutes))
    return (found.state, found.who) if found else None


@pytest.mark.parametrize(
    "minutes, found",
    [
        (-1, None),
        (0, ("locked", "مریم")),
        (6.99, ("locked", "مریم")),
        (7, None),  # free from its end on, though that was found at half past
        (29, None),
        (30, ("locked", "علی")),
        (32, ("reserved", "علی")),
        (39.9, ("reserved", "علی")),
        (40, None),
        (55, ("blocked", "زهرا")),
        (60, None),
        (999, None),
    ],
)
def test_the_log_tells_who_had_a_seat_at_an_instant(seats, story, minutes, found):
    assert was(seats[0], minutes) == found
    assert was(seats[1], minutes) is None


def test_control_by_the_time_of_the_event_a_run_out_hold_would_last_on(seats, story):
    events = list(seat_history.events_of(seats[0]))
    for event in events:
        event.ended_at = None

    assert state_at(replay(events), at(20)) is not None


def test_a_period_knows_how_it_came_to_its_end(seats, story):
    periods = life(seat_now(seats[0]))

    assert [(p.state, p.ended, p.ended_by, p.extended) for p in periods] == [
        ("locked", "ran_out", "", 1),
        ("locked", "confirmed", "علی", 0),
        ("reserved", "cancelled", "زهرا", 0),
        ("blocked", "unblocked", "زهرا", 0),
    ]
    assert (periods[2].note, periods[2].reason) == ("ABCD2345", "بیماری")


def test_a_hold_that_nobody_has_found_yet_ended_when_its_time_was_over(event, seats, holder):
    holds.hold(event, [seats[0].pk], by=holder)
    let_run_out(seconds=100)
    seat = seat_now(seats[0])

    [period] = life(seat)

    assert (period.until, period.ended) == (seat.locked_until, "ran_out")
    assert state_at([period], seat.locked_until) is None
    assert not LockEvent.objects.filter(action="ran_out").exists()


def test_a_live_hold_says_until_when_it_is(event, seats, holder):
    holds.hold(event, [seats[0].pk], by=holder)
    seat = seat_now(seats[0])

    [period] = life(seat)

    assert (period.until, period.ends_at) == (None, seat.locked_until)
    assert state_at([period], timezone.now()) is period


def test_a_seat_moved_to_is_reserved_from_then_on(event, seats, holder):
    sale = sell(holds.hold(event, [seats[0].pk], by=holder), seats[:1], holder)

    sales.move(sale.pk, [seats[0].pk], [seats[1].pk], by=holder)

    assert [(p.state, p.ended) for p in life(seat_now(seats[0]))][-1] == ("reserved", "moved")
    assert life(seat_now(seats[0]))[-1].reason == "A2"
    [period] = life(seat_now(seats[1]))
    assert (period.state, period.note, period.until) == ("reserved", sale.reference, None)


@pytest.mark.parametrize(
    "action, state", [("given_back", "locked"), ("cancelled", "reserved"), ("unblocked", "blocked")]
)
def test_what_was_pruned_is_told_by_the_end_that_is_left(seats, tell, action, state):
    tell(5, action, held_since=at(1) if state == "locked" else None)

    assert was(seats[0], 4)[0] == state
    assert was(seats[0], 5) is None


@pytest.mark.parametrize("state", ["held", "sold", "blocked"])
def test_a_seat_whose_log_is_pruned_is_what_its_row_says(event, seats, holder, state):
    if state == "blocked":
        layout.block(event.seats.filter(pk=seats[0].pk), by=holder, reason="دوربین")
    else:
        hold_id = holds.hold(event, [seats[0].pk], by=holder)
    if state == "sold":
        sell(hold_id, seats[:1], holder)
    audit.prune(timezone.now() + timedelta(days=1))

    [period] = life(seat_now(seats[0]))

    assert period.state == {"held": "locked", "sold": "reserved", "blocked": "blocked"}[state]
    assert period.until is None


def test_a_pruned_log_does_not_claim_to_know(seats, story):
    assert seat_history.reaches_back_to(at(-99999))
    audit.prune(at(10))

    assert not seat_history.reaches_back_to(at(5))
    assert seat_history.reaches_back_to(at(45))


# I10: the log, played back, is the table


def played_back(event):
    """Return what the whole log of an event's seats says that each is."""
    told = defaultdict(list)
    keys = [str(pk) for pk in event.seats.values_list("pk", flat=True)]
    rows = LockEvent.objects.filter(target_model="reservations.Seat", target_id__in=keys)
    for line in rows.exclude(action="refused").order_by("pk"):
        told[int(line.target_id)].append(line)
    found = {}
    for pk, lines in told.items():
        last = replay(lines)[-1]
        found[pk] = (None, "", "") if last.until else (last.state, last.who, last.note)
    return found


def stored(event):
    names = {"available": None}
    return {
        seat.pk: (
            State.BLOCKED if seat.blocked else names.get(seat.status, State(seat.status)),
            seat.locked_by_name
            or (seat.reservation.cashier_name if seat.reservation else seat.block_reason),
            seat.reservation.reference if seat.reservation else seat.block_reason,
        )
        for seat in event.seats.select_related("reservation")
    }


def the_log_is_the_table(event):
    told, rows = played_back(event), stored(event)
    for pk, (state, who, note) in rows.items():
        by_log = told.get(pk, (None, "", ""))
        assert by_log[0] == state, pk
        if state == State.LOCKED:
            assert by_log[1] == who
        if state in (State.RESERVED, State.BLOCKED):
            assert by_log[2] == note


class RecordedLife(test_life.Life):
    """The life of seats, whose log is played back after each step."""

    @invariant()
    @precondition(lambda self: hasattr(self, "pks"))
    def the_log_played_back_is_the_table(self):
        the_log_is_the_table(self.event)


def test_the_log_played_back_is_the_table_after_any_life(clock, make_user, settings, monkeypatch):
    monkeypatch.setattr(test_life, "Life", RecordedLife)

    test_life.live_on(clock, make_user, settings, examples=8, steps=20)


def test_control_a_change_that_was_not_logged_is_found(event, seats, holder):
    holds.hold(event, [seats[0].pk], by=holder)
    the_log_is_the_table(event)

    event.seats.update(**holds.AVAILABLE)

    with pytest.raises(AssertionError):
        the_log_is_the_table(event)
    assert invariants.broken(event)


# The page of a seat


def open_seat(browser, seat, **query):
    return browser.get(reverse("admin:reservations_seat_change", args=[seat.pk]), query)


def test_the_page_of_a_seat_tells_its_life_the_newest_first(page, seats, story):
    rows = open_seat(page, seats[0]).context["life"]

    assert [(row["label"], row["who"]) for row in rows] == [
        ("مسدود", "زهرا"),
        ("رزروشده", "علی"),
        ("نگه‌داری موقت", "علی"),
        ("نگه‌داری موقت", "مریم"),
    ]
    assert "۱۴۰۵/۰۹/۰۱" in rows[-1]["since"] and "۱۴:۰۷:۰۰" in rows[-1]["until"]
    assert (rows[-1]["ending"], rows[-1]["extended"]) == ("مهلت تمام شد", 1)
    assert (rows[1]["ending"], rows[1]["reason"]) == ("لغو به دست زهرا", "بیماری")


@pytest.mark.parametrize(
    "time, words",
    [
        ("۱۴:۰۵", "نگه‌داری موقت نزد مریم"),
        ("14:07", "آزاد"),
        ("۱۴:۳۵", "ABCD2345"),
        ("14:55:30", "دوربین"),
    ],
)
def test_the_page_says_in_a_sentence_who_had_the_seat(page, seats, story, time, words):
    response = open_seat(page, seats[0], date="۱۴۰۵/۰۹/۰۱", time=time)

    [answer] = response.context["answers"]
    assert words in answer and "A1" in answer
    assert answer in response.text


def test_what_began_within_the_minute_that_was_asked_is_told_too(page, seats, tell):
    tell(5.5, "taken", "علی")

    answers = open_seat(page, seats[0], date="1405/09/01", time="14:05").context["answers"]

    assert ["آزاد" in answers[0], "علی" in answers[1]] == [True, True]
    assert len(open_seat(page, seats[0], date="1405/09/01", time="14:04").context["answers"]) == 1


@pytest.mark.parametrize(
    "query", [{"date": "1405/13/01", "time": "14:05"}, {"date": "1405/09/01"}, {"time": "x"}]
)
def test_an_instant_that_is_none_is_refused_in_words(page, seats, story, query):
    response = open_seat(page, seats[0], **query)

    assert response.context["answers"] == []
    assert response.context["moment_form"].errors


def test_a_time_to_come_is_not_answered(page, seats):
    response = open_seat(page, seats[0], date="1440/01/01", time="10:00")

    assert response.context["answers"] == []
    assert "هنوز نرسیده" in response.text


def test_beyond_fifty_the_life_is_turned_over(page, seats, tell):
    for minute in range(60):
        tell(minute, "taken", f"نفر {minute}")
        tell(minute + 0.5, "given_back", f"نفر {minute}")

    first, second = (open_seat(page, seats[0], life=n).context["life"] for n in (1, 2))

    assert [first[0]["who"], len(first), len(second)] == ["نفر 59", 50, 10]
    assert second[-1]["who"] == "نفر 0"


def test_a_long_life_takes_as_many_queries_as_a_short_one(page, seats, tell):
    counts = []
    for _time in range(2):
        tell(1, "taken")
        tell(2, "given_back")
        open_seat(page, seats[0])
        with CaptureQueriesContext(connection) as queries:
            open_seat(page, seats[0], date="1405/09/01", time="14:01:30")
        counts.append(len(queries))

    assert counts[0] == counts[1]


def test_the_log_of_a_seat_is_found_by_its_index(seats):
    others = [(Seat, pk, "A1") for pk in range(10_000, 12_000)]
    audit.record(*(audit.event("seat", "taken", other, source="page") for other in others))
    connection.cursor().execute("ANALYZE")  # by which PostgreSQL knows that a table is not small
    told = seat_history.events_of(seats[0]).explain()

    assert "lockevent_target" in told


def test_looking_at_a_seat_changes_nothing(page, event, seats, holder):
    holds.hold(event, [seats[0].pk], by=holder)
    let_run_out()
    before = list(Seat.objects.order_by("pk").values()), LockEvent.objects.count()

    open_seat(page, seats[0], date="1405/09/01", time="14:01")

    assert (list(Seat.objects.order_by("pk").values()), LockEvent.objects.count()) == before


def test_the_page_of_a_seat_is_persian(page, holder, db):
    event = make_event(name="کنسرت بهار")
    seat = make_seat(event, seat_number="A1")
    hold_id = holds.hold(event, [seat.pk], by=holder)
    sale = sell(hold_id, [seat], holder)

    text = open_seat(page, seat, date="1405/09/01", time="14:05").text

    assert latin_phrases(text, allowed=("holder", sale.reference)) == []
    assert ascii_numbers(text) == []
