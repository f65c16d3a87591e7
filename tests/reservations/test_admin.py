"""Seats in the admin, through HTTP as a browser sends it: list, form, first page."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from backoffice.claims import KINDS
from reservations import holds, layout
from reservations.models import Event, Seat
from tests.forms import form_fields
from tests.reservations.factories import claim_of, let_run_out, logged, make_event, make_seat
from tests.reservations.pages import SEATS, act, names

# The list


def test_the_list_shows_a_run_out_hold_as_free_before_any_cleaner_ran(page, event, seats, holder):
    holds.hold(event, [seats[0].pk], by=holder)
    let_run_out()

    text = page.get(SEATS).content.decode()

    assert "منقضی، آزاد" in text
    assert "مریم رضایی" in text


@pytest.mark.parametrize(
    "state, found",
    [
        ("available", ["A4"]),
        ("locked", ["A2"]),
        ("run_out", ["A1"]),
        ("reserved", ["A3"]),
        ("blocked", ["A5"]),
        ("mine", ["A2"]),
    ],
)
def test_the_list_is_filtered_by_what_a_seat_is_now(page, holder, state, found):
    event = make_event(seats=5)
    a1, a2, a3, _a4, a5 = event.seats.all()
    holds.hold(event, [a1.pk], by=holder)
    let_run_out()
    holds.hold(event, [a2.pk], by=holder)
    hold_id = holds.hold(event, [a3.pk], by=holder)
    holds.confirm(hold_id, [a3.pk], by=holder, payment_method="cash")
    layout.block(event.seats.filter(pk=a5.pk), by=holder, reason="دوربین")

    assert names(page.get(SEATS, {"state": state})) == found


@pytest.mark.parametrize("state", ["\0", "nothing"])
def test_a_filter_that_is_none_leaves_the_list_as_it_is(page, seats, state):
    assert names(page.get(SEATS, {"state": state})) == ["A1", "A2", "A3"]


def test_a_seat_is_found_by_its_number_in_persian_digits(page, event):
    make_seat(event, seat_number="A10", position=10)

    assert names(page.get(SEATS, {"q": "A۱۰"})) == ["A10"]


def test_seats_are_listed_and_sorted_as_people_count_them(page):
    event = make_event()
    for number in ("A10", "A2", "A1", "الف۱۰", "الف۲"):
        make_seat(event, seat_number=number)

    in_order = ["A1", "A2", "A10", "الف۲", "الف۱۰"]
    assert names(page.get(SEATS)) == in_order
    assert names(page.get(SEATS, {"o": "1"})) == in_order
    assert names(page.get(SEATS, {"o": "-1"})) == in_order[::-1]


def test_one_row_and_three_take_the_same_number_of_queries(page, holder):
    counts = []
    for seats in (1, 2):
        event = make_event(seats=seats)
        holds.hold(event, [seat.pk for seat in event.seats.all()], by=holder)
        page.get(SEATS)
        with CaptureQueriesContext(connection) as queries:
            page.get(SEATS)
        counts.append(len(queries))

    assert counts[0] == counts[1]


def test_an_auditor_sees_seats_and_is_offered_no_deed(client, make_user, seats):
    client.force_login(make_user("auditor", "reservations.view_seat"))

    response = client.get(SEATS)

    assert names(response) == ["A1", "A2", "A3"]
    assert response.context["action_form"] is None


# Forms and deleting


def test_saving_a_seats_form_writes_its_layout_and_never_its_claim(
    boss, event, seats, holder, monkeypatch
):
    from reservations.admin import SeatAdmin

    hold_after_loading(monkeypatch, SeatAdmin, event, seats[0], holder)
    address = reverse("admin:reservations_seat_change", args=[seats[0].pk])
    fields = form_fields(boss.get(address).content.decode(), "seat_form")
    assert not {"status", "locked_until", "hold_id", "blocked"} & set(fields)

    boss.post(address, fields | {"section": "بالکن", "status": "available"})

    seats[0].refresh_from_db()
    assert (seats[0].section, seats[0].status, seats[0].locked_by) == ("بالکن", "locked", holder)


@pytest.mark.parametrize("state", ["held", "sold", "run out", "free"])
def test_the_form_leaves_a_seat_that_somebody_has_at_its_price(boss, event, seats, holder, state):
    """The customer was told it; what a sale is worth, moves and is given back is reckoned by it."""
    address = reverse("admin:reservations_seat_change", args=[seats[0].pk])
    fields = form_fields(boss.get(address).content.decode(), "seat_form")
    if state != "free":
        hold_id = holds.hold(event, [seats[0].pk], by=holder)
    if state == "sold":
        holds.confirm(hold_id, [seats[0].pk], by=holder, payment_method="cash")
    if state == "run out":
        let_run_out()

    answer = boss.post(address, fields | {"price": "5"})

    is_kept = state in ("held", "sold")
    assert Seat.objects.get(pk=seats[0].pk).price == (1_000_000 if is_kept else 5)
    assert ("صندلی در دست کسی است" in answer.content.decode()) == is_kept
    assert boss.post(address, fields | {"section": "بالکن"}).status_code == 302


def test_a_price_that_no_database_can_add_up_is_refused(boss, seats):
    """Two such seats, and the list of events failed for everybody."""
    address = reverse("admin:reservations_seat_change", args=[seats[0].pk])
    fields = form_fields(boss.get(address).content.decode(), "seat_form")

    assert boss.post(address, fields | {"price": str(2**63 - 1)}).status_code == 200
    assert boss.post(address, fields | {"price": "5"}).status_code == 302


def hold_after_loading(monkeypatch, admin_class, event, seat, holder):
    """Let the holder take the seat between the form's reading of the row and its save."""
    save = admin_class.save_model

    def held_just_before(self, *args):
        holds.hold(event, [seat.pk], by=holder)
        save(self, *args)

    monkeypatch.setattr(admin_class, "save_model", held_just_before)


