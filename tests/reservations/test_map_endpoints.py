"""What is done with seats on the live map, through HTTP as its scripts send it."""

import uuid

import pytest
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from backoffice.audit import LockEvent
from reservations import holds, layout, map_endpoints
from reservations.models import Reservation, Seat
from tests.reservations import invariants
from tests.reservations.factories import claim_of, let_run_out, logged, make_event, state_of
from tests.reservations.map_pages import address, ask, keys
from tests.threads import at_once

SALE = {"customer": "مینا کاظمی", "phone": "09121234567", "payment_method": "cash"}
DEEDS = [name for name in map_endpoints.ENDPOINTS if name != "state"]


@pytest.fixture(autouse=True)
def no_calls_so_far():
    """Forget the calls of other tests, whose people had the same keys."""
    cache.clear()


@pytest.fixture
def taken(event, seats, holder):
    """The hold of the holder: the first two seats of the event."""
    return holds.hold(event, keys(seats[:2]), by=holder)


def milliseconds(instant):
    """Return an instant as scripts count time."""
    return round(instant.timestamp() * 1000)


def refused(response, status=409):
    """Return the answer of a refusal, after a look at its form."""
    answer = response.json()
    assert (response.status_code, answer["success"]) == (status, False)
    assert answer["error"]
    assert not answer["error"].isascii()
    return answer


# Holding


def test_a_hold_is_answered_with_its_token_its_seats_and_its_time(page, event, seats, holder):
    response = ask(page, event, "hold", seats=keys(seats[:2]))

    answer = response.json()
    held = Seat.objects.filter(hold_id=answer["hold_id"], locked_by=holder)
    assert response.status_code == 200
    assert answer["seats"] == keys(held.order_by("pk")) == keys(seats[:2])
    assert answer["until"] == milliseconds(claim_of(seats[0])["locked_until"])
    assert "۲ صندلی" in answer["message"]
    assert state_of(seats[2]) == "available"


def test_a_refused_hold_names_every_seat_in_the_way(page, event, seats, colleague):
    holds.hold(event, [seats[0].pk], by=colleague)
    layout.block(Seat.objects.filter(pk=seats[1].pk), by=colleague, reason="دید محدود")

    answer = refused(ask(page, event, "hold", seats=keys(seats)))

    told = {seat["id"]: seat for seat in answer["seats"]}
    assert (answer["reason"], answer["again"]) == ("in_the_way", False)
    assert set(told) == {seats[0].pk, seats[1].pk}
    assert (told[seats[0].pk]["number"], told[seats[0].pk]["state"]) == ("A1", "locked")
    assert "علی کریمی" in told[seats[0].pk]["text"]
    assert "ثانیه" in told[seats[0].pk]["text"]
    assert "دید محدود" in told[seats[1].pk]["text"]
    assert state_of(seats[2]) == "available"


def test_holding_twice_is_refused_and_changes_nothing(page, event, seats, taken):
    before = claim_of(seats[0])

    answer = refused(ask(page, event, "hold", seats=[seats[0].pk]))

    assert (answer["reason"], claim_of(seats[0])) == ("in_the_way", before)


def test_a_seat_that_is_named_twice_is_one(page, event, seats):
    answer = ask(page, event, "hold", seats=[seats[0].pk, seats[0].pk]).json()

    assert answer["seats"] == [seats[0].pk]


def test_no_more_seats_are_held_than_one_person_may(page, event, seats, settings):
    settings.SEAT_HOLDS_PER_USER = 2

    assert refused(ask(page, event, "hold", seats=keys(seats)))["reason"] == "cap"
    assert not event.seats.live().exists()


def test_seats_of_another_event_are_not_held(page, event, seats):
    assert refused(ask(page, make_event(), "hold", seats=[seats[0].pk]))["reason"] == "gone"
    assert state_of(seats[0]) == "available"


