"""Seats in the admin, through HTTP as a browser sends it."""

import uuid

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from backoffice.audit import LockEvent
from backoffice.claims import KINDS
from reservations import holds, layout
from reservations.models import Event, Reservation, Seat
from tests.forms import form_fields
from tests.reservations.factories import claim_of, let_run_out, make_event, make_seat

SEATS = reverse("admin:reservations_seat_changelist")


@pytest.fixture
def page(client, holder):
    """Return the browser of the holder."""
    client.force_login(holder)
    return client


@pytest.fixture
def boss(client, supervisor):
    """Return the browser of somebody who may end holds of others."""
    client.force_login(supervisor)
    return client


def act(browser, action, seats, **fields):
    data = {"action": action, "_selected_action": [seat.pk for seat in seats], **fields}
    return browser.post(SEATS, data, follow=True)


def said(response):
    return " ".join(str(message) for message in response.context["messages"])


def names(response):
    return [seat.seat_number for seat in response.context["cl"].result_list]


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


def test_a_seat_is_found_by_its_number_in_persian_digits(page, event):
    make_seat(event, seat_number="A10", position=10)

    assert names(page.get(SEATS, {"q": "A۱۰"})) == ["A10"]


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


# Holding and selling


def test_chosen_seats_are_held_together(page, seats, holder):
    response = act(page, "hold_seats", seats[:2])

    first, second, third = map(claim_of, seats)
    assert first["hold_id"] == second["hold_id"] is not None
    assert (first["locked_by"], third["status"]) == (holder.pk, "available")
    assert "2 صندلی" in said(response)


def test_a_refused_hold_says_which_seats_are_in_the_way(page, event, seats, colleague):
    holds.hold(event, [seats[0].pk], by=colleague)

    response = act(page, "hold_seats", seats)

    assert "A1" in said(response) and "علی کریمی" in said(response)
    assert claim_of(seats[1])["status"] == "available"


def test_seats_of_two_events_are_not_held_together(page, seats):
    stranger = make_seat()

    act(page, "hold_seats", [seats[0], stranger])

    assert claim_of(seats[0])["status"] == claim_of(stranger)["status"] == "available"


def test_extending_and_giving_back_touch_ones_own_holds_alone(
    page, event, seats, holder, colleague
):
    holds.hold(event, [seats[0].pk], by=holder)
    holds.hold(event, [seats[1].pk], by=colleague)
    before = claim_of(seats[1])

    act(page, "extend_holds", seats)
    act(page, "give_back", seats)

    assert claim_of(seats[0])["status"] == "available"
    assert claim_of(seats[1]) == before
    assert LockEvent.objects.filter(action="extended").count() == 1


def test_held_seats_are_sold_after_a_page_that_asks_for_the_customer(page, event, seats, holder):
    holds.hold(event, [seats[0].pk, seats[1].pk], by=holder)
    asked = act(page, "reserve", seats[:2])
    fields = form_fields(asked.content.decode(), "seat-action-form")
    assert not Reservation.objects.exists()

    answers = {"customer": "سارا احمدی", "phone": "۰۹۱۲۱۲۳۴۵۶۷", "payment_method": "cash"}
    del fields["action"], fields["_selected_action"]
    act(page, "reserve", seats[:2], **fields | answers)

    sold = Reservation.objects.get()
    assert (sold.customer, sold.phone, sold.price) == ("سارا احمدی", "09121234567", 2_000_000)
    assert (sold.cashier, sold.seats.count()) == (holder, 2)


def test_a_sale_whose_time_ran_out_on_the_page_is_refused_in_words(page, event, seats, holder):
    hold_id = holds.hold(event, [seats[0].pk], by=holder)
    let_run_out()

    response = act(
        page, "reserve", seats[:1], confirmed="yes", hold_id=hold_id, payment_method="cash"
    )

    assert "مهلت نگه‌داری شما تمام شد" in said(response)
    assert not Reservation.objects.exists()


@pytest.mark.parametrize("token", ["", "garbage", uuid.UUID(int=1)])
def test_a_sale_under_no_or_another_token_sells_nothing(page, event, seats, holder, token):
    holds.hold(event, [seats[0].pk], by=holder)

    response = act(
        page, "reserve", seats[:1], confirmed="yes", hold_id=token, payment_method="cash"
    )

    assert response.status_code == 200
    assert claim_of(seats[0])["status"] == "locked"
    assert not Reservation.objects.exists()


