"""Plans of seats in files: how they are read, compared with what there is, and done."""

import json
import string
import threading

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given
from hypothesis import settings as bounds
from hypothesis import strategies as st

from backoffice.audit import LockEvent
from backoffice.persian import normalise_typed
from reservations import holds, layout, plan_files, seat_plan
from reservations.models import HIGHEST_PRICE, Event, Seat
from reservations.plan_files import COLUMNS, as_csv, as_json, read
from reservations.seat_plan import Step, apply, compare
from tests.reservations import invariants
from tests.reservations.factories import claim_of, let_run_out, logged, make_event, make_seat, sell
from tests.threads import at_once


def plan_of(data, kind="csv"):
    return read(data.encode() if isinstance(data, str) else data, kind)


def told(plan):
    """Return what a plan says of its seats; fail where anything is wrong with it."""
    assert plan.problems == []
    return {number: seat.values for number, seat in plan.seats.items()}


def bring(event, data, by, *, kind="csv", removes=False):
    """Bring a file and confirm what it showed."""
    plan = plan_of(data, kind)
    told(plan)
    shown = compare(event, plan, removes=removes).steps()
    return apply(event, plan, shown, removes=removes, by=by, file="hall.csv · 123")


def stored(event):
    return list(event.seats.order_by("natural_number").values_list(*COLUMNS))


# Reading


@pytest.mark.parametrize(
    "headings",
    [
        "شماره صندلی,ردیف,بها,دسترس‌پذیر",
        "شماره صندلي;رديف;بها;دسترس پذیر",
        "seat_number\trow\tprice\taccessible",
    ],
)
def test_a_table_is_read_by_headings_of_either_language(event, headings):
    sign = next(sign for sign in ",;\t" if sign in headings)
    row = sign.join(["B۱۲", "B", "۵۰۰٬۰۰۰" if sign != "," else "۵۰۰۰۰۰", "بله"])

    assert told(plan_of(f"{headings}\n{row}\n")) == {
        "B12": {"seat_number": "B12", "row": "B", "price": 500_000, "accessible": True}
    }


def test_a_file_of_old_windows_is_read_and_said_to_be_one(event):
    plan = plan_of("seat_number,section\nB1,بالكن\n".encode("cp1256"))

    assert told(plan)["B1"]["section"] == "بالکن"
    assert plan.read_as == "cp1256"


def test_all_that_is_wrong_with_a_table_is_said_at_once():
    plan = plan_of("seat_number,price,accessible\nB1,گران,بله\n,5,شاید\nB1,-5,خیر\n")

    assert len(plan.problems) == 4
    assert all("سطر" in problem for problem in plan.problems)
    assert ("بها" in plan.problems[0]) and ("گران" in plan.problems[0])
    assert "۳" in plan.problems[1] and "شماره صندلی" in plan.problems[1]
    assert "شاید" in plan.problems[2] and "«بله»" in plan.problems[2]


def test_a_seat_that_comes_twice_is_said_to_repeat_its_row(event):
    plan = plan_of("seat_number\nB1\nB2\nB۱\n")

    assert plan.problems == [
        "سطر ۴، ستون «شماره صندلی»: مقدار «\u2068B۱\u2069» پذیرفته نیست. تکرار سطر ۲ است."
    ]
    assert list(plan.seats) == ["B1", "B2"]


def test_unknown_headings_are_said_with_those_that_are_known(event):
    [problem] = plan_of("seat_number,colour\nB1,red\n").problems

    assert "colour" in problem and "«جای در ردیف»" in problem


def test_seats_and_rows_are_read_from_json(event):
    text = """{"seats": [{"number": "B1", "price": 5, "accessible": true}],
    "rows": [{"row": "C", "price": 7, "seats": ["C1", {"number": 2, "position": 4}]}]}"""

    found = told(plan_of(text, "json"))

    assert found["B1"] == {
        "seat_number": "B1",
        "section": "",
        "price": 5,
        "accessible": True,
    } or found["B1"] == {"seat_number": "B1", "price": 5, "accessible": True}
    assert (found["C1"]["row"], found["C1"]["position"], found["C1"]["price"]) == ("C", 1, 7)
    assert (found["2"]["row"], found["2"]["position"]) == ("C", 4)


