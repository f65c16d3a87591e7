"""The lock desk: what it shows to whom, and what it ends."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import F
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from backoffice import admin_desk, claim_endings, editable, lock_desk, locks, schedules
from backoffice.audit import LockEvent
from backoffice.claims import KINDS
from backoffice.clock import database_now
from backoffice.lock_desk import Taking, Wanted
from inventory.models import IssuePermanent, ReceiptPermanent, WarehouseDocument
from orders import dispatch
from orders.models import ProductOrder
from reservations import holds
from reservations.models import Seat
from tests.backoffice.factories import make_run
from tests.inventory.factories import make_document, make_receipt, make_stocktaking
from tests.orders.factories import make_integration, make_order, make_package
from tests.reservations.factories import let_run_out, make_event

DESK = reverse("admin:lock_desk")
END = reverse("admin:lock_desk_end")
RECEIPT, ISSUE = "edit:inventory.ReceiptPermanent", "edit:inventory.IssuePermanent"
SEES = ("inventory.view_receiptpermanent", "inventory.view_issuepermanent")
RELEASES = (*SEES, "backoffice.release_edit_lock")


@pytest.fixture
def holder(make_user):
    return make_user("holder", first_name="مریم", last_name="رضایی")


@pytest.fixture
def colleague(make_user):
    return make_user("colleague", first_name="علی", last_name="کریمی")


@pytest.fixture
def boss(make_user):
    return make_user("boss", *RELEASES, first_name="زهرا", last_name="محمدی")


@pytest.fixture
def desk(client):
    """Return a function that opens the desk as somebody and returns the claims it shows."""

    def get(user, **query):
        client.force_login(user)
        return [claim for claim, _may_end in client.get(DESK, query).context["claims"]]

    return get


@pytest.fixture
def post(client):
    """Return a function that posts to the desk's ending as somebody."""

    def send(user, *chosen, query="", **data):
        client.force_login(user)
        data = {"action": "release", "claim": [str(taking) for taking in chosen]} | data
        return client.post(END + query, data)

    return send


def lock(obj, by):
    """Let somebody edit a document; return the document."""
    locks.acquire(type(obj), obj.pk, by=by, version=obj.version)
    return obj


def silence(obj, minutes=10):
    then = database_now() - timedelta(minutes=minutes)
    type(obj).objects.filter(pk=obj.pk).update(editing_last_seen_at=then)
    return obj


def number(obj, number):
    """Give a document its number, as posting does."""
    type(obj).objects.filter(pk=obj.pk).update(
        document_number=number,
        status="posted",
        **{f"{step}_by": F("editing_by") for step in ("approved", "posted")},
        **{f"{step}_at": database_now() for step in ("approved", "posted")},
    )


def taking_of(obj, kind=RECEIPT):
    [claim] = lock_desk.claims([KINDS[kind]], Wanted())[:]
    assert claim.pk == obj.pk
    return claim.taking


def holder_of(obj):
    return type(obj).objects.get(pk=obj.pk).editing_by


def names(found):
    return [claim.name for claim in found]


def told(response):
    return [str(message) for message in response.context["messages"]]


# What it shows


def test_every_kind_of_claim_is_on_one_page(desk, admin_user, holder):
    lock(make_receipt(), holder)
    lock(make_stocktaking(), holder)
    event = make_event(seats=1)
    lock(event, holder)
    holds.hold(event, [event.seats.get().pk], by=holder)
    order = make_order(make_package(make_integration()))
    dispatch.begin(order.pk)

    kinds = {claim.kind.name for claim in desk(admin_user)}

    edited = {RECEIPT, "edit:inventory.StocktakingRecord", "edit:reservations.Event"}
    assert kinds == {*edited, "seat", "order"}


def test_a_claim_is_called_as_its_document_is(desk, admin_user, holder):
    for obj in (make_receipt(), make_stocktaking(), make_event()):
        lock(obj, holder)
        row = type(obj).objects.get(pk=obj.pk)
        assert names(desk(admin_user)) == [str(row)]
        locks.force_release(type(obj).objects.all(), by=None, reason="x")


