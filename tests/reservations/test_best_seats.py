"""Which seats a party gets when it asks for the best ones; and many parties at one moment."""

import random
import threading
import time
from collections import Counter

import pytest
from django.contrib.auth import get_user_model
from hypothesis import given
from hypothesis import strategies as st

from backoffice.audit import LockEvent
from reservations import best_seats, holds, layout
from reservations.best_seats import Place, choose
from reservations.models import Seat
from reservations.refusals import Refused
from tests.reservations import invariants
from tests.reservations.factories import let_run_out, make_event, make_seat
from tests.threads import at_once

# The hall as it is drawn: a line a row, from the stage on. o free, O free and accessible,
# x and X taken, a blank an aisle.
SIGNS = {"o": (True, False), "O": (True, True), "x": (False, False), "X": (False, True)}


def hall(*rows, section=""):
    """Return the seats of a drawn hall; A1 has the key 101, B3 the key 203."""
    return [
        Place(
            pk=row_number * 100 + place,
            section=section,
            row=chr(64 + row_number),
            row_position=row_number,
            position=place,
            accessible=SIGNS[sign][1],
            free=SIGNS[sign][0],
        )
        for row_number, row in enumerate(rows, 1)
        for place, sign in enumerate(row, 1)
        if sign != " "
    ]