@pytest.mark.parametrize(
    "text, words",
    [
        ("", "سطر ۱"),
        ("{", "سطر ۱"),
        ("[]", "seats"),
        ('{"chairs": []}', "seats"),
        ('{"seats": {}}', "seats"),
        ('{"seats": []}', "خالی"),
        ('{"seats": ["B1"]}', "seats"),
        ('{"seats": [{"number": ["B1"]}]}', "number"),
        ('{"seats": [{"number": "B1", "colour": "red"}]}', "colour"),
        ('{"seats": [{"number": "B1", "number": "B2"}]}', "number"),
        ('{"seats": [{"number": NaN}]}', "خراب"),
        ('{"seats": [{"number": "B1", "price": "x"}]}', "بها"),
        ('{"seats": [{"number": "B1", "price": 1.5}]}', "بها"),
        ('{"seats": [{"number": "B1", "price": 1e999999}]}', "بها"),
        ('{"seats": [{"number": "B1", "price": true}]}', "بها"),
        ('{"seats": [{"number": "B1", "row": "ABCDEFGHIJK"}]}', "ردیف"),
        ('{"rows": [{"row": "A"}]}', "seats"),
        (r'{"seats": [{"number": "B1", "section": "\ud800"}]}', "خراب"),
        (r'{"seats": [{"\ud800": 1, "\ud800": 2}]}', "خراب"),
        (r'{"seats": [{"number": "B\u0000"}]}', "number"),
        ("[" * 100_000, ""),
        ("9" * 10_000, "خراب"),
    ],
)
def test_json_that_is_no_plan_is_refused_in_words(event, text, words):
    plan = plan_of(text, "json")

    assert len(plan.problems) == 1 and words in plan.problems[0]
    assert plan.seats == {}


def test_more_seats_than_are_accepted_are_refused_before_they_are_judged(event, settings):
    settings.IMPORT_MAXIMUM_ROWS = 2
    seats = [{"number": f"B{n}"} for n in range(3)]

    assert "۲" in plan_of(json.dumps({"seats": seats}), "json").problems[0]


# Where a seat stands


def test_the_place_of_a_new_seat_follows_from_its_number(db):
    event = make_event()
    plan = plan_of("seat_number\nB10\nB2\nA1\nالف۳\n12-7\n")

    added = compare(event, plan, removes=False).added

    places = {s.seat_number: (s.row, s.row_position, s.position) for s in added}
    assert places == {
        "12-7": ("12", 1, 7),
        "A1": ("A", 2, 1),
        "B2": ("B", 3, 2),
        "B10": ("B", 3, 10),
        "الف۳": ("الف", 4, 3),
    }
    assert [seat.seat_number for seat in added] == ["12-7", "A1", "B2", "B10", "الف۳"]


def test_a_new_seat_of_a_known_row_stands_in_that_row(event, seats):
    event.seats.update(row_position=7)

    [seat] = compare(event, plan_of("seat_number\nA4\n"), removes=False).added

    assert (seat.row, seat.row_position, seat.position) == ("A", 7, 4)


def test_what_the_file_says_of_a_place_counts_more_than_the_number(event):
    [seat] = compare(
        event, plan_of("seat_number,row,row_position,position\nB7,C,9,1\n"), removes=False
    ).added

    assert (seat.row, seat.row_position, seat.position) == ("C", 9, 1)


@pytest.mark.parametrize("number", ["VIP", "A12345", "ABCDEFGHIJKL1"])
def test_a_number_that_tells_no_place_is_named_with_its_row(event, number):
    found = compare(event, plan_of(f"seat_number\nB1\n{number}\n"), removes=False)

    assert found.no_place == [(3, number)]


def test_a_known_seat_keeps_what_the_file_leaves_out(event, seats, holder):
    event.seats.filter(pk=seats[0].pk).update(row_position=5, position=9, accessible=True)

    outcome = bring(event, "seat_number,position,price\nA1,,7\n", holder)

    assert outcome.changed == 1
    assert stored(event)[0] == ("A1", "", "A", 5, 9, 7, True)


# Doing it


FILE = "seat_number,row,position,price\nA1,A,1,1000000\nA2,A,2,5\nB1,B,1,7\n"


def test_a_plan_adds_changes_and_removes_and_the_log_has_one_line(event, seats, holder):
    outcome = bring(event, FILE, holder, removes=True)

    assert (outcome.added, outcome.changed, outcome.removed, outcome.left) == (1, 1, 1, [])
    assert [(row[0], row[5]) for row in stored(event)] == [("A1", 10**6), ("A2", 5), ("B1", 7)]
    [line] = LockEvent.objects.all()
    assert (line.action, line.source, line.target_model) == (
        "imported",
        "import",
        "reservations.Event",
    )
    assert (line.actor_name, line.reason) == (
        "مریم رضایی",
        "۱ افزوده، ۱ تغییر، ۱ حذف · hall.csv · 123",
    )