def test_the_best_seats_are_held_and_it_is_said_whether_they_are_side_by_side(page, event, seats):
    answer = ask(page, event, "best", count="۲").json()
    holds.release(uuid.UUID(answer["hold_id"]), by=Seat.objects.live().first().locked_by)
    layout.block(Seat.objects.filter(pk=seats[1].pk), by=None, reason="x")
    apart = ask(page, event, "best", count="2").json()

    assert answer["adjacent"] is True
    assert len(answer["seats"]) == 2
    assert (apart["adjacent"], set(apart["seats"])) == (False, {seats[0].pk, seats[2].pk})
    assert "نزدیک هم" in apart["message"]
    assert "نزدیک هم" not in answer["message"]


def test_the_best_seats_are_refused_in_words(page, event, seats):
    assert refused(ask(page, event, "best", count="4"))["reason"] == "few"
    asked = ask(page, event, "best", count="1", accessible="yes")
    assert refused(asked)["reason"] == "no_accessible"
    assert not event.seats.live().exists()


# Extending and giving back


def test_a_hold_is_extended_and_says_its_new_time(page, event, seats, taken):
    rows = Seat.objects.filter(hold_id=taken)
    rows.update(locked_until=claim_of(seats[0])["held_since"] + event.hold_time / 2)

    answer = ask(page, event, "extend", hold_id=taken.hex).json()

    assert answer["until"] == milliseconds(claim_of(seats[0])["locked_until"])
    assert {seat.hold_id for seat in rows} == {taken}


def test_a_hold_that_ran_out_is_not_extended(page, event, seats, taken):
    let_run_out()
    before = claim_of(seats[0])

    answer = refused(ask(page, event, "extend", hold_id=taken.hex))

    assert (answer["reason"], claim_of(seats[0])) == ("ran_out", before)


def test_a_hold_is_given_back_and_twice_does_no_harm(page, event, seats, taken):
    first = ask(page, event, "give_back", hold_id=str(taken))
    second = ask(page, event, "give_back", hold_id=str(taken))

    assert [first.status_code, first.json()["count"]] == [200, 2]
    assert [second.status_code, second.json()["count"]] == [200, 0]
    assert [state_of(seat) for seat in seats] == ["available"] * 3


def test_some_seats_of_a_hold_are_given_back(page, event, seats, taken):
    ask(page, event, "give_back", hold_id=taken.hex, seats=[seats[1].pk])

    assert [state_of(seat) for seat in seats] == ["locked", "available", "available"]


def test_the_hold_of_a_colleague_is_neither_extended_nor_given_back(
    client, event, seats, taken, colleague
):
    client.force_login(colleague)
    before = claim_of(seats[0])

    assert refused(ask(client, event, "extend", hold_id=taken.hex))["reason"] == "lost"
    assert ask(client, event, "give_back", hold_id=taken.hex).json()["count"] == 0
    assert claim_of(seats[0]) == before


# Selling


def sell(browser, event, taken, seats, **fields):
    return ask(browser, event, "confirm", hold_id=taken.hex, seats=keys(seats), **SALE | fields)


def test_a_sale_is_answered_with_its_code_and_its_pages(page, event, seats, taken, holder, give):
    give(holder, "view_reservation")

    answer = sell(page, event, taken, seats[:2]).json()

    sale = Reservation.objects.get(reference=answer["reference"])
    assert answer["ticket_url"] == reverse("admin:reservations_reservation_ticket", args=[sale.pk])
    assert answer["reservation_url"].endswith(f"/reservation/{sale.pk}/change/")
    assert (sale.customer, sale.phone, sale.price) == ("مینا کاظمی", "09121234567", 2_000_000)
    assert [state_of(seat) for seat in seats] == ["reserved", "reserved", "available"]


def test_who_may_not_see_reservations_is_led_to_none(page, event, seats, taken):
    answer = sell(page, event, taken, seats[:2]).json()

    assert (answer["ticket_url"], answer["reservation_url"]) == ("", "")


