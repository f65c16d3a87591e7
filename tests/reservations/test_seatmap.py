"""The state that the live map asks for every few seconds, and its ETag (I13)."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import Group, Permission
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from backoffice.clock import database_now
from reservations import holds, layout, sales
from reservations.models import Seat
from tests.reservations.factories import claim_of, let_run_out, make_event, make_seat, sell
from tests.reservations.map_pages import address, look


@pytest.fixture
def alis(colleague):
    """The browser of a colleague."""
    browser = Client()
    browser.force_login(colleague)
    return browser


def told(response):
    """Return {seat: its state} as a refresh tells it."""
    return {seat[0]: seat[1] for seat in response.json()["seats"]}


# What it tells


def test_the_state_tells_of_seats_that_are_not_free(page, event, seats, holder, colleague):
    hold_id = holds.hold(event, [seats[0].pk], by=holder)
    sale = sell(holds.hold(event, [seats[1].pk], by=colleague), seats[1:2], colleague)
    layout.block(Seat.objects.filter(pk=seats[2].pk), by=colleague, reason="دید محدود")

    answer = look(page, event).json()

    until = round(Seat.objects.get(pk=seats[0].pk).locked_until.timestamp() * 1000)
    assert sorted(answer["seats"]) == [
        [seats[0].pk, "locked", until, "مریم رضایی", "", hold_id.hex],
        [seats[1].pk, "reserved", None, "", sale.reference, ""],
        [seats[2].pk, "blocked", None, "", "دید محدود", ""],
    ]
    assert abs(answer["now"] - until + 300_000) < 5000


def test_free_seats_and_those_of_other_events_are_not_told(page, event, holder):
    other = make_event(seats=1)
    holds.hold(other, [other.seats.get().pk], by=holder)

    assert look(page, event).json()["seats"] == []


def test_only_the_holder_is_told_the_token_of_a_hold(page, alis, event, seats, holder):
    hold_id = holds.hold(event, [seats[0].pk], by=holder)

    assert look(page, event).json()["seats"][0][5] == hold_id.hex
    assert look(alis, event).json()["seats"][0][5] == ""
    assert look(page, event)["ETag"] != look(alis, event)["ETag"]


def test_a_hold_that_ran_out_is_free_at_once_and_nothing_was_written(page, event, seats, holder):
    holds.hold(event, [seats[0].pk], by=holder)
    let_run_out()
    before = claim_of(seats[0])

    assert look(page, event).json()["seats"] == []
    assert claim_of(seats[0]) == before
    assert before["status"] == "locked"


def test_an_event_without_seats_has_an_empty_state(page):
    answer = look(page, make_event())

    assert (answer.status_code, answer.json()["seats"]) == (200, [])


@pytest.mark.parametrize("microsecond", [0, 7, 400, 999_999])
def test_an_end_is_told_to_the_millisecond(page, event, seats, holder, microsecond):
    holds.hold(event, [seats[0].pk], by=holder)
    until = datetime(2199, 12, 31, 23, 59, 59, microsecond, UTC)
    Seat.objects.filter(pk=seats[0].pk).update(locked_until=until)

    [[_pk, _state, told_until, *_more]] = look(page, event).json()["seats"]

    assert abs(told_until - until.timestamp() * 1000) <= 1


@pytest.mark.parametrize("reason", ['"', "\\", "</script>", "یک\nدو", "x,1 blocked 1 x", "🪑"])
def test_words_of_people_come_through_as_they_are(page, event, seats, holder, reason):
    layout.block(Seat.objects.filter(pk=seats[0].pk), by=holder, reason=reason)

    assert look(page, event).json()["seats"][0][4] == reason


# The ETag


def test_an_unchanged_map_is_answered_with_304_without_a_body(page, event, seats, holder):
    holds.hold(event, [seats[0].pk], by=holder)
    first = look(page, event)

    for known in (first["ETag"], f"W/{first['ETag']}", f'"other", {first["ETag"]}'):
        second = look(page, event, known)
        assert (second.status_code, second.content) == (304, b"")
        assert second["ETag"] == first["ETag"]


def hold(seat, by):
    return holds.hold(seat.event, [seat.pk], by=by)


CHANGES = {
    "taken": lambda seats, by: hold(seats[0], by),
    "given back": lambda seats, by: holds.release(seats[1].hold_id, by=by),
    "ran out": lambda seats, by: let_run_out(Seat.objects.filter(pk=seats[1].pk)),
    "forced": lambda seats, by: holds.force_release(
        Seat.objects.filter(pk=seats[1].pk), by=by, reason="x"
    ),
    "given back and taken again": lambda seats, by: (
        holds.release(seats[1].hold_id, by=by),
        hold(seats[1], by),
    ),
    "extended": lambda seats, by: (
        Seat.objects.filter(pk=seats[1].pk).update(
            locked_until=database_now() + timedelta(seconds=30)
        ),
    ),
    "confirmed": lambda seats, by: sell(seats[1].hold_id, seats[1:2], by),
    "cancelled": lambda seats, by: sales.cancel(seats[2].reservation_id, by=by, reason="x"),
    "moved": lambda seats, by: sales.move(
        seats[2].reservation_id, [seats[2].pk], [seats[0].pk], by=by
    ),
    "blocked": lambda seats, by: layout.block(
        Seat.objects.filter(pk=seats[0].pk), by=by, reason="x"
    ),
    "unblocked": lambda seats, by: layout.unblock(Seat.objects.filter(pk=seats[3].pk), by=by),
    "blocked for another reason": lambda seats, by: Seat.objects.filter(pk=seats[3].pk).update(
        block_reason="دود"
    ),
    "added": lambda seats, by: make_seat(seats[0].event),
    "removed": lambda seats, by: layout.remove(Seat.objects.filter(pk=seats[0].pk), by=by),
    "put elsewhere": lambda seats, by: Seat.objects.filter(pk=seats[0].pk).update(position=9),
    "put in another row": lambda seats, by: Seat.objects.filter(pk=seats[0].pk).update(
        row_position=9
    ),
    "priced anew": lambda seats, by: Seat.objects.filter(pk=seats[0].pk).update(price=9),
}
ON_THE_PLAN = {"added", "removed", "put elsewhere", "put in another row", "priced anew"}


@pytest.mark.parametrize("change", CHANGES)
def test_no_change_hides_behind_a_304(page, holder, change):
    event = make_event(seats=4)
    seats = list(event.seats.order_by("position"))
    holds.hold(event, [seats[1].pk], by=holder)
    sell(hold(seats[2], holder), seats[2:3], holder)
    layout.block(Seat.objects.filter(pk=seats[3].pk), by=holder, reason="دید")
    first = look(page, event)

    CHANGES[change](list(event.seats.order_by("position")), holder)
    second = look(page, event, first["ETag"])

    assert second.status_code == 200
    assert second["ETag"] == look(page, event)["ETag"] != first["ETag"]
    changed = second.json()["layout"] != first.json()["layout"]
    assert changed == (change in ON_THE_PLAN)


def test_time_alone_changes_the_etag(page, holder):
    event = make_event(seats=1, hold_seconds=2)
    seat = event.seats.get()
    holds.hold(event, [seat.pk], by=holder)
    stored, first = claim_of(seat), look(page, event)

    time.sleep(2.1)
    second = look(page, event, first["ETag"])

    assert (told(first), second.status_code, told(second)) == ({seat.pk: "locked"}, 200, {})
    # The control: an ETag of what is stored would be the same.
    assert claim_of(seat) == stored


def test_two_seats_that_change_places_change_the_plan(page, event, seats):
    first = look(page, event)
    for one, other in (seats[:2], seats[1::-1]):
        Seat.objects.filter(pk=one.pk).update(position=other.position)

    assert look(page, event, first["ETag"]).json()["layout"] != first.json()["layout"]


def test_words_of_people_can_not_look_like_other_seats(page, event, seats, holder):
    """Two blocked seats, and one whose reason is written like the second."""
    reason = "x"
    layout.block(Seat.objects.filter(pk__in=[s.pk for s in seats[:2]]), by=holder, reason=reason)
    first = look(page, event)
    forged = f"{reason},{seats[1].pk}b{len(reason)} {reason}"
    layout.unblock(Seat.objects.filter(pk=seats[1].pk), by=holder)
    Seat.objects.filter(pk=seats[0].pk).update(block_reason=forged)

    assert look(page, event, first["ETag"]).status_code == 200


# What it costs


@pytest.fixture
def crowded(holder, colleague):
    """A hall with seats in every state, one with a hold that ran out."""
    event = make_event(seats=12)
    seats = list(event.seats.order_by("position"))
    holds.hold(event, [seats[0].pk], by=holder)
    let_run_out(event.seats.all())
    hold(seats[1], holder)
    sell(hold(seats[2], colleague), seats[2:3], colleague)
    layout.block(Seat.objects.filter(pk=seats[3].pk), by=colleague, reason="دید")
    return event


def statements(work):
    with CaptureQueriesContext(connection) as asked:
        work()
    return [query["sql"] for query in asked.captured_queries]


def test_a_refresh_writes_nothing(page, crowded):
    etag = look(page, crowded)["ETag"]
    rows = list(Seat.objects.order_by("pk").values())

    asked = statements(lambda: (look(page, crowded), look(page, crowded, etag)))

    assert {sql.split()[0] for sql in asked} == {"SELECT"}
    assert not any("FOR UPDATE" in sql for sql in asked)
    assert list(Seat.objects.order_by("pk").values()) == rows


def test_a_refresh_takes_one_query_beyond_session_and_account(page, crowded):
    etag = look(page, crowded)["ETag"]

    unchanged = statements(lambda: look(page, crowded, etag))
    changed = statements(lambda: look(page, crowded, '"another"'))
    fresh = statements(lambda: look(page, crowded))

    assert (len(unchanged), len(changed), len(fresh)) == (3, 4, 3)
    assert "django_session" in unchanged[0]
    assert 'FROM "auth_user"' in unchanged[1]


def test_the_page_takes_as_many_queries_for_a_large_hall_as_for_a_small_one(page, crowded):
    page.get(address(crowded))
    counts = [
        len(statements(lambda event=event: page.get(address(event))))
        for event in (make_event(seats=1), crowded)
    ]
    assert counts[0] == counts[1] <= 16


def test_an_open_map_prolongs_no_session(page, event, settings):
    settings.SESSION_SAVE_EVERY_REQUEST = True
    page.get(address(event))
    before = Session.objects.get().expire_date

    response = look(page, event)

    assert Session.objects.get().expire_date == before
    assert not response.cookies


# Who may, and how


def test_a_right_counts_by_name_through_a_group_and_for_superusers(
    client, make_user, admin_user, event
):
    group = Group.objects.create(name="گیشه")
    group.permissions.add(Permission.objects.get(codename="view_seat"))
    by_name, by_group = make_user("one", "reservations.view_seat"), make_user("two")
    by_group.groups.add(group)
    nobody = make_user("three", "reservations.view_event", "reservations.hold_seat")
    codes = []
    for user in (by_name, by_group, admin_user, nobody):
        client.force_login(user, "django.contrib.auth.backends.ModelBackend")
        codes.append([look(client, event).status_code, look(client, event, '"x"').status_code])

    assert codes == [[200, 200]] * 3 + [[403, 403]]


def test_who_is_no_member_of_staff_is_refused(client, make_user, event):
    user = make_user("customer", "reservations.view_seat")
    type(user).objects.filter(pk=user.pk).update(is_staff=False)
    client.force_login(user)

    assert look(client, event).status_code == 403


def test_the_state_is_refused_in_json(page, client, event, make_user):
    gone = look(page, type("Gone", (), {"pk": 999_999}))
    never = look(page, type("Never", (), {"pk": 10**20}), etag='"x"')
    posted = page.post(address(event, "state"))
    assert (never.status_code, never.json()) == (404, gone.json())
    assert (gone.status_code, posted.status_code, posted["Allow"]) == (404, 405, "GET")
    client.force_login(make_user("clerk", "reservations.view_event"))
    forbidden = look(client, event)
    client.logout()
    stranger = look(client, event)
    assert (forbidden.status_code, stranger.status_code) == (403, 401)
    for answer in (gone, posted, forbidden, stranger):
        assert set(answer.json()) == {"success", "error"}
        assert not answer.json()["error"].isascii()


def test_a_state_is_nobody_elses_to_keep(page, event):
    assert look(page, event)["Cache-Control"] == "private, no-cache"