def test_a_plan_applied_twice_changes_nothing_and_logs_nothing_more(event, holder):
    bring(event, FILE, holder, removes=True)
    before = list(Seat.objects.order_by("pk").values())

    outcome = bring(event, FILE, holder, removes=True)

    assert (outcome.added, outcome.changed, outcome.removed, outcome.left) == (0, 0, 0, [])
    assert list(Seat.objects.order_by("pk").values()) == before
    assert LockEvent.objects.count() == 1


def test_a_plan_touches_seats_of_its_event_alone(event, seats, holder):
    stranger = make_seat(seat_number="A1", price=3)

    bring(event, FILE, holder, removes=True)

    stranger.refresh_from_db()
    assert stranger.price == 3


def test_without_the_box_nothing_is_removed(event, seats, holder):
    assert compare(event, plan_of(FILE), removes=False).others == 1

    assert bring(event, FILE, holder).removed == 0
    assert event.seats.filter(seat_number="A3").exists()


@pytest.fixture
def lives(db, holder):
    """A1 held, A2 sold, A3 blocked, A4 run out, A5 free."""
    event = make_event(seats=5)
    a1, a2, a3, a4, _a5 = event.seats.all()
    holds.hold(event, [a4.pk], by=holder)
    let_run_out()
    holds.hold(event, [a1.pk], by=holder)
    sell(holds.hold(event, [a2.pk], by=holder), [a2], holder)
    layout.block(event.seats.filter(pk=a3.pk), by=holder, reason="دوربین")
    return event


def test_held_reserved_and_blocked_seats_are_never_removed(lives, holder):
    kept = {seat.pk: claim_of(seat) for seat in lives.seats.all()[:3]}
    found = compare(lives, plan_of("seat_number\nB1\n"), removes=True)
    assert [seat.seat_number for seat in found.kept] == ["A1", "A2", "A3"]

    assert bring(lives, "seat_number\nB1\n", holder, removes=True).removed == 2

    assert {seat.pk: claim_of(seat) for seat in lives.seats.exclude(seat_number="B1")} == kept
    assert [line[:2] for line in logged(action="ran_out")] == [("ran_out", "A4")]


def test_a_seat_that_somebody_has_keeps_its_price_and_changes_its_place(lives, holder):
    lines = "\n".join(f"A{n},بالکن,5" for n in range(1, 6))

    outcome = bring(lives, f"seat_number,section,price\n{lines}\n", holder)

    assert outcome.changed == 5
    assert [(row[1], row[5]) for row in stored(lives)] == [
        ("بالکن", 10**6),
        ("بالکن", 10**6),
        ("بالکن", 5),
        ("بالکن", 5),
        ("بالکن", 5),
    ]
    invariants.check(lives)


# Between the preview and the confirmation


def confirmed_after(event, meanwhile, by, data=FILE):
    plan = plan_of(data)
    shown = compare(event, plan, removes=True).steps()
    meanwhile()
    return apply(event, plan, shown, removes=True, by=by, file="hall.csv")


def test_a_seat_taken_after_the_preview_is_kept_and_said(event, seats, holder, colleague):
    def meanwhile():
        holds.hold(event, [seats[1].pk, seats[2].pk], by=colleague)

    outcome = confirmed_after(event, meanwhile, holder)

    assert (outcome.added, outcome.changed, outcome.removed) == (1, 0, 0)
    assert len(outcome.left) == 2
    assert all("علی کریمی" in line for line in outcome.left)
    assert [claim_of(seat)["status"] for seat in seats] == ["available", "locked", "locked"]
    assert Seat.objects.get(pk=seats[1].pk).price == 10**6


def test_what_somebody_changed_after_the_preview_is_not_overwritten(event, seats, holder):
    outcome = confirmed_after(
        event, lambda: event.seats.filter(seat_number="A2").update(price=9), holder
    )

    assert outcome.left == ["صندلی A2 در این میان تغییر کرده است و همان‌گونه می‌ماند."]
    assert (outcome.added, outcome.changed, outcome.removed) == (1, 0, 1)
    assert event.seats.get(seat_number="A2").price == 9


def test_seats_made_and_removed_after_the_preview_are_said(event, seats, holder):
    def meanwhile():
        make_seat(event, seat_number="B1", price=1)
        event.seats.filter(seat_number__in=["A2", "A3"]).delete()

    outcome = confirmed_after(event, meanwhile, holder)

    assert (outcome.added, outcome.changed, outcome.removed) == (0, 0, 0)
    assert ["A2" in outcome.left[0], "A3" in outcome.left[1], "B1" in outcome.left[2]] == [True] * 3
    assert not LockEvent.objects.exists()


def test_control_without_what_was_shown_the_change_of_another_is_overwritten(event, seats, holder):
    plan = plan_of(FILE)
    event.seats.filter(seat_number="A2").update(price=9)
    shown = compare(event, plan, removes=True).steps()

    apply(event, plan, shown, removes=True, by=holder, file="hall.csv")

    assert event.seats.get(seat_number="A2").price == 5


