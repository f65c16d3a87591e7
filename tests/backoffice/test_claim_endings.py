"""What the lock desk ends, and what it leaves alone."""

from datetime import timedelta

import pytest
from django.test import Client

from backoffice import admin_desk, claim_endings, locks
from backoffice.audit import LockEvent
from backoffice.clock import database_now
from backoffice.lock_desk import Taking
from inventory.models import IssuePermanent, ReceiptPermanent, WarehouseDocument
from orders import dispatch
from orders.models import ProductOrder
from reservations import holds
from reservations.models import Seat
from tests.backoffice.desk import (
    DESK,
    END,
    ISSUE,
    SEES,
    holder_of,
    lock,
    lock_many,
    silence,
    taking_of,
    takings,
    told,
)
from tests.inventory.factories import make_document, make_receipt
from tests.orders.factories import make_integration, make_order, make_package
from tests.reservations.factories import let_run_out, make_event


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
    assert shown[0].startswith(f"حواله‌های دائم: ۱ قفل آزاد شد: {stale}، نزد مریم رضایی از ")
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
