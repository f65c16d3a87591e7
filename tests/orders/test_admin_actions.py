import pytest
from django.urls import reverse
from django_q.models import OrmQ

from backoffice.audit import LockEvent
from orders import dispatch
from orders.models import ProductOrder
from tests.forms import posted_forms
from tests.orders.factories import due

pytestmark = pytest.mark.django_db
LIST = "admin:orders_productorder_changelist"


def act(client, action, *orders, **more):
    data = {"action": action, "_selected_action": [order.pk for order in orders], **more}
    return client.post(reverse(LIST), data, follow=True)


def press(client, button, order, **more):
    address = reverse(f"admin:orders_productorder_{button}", args=[order.pk])
    return client.post(address, more, follow=True)


def told(reply):
    return " ".join(map(str, reply.context["messages"]))


def confirm(client, page, reason):
    """Send the page that asks, as a browser would."""
    [form] = [form for form in posted_forms(page.content.decode()) if "confirmed" in form.fields]
    return client.post(page.request["PATH_INFO"], form.fields | {"reason": reason}, follow=True)


@pytest.fixture
def claimed(place):
    order = place()
    dispatch.begin(order.pk)
    return ProductOrder.objects.get(pk=order.pk)


@pytest.fixture
def waiting(place):
    """An order at its provider, to be asked about in a minute."""
    order = place("never")
    dispatch.try_auto_dispatch(order.pk)
    OrmQ.objects.all().delete()
    return order


def claim_of(order):
    return ProductOrder.objects.values_list("claim_token", flat=True).get(pk=order.pk)


# Check status


def test_checking_makes_open_orders_due_and_wakes_the_loop(client, desk, waiting, place):
    ended = place("out_of_balance")
    ProductOrder.objects.filter(pk=ended.pk).update(
        external_status="failed", next_check_at=None, review_reason="refused"
    )
    OrmQ.objects.all().delete()
    reply = act(client, "check_status", waiting, ended)
    assert list(ProductOrder.objects.open().due()) == [waiting]
    assert OrmQ.objects.count() == 1
    assert waiting.events.get(what="check_wanted").by_id == desk.pk
    assert ended.events.filter(what="check_wanted").count() == 0
    assert "وضعیت ۱ سفارش بررسی می‌شود" in told(reply)
    assert f"{ended.user_identifier}</bdi>: چیزی برای پرسیدن نیست" in told(reply)


def test_who_asks_twice_changes_nothing(client, desk, waiting):
    act(client, "check_status", waiting)
    first = ProductOrder.objects.values_list("next_check_at", flat=True).get()
    reply = act(client, "check_status", waiting)
    assert "در نوبت بررسی است" in told(reply)
    assert ProductOrder.objects.values_list("next_check_at", flat=True).get() == first
    assert waiting.events.filter(what="check_wanted").count() == 1


def test_an_overdue_order_keeps_its_place_and_its_lost_loop_is_woken(client, desk, waiting):
    due(waiting)
    act(client, "check_status", waiting)
    assert ProductOrder.objects.get().next_check_at.year == 2020
    assert OrmQ.objects.count() == 1


def test_an_order_that_is_being_asked_about_is_left_alone(client, desk, claimed):
    reply = press(client, "check", claimed)
    assert "همین حالا وضعیت آن پرسیده می‌شود" in told(reply)
    assert claimed.events.filter(what="check_wanted").count() == 0


def test_one_order_is_checked_from_its_page(client, desk, waiting):
    reply = press(client, "check", waiting)
    assert reply.redirect_chain[-1][0] == f"/admin/orders/productorder/{waiting.pk}/change/"
    assert list(ProductOrder.objects.due()) == [waiting]


def test_of_too_many_at_once_the_rest_is_told_of(client, desk, waiting, place, monkeypatch):
    monkeypatch.setattr("orders.desk.MOST_AT_ONCE", 1)
    reply = act(client, "check_status", waiting, place())
    assert "هر بار حداکثر ۱ سفارش" in told(reply)
    assert ProductOrder.objects.filter(events__what="check_wanted").count() <= 1