@pytest.mark.django_db(transaction=True)
def test_of_a_file_and_a_hold_at_once_each_sees_the_other(make_user):
    event = make_event(seats=6)
    person = make_user("clerk")
    plan = plan_of("seat_number\nB1\n")
    shown = compare(event, plan, removes=True).steps()
    pks = [seat.pk for seat in event.seats.all()]
    done = {}

    def work(n):
        if n == 0:
            done["file"] = apply(event, plan, shown, removes=True, by=person, file="x")
        else:
            holds.hold(event, [pks[n]], by=person)

    results = at_once(work, 4)

    held = sum(result is None for result in results[1:])
    assert event.seats.filter(status="locked").count() == held
    assert done["file"].removed == 6 - held
    assert event.seats.count() == 1 + held
    invariants.check(event)


@pytest.mark.skipif("connection.vendor == 'sqlite'", reason="SQLite has one writer")
@pytest.mark.django_db(transaction=True)
def test_a_file_waits_for_a_hold_that_is_being_taken_and_keeps_its_seat(make_user):
    event = make_event(seats=2)
    person = make_user("clerk")
    plan = plan_of("seat_number\nA2\n")
    shown = compare(event, plan, removes=True).steps()
    held, done = threading.Event(), {}

    def work(n):
        if n == 0:
            with transaction.atomic():
                holds.hold(event, [event.seats.get(seat_number="A1").pk], by=person)
                held.set()
                threading.Event().wait(0.3)
        else:
            assert held.wait(10)
            done["file"] = apply(event, plan, shown, removes=True, by=person, file="x")

    assert at_once(work, 2) == [None, None]
    assert done["file"].removed == 0 and "A1" in done["file"].left[0]
    assert event.seats.count() == 2


# Out and in again


@pytest.mark.parametrize("kind, write", [("csv", as_csv), ("json", as_json)])
def test_what_goes_out_comes_in_again_unchanged(lives, holder, kind, write):
    make_seat(lives, seat_number="الف۱۰", section="=بالکن", row="", position=4, accessible=True)
    data = write(lives.seats.all())

    found = compare(lives, plan_of(data, kind), removes=True)

    assert (found.steps(), found.unchanged) == (set(), 6)
    other = make_event()
    bring(other, data, holder, kind=kind, removes=True)
    assert stored(other) == stored(lives)


signs = string.ascii_letters + string.digits + "ابپیکگ۱۲۳ -_./=+@()\u200c'"


def texts(low, high):
    return (
        st.text(signs, min_size=low, max_size=high)
        .map(normalise_typed)
        .filter(lambda text: normalise_typed(text) == text and len(text) >= low)
        .filter(lambda text: not text.startswith("'"))  # what a table puts before a formula
    )


small = st.integers(0, 32_767)
seats_of_a_plan = st.lists(
    st.builds(
        Seat,
        event=st.just(Event(name="x")),
        seat_number=texts(1, 20),
        section=texts(0, 60),
        row=texts(0, 10),
        row_position=small,
        position=small,
        price=st.integers(0, HIGHEST_PRICE),
        accessible=st.booleans(),
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda seat: seat.seat_number,
)


@bounds(max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(seats=seats_of_a_plan)
@pytest.mark.parametrize("kind, write", [("csv", as_csv), ("json", as_json)])
def test_any_plan_that_goes_out_comes_in_as_it_was(db, kind, write, seats):
    plan = plan_files.read(write(seats), kind)

    assert told(plan) == {
        seat.seat_number: {name: getattr(seat, name) for name in COLUMNS} for seat in seats
    }


def test_the_sample_is_a_plan(event):
    for kind, write in (("csv", as_csv), ("json", as_json)):
        assert list(told(plan_of(write(plan_files.sample()), kind))) == ["A1", "A2"]


# What it costs


def test_comparing_takes_one_query_however_many_seats(event, seats):
    counts = []
    for number in (1, 200):
        text = "seat_number\n" + "\n".join(f"B{n}" for n in range(1, number + 1))
        with CaptureQueriesContext(connection) as queries:
            assert len(compare(event, plan_of(text), removes=True).steps()) == number + 3
        counts.append(len(queries))

    assert counts == [1, 1]


def test_a_step_says_its_old_and_its_new_value(event, seats):
    found = compare(event, plan_of("seat_number,price\nA1,5\n"), removes=False)

    assert found.steps() == {Step("A1", "set", "price", "1000000", "5")}
    assert seat_plan.in_order([Seat(seat_number="A10"), Seat(seat_number="A2")])[0].seat_number == (
        "A2"
    )