def test_a_sale_that_is_sent_twice_is_one(page, event, seats, taken):
    first, second = (sell(page, event, taken, seats[:2]).json() for _time in range(2))

    assert first["reference"] == second["reference"]
    assert Reservation.objects.count() == 1


def test_a_hold_that_ran_out_is_sold_only_when_asked_again(page, event, seats, taken):
    let_run_out()

    answer = refused(sell(page, event, taken, seats[:2]))
    assert (answer["reason"], answer["again"]) == ("ran_out", True)
    assert not Reservation.objects.exists()

    assert sell(page, event, taken, seats[:2], again="yes").status_code == 200
    assert [state_of(seat) for seat in seats] == ["reserved", "reserved", "available"]


def test_a_refused_sale_says_who_has_each_seat(page, event, seats, taken, colleague):
    let_run_out()
    holds.hold(event, [seats[1].pk], by=colleague)

    answer = refused(sell(page, event, taken, seats[:2], again="yes"))

    assert (answer["reason"], answer["again"]) == ("lost", False)
    told = {seat["number"]: seat["text"] for seat in answer["seats"]}
    assert "علی کریمی" in told["A2"]
    assert not Reservation.objects.exists()


# What is for sale


def test_free_seats_are_blocked_and_the_others_named(boss, event, seats, holder):
    holds.hold(event, [seats[0].pk], by=holder)

    answer = ask(boss, event, "block", seats=keys(seats), reason="دید محدود").json()

    assert (answer["count"], set(answer["seats"])) == (2, {seats[1].pk, seats[2].pk})
    assert "A1" in answer["message"]
    assert "مریم رضایی" in answer["message"]
    assert [state_of(seat) for seat in seats] == ["locked", "blocked", "blocked"]


def test_blocked_seats_are_unblocked_and_twice_does_no_harm(boss, event, seats, supervisor):
    layout.block(event.seats.all(), by=supervisor, reason="x")

    first = ask(boss, event, "unblock", seats=keys(seats[:2])).json()
    second = ask(boss, event, "unblock", seats=keys(seats[:2])).json()

    assert (first["count"], second["count"]) == (2, 0)
    assert [state_of(seat) for seat in seats] == ["available", "available", "blocked"]


def test_seats_of_another_event_are_not_blocked(boss, event, seats):
    answer = ask(boss, make_event(), "block", seats=[seats[0].pk], reason="x").json()

    assert (answer["count"], state_of(seats[0])) == (0, "available")


def test_run_out_holds_of_the_event_are_cleared_and_counted(page, event, seats, taken, colleague):
    other = make_event(seats=1)
    holds.hold(other, [other.seats.get().pk], by=colleague)
    let_run_out()

    counts = [ask(page, event, "clear_run_out").json()["count"] for _time in range(2)]

    assert counts == [2, 0]
    assert logged(action="ran_out") == [
        ("ran_out", "A1", "مریم رضایی", "مریم رضایی"),
        ("ran_out", "A2", "مریم رضایی", "مریم رضایی"),
    ]
    assert claim_of(other.seats.get())["status"] == "locked"


def test_only_clearing_is_limited(page, event, taken, monkeypatch):
    monkeypatch.setattr("backoffice.json_api.MINUTE", 10**9)  # none ends during the test
    cleared = [ask(page, event, "clear_run_out").status_code for _call in range(31)]
    given_back = {ask(page, event, "give_back", hold_id=taken.hex).status_code for _ in range(31)}

    assert (set(cleared[:30]), cleared[30]) == ({200}, 429)
    assert given_back == {200}


# What is refused before anything is asked


@pytest.mark.parametrize("deed", DEEDS)
def test_a_stranger_is_told_to_log_in(client, event, taken, seats, deed):
    before = [claim_of(seat) for seat in seats]

    refused(ask(client, event, deed, seats=keys(seats), hold_id=taken.hex), 401)
    foreign = Client(enforce_csrf_checks=True)
    refused(ask(foreign, event, deed, seats=keys(seats), hold_id=taken.hex), 401)

    assert [claim_of(seat) for seat in seats] == before