def test_a_claim_on_a_numbered_document_bears_its_number(desk, admin_user, holder):
    number(lock(make_receipt(), holder), 1234)

    assert names(desk(admin_user)) == ["رسید دائم 1234"]


@pytest.mark.parametrize("first_and_last", [("مریم", "رضایی"), ("مریم", ""), ("", "")])
def test_a_holder_is_called_as_everywhere(desk, admin_user, make_user, first_and_last):
    first, last = first_and_last
    holder = make_user("holder", first_name=first, last_name=last)
    lock(make_receipt(), holder)

    [claim] = desk(admin_user)

    assert claim.holder == (holder.get_full_name() or "holder")
    assert claim.holder_id == holder.pk


@pytest.mark.parametrize("column", ["last_seen_at", "last_input_at", "extended_at", "left_at"])
def test_when_a_claim_runs_out_is_told_as_the_lock_tells_it(desk, admin_user, holder, column):
    receipt = lock(make_receipt(), holder)
    then = database_now() - timedelta(minutes=3)
    ReceiptPermanent.objects.filter(pk=receipt.pk).update(**{f"editing_{column}": then})

    [claim] = desk(admin_user)

    kept = editable.read(ReceiptPermanent, receipt.pk)
    assert (claim.until, claim.live) == (kept.ends_at, kept.live)
    assert (claim.since, claim.seen) == (kept.started_at, kept.last_seen_at)


def test_a_lock_without_any_time_is_shown_all_the_same(desk, admin_user, holder):
    receipt = make_receipt()
    ReceiptPermanent.objects.filter(pk=receipt.pk).update(editing_by=holder)

    [claim] = desk(admin_user)

    assert (claim.since, claim.until, claim.state) == (None, None, "stale")


def test_active_idle_and_run_out_are_told_apart(desk, admin_user, holder):
    lock(make_receipt(), holder)
    idle, gone = lock(make_receipt(), holder), lock(make_receipt(), holder)
    ReceiptPermanent.objects.filter(pk=idle.pk).update(
        editing_last_input_at=database_now() - timedelta(minutes=7), editing_has_changes=True
    )
    silence(gone)

    states = {claim.pk: (claim.state, claim.unsaved) for claim in desk(admin_user)}

    assert states[idle.pk] == ("idle", True)
    assert states[gone.pk] == ("stale", False)
    assert sorted(state for state, _unsaved in states.values()) == ["idle", "live", "stale"]


def test_a_lock_of_somebody_who_was_shut_out_ran_out(desk, admin_user, holder):
    lock(make_receipt(), holder)
    type(holder).objects.filter(pk=holder.pk).update(is_active=False)

    assert [claim.state for claim in desk(admin_user)] == ["stale"]


def test_a_row_says_what_who_and_since_when_in_persian(client, admin_client, holder):
    receipt = lock(make_receipt(), holder)
    hour_ago = database_now() - timedelta(hours=1)
    ReceiptPermanent.objects.filter(pk=receipt.pk).update(editing_started_at=hour_ago)

    html = admin_client.get(DESK).content.decode()

    row = html.split("<tbody>")[1].split("</tbody>")[0]
    page = reverse("admin:inventory_receiptpermanent_change", args=[receipt.pk])
    assert f'href="{page}"' in row
    assert f"?target=inventory.ReceiptPermanent%3A{receipt.pk}" in row
    assert "مریم رضایی" in row
    assert re.search(r"۱\sساعت پیش", row)
    assert re.search("۱۴[۰-۹]{2}/[۰-۹]{2}/[۰-۹]{2}", row)


# Who sees it


def test_whoever_sees_no_kind_of_claim_does_not_see_the_desk(client, make_user):
    client.force_login(make_user("stranger", "backoffice.view_lockevent"))

    answers = [client.get(DESK), client.post(END, {"action": "release"})]

    assert [answer.status_code for answer in answers] == [403, 403]
    assert DESK not in client.get(reverse("admin:index")).content.decode()


def test_only_claims_of_what_somebody_may_see_are_shown(desk, make_user, holder):
    lock(make_receipt(), holder)
    lock(make_document(IssuePermanent), holder)

    found = desk(make_user("reader", "inventory.view_issuepermanent"))

    assert [claim.kind.name for claim in found] == [ISSUE]


