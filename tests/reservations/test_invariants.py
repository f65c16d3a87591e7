"""The invariants I1 to I13, and which tests show them; here are the bounds of time and the sweep.

I1   one live owner        test_races: one of fifty gets a seat; test_storm: ten of fifty
I2   none confirmed late   here: at the bound; test_races: a sale that waited
I3   run out, so takeable  here: at the bound; test_holds: a run-out hold can be taken at once
I4   the cleaner spares    test_interleavings: cleaner and sale, stopped at each step
I5   an old token is void  test_holds: after a takeover; test_interleavings; test_life
I6   all seats add up      ``invariants.sold_once``, after every life, race and storm
I7   groups come whole     test_races: overlapping groups; test_life: a refusal changes nothing
I8   nobody over the cap   test_races: many requests of one person; test_life
I9   spans within bounds   here: no failure extends; test_life
I10  the log is the table  two replays, ``invariants.replay`` and the seat's own page; test_life
I11  cleaners share        test_crashes: two and five processes print each seat once
I12  kill -9               test_crashes: at each step of sale, hold, cleaner, cancelling, move
I13  the map hides nothing test_seatmap and test_storm: a changed seat, and time alone

``test_life`` does anything in any order beside a model, ``test_storm`` does it over HTTP; both ask
``invariants.broken`` at the end. That this sweep sees each fault is shown below.
"""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import call_command

from backoffice import audit
from backoffice.audit import LockEvent
from reservations import holds, layout, sales
from reservations.models import Reservation, Seat
from reservations.refusals import Refused
from tests.reservations import invariants
from tests.reservations.factories import claim_of, let_run_out, sell

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
INSTANT = timedelta(microseconds=1)
AROUND_THE_END = pytest.mark.parametrize(
    "offset, live",
    [(-INSTANT, True), (0 * INSTANT, False), (INSTANT, False)],
    ids=["an instant before the end", "at the end", "an instant after the end"],
)


@pytest.fixture
def at_the_end(event, seats, holder, clock):
    """Return a function that holds the first seat and sets the clock around the hold's end."""

    def hold(offset):
        clock(NOON)
        hold_id = holds.hold(event, [seats[0].pk], by=holder)
        clock(claim_of(seats[0])["locked_until"] + offset)
        return hold_id

    return hold


# The end belongs to one side: until then only the holder can act, from then on only others


@AROUND_THE_END
def test_a_hold_is_confirmed_until_its_end_and_not_from_then_on(
    at_the_end, seats, holder, offset, live
):
    hold_id = at_the_end(offset)
    try:
        sell(hold_id, seats[:1], holder)
    except Refused as refused:
        assert (refused.reason, live) == ("ran_out", False)
    assert Reservation.objects.count() == live
    assert claim_of(seats[0])["status"] == ("reserved" if live else "locked")
    invariants.check()


@AROUND_THE_END
def test_a_hold_is_extended_until_its_end_and_not_from_then_on(
    at_the_end, seats, holder, offset, live
):
    hold_id = at_the_end(offset)
    before = claim_of(seats[0])
    try:
        holds.extend(hold_id, by=holder)
    except Refused as refused:
        assert (refused.reason, live) == ("ran_out", False)
    assert (claim_of(seats[0]) != before) == live
    invariants.check()


@AROUND_THE_END
def test_a_hold_is_given_back_until_its_end_and_not_from_then_on(
    at_the_end, seats, holder, offset, live
):
    hold_id = at_the_end(offset)
    assert holds.release(hold_id, by=holder) == live
    assert claim_of(seats[0])["status"] == ("available" if live else "locked")
    invariants.check()


@AROUND_THE_END
def test_others_can_hold_a_seat_from_the_end_on_and_not_before(
    at_the_end, event, seats, colleague, offset, live
):
    hold_id = at_the_end(offset)
    try:
        hold_id = holds.hold(event, [seats[0].pk], by=colleague)
    except Refused as refused:
        assert (refused.reason, live) == ("in_the_way", True)
    assert claim_of(seats[0])["hold_id"] == hold_id
    assert (claim_of(seats[0])["locked_by"] == colleague.pk) != live
    invariants.check()


@AROUND_THE_END
def test_the_cleaner_frees_a_seat_from_the_end_on_and_not_before(at_the_end, seats, offset, live):
    at_the_end(offset)
    assert len(holds.release_expired()) == (not live)
    assert claim_of(seats[0])["status"] == ("locked" if live else "available")
    invariants.check()


