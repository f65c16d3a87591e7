"""What the lock desk shows, to whom, and at which cost."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from backoffice import editable, lock_desk, locks, schedules
from backoffice.claims import KINDS
from backoffice.clock import database_now
from backoffice.lock_desk import Wanted
from inventory.models import IssuePermanent, ReceiptPermanent, WarehouseDocument
from orders import dispatch
from reservations import holds
from reservations.models import Seat
from tests.backoffice.desk import (
    DESK,
    END,
    ISSUE,
    RECEIPT,
    SEES,
    hold,
    lock,
    lock_many,
    names,
    number,
    silence,
)
from tests.backoffice.factories import make_run
from tests.inventory.factories import make_document, make_receipt, make_stocktaking
from tests.orders.factories import make_integration, make_order, make_package
from tests.reservations.factories import make_event

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
    assert 'value="release"' in html


def test_who_may_end_none_of_what_is_shown_gets_no_button(client, make_user, holder):
    lock(make_receipt(), holder)
    client.force_login(make_user("keeper", *SEES))

    html = client.get(DESK).content.decode()

    assert 'name="claim"' not in html and 'value="release"' not in html


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


@pytest.mark.parametrize("typed", ["کنسرت ۱۴۰۵", "کنسرت 1405"])
def test_a_number_in_a_name_is_found_in_whichever_digits(desk, admin_user, holder, typed):
    event = make_event(seats=2, name="کنسرت ۱۴۰۵")
    holds.hold(event, [event.seats.first().pk], by=holder)
    lock(make_receipt(), holder)

    assert names(desk(admin_user, q=typed)) == ["A1 · کنسرت ۱۴۰۵"]


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
    lock_many(3000, holder)
    free = {"editing_by": None, "editing_session_key": ""}
    WarehouseDocument.objects.exclude(draft_number__endswith="77").update(**free)
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {WarehouseDocument._meta.db_table}")
    rows = lock_desk.claims([KINDS[RECEIPT], KINDS[ISSUE]], Wanted()).rows

    plan = rows.explain()

    assert plan.count("warehousedocument_claimed") == 2, plan