def test_every_page_leads_whoever_may_to_the_desk(client, boss):
    client.force_login(boss)

    html = client.get(reverse("admin:index")).content.decode()

    assert html.count(f'href="{DESK}"') == 2  # in the header and beside the numbers


def test_rows_that_somebody_may_not_end_can_not_be_ticked(client, make_user, holder):
    lock(make_receipt(), holder)
    stale = silence(lock(make_receipt(), holder))
    client.force_login(make_user("keeper", *SEES, "inventory.change_receiptpermanent"))

    html = client.get(DESK).content.decode()

    assert re.findall(r'name="claim" value="[^|]*\|(\d+)', html) == [str(stale.pk)]


# Filters, search, order, pages


@pytest.fixture
def three(holder, colleague):
    """A live lock, one that ran out, and a seat of a colleague."""
    event = make_event(seats=1, name="کنسرت سنتی")
    holds.hold(event, [event.seats.get().pk], by=colleague)
    lock(make_receipt(draft_number="D-LIVE"), holder)
    silence(lock(make_document(IssuePermanent, draft_number="D-STALE"), holder))


LIVE, STALE, SEAT = "رسید دائم D-LIVE", "حواله دائم D-STALE", "A1 · کنسرت سنتی"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, {LIVE, STALE, SEAT}),
        ({"app": "inventory"}, {LIVE, STALE}),
        ({"kind": "seat"}, {SEAT}),
        ({"holder": "مریم رضایی"}, {LIVE, STALE}),
        ({"state": "live"}, {LIVE, SEAT}),
        ({"state": "stale"}, {STALE}),
        ({"app": "inventory", "state": "live"}, {LIVE}),
        ({"q": "live"}, {LIVE}),
        ({"q": "كنسرت"}, {SEAT}),
        ({"q": "کریمی"}, {SEAT}),
        ({"q": "رضایی حواله"}, {STALE}),
    ],
)
def test_the_desk_is_narrowed_and_searched(desk, admin_user, three, query, found):
    assert set(names(desk(admin_user, **query))) == found


@pytest.mark.parametrize("name", ["app", "kind", "holder", "state", "q"])
def test_what_no_claim_has_finds_nothing(desk, admin_user, three, name):
    assert desk(admin_user, **{name: "xyz"}) == []


def test_a_number_is_found_in_persian_digits(desk, admin_user, holder):
    receipt = lock(make_receipt(), holder)
    lock(make_receipt(), holder)
    number(receipt, 1234)

    assert [claim.pk for claim in desk(admin_user, q="رسید ۱۲۳۴")] == [receipt.pk]


def test_a_query_that_no_page_asks_is_refused(client, admin_client, three):
    assert admin_client.get(DESK, {"q": "\x00"}).status_code == 400
    assert admin_client.get(DESK, {"p": "x", "o": "xyz"}).status_code == 200


def test_the_choices_say_how_many_there_are(admin_client, three):
    html = admin_client.get(DESK).content.decode()

    assert '<option value="live">فعال (۲)</option>' in html
    assert '<option value="inventory">انبار (۲)</option>' in html
    assert '<option value="مریم رضایی">مریم رضایی (۲)</option>' in html


def test_who_is_longest_at_it_comes_first_and_what_ran_out_last(desk, admin_user, three, holder):
    first = lock(make_receipt(draft_number="D-OLD"), holder)
    then = database_now() - timedelta(hours=1)
    ReceiptPermanent.objects.filter(pk=first.pk).update(editing_started_at=then)

    assert names(desk(admin_user)) == ["رسید دائم D-OLD", SEAT, LIVE, STALE]


@pytest.mark.parametrize("order", lock_desk.ORDERS)
def test_each_order_can_be_turned(desk, admin_user, three, order):
    forth, back = names(desk(admin_user, o=order)), names(desk(admin_user, o=f"-{order}"))

    assert (len(forth), sorted(forth)) == (3, sorted(back))
    assert forth[0] != back[0]