@pytest.mark.parametrize("deed", DEEDS)
def test_who_may_only_look_may_do_nothing(client, make_user, event, taken, seats, deed):
    client.force_login(make_user("auditor", "reservations.view_seat"))
    before = [claim_of(seat) for seat in seats]

    refused(
        ask(client, event, deed, seats=keys(seats), hold_id=taken.hex, reason="x", count=1), 403
    )

    assert [claim_of(seat) for seat in seats] == before


@pytest.mark.parametrize("deed", ["block", "unblock"])
def test_the_box_office_may_not_change_what_is_for_sale(page, event, seats, deed):
    refused(ask(page, event, deed, seats=keys(seats), reason="x"), 403)

    assert [state_of(seat) for seat in seats] == ["available"] * 3


@pytest.mark.parametrize("deed", DEEDS)
def test_a_request_without_the_pages_token_is_refused_in_json(holder, event, taken, seats, deed):
    foreign = Client(enforce_csrf_checks=True)
    foreign.force_login(holder)
    before = claim_of(seats[0])

    refused(ask(foreign, event, deed, seats=keys(seats), hold_id=taken.hex, count=1), 403)

    assert claim_of(seats[0]) == before


@pytest.mark.parametrize("deed", DEEDS)
def test_nothing_is_done_by_looking(boss, event, deed):
    response = boss.get(address(event, deed))

    refused(response, 405)
    assert response["Allow"] == "POST"


@pytest.mark.parametrize("deed", DEEDS)
def test_an_event_that_is_gone_is_not_found(boss, event, deed):
    event.seats.all().delete()
    gone = address(event, deed)
    event.delete()

    refused(boss.post(gone, {"seats": [1]}), 404)


@pytest.mark.parametrize(
    ("deed", "fields"),
    [
        ("hold", {}),
        ("hold", {"seats": ["A1"]}),
        ("hold", {"seats": ["-1"]}),
        ("hold", {"seats": ["1 OR 1=1"]}),
        ("hold", {"seats": ["9" * 19]}),
        ("hold", {"seats": range(1, 2002)}),
        ("best", {}),
        ("best", {"count": "0"}),
        ("best", {"count": "51"}),
        ("best", {"count": "four"}),
        ("best", {"count": "-1"}),
        ("extend", {}),
        ("extend", {"hold_id": "x"}),
        ("give_back", {"hold_id": "x"}),
        ("give_back", {"hold_id": uuid.uuid4().hex, "seats": ["x"]}),
        ("confirm", {"seats": [1], **SALE}),
        ("confirm", {"seats": [1], "hold_id": "x", **SALE}),
        ("confirm", {"hold_id": uuid.uuid4().hex, **SALE}),
        ("confirm", {"hold_id": uuid.uuid4().hex, "seats": [1]}),
        ("confirm", {"hold_id": uuid.uuid4().hex, "seats": [1], **SALE, "payment_method": "gold"}),
        ("confirm", {"hold_id": uuid.uuid4().hex, "seats": [1], **SALE, "phone": "0" * 31}),
        ("confirm", {"hold_id": uuid.uuid4().hex, "seats": [1], **SALE, "customer": "x" * 201}),
        ("block", {"seats": [1]}),
        ("block", {"seats": [1], "reason": "  "}),
        ("block", {"seats": [1], "reason": "x" * 201}),
        ("block", {"reason": "x"}),
        ("unblock", {}),
    ],
)
def test_what_no_page_of_ours_sends_is_refused_in_words(boss, event, seats, deed, fields):
    answer = refused(ask(boss, event, deed, **fields), 400)

    assert set(answer) == {"success", "error"}
    assert [state_of(seat) for seat in seats] == ["available"] * 3
    assert not LockEvent.objects.exists()