def test_seats_of_somebody_else_are_not_offered_for_sale(page, event, seats, colleague):
    holds.hold(event, [seats[0].pk], by=colleague)

    response = act(page, "reserve", seats[:1])

    assert response.redirect_chain
    assert claim_of(seats[0])["locked_by"] == colleague.pk


# Ending holds


def test_the_page_before_a_release_shows_live_and_run_out_apart(boss, event, seats, holder):
    holds.hold(event, [seats[0].pk], by=holder)
    let_run_out()
    holds.hold(event, [seats[1].pk], by=holder)

    response = act(boss, "release_lock", seats)

    groups = [[seat.seat_number for seat in group] for _name, group in response.context["groups"]]
    assert (groups, response.context["others"]) == ([["A2"], ["A1"]], 1)
    assert event.seats.filter(status="locked").count() == 2


def release(browser, seats, shown, **fields):
    return act(browser, "release_lock", seats, confirmed="yes", hold_id=shown, **fields)


def test_a_live_hold_is_ended_with_a_reason_only(boss, event, seats, holder):
    shown = [holds.hold(event, [seats[0].pk], by=holder)]

    release(boss, seats[:1], shown, reason="")
    assert claim_of(seats[0])["status"] == "locked"
    response = release(boss, seats[:1], shown, reason="مشتری رفت")

    assert claim_of(seats[0])["status"] == "available"
    assert "A1" in said(response)
    assert LockEvent.objects.get(action="forced").reason == "مشتری رفت"


def test_a_run_out_hold_is_ended_without_a_reason(boss, event, seats, holder):
    shown = [holds.hold(event, [seats[0].pk], by=holder)]
    let_run_out()

    release(boss, seats[:1], shown)

    assert claim_of(seats[0])["status"] == "available"


def test_a_seat_that_changed_hands_after_the_page_is_left_alone_and_named(
    boss, event, seats, holder, colleague
):
    shown = [holds.hold(event, [seats[0].pk, seats[1].pk], by=holder)]
    let_run_out()
    holds.hold(event, [seats[1].pk], by=colleague)
    before = claim_of(seats[1])

    response = release(boss, seats[:2], shown, reason="مشتری رفت")

    assert claim_of(seats[0])["status"] == "available"
    assert claim_of(seats[1]) == before
    assert "علی کریمی" in said(response)


def test_garbage_for_a_token_ends_nothing(boss, event, seats, holder):
    holds.hold(event, [seats[0].pk], by=holder)

    assert release(boss, seats[:1], ["garbage"], reason="x").status_code == 200

    assert claim_of(seats[0])["status"] == "locked"


def test_clearing_touches_only_what_ran_out(page, event, seats, holder, colleague):
    holds.hold(event, [seats[0].pk], by=holder)
    let_run_out()
    holds.hold(event, [seats[1].pk], by=colleague)

    act(page, "clear_run_out", seats)

    assert [claim_of(seat)["status"] for seat in seats] == ["available", "locked", "available"]


@pytest.mark.parametrize("action", ["release_lock", "block", "unblock"])
def test_the_box_office_can_not_end_others_holds_or_block(page, event, seats, colleague, action):
    holds.hold(event, [seats[0].pk], by=colleague)
    before = claim_of(seats[0])

    act(page, action, seats, confirmed="yes", hold_id=[before["hold_id"]], reason="x")

    assert claim_of(seats[0]) == before
    assert claim_of(seats[1])["status"] == "available"
    assert not claim_of(seats[1])["blocked"]


def test_free_seats_are_blocked_with_a_reason_and_unblocked(boss, event, seats, holder):
    holds.hold(event, [seats[0].pk], by=holder)

    act(boss, "block", seats, confirmed="yes", reason="")
    assert not event.seats.filter(blocked=True).exists()
    act(boss, "block", seats, confirmed="yes", reason="دوربین")
    assert [claim_of(seat)["block_reason"] for seat in seats] == ["", "دوربین", "دوربین"]
    act(boss, "unblock", seats)

    assert not event.seats.filter(blocked=True).exists()
    assert claim_of(seats[0])["status"] == "locked"


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