@AROUND_THE_END
def test_a_seat_is_blocked_from_the_end_on_and_not_before(
    at_the_end, event, seats, supervisor, offset, live
):
    at_the_end(offset)
    rows = event.seats.filter(pk=seats[0].pk)
    assert len(layout.block(rows, by=supervisor, reason="دوربین")) == (not live)
    assert claim_of(seats[0])["blocked"] != live
    invariants.check()


@AROUND_THE_END
def test_a_sale_moves_to_a_seat_from_the_end_on_and_not_before(
    at_the_end, event, seats, colleague, offset, live
):
    sale = sell(holds.hold(event, [seats[1].pk], by=colleague), seats[1:2], colleague)
    at_the_end(offset)
    try:
        sales.move(sale.pk, [seats[1].pk], [seats[0].pk], by=colleague, payment_method="cash")
    except Refused as refused:
        assert (refused.reason, live) == ("not_moved", True)
    assert (claim_of(seats[0])["reservation"] == sale.pk) != live
    assert (claim_of(seats[1])["reservation"] == sale.pk) == live
    invariants.check()


@AROUND_THE_END
def test_ending_by_force_is_recorded_as_such_until_the_end_and_as_run_out_from_then_on(
    at_the_end, event, supervisor, offset, live
):
    at_the_end(offset)
    holds.force_release(event.seats.all(), by=supervisor, reason="x")
    last = LockEvent.objects.first()
    assert (last.action, last.reason) == (("forced", "x") if live else ("ran_out", ""))
    assert (last.ended_at is None) == live


@AROUND_THE_END
def test_a_hold_counts_for_the_cap_until_its_end_and_not_from_then_on(
    at_the_end, event, seats, holder, settings, offset, live
):
    settings.SEAT_HOLDS_PER_USER = 1
    at_the_end(offset)
    try:
        holds.hold(event, [seats[1].pk], by=holder)
    except Refused as refused:
        assert (refused.reason, live) == ("cap", True)
    assert (claim_of(seats[1])["status"] == "locked") != live


# A failed action never extends


def failures(event, seats, holder, colleague, hold_id):
    """Return attempts at a live hold of the holder's that all fail."""
    first, last, unknown = seats[0].pk, seats[2].pk, uuid.uuid4()
    paid = {"payment_method": "cash"}
    return {
        "hold by its holder": lambda: holds.hold(event, [first], by=holder),
        "hold by another": lambda: holds.hold(event, [first, last], by=colleague),
        "extend by another": lambda: holds.extend(hold_id, by=colleague),
        "extend with an old token": lambda: holds.extend(unknown, by=holder),
        "extend beyond the limit": lambda: holds.extend(hold_id, by=holder),
        "sell another's": lambda: holds.confirm(hold_id, [first], by=colleague, **paid),
        "sell with an old token": lambda: holds.confirm(unknown, [first], by=holder, **paid),
        "sell more than is held": lambda: holds.confirm(hold_id, [first, last], by=holder, **paid),
        "sell anew what is another's": lambda: holds.confirm(
            unknown, [first], by=colleague, again=True, **paid
        ),
    }


def test_no_failed_action_extends_a_hold_or_changes_anything(
    event, seats, holder, colleague, clock, settings
):
    settings.SEAT_HOLD_MAXIMUM_SECONDS = 300
    clock(NOON)
    hold_id = holds.hold(event, [seats[0].pk], by=holder)
    clock(NOON + timedelta(seconds=10))
    before = list(Seat.objects.values())

    for name, attempt in failures(event, seats, holder, colleague, hold_id).items():
        with pytest.raises(Refused):
            attempt()
        assert list(Seat.objects.values()) == before, name

    assert not Reservation.objects.exists()


# The log


def test_the_command_prints_as_many_lines_as_the_log_gets_events(event, seats, holder, capsys):
    holds.hold(event, [seat.pk for seat in seats], by=holder)
    let_run_out()

    call_command("release_expired_locks")

    *lines, _blank, total = capsys.readouterr().out.splitlines()
    written = LockEvent.objects.filter(action="ran_out", source="command").count()
    assert (len(lines), total) == (written, f"✅ Total locks released: {written}")
    invariants.check()


# Whoever leaves