def test_a_held_or_sold_seat_can_not_be_deleted(boss, event, seats, holder, supervisor):
    supervisor.user_permissions.add(Permission.objects.get(codename="delete_seat"))
    holds.hold(event, [seats[0].pk], by=holder)

    single = reverse("admin:reservations_seat_delete", args=[seats[0].pk])
    assert boss.post(single, {"post": "yes"}).status_code == 403
    act(boss, "delete_selected", seats, post="yes")
    assert event.seats.count() == 3
    act(boss, "delete_selected", seats[1:], post="yes")

    assert list(event.seats.all()) == seats[:1]


def test_seats_of_which_one_was_taken_meanwhile_stay_and_so_does_their_history(
    boss, event, seats, holder, supervisor, monkeypatch
):
    from reservations.admin import SeatAdmin

    supervisor.user_permissions.add(Permission.objects.get(codename="delete_seat"))
    delete = SeatAdmin.delete_queryset

    def taken_just_before(self, request, queryset):
        Seat.objects.filter(pk=seats[0].pk).update(**columns_of_a_hold(seats[1]))
        delete(self, request, queryset)

    holds.hold(event, [seats[1].pk], by=holder)
    monkeypatch.setattr(SeatAdmin, "delete_queryset", taken_just_before)
    act(boss, "delete_selected", [seats[0], seats[2]], post="yes")

    assert event.seats.count() == 3
    assert not LogEntry.objects.exists()


def columns_of_a_hold(seat):
    names = ("status", "locked_until", "locked_by", "locked_by_name", "held_since", "hold_id")
    return {name: claim_of(seat)[name] for name in names}


def test_a_hold_that_ran_out_is_recorded_when_its_seat_is_deleted(event, seats, supervisor):
    holds.hold(event, [seats[0].pk], by=supervisor)
    let_run_out()

    assert layout.remove(event.seats.all(), by=supervisor) == 3

    assert [line[:2] for line in logged(action="ran_out")] == [("ran_out", "A1")]


def test_an_event_with_seats_can_not_be_deleted(client, admin_user, event):
    client.force_login(admin_user)

    client.post(reverse("admin:reservations_event_delete", args=[event.pk]), {"post": "yes"})

    assert Event.objects.filter(pk=event.pk).exists()


def test_a_reservation_is_neither_made_nor_imported_nor_deleted_on_a_page(
    client, admin_user, event, seats, holder
):
    hold_id = holds.hold(event, [seats[0].pk], by=holder)
    sold = holds.confirm(hold_id, [seats[0].pk], by=holder, payment_method="cash")
    client.force_login(admin_user)

    for name, args in (("add", []), ("import", []), ("delete", [sold.pk])):
        address = reverse(f"admin:reservations_reservation_{name}", args=args)
        assert client.get(address).status_code == 403


# The first page and the lock desk


def test_seats_are_a_kind_of_claim_whose_numbers_link_to_their_lists(page, event, seats, holder):
    holds.hold(event, [seats[0].pk], by=holder)
    let_run_out()
    holds.hold(event, [seats[1].pk], by=holder)
    kind = KINDS["seat"]
    start = reverse("admin:index")

    assert list(kind.live()) == [seats[1]]
    assert list(kind.stale()) == [seats[0]]
    assert names(page.get(start + kind.live_url)) == ["A2"]
    assert names(page.get(start + kind.stale_url)) == ["A1"]


def test_the_lock_desk_ends_seats_through_the_same_function(event, seats, holder, supervisor):
    holds.hold(event, [seats[0].pk], by=holder)

    assert KINDS["seat"].release(Seat.objects.all(), by=supervisor, reason="x") == 1

    assert claim_of(seats[0])["status"] == "available"
