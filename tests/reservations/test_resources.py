"""Events and seats in files."""

import pytest
import tablib

from reservations import holds
from reservations.models import Event, Seat
from reservations.resources import EventResource, SeatResource
from tests.reservations.factories import claim_of, let_run_out

HEADINGS = ("event", "seat_number", "section", "row", "row_position", "position", "price")


def bring(resource_class, headings, *rows):
    return resource_class().import_data(tablib.Dataset(*rows, headers=headings), user=None)


def refused(result):
    return result.has_errors() or result.has_validation_errors()


def row_of(seat, **changes):
    values = {
        "event": seat.event.code,
        **{name: getattr(seat, name) for name in HEADINGS[1:]},
    }
    return tuple((values | changes).values())


def test_seats_come_in_by_event_and_number(event):
    result = bring(SeatResource, HEADINGS, (event.code, "B۱", "همکف", "B", "۲", "۱", "۵۰۰٬۰۰۰"))

    assert not refused(result)
    seat = Seat.objects.get(seat_number="B1")
    assert (seat.event, seat.row_position, seat.price) == (event, 2, 500_000)
    assert claim_of(seat)["status"] == "available"


def test_the_same_file_again_changes_nothing(event, seats):
    rows = [row_of(seat) for seat in seats]

    result = bring(SeatResource, HEADINGS, *rows)

    assert (result.totals["skip"], Seat.objects.count()) == (3, 3)


@pytest.mark.parametrize("state", ["live", "run out", "sold"])
def test_a_file_changes_the_layout_of_a_seat_and_never_its_claim(event, seats, holder, state):
    hold_id = holds.hold(event, [seats[0].pk], by=holder)
    if state == "sold":
        holds.confirm(hold_id, [seats[0].pk], by=holder, payment_method="cash")
    if state == "run out":
        let_run_out()
    before = claim_of(seats[0])

    result = bring(SeatResource, HEADINGS, row_of(seats[0], section="بالکن"))

    assert not refused(result)
    assert Seat.objects.get(pk=seats[0].pk).section == "بالکن"
    assert claim_of(seats[0]) == before


@pytest.mark.parametrize("state", ["live", "run out", "sold"])
def test_a_file_leaves_a_seat_that_somebody_has_at_its_price(event, seats, holder, state):
    hold_id = holds.hold(event, [seats[0].pk], by=holder)
    if state == "sold":
        holds.confirm(hold_id, [seats[0].pk], by=holder, payment_method="cash")
    if state == "run out":
        let_run_out()

    result = bring(SeatResource, HEADINGS, *(row_of(seat, price=5) for seat in seats))

    is_kept = state != "run out"
    assert refused(result) == is_kept
    assert set(event.seats.values_list("price", flat=True)) == {1_000_000 if is_kept else 5}


def test_a_hold_taken_while_a_file_comes_in_is_kept(event, seats, holder, monkeypatch):
    """The row is read, somebody takes the seat, the row is written."""
    write = SeatResource.do_instance_save

    def held_just_before(self, instance, is_create):
        holds.hold(event, [seats[0].pk], by=holder)
        write(self, instance, is_create)

    monkeypatch.setattr(SeatResource, "do_instance_save", held_just_before)
    bring(SeatResource, HEADINGS, row_of(seats[0], section="بالکن"))

    seat = Seat.objects.get(pk=seats[0].pk)
    assert (seat.section, seat.status, seat.locked_by) == ("بالکن", "locked", holder)


def test_a_status_in_a_file_is_not_taken_over(event, seats):
    bring(SeatResource, (*HEADINGS, "status"), (*row_of(seats[0]), "رزروشده"))

    assert claim_of(seats[0])["status"] == "available"


def test_a_price_that_no_database_can_add_up_is_refused(seats):
    assert refused(bring(SeatResource, HEADINGS, row_of(seats[0], price=2**63 - 1)))


def test_a_seat_of_an_unknown_event_is_refused_and_nothing_written(event):
    good = (event.code, "C1", "", "C", 3, 1, 1)

    result = bring(SeatResource, HEADINGS, good, ("nowhere", "C2", "", "C", 3, 2, 1))

    assert refused(result)
    assert Seat.objects.filter(row="C").count() == 0


def test_seats_go_out_with_persian_headings_and_what_they_are(event, seats, holder):
    holds.hold(event, [seats[0].pk], by=holder)

    exported = SeatResource().export(Seat.objects.all())

    assert "شماره صندلی" in [str(heading) for heading in exported.headers]
    assert [row[-1] for row in exported] == ["نگه‌داری موقت", "آزاد", "آزاد"]


def test_events_come_in_by_code_with_jalali_times(event):
    headings = ("code", "name", "starts_at", "hold_seconds")

    result = bring(
        EventResource,
        headings,
        ("NEW", "نمایش", "۱۴۰۶/۰۱/۱۵ ۱۹:۰۰", 120),
        (event.code, "نام تازه", "1406/01/16 20:30", ""),
    )

    assert not refused(result)
    new = Event.objects.get(code="NEW")
    assert (new.starts_at.isoformat(), new.hold_seconds) == ("2027-04-04T15:30:00+00:00", 120)
    assert Event.objects.get(pk=event.pk).name == "نام تازه"


@pytest.mark.parametrize("seconds", [0, 90000, "زیاد"])
def test_a_length_of_a_hold_out_of_bounds_is_refused(event, seconds):
    headings = ("code", "name", "starts_at", "hold_seconds")

    assert refused(bring(EventResource, headings, ("NEW", "نمایش", "1406/01/15 19:00", seconds)))
    assert Event.objects.count() == 1