def test_pages_hold_a_hundred_and_no_claim_twice(desk, admin_user, holder):
    event = make_event(seats=250)
    hold(Seat.objects.filter(event=event), holder)

    pages = [desk(admin_user, p=number) for number in (1, 2, 3, 99)]

    assert [len(page) for page in pages] == [100, 100, 50, 50]
    assert len({claim.pk for page in pages[:3] for claim in page}) == 250
    assert {claim.pk for claim in pages[3]} == {claim.pk for claim in pages[2]}


def hold(seats, by):
    """Let seats be held without asking how many one may hold."""
    now = database_now()
    seats.update(
        status="locked",
        locked_by=by,
        locked_by_name=by.get_full_name() or by.username,
        held_since=now,
        locked_until=now + timedelta(minutes=5),
        hold_id="00000000-0000-0000-0000-000000000001",
    )


# Ending


def test_ending_is_asked_twice_and_the_first_time_ends_nothing(post, boss, holder):
    receipt = lock(make_receipt(), holder)
    stale = silence(lock(make_document(IssuePermanent), holder))
    takings = [taking_of(receipt), taking_of(stale, ISSUE)]

    page = post(boss, *takings)

    assert page.status_code == 200
    chosen = page.context["chosen"]
    assert ([claim.pk for claim in chosen.live], [claim.pk for claim in chosen.stale]) == (
        [receipt.pk],
        [stale.pk],
    )
    assert (holder_of(receipt), holder_of(stale)) == (holder, holder)


def test_what_was_confirmed_is_ended_and_recorded(post, boss, holder):
    receipt = lock(make_receipt(), holder)
    other = lock(make_receipt(), holder)
    [_first, shown] = sorted(takings(), key=lambda taking: taking.pk == receipt.pk)

    post(boss, shown, confirmed="yes", reason="پایان شیفت")

    assert (holder_of(receipt), holder_of(other)) == (None, holder)
    [event] = LockEvent.objects.filter(action="forced")
    assert (event.actor_id, event.holder_id, event.reason) == (boss.pk, holder.pk, "پایان شیفت")
    assert event.target_id == str(receipt.pk)


@pytest.mark.parametrize("reason", ["", "   ", "x" * 301])
def test_a_live_one_is_not_ended_without_a_reason_that_fits(post, boss, holder, reason):
    receipt = lock(make_receipt(), holder)

    page = post(boss, taking_of(receipt), confirmed="yes", reason=reason)

    html = page.content.decode()
    assert page.context["form"].errors.keys() == {"reason"}
    assert f'value="{taking_of(receipt)}"' in html
    assert ("بنویسید چرا" in html) == (not reason.strip())
    assert page.context["form"]["reason"].value() == reason
    assert holder_of(receipt) == holder


def test_what_ran_out_needs_no_reason(post, boss, holder):
    receipt = silence(lock(make_receipt(), holder))

    page = post(boss, taking_of(receipt))
    post(boss, taking_of(receipt), confirmed="yes")

    assert "reason" not in page.context["form"].fields
    assert holder_of(receipt) is None
    assert LockEvent.objects.latest("pk").action == "ran_out"


def test_clearing_leaves_live_ones_alone_and_says_so(post, boss, holder, client):
    receipt = lock(make_receipt(), holder)
    stale = silence(lock(make_document(IssuePermanent), holder))
    chosen = [taking_of(receipt), taking_of(stale, ISSUE)]

    page = post(boss, *chosen, action="clear")
    done = post(boss, *chosen, action="clear", confirmed="yes", reason="x")

    assert page.context["left_alone"] == [(str(receipt), "فعال است")]
    assert done.status_code == 302
    assert (holder_of(receipt), holder_of(stale)) == (holder, None)
    shown = told(client.get(DESK))
    assert shown[0] == "حواله‌های دائم: 1 قفل آزاد شد."
    assert shown[1:] == [f"«{receipt}» دست‌نخورده ماند: فعال است"]


