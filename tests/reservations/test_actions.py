"""What staff do with chosen seats, through HTTP as a browser sends it."""

import re
import uuid

import pytest

from backoffice.audit import LockEvent
from reservations import holds, layout
from reservations.models import Reservation, Seat
from tests.forms import form_fields
from tests.reservations.factories import (
    claim_of,
    let_run_out,
    logged,
    make_event,
    make_seat,
    sell,
)
from tests.reservations.pages import act, said

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


@pytest.mark.parametrize("action", ["hold_seats", "extend_holds", "give_back", "reserve"])
def test_seats_that_were_deleted_meanwhile_are_no_fault(page, seats, action):
    event = seats[0].event
    event.seats.all().delete()

    response = act(page, action, seats)

    assert response.status_code == 200
    assert not event.seats.exists()


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
    assert (groups, response.context["left"]) == (
        [["A2"], ["A1"]],
        ["صندلی A3 در نگه‌داری موقت نیست."],
    )
    assert "مریم رضایی" in response.text and re.search("(۳۰۰|۲۹.) ثانیه", response.text)
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


def test_a_release_says_of_each_seat_what_became_of_it(boss, event, seats, holder, colleague):
    shown = [holds.hold(event, [seat.pk for seat in seats], by=holder)]
    holds.release(shown[0], by=holder, seat_ids=[seats[1].pk])
    sold = sell(shown[0], seats[2:], holder)

    told = said(release(boss, seats, shown, reason="مشتری رفت"))

    lines = [line for line in told.splitlines() if "A" in line]
    assert claim_of(seats[0])["status"] == "available"
    assert claim_of(seats[2])["reservation"] == sold.pk
    assert "A1" in told and "صندلی A2 را مریم رضایی پس داده است" in told, lines
    assert f"صندلی A3 رزرو شده است ({sold.reference})" in told


def test_a_sale_that_ran_out_is_offered_again_with_all_that_was_typed(page, event, seats, holder):
    token = holds.hold(event, [seats[0].pk], by=holder)
    let_run_out()
    typed = {"hold_id": token, "payment_method": "cash", "customer": "نیما", "confirmed": "yes"}

    response = act(page, "reserve", seats[:1], **typed)
    assert response.context["form"]["customer"].value() == "نیما"
    assert 'name="again"' in response.text
    assert not Reservation.objects.exists()
    act(page, "reserve", seats[:1], again="yes", **typed)

    assert Reservation.objects.get().customer == "نیما"
    assert [action for action, *_rest in logged()][-3:] == ["ran_out", "taken", "confirmed"]


def test_a_seat_that_was_blocked_or_sold_after_the_page_is_skipped_with_its_reason(
    boss, event, seats, holder, supervisor
):
    shown = [holds.hold(event, [seat.pk for seat in seats], by=holder)]
    sold = sell(shown[0], seats[:1], holder)
    holds.release(shown[0], by=holder, seat_ids=[seats[1].pk])
    layout.block(event.seats.filter(pk=seats[1].pk), by=supervisor, reason="دوربین")
    holds.release(shown[0], by=holder, seat_ids=[seats[2].pk])
    before = [claim_of(seat) for seat in seats]

    told = said(release(boss, seats, shown, reason="مشتری رفت"))

    assert [claim_of(seat) for seat in seats] == before
    assert sold.reference in told and "دوربین" in told and "A3" in told
    assert not LockEvent.objects.filter(action="forced").exists()


@pytest.mark.parametrize("forged", [[], ["garbage"], [uuid.UUID(int=1)]])
def test_a_forged_token_skips_the_seat_and_says_who_has_it(boss, event, seats, holder, forged):
    holds.hold(event, [seats[0].pk], by=holder)
    before = claim_of(seats[0])

    told = said(release(boss, seats[:1], forged, reason="x"))

    assert claim_of(seats[0]) == before
    assert "مریم رضایی" in told