def test_deleting_an_account_that_holds_and_sold_seats_breaks_nothing_and_loses_no_name(
    event, seats, holder, colleague
):
    sold = sell(holds.hold(event, [seats[1].pk], by=holder), seats[1:2], holder)
    hold_id = holds.hold(event, [seats[0].pk], by=holder)
    before = claim_of(seats[0])

    holder.delete()

    assert claim_of(seats[0]) == before | {"locked_by": None}
    with pytest.raises(Refused, match="مریم رضایی"):
        holds.hold(event, [seats[0].pk], by=colleague)
    with pytest.raises(Refused):
        holds.extend(hold_id, by=colleague)
    sold.refresh_from_db()
    assert (sold.cashier, sold.cashier_name) == (None, "مریم رضایی")
    assert sold.payments.get().cashier_name == "مریم رضایی"
    invariants.check()


def test_the_seats_of_a_deleted_account_run_out_like_any_other(event, seats, holder, colleague):
    holds.hold(event, [seats[0].pk, seats[1].pk], by=holder)
    holder.delete()
    let_run_out()

    hold_id = holds.hold(event, [seats[0].pk], by=colleague)
    [ended] = holds.release_expired()

    assert claim_of(seats[0])["hold_id"] == hold_id
    assert (ended.seat_number, ended.holder) == ("A2", "مریم رضایی")
    names = LockEvent.objects.filter(action="ran_out").values_list("holder_name", flat=True)
    assert list(names) == ["مریم رضایی"] * 2
    invariants.check()


# The sweep sees each fault


@pytest.fixture
def box_office(event, seats, holder):
    """A seat of each kind but free, and one free; nothing is wrong with them."""
    event.seats.create(seat_number="A4", price=1_000_000)
    sale = sell(holds.hold(event, [seats[2].pk], by=holder), seats[2:], holder)
    holds.hold(event, [seats[0].pk, seats[1].pk], by=holder)
    invariants.check()
    return event, sale


def rewrite(**columns):
    return lambda event, sale: event.seats.filter(seat_number="A1").update(**columns)


def take_twice(event, sale):
    first = event.seats.get(seat_number="A1")
    audit.record(holds.event_of("taken", first, "page", by=first.locked_by, holder=first.locked_by))


def end_early(event, sale):
    first = event.seats.get(seat_number="A1")
    audit.record(holds.ran_out(first, "schedule"))
    free_silently(event, sale)


def free_silently(event, sale):
    event.seats.filter(seat_number="A1").update(**holds.AVAILABLE)


def lose_a_sale(event, sale):
    sale.seats.update(**holds.AVAILABLE, reservation=None)


def cancel_halfway(event, sale):
    Reservation.objects.update(
        cancelled_at=NOON, cancelled_by_name="x", cancel_reason="x", seat_numbers="A3"
    )


def move_silently(event, sale):
    event.seats.filter(seat_number="A4").update(status="reserved", reservation=sale)


def take_no_money(event, sale):
    Reservation.objects.update(price=7)


def take_over_silently(event, sale):
    event.seats.filter(seat_number="A1").update(locked_by=None, locked_by_name="x")


@pytest.mark.parametrize(
    "fault, told",
    [
        (take_twice, "held with مریم رضایی, was taken by مریم رضایی"),
        (end_early, "and was taken from مریم رضایی at"),
        (free_silently, "by the log ('held'"),
        (take_over_silently, "by the log ('held'"),
        (take_over_silently, "is several"),
        (rewrite(hold_id=uuid.uuid4(), locked_until="2099-01-01T00:00Z"), "beyond"),
        (rewrite(locked_until="2020-01-01T00:00Z", held_since="2020-01-01T00:00Z"), "is several"),
        (lose_a_sale, "says 'A3' and has []"),
        (cancel_halfway, "is cancelled and has ['A3']"),
        (cancel_halfway, "is worth 0, and 1000000 was paid"),
        (take_no_money, "is worth 7, and 1000000 was paid"),
        (move_silently, "and has ['A3', 'A4']"),
        (move_silently, "by the log ('free', None, '')"),
    ],
)
def test_the_sweep_sees_a_fault(box_office, fault, told):
    fault(*box_office)

    assert [line for line in invariants.broken() if told in line]


def test_the_sweep_sees_somebody_over_the_cap(box_office, settings):
    settings.SEAT_HOLDS_PER_USER = 1

    assert [line for line in invariants.broken() if "holds 2 seats" in line]


def test_the_sweep_sees_a_hold_beyond_the_cut_off(box_office):
    event, _sale = box_office
    event.cut_off = event.seats.filter(status="locked").first().held_since
    type(event).objects.filter(pk=event.pk).update(cut_off=event.cut_off)

    assert [line for line in invariants.broken() if "beyond" in line]