def test_a_claim_that_changed_hands_meanwhile_is_left_alone_and_named(
    post, client, boss, holder, colleague
):
    receipt = lock(make_receipt(), holder)
    shown = taking_of(receipt)
    locks.force_release(ReceiptPermanent.objects.all(), by=None, reason="x")
    lock(receipt, colleague)

    post(boss, shown, confirmed="yes", reason="پایان شیفت")

    assert holder_of(receipt) == colleague
    assert "اکنون نزد علی کریمی" in told(client.get(DESK))[-1]


def test_the_same_holder_who_took_it_anew_is_left_alone_too(post, boss, holder):
    receipt = lock(make_receipt(), holder)
    shown = taking_of(receipt)
    then = database_now() + timedelta(seconds=1)
    ReceiptPermanent.objects.filter(pk=receipt.pk).update(editing_started_at=then)

    post(boss, shown, confirmed="yes", reason="پایان شیفت")

    assert holder_of(receipt) == holder


def test_control_without_comparing_the_takings_the_next_holder_loses_the_lock(
    post, boss, holder, colleague, monkeypatch
):
    receipt = lock(make_receipt(), holder)
    shown = taking_of(receipt)
    locks.force_release(ReceiptPermanent.objects.all(), by=None, reason="x")
    lock(receipt, colleague)
    monkeypatch.setattr(Taking, "__eq__", lambda self, other: True)

    post(boss, shown, confirmed="yes", reason="پایان شیفت")

    assert holder_of(receipt) is None


def test_who_takes_it_between_the_look_and_the_ending_keeps_it(
    post, boss, holder, colleague, monkeypatch
):
    receipt = lock(make_receipt(), holder)
    shown = taking_of(receipt)
    end = claim_endings.end

    def end_late(*args, **kwargs):
        locks.force_release(ReceiptPermanent.objects.all(), by=None, reason="x")
        lock(receipt, colleague)
        return end(*args, **kwargs)

    monkeypatch.setattr(claim_endings, "end", end_late)

    post(boss, shown, confirmed="yes", reason="پایان شیفت")

    assert holder_of(receipt) == colleague


def test_what_is_free_already_is_named(post, client, boss, holder):
    receipt = lock(make_receipt(), holder)
    shown = taking_of(receipt)
    locks.force_release(ReceiptPermanent.objects.all(), by=None, reason="x")
    events = LockEvent.objects.count()

    answer = post(boss, shown, confirmed="yes", reason="پایان شیفت")

    assert answer.status_code == 302
    assert told(client.get(DESK))[-1] == f"«{receipt}» دست‌نخورده ماند: پیش‌تر آزاد شده بود"
    assert LockEvent.objects.count() == events


def test_each_kind_asks_for_its_own_permission(post, make_user, holder):
    receipt = lock(make_receipt(), holder)
    event = make_event(seats=1)
    holds.hold(event, [event.seats.get().pk], by=holder)
    box_office = make_user("box", *SEES, "reservations.view_seat", "reservations.release_seat")

    post(box_office, *takings(), confirmed="yes", reason="پایان شیفت")

    assert holder_of(receipt) == holder
    assert Seat.objects.get().status == "available"


def test_who_may_clear_what_ran_out_may_not_end_what_is_live(post, make_user, holder):
    live, stale = lock(make_receipt(), holder), silence(lock(make_receipt(), holder))
    keeper = make_user("keeper", *SEES, "inventory.change_receiptpermanent")

    post(keeper, *takings(), confirmed="yes", reason="پایان شیفت")

    assert (holder_of(live), holder_of(stale)) == (holder, None)


def test_what_somebody_may_not_see_he_can_not_end(post, make_user, holder):
    receipt = lock(make_receipt(), holder)
    blind = make_user("blind", "inventory.view_issuepermanent", "backoffice.release_edit_lock")

    answer = post(blind, taking_of(receipt), confirmed="yes", reason="پایان شیفت")

    assert answer.status_code == 302
    assert holder_of(receipt) == holder