def test_a_hold_taken_anew_by_the_same_person_is_left_alone(boss, event, seats, holder):
    shown = [holds.hold(event, [seats[0].pk], by=holder)]
    holds.release(shown[0], by=holder)
    holds.hold(event, [seats[0].pk], by=holder)
    before = claim_of(seats[0])

    assert "مریم رضایی" in said(release(boss, seats[:1], shown, reason="x"))

    assert claim_of(seats[0]) == before


def test_a_seat_that_changes_hands_while_holds_are_ended_is_left_alone(
    boss, event, seats, holder, colleague, monkeypatch
):
    """It is read under the token that was shown, taken by somebody else, and then ended."""
    end = holds.force_release
    hold_id = holds.hold(event, [seats[0].pk], by=holder)

    def taken_just_before(*args, **kwargs):
        holds.release(hold_id, by=holder)
        holds.hold(event, [seats[0].pk], by=colleague)
        return end(*args, **kwargs)

    monkeypatch.setattr(holds, "force_release", taken_just_before)
    release(boss, seats[:1], [hold_id], reason="x")

    assert claim_of(seats[0])["locked_by"] == colleague.pk


def test_control_without_the_token_a_hold_of_another_would_be_ended(
    boss, event, seats, holder, colleague, supervisor
):
    holds.release(holds.hold(event, [seats[0].pk], by=holder), by=holder)
    holds.hold(event, [seats[0].pk], by=colleague)

    rows = Seat.objects.filter(pk=seats[0].pk)
    assert len(holds.force_release(rows, by=supervisor, reason="x")) == 1


def test_all_seats_of_the_list_are_released_also_those_of_other_pages(boss, holder, monkeypatch):
    from reservations.admin import SeatAdmin

    monkeypatch.setattr(SeatAdmin, "list_per_page", 2)
    event = make_event(seats=5)
    holds.hold(event, [seat.pk for seat in event.seats.all()], by=holder)
    asked = act(boss, "release_lock", event.seats.all()[:2], select_across=1)
    [(_live, shown), _stale] = asked.context["groups"]
    assert len(shown) == 5

    told = said(release(boss, shown, [shown[0].hold_id], reason="پایان کار"))

    assert "A1" in told and "A5" in told
    assert not event.seats.filter(status="locked").exists()


@pytest.mark.parametrize("action", ["extend_holds", "give_back"])
def test_seats_of_others_among_the_chosen_are_named_with_who_has_them(
    page, event, seats, holder, colleague, action
):
    holds.hold(event, [seats[0].pk], by=holder)
    holds.hold(event, [seats[1].pk], by=colleague)

    told = said(act(page, action, seats))

    assert "صندلی A2: نزد علی کریمی" in told and "A3" in told
    assert "A1" not in told


def test_a_hold_that_can_not_be_extended_any_more_is_named(page, event, seats, holder, settings):
    settings.SEAT_HOLD_MAXIMUM_SECONDS = 300
    holds.hold(event, [seats[0].pk], by=holder)
    before = claim_of(seats[0])

    told = said(act(page, "extend_holds", seats[:1]))

    assert "A1" in told and claim_of(seats[0]) == before


def test_a_choice_that_can_not_be_sold_names_the_seats_in_the_way(
    page, event, seats, holder, colleague
):
    holds.hold(event, [seats[0].pk], by=holder)
    holds.hold(event, [seats[1].pk], by=colleague)

    told = said(act(page, "reserve", seats))

    assert "علی کریمی" in told and "A3" in told and "A1" not in told
    assert not Reservation.objects.exists()


def test_blocking_and_unblocking_name_what_they_left_alone(boss, event, seats, holder):
    holds.hold(event, [seats[0].pk], by=holder)

    blocked = said(act(boss, "block", seats, confirmed="yes", reason="دوربین"))
    unblocked = said(act(boss, "unblock", seats))

    for told in (blocked, unblocked):
        assert "صندلی A1: نزد مریم رضایی" in told and "A2" not in told


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