def test_keys_of_no_seat_are_refused(boss, event, seats):
    answer = refused(ask(boss, event, "hold", seats=[seats[0].pk, 9**17]))

    assert (answer["reason"], state_of(seats[0])) == ("gone", "available")


def test_the_text_of_a_fault_is_not_told(page, event, seats, monkeypatch, caplog):
    def fail(*args, **how):
        raise RuntimeError("password of the database")

    monkeypatch.setattr(holds, "hold", fail)
    answer = refused(ask(page, event, "hold", seats=keys(seats)), 500)

    assert "password" not in str(answer)
    assert "password of the database" in caplog.text


# Cost, and many at once


def test_a_hold_through_http_takes_as_many_queries_for_many_seats_as_for_one(page):
    counts = []
    for size in (1, 30):
        event = make_event(seats=size)
        with CaptureQueriesContext(connection) as asked:
            ask(page, event, "hold", seats=keys(event.seats.all()))
        counts.append(len(asked))

    # Session, account, right, event, the hold's own, and its time.
    assert counts[0] == counts[1] <= 13


def test_of_many_who_want_a_seat_at_once_one_gets_it(transactional_db):
    event = make_event(seats=2)
    browsers = []
    for number in range(12):
        user = get_user_model().objects.create_superuser(f"user{number}")
        browsers.append(Client(raise_request_exception=False))
        browsers[-1].force_login(user, "django.contrib.auth.backends.ModelBackend")
    wanted = keys(event.seats.all())

    answers = at_once(lambda number: ask(browsers[number], event, "hold", seats=wanted), 12)

    codes = sorted(answer.status_code for answer in answers)
    assert codes == [200, *[409] * 11]
    [won] = [answer.json() for answer in answers if answer.status_code == 200]
    assert {seat.hold_id.hex for seat in event.seats.all()} == {won["hold_id"]}
    invariants.check()


# The ways to the map


@pytest.mark.parametrize("may_look", [True, False])
def test_the_list_and_the_page_of_an_event_lead_to_its_map(client, make_user, event, may_look):
    rights = ["reservations.view_event", *(["reservations.view_seat"] if may_look else [])]
    client.force_login(make_user("clerk", *rights))

    for page in ("changelist", "change"):
        args = [event.pk] if page == "change" else []
        response = client.get(reverse(f"admin:reservations_event_{page}", args=args))
        assert (f'href="{address(event)}"' in response.content.decode()) == may_look
    assert client.get(address(event)).status_code == (200 if may_look else 403)


def test_the_map_of_an_event_that_is_gone_is_not_found(page, event):
    event.seats.all().delete()
    gone = address(event)
    event.delete()

    assert page.get(gone).status_code == 404


def test_the_map_sends_a_stranger_to_the_login(client, event):
    response = client.get(address(event))

    assert (response.status_code, response.url.split("?")[0]) == (302, reverse("admin:login"))


def test_the_page_knows_its_plan_what_it_may_and_whom_to_ask(page, event, seats):
    context = page.get(address(event)).context

    assert context["plan"]["seats"] == [
        [seat.pk, seat.seat_number, "", "A", 1, place, 1_000_000, 0]
        for place, seat in enumerate(seats, 1)
    ]
    told = context["map_settings"]
    assert told["permissions"] == {"hold": True, "change": False, "clear": True}
    assert told["urls"]["clear_run_out"] == address(event) + "clear-run-out/"
    assert set(told["urls"]) == {"state", *DEEDS}
    assert context["plan"]["layout"] == page.get(address(event, "state")).json()["layout"]


def test_the_plan_is_in_the_order_of_the_hall(page):
    event = make_event()
    for number, row, place in (("B1", 2, 1), ("A10", 1, 10), ("A2", 1, 2)):
        event.seats.create(seat_number=number, row=number[0], row_position=row, position=place)

    plan = page.get(address(event)).context["plan"]

    assert [seat[1] for seat in plan["seats"]] == ["A2", "A10", "B1"]