@pytest.mark.parametrize("button", ["check", "release"])
def test_a_button_is_no_address_to_be_followed(client, desk, boss, claimed, button):
    address = reverse(f"admin:orders_productorder_{button}", args=[claimed.pk])
    assert client.get(address).status_code == 405
    assert claim_of(claimed) == claimed.claim_token


def test_without_the_right_nothing_is_checked(client, boss, waiting):
    assert press(client, "check", waiting).status_code == 403
    act(client, "check_status", waiting)
    assert waiting.events.filter(what="check_wanted").count() == 0


# Release lock


def test_releasing_asks_again_and_shows_whose_claim_it_is(client, boss, claimed):
    page = act(client, "release_locks", claimed)
    text = page.content.decode()
    assert (claimed.user_identifier in text, claimed.claimed_by in text) == (True, True)
    assert claim_of(claimed) == claimed.claim_token
    assert LockEvent.objects.count() == 0


def test_a_live_claim_is_not_ended_without_a_reason(client, boss, claimed):
    page = confirm(client, act(client, "release_locks", claimed), "")
    assert list(page.context["form"].errors) == ["reason"]
    assert claim_of(claimed) == claimed.claim_token


def test_a_confirmed_release_ends_the_claim_and_is_recorded(client, boss, claimed):
    reply = confirm(client, act(client, "release_locks", claimed), "it hangs")
    claimed.refresh_from_db()
    assert (claimed.claimed_until, claimed.external_status) == (None, "sent")
    event = LockEvent.objects.get()
    assert (event.kind, event.action, event.actor_id) == ("order", "forced", boss.pk)
    assert (event.reason, claimed.user_identifier in told(reply)) == ("it hangs", True)


def test_a_claim_on_the_orders_page_is_ended_from_there(client, boss, claimed):
    page = press(client, "release", claimed)
    assert claim_of(claimed) == claimed.claim_token
    reply = confirm(client, page, "it hangs")
    assert claim_of(claimed) == ""
    assert reply.redirect_chain[-1][0] == f"/admin/orders/productorder/{claimed.pk}/change/"


def test_what_was_claimed_anew_meanwhile_is_left_alone(client, boss, claimed):
    page = act(client, "release_locks", claimed)
    later = {"claimed_at": "2030-01-01T00:00:00Z", "claim_token": "of the next"}
    ProductOrder.objects.filter(pk=claimed.pk).update(**later)
    reply = confirm(client, page, "it hangs")
    assert claim_of(claimed) == "of the next"
    assert claimed.user_identifier in told(reply)
    assert LockEvent.objects.count() == 0


def test_a_second_confirmation_ends_nothing_more(client, boss, claimed):
    page = act(client, "release_locks", claimed)
    confirm(client, page, "it hangs")
    confirm(client, page, "it hangs")
    assert LockEvent.objects.count() == 1


def test_orders_that_nobody_has_are_named(client, boss, waiting, claimed):
    page = act(client, "release_locks", waiting, claimed)
    assert f"{waiting.user_identifier}</bdi>: قفلی ندارد" in told(page)
    reply = act(client, "release_locks", waiting)
    assert f"{waiting.user_identifier}</bdi>: قفلی ندارد" in told(reply)
    assert LockEvent.objects.count() == 0


def test_without_the_right_no_claim_is_ended(client, desk, claimed):
    act(client, "release_locks", claimed, confirmed="yes", reason="it hangs")
    assert press(client, "release", claimed).status_code == 403
    assert claim_of(claimed) == claimed.claim_token
    assert LockEvent.objects.count() == 0


def test_clearing_leaves_live_claims_alone(client, boss, claimed):
    act(client, "clear_stale_locks", claimed)
    assert claim_of(claimed) == claimed.claim_token


def test_an_orders_claim_is_ended_from_the_lock_desk(client, boss, claimed):
    desk = client.get(reverse("admin:lock_desk")).content.decode()
    assert claimed.user_identifier in desk
    chosen = {"claim": f"order|{claimed.pk}||{claimed.claimed_at.isoformat()}"}
    page = client.post(reverse("admin:lock_desk_end"), chosen | {"action": "release"})
    confirm(client, page, "it hangs")
    assert claim_of(claimed) == ""
    assert LockEvent.objects.get().target_id == str(claimed.pk)
