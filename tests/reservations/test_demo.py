from collections import Counter

import pytest
from django.core.management import CommandError, call_command

from backoffice.audit import LockEvent
from reservations.models import Event, Reservation, Seat
from tests.reservations.factories import make_event


def load(capsys):
    call_command("load_reservations_demo")
    return capsys.readouterr().out


def test_the_demo_fills_two_halls_and_leaves_some_holds_to_run_out(holder, colleague, capsys):
    load(capsys)

    assert Counter(Seat.objects.values_list("event__code", flat=True)) == {
        "concert-yalda": 300,
        "play-simorgh": 300,
    }
    states = Counter(Seat.objects.with_state().values_list("state", flat=True))
    assert states == {"available": 545, "reserved": 31, "locked": 13, "blocked": 11}
    held = Seat.objects.live()
    assert {(seat.locked_until - seat.held_since).seconds for seat in held} == {120, 300}
    assert set(held.values_list("locked_by", flat=True)) == {holder.pk, colleague.pk}
    steps = Counter(LockEvent.objects.values_list("action", flat=True))
    assert (steps["confirmed"], steps["cancelled"], steps["moved"]) == (33 + 2, 2, 2)
    assert Reservation.objects.count() == 12


def test_without_staff_the_demo_only_brings_seats_each_in_a_place_of_its_own(capsys, db):
    assert "Nobody may hold seats" in load(capsys)

    assert Seat.objects.filter(status="available").count() == 600
    for event in Event.objects.all():
        places = list(event.seats.values_list("row_position", "position"))
        assert len(set(places)) == len(places) == 300
        assert event.seats.filter(accessible=True).count() >= 4


def test_the_demo_goes_into_a_new_office_only(db):
    event = make_event(seats=1)

    with pytest.raises(CommandError, match="events already"):
        call_command("load_reservations_demo")

    assert list(Event.objects.all()) == [event]
    assert Seat.objects.count() == 1