def test_seats_and_orders_are_ended_through_their_own_rules(post, admin_user, holder):
    event = make_event(seats=2)
    seats = list(event.seats.order_by("pk"))
    holds.hold(event, [seats[0].pk], by=holder)
    holds.hold(event, [seats[1].pk], by=holder)
    let_run_out(Seat.objects.filter(pk=seats[1].pk))
    order = make_order(make_package(make_integration()))
    dispatch.begin(order.pk)

    post(admin_user, *takings(), confirmed="yes", reason="پایان شیفت")

    assert set(Seat.objects.values_list("status", flat=True)) == {"available"}
    kept = ProductOrder.objects.get()
    assert (kept.claimed_until, kept.external_status) == (None, "sent")
    ended = LockEvent.objects.filter(actor_id=admin_user.pk).order_by("kind", "action")
    assert list(ended.values_list("kind", "action")) == [
        ("order", "forced"),
        ("seat", "forced"),
        ("seat", "ran_out"),
    ]


def takings():
    return [claim.taking for claim in lock_desk.claims(KINDS.values(), Wanted())[:]]


def test_all_that_match_are_ended_and_nothing_else(post, boss, holder, colleague):
    lock_many(150, holder)
    other = lock(make_receipt(), colleague)
    query = "?holder=مریم+رضایی"

    page = post(boss, everything="yes", query=query)
    shown = [*page.context["chosen"].live, *page.context["chosen"].stale]
    post(boss, *(claim.taking for claim in shown), confirmed="yes", reason="x", query=query)

    assert len(shown) == 150
    assert list(WarehouseDocument.objects.claimed().values_list("pk", flat=True)) == [other.pk]


def test_clearing_all_that_match_takes_what_ran_out_alone(post, boss, holder):
    lock_many(20, holder)

    page = post(boss, everything="yes", action="clear")

    chosen = page.context["chosen"]
    assert (len(chosen.live), len(chosen.stale), page.context["left_alone"]) == (0, 2, [])


def test_only_so_many_are_ended_at_once_and_the_page_says_so(post, boss, holder, monkeypatch):
    monkeypatch.setattr(admin_desk, "MOST_AT_ONCE", 5)
    lock_many(7, holder)

    all_of_them, ticked = post(boss, everything="yes"), post(boss, *takings())

    for page in (all_of_them, ticked):
        assert len(page.context["chosen"].live) + len(page.context["chosen"].stale) == 5
        assert "حداکثر ۵ قفل" in page.content.decode()


@pytest.mark.parametrize("text", ["", "x", "seat|x||", "no.kind|1||", "seat|1||yesterday"])
def test_what_no_page_of_ours_names_is_refused(post, boss, text):
    assert post(boss, text).status_code == 400


def test_nothing_chosen_is_told(post, client, boss):
    answer = post(boss)

    assert answer.url == f"{DESK}?"
    assert len(told(client.get(DESK))) == 1


def test_a_get_ends_nothing(client, boss, holder):
    receipt = lock(make_receipt(), holder)
    client.force_login(boss)
    query = {"claim": str(taking_of(receipt)), "confirmed": "yes", "reason": "x"}
    events = LockEvent.objects.count()

    answers = [client.get(END, query | {"action": "release"}), client.get(DESK, query)]

    assert [answer.status_code for answer in answers] == [302, 200]
    assert holder_of(receipt) == holder
    assert LockEvent.objects.count() == events


def test_a_post_of_a_foreign_page_ends_nothing(boss, holder):
    receipt = lock(make_receipt(), holder)
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(boss)
    data = {"claim": str(taking_of(receipt)), "confirmed": "yes", "reason": "x"}

    assert strict.post(END, data | {"action": "release"}).status_code == 403
    assert holder_of(receipt) == holder


def test_the_desk_itself_takes_no_post(client, boss):
    client.force_login(boss)

    assert client.post(DESK).status_code == 405


# Beside it


def test_a_page_that_refreshes_itself_gets_the_part_that_changes(client, boss, holder):
    receipt = lock(make_receipt(), holder)
    client.force_login(boss)

    html = client.get(DESK, headers={"X-Refresh": "yes"}).content.decode()

    assert html.strip().startswith('<div id="lock-desk-now">')
    assert f"|{receipt.pk}|" in html
    assert "<html" not in html