def best(*rows, count, **how):
    """Return the drawn hall with the seats that were chosen as #, and whether they are adjacent."""
    choice = choose(hall(*rows), count, **how)
    drawn = [list(row) for row in rows]
    for pk in choice.seats:
        drawn[pk // 100 - 1][pk % 100 - 1] = "#"
    return ["".join(row) for row in drawn], choice.adjacent


# Which


def test_the_best_are_side_by_side_in_the_middle():
    assert best("oooooooooo", count=4) == (["ooo####ooo"], True)


def test_the_middle_is_that_of_the_row_and_not_of_what_is_free():
    assert best("xxxxxooooo", count=2) == (["xxxxx##ooo"], True)


def test_the_best_row_is_at_the_end_of_the_front_third():
    rows = ["oooooo"] * 7
    assert best(*rows, count=2) == ([*rows[:2], "oo##oo", *rows[3:]], True)


def test_an_aisle_parts_neighbours():
    assert best("ooo ooo", count=4)[1] is False
    assert best("xoo ooo", count=3) == (["xoo ###"], True)


def test_rows_and_sections_part_neighbours():
    seats = [*hall("oo"), *(place._replace(pk=place.pk + 50, section="B") for place in hall("oo"))]
    assert choose(seats, 3).adjacent is False


def test_no_single_seat_is_left_alone_where_there_is_another_way():
    # Two seats to the left would be nearer to the middle, and one seat alone.
    assert best("xxxxooooooox", count=4)[0] == ["xxxx####ooox"]
    assert best("xxoooooxxx", "oooooooooo", count=4)[0] == ["xxoooooxxx", "ooo####ooo"]


def test_a_single_seat_is_left_alone_where_there_is_no_other_way():
    assert best("xoooox", count=3)[0] in (["x###ox"], ["xo###x"])


def test_accessible_seats_are_kept_for_those_who_ask():
    assert best("ooxOOxoo", count=2, spread=0)[0] in (["##xOOxoo"], ["ooxOOx##"])
    assert choose(hall("oOOOO"), 2) is None


def test_who_asks_gets_one_accessible_seat_and_no_more_than_needed():
    assert best("oooooOOoooo", count=3, accessible=True)[0] in (
        ["ooo###Ooooo"],
        ["oooooO###oo"],
    )
    assert choose(hall("oooooooo"), 2, accessible=True) is None


def test_where_no_row_has_so_many_the_seats_are_near_one_another_and_it_is_said():
    drawn, adjacent = best("ooxxxxxxxx", "xoxxxxxxoo", "xxxxxxxxxx", "ooxxxxxxxx", count=3)
    assert (drawn, adjacent) == (["##xxxxxxxx", "x#xxxxxxoo", "xxxxxxxxxx", "ooxxxxxxxx"], False)


def test_who_asks_for_an_accessible_seat_gets_it_also_where_none_are_side_by_side():
    drawn, adjacent = best("xOxoxoxoxxxxxxxxxxo", count=3, accessible=True)
    assert (drawn, adjacent) == (["x#x#x#xoxxxxxxxxxxo"], False)


def test_too_few_are_none():
    assert choose(hall("ooxx"), 3) is None
    assert choose([], 1) is None


def test_seats_without_places_of_their_own_are_not_side_by_side():
    seats = [place._replace(position=1) for place in hall("ooo")]
    assert choose(seats, 2).adjacent is False


# Whatever the hall

rows = st.text("oooxO X", min_size=1, max_size=14)
halls = st.lists(rows, min_size=1, max_size=5).map(lambda drawn: hall(*drawn))
counts = st.integers(1, 6)


def alone(seats, chosen):
    """Return how many ordinary seats beside the chosen ones keep no free neighbour."""
    at = {(p.row, p.position): p for p in seats if p.free and not p.accessible}
    at = {place: p for place, p in at.items() if p.pk not in chosen}
    edges = {(p.row, p.position + step) for p in seats if p.pk in chosen for step in (-1, 1)}
    return sum(
        (row, place) in at and not {(row, place - 1), (row, place + 1)} & at.keys()
        for row, place in edges
    )


def windows(seats, count, accessible):
    """Yield every group of so many seats side by side that a party may have."""
    at = {(p.row, p.position): p for p in seats if p.free and (accessible or not p.accessible)}
    for row, first in at:
        group = [at.get((row, first + step)) for step in range(count)]
        if all(group) and (not accessible or any(p.accessible for p in group)):
            yield {p.pk for p in group}


@given(halls, counts, st.booleans(), st.sampled_from((0, *best_seats.TRIES)))
def test_what_is_chosen_is_free_and_what_was_asked_for(seats, count, accessible, spread):
    choice = choose(seats, count, accessible=accessible, spread=spread)
    known = {place.pk: place for place in seats}
    allowed = [p for p in seats if p.free and (accessible or not p.accessible)]
    possible = len(allowed) >= count and (not accessible or any(p.accessible for p in allowed))

    assert (choice is not None) == possible
    if choice:
        chosen = [known[pk] for pk in choice.seats]
        assert len(set(choice.seats)) == len(chosen) == count
        assert all(place.free for place in chosen)
        assert any(place.accessible for place in chosen) == accessible


@given(halls, counts, st.booleans(), st.sampled_from((0, *best_seats.TRIES)))
def test_seats_are_side_by_side_exactly_where_that_can_be(seats, count, accessible, spread):
    choice = choose(seats, count, accessible=accessible, spread=spread)
    possible = list(windows(seats, count, accessible))

    if choice:
        assert choice.adjacent == bool(possible) == (set(choice.seats) in possible)


@given(halls, counts, st.booleans(), st.sampled_from((0, *best_seats.TRIES)))
def test_a_choice_leaves_as_few_single_seats_as_any_other(seats, count, accessible, spread):
    choice = choose(seats, count, accessible=accessible, spread=spread)

    if choice and choice.adjacent:
        fewest = min(alone(seats, group) for group in windows(seats, count, accessible))
        assert alone(seats, set(choice.seats)) == fewest


def test_control_the_middle_alone_would_leave_single_seats():
    seats = hall("xxoooxx")
    assert alone(seats, {103, 104}) == 1
    assert alone(seats, {104}) == 2
    assert alone(seats, set(choose(seats, 1).seats)) == 0


def test_nearly_equal_choices_differ_and_share_no_seat():
    seats = hall(*["o" * 20] * 5)
    chosen = {tuple(choose(seats, 4, spread=4).seats) for _try in range(200)}

    assert len(chosen) > 3
    assert Counter(pk for group in chosen for pk in group).most_common(1)[0][1] == 1


@pytest.mark.parametrize(
    "how", [{"count": 4}, {"count": 12}, {"count": 50}, {"count": 3, "accessible": True}], ids=str
)
def test_a_hall_of_two_thousand_seats_is_chosen_from_in_twenty_milliseconds(how):
    signs = random.Random(1)
    seats = hall(*("".join(signs.choices("oooxO", k=50)) for _row in range(40)))

    def seconds():
        began = time.process_time()
        assert choose(seats, **how, spread=1)
        return time.process_time() - began

    took = min(seconds() for _run in range(3))
    print(f"2,000 seats, {how}: {took * 1000:.1f} ms")
    assert took < 0.02


# Holding them


@pytest.fixture
def faster(monkeypatch, colleague):
    """Return a function that lets a colleague be faster with whatever is chosen, some times."""

    def be_faster(event, times):
        left = iter(range(times))

        def choose_and_lose(*args, **how):
            choice = choose(*args, **how)
            if next(left, None) is not None:
                holds.hold(event, choice.seats, by=colleague)
            return choice

        monkeypatch.setattr(best_seats, "choose", choose_and_lose)

    return be_faster


def test_the_best_seats_are_held_together(event, seats, holder):
    hold_id, choice = best_seats.take(event, 2, by=holder)

    held = event.seats.live().filter(hold_id=hold_id, locked_by=holder)
    assert {seat.pk for seat in held} == set(choice.seats)
    assert (len(choice.seats), choice.adjacent) == (2, True)
    assert event.seats.free().count() == 1


def test_a_hold_that_ran_out_is_among_the_best(event, seats, holder, colleague):
    holds.hold(event, [seat.pk for seat in seats], by=colleague)
    let_run_out()

    _hold_id, choice = best_seats.take(event, 3, by=holder)

    assert choice.seats == [seat.pk for seat in seats]


def test_blocked_and_reserved_seats_are_never_among_the_best(event, seats, holder, supervisor):
    layout.block(Seat.objects.filter(pk=seats[1].pk), by=supervisor, reason="دید محدود")

    with pytest.raises(Refused) as refused:
        best_seats.take(event, 3, by=holder)
    _hold_id, choice = best_seats.take(event, 2, by=holder)

    assert refused.value.reason == "few"
    assert (set(choice.seats), choice.adjacent) == ({seats[0].pk, seats[2].pk}, False)


def test_whoever_was_too_slow_gets_other_seats(holder, colleague, faster):
    event = make_event(seats=12)
    faster(event, 2)

    hold_id, _choice = best_seats.take(event, 4, by=holder)

    assert event.seats.filter(hold_id=hold_id, locked_by=holder).count() == 4
    assert event.seats.filter(locked_by=colleague).count() == 8


def test_after_three_tries_the_answer_is_to_try_again(holder, colleague, faster):
    event = make_event(seats=16)
    faster(event, 3)

    with pytest.raises(Refused) as refused:
        best_seats.take(event, 4, by=holder)

    assert refused.value.reason == "busy"
    assert event.seats.filter(locked_by=colleague).count() == 12
    assert not event.seats.filter(locked_by=holder).exists()


def test_a_refusal_that_other_seats_would_not_mend_is_not_tried_again(holder, settings):
    settings.SEAT_HOLDS_PER_USER = 3
    event = make_event(seats=9)

    with pytest.raises(Refused) as refused:
        best_seats.take(event, 4, by=holder)

    assert refused.value.reason == "cap"
    assert LockEvent.objects.filter(action="refused").count() == 1


def test_without_a_free_accessible_seat_the_refusal_says_so(event, seats, holder):
    with pytest.raises(Refused) as refused:
        best_seats.take(event, 1, by=holder, accessible=True)
    make_seat(event, accessible=True)
    with pytest.raises(Refused) as too_many:
        best_seats.take(event, 5, by=holder, accessible=True)

    assert (refused.value.reason, too_many.value.reason) == ("no_accessible", "few")
    assert "دسترس‌پذیر" in refused.value.message


# A crowd

PARTIES, PARTY = 20, 4


@pytest.fixture
def concert(transactional_db):
    """A hall of five rows, a hundred seats."""
    event = make_event()
    for row in range(1, 6):
        for place in range(1, 21):
            name = "ABCDE"[row - 1]
            make_seat(
                event, seat_number=f"{name}{place}", row=name, row_position=row, position=place
            )
    return event


@pytest.fixture
def people(transactional_db):
    return [get_user_model().objects.create_user(f"user{n}") for n in range(PARTIES)]


def test_a_crowd_gets_whole_groups_side_by_side(concert, people):
    results = at_once(lambda n: best_seats.take(concert, PARTY, by=people[n]), PARTIES)

    won = [result for result in results if isinstance(result, tuple)]
    lost = [result.reason for result in results if isinstance(result, Refused)]
    print(f"{len(won)} of {PARTIES} parties of {PARTY} have their seats at once")
    assert len(won) + len(lost) == PARTIES, results
    assert set(lost) <= {"busy"}
    assert len(won) >= PARTIES / 2
    for hold_id, choice in won:
        places = concert.seats.filter(hold_id=hold_id).values_list("row", "position")
        (row,) = {row for row, _place in places}
        first = min(place for _row, place in places)
        assert sorted(places) == [(row, first + step) for step in range(PARTY)]
        assert choice.adjacent
    assert concert.seats.live().count() == PARTY * len(won)
    invariants.check()


def test_control_without_spread_and_a_second_try_a_crowd_wants_the_same_seats(
    concert, people, monkeypatch
):
    everybody_has_chosen = threading.Barrier(PARTIES)

    def choose_at_once(*args, **how):
        choice = choose(*args, **how)
        everybody_has_chosen.wait()
        return choice

    Seat.objects.filter(event=concert, position=20).update(blocked=True, block_reason="x")
    monkeypatch.setattr(best_seats, "TRIES", (0,))
    monkeypatch.setattr(best_seats, "choose", choose_at_once)
    results = at_once(lambda n: best_seats.take(concert, 3, by=people[n]), PARTIES)

    assert [isinstance(result, tuple) for result in results].count(True) == 1
    assert concert.seats.live().count() == 3