def test_refreshing_does_not_keep_a_session_alive(client, boss, settings):
    settings.SESSION_SAVE_EVERY_REQUEST = True
    client.force_login(boss)

    assert "sessionid" not in client.get(DESK, headers={"X-Refresh": "yes"}).cookies
    assert "sessionid" in client.get(DESK).cookies


@pytest.mark.parametrize(("minutes_ago", "late"), [(3, False), (4, True)])
def test_the_desk_warns_when_a_cleaner_is_more_than_three_periods_late(
    client, boss, minutes_ago, late
):
    schedules.ensure_schedules()
    make_run("clear_stale_edit_locks", minutes_ago=minutes_ago)
    make_run("release_expired_locks")
    make_run("check_pending_orders_batch")
    client.force_login(boss)

    html = client.get(DESK).content.decode()

    assert html.count("lock-desk-alarm") == late
    assert ("بیش از سه نوبت دیر کرده است" in html) == late
    assert "۴" in html or not late


def test_the_desk_warns_of_cleaners_that_are_paused_failing_or_not_scheduled(client, boss):
    schedules.ensure_schedules()
    schedules.pause("release_expired_locks")
    make_run("check_pending_orders_batch", error="ValueError")
    schedules.TaskSchedule.objects.filter(name="clear_stale_edit_locks").delete()
    client.force_login(boss)

    html = client.get(DESK).content.decode()

    assert html.count("lock-desk-alarm") == 3
    for words in ("متوقف است", "ناموفق بود", "زمان‌بندی نشده است"):
        assert html.count(words) == 1


def test_the_way_to_the_log_is_shown_to_whoever_may_read_it(client, boss, make_user):
    log = reverse("admin:backoffice_lockevent_changelist")
    reader = make_user("reader", *SEES, "backoffice.view_lockevent")
    pages = []
    for user in (boss, reader):
        client.force_login(user)
        pages.append(client.get(DESK).content.decode())

    assert [f'href="{log}"' in page for page in pages] == [False, True]
    assert f'<a href="{DESK}">' in client.get(log).content.decode()


# What it asks of the database


def queries(client, **query):
    with CaptureQueriesContext(connection) as asked:
        assert client.get(DESK, query).status_code == 200
    return len(asked)


def lock_many(count, holder):
    """Lock as many documents, a third of them long ago."""
    pattern = make_receipt(lines=0)
    columns = {"warehouse": pattern.warehouse, "fiscal_year": pattern.fiscal_year}
    columns |= {"document_date": pattern.document_date}
    models = (ReceiptPermanent, IssuePermanent)
    rows = [
        WarehouseDocument(document_type=models[place % 2].TYPE, draft_number=f"M{place}", **columns)
        for place in range(count)
    ]
    WarehouseDocument.objects.bulk_create(rows, batch_size=500)
    made = WarehouseDocument.objects.filter(draft_number__startswith="M")
    now = database_now()
    times = {f"editing_{name}_at": now for name in ("started", "last_seen", "last_input")}
    made.update(editing_by=holder, editing_session_key="x", **times)
    made.filter(draft_number__endswith="3").update(editing_last_seen_at=now - timedelta(minutes=10))


@pytest.mark.parametrize("count", [20, 2000])
def test_the_desk_takes_few_queries_however_many_claims_there_are(client, boss, holder, count):
    lock_many(count, holder)
    client.force_login(boss)
    client.get(DESK)  # the theme is cached from here on

    assert queries(client) <= 15
    assert queries(client, q="M1", state="live", o="holder") <= 15


def test_the_desk_takes_as_many_queries_with_many_claims_as_with_one(client, boss, holder):
    lock(make_receipt(), holder)
    client.force_login(boss)
    client.get(DESK)
    few = queries(client)
    lock_many(250, holder)

    assert queries(client) == few


def test_claims_are_found_by_the_small_index_of_what_is_claimed(holder):
    lock_many(300, holder)
    WarehouseDocument.objects.filter(draft_number__gt="M2").update(
        editing_by=None, editing_session_key=""
    )
    rows = lock_desk.claims([KINDS[RECEIPT], KINDS[ISSUE]], Wanted()).rows

    plan = rows.explain()

    assert plan.count("warehousedocument_claimed") == 2, plan
