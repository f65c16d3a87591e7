import re

import pytest
from django.contrib.auth.models import Permission
from django.db import DatabaseError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from orders import admin_held, claims, deciding, held, settling
from orders.models import (
    OrderDecision,
    OrderIncident,
    Product,
    ProductOrder,
    ProviderIntegration,
    Tenant,
)
from tests import latin
from tests.orders import held_orders
from tests.orders.factories import as_it_is, due, make_integration
from tests.orders.held_orders import PIN, make_held, make_ways

pytestmark = pytest.mark.django_db
HELD = reverse("admin:orders_productorder_held")
CHOICES = ["check", "send_elsewhere", "deliver", "refund", "close"]
WRITES = re.compile("INSERT|UPDATE|DELETE")
by_choice = pytest.mark.parametrize("choice", CHOICES)


@pytest.fixture
def desk(client, make_user):
    """Somebody who may decide everything, logged in."""
    user = make_user("desk", "orders.view_productorder", *deciding.PERMISSIONS.values())
    client.force_login(user)
    return user


def page_of(*orders):
    """Return the hidden fields of a page that shows these orders, as they are now."""
    return {f"{found.order.pk}-seen": found.seen for found in held.read([o.pk for o in orders])}


def typed_for(order, **more):
    """Return what a person may type for an order."""
    ways = order.package.routings
    typed = {"reason": "مشتری منتظر است", "amount": "۱۲٫۵", **more}
    if ways.exists():
        typed.setdefault("integration", ways.last().integration_id)
    return {f"{order.pk}-{name}": value for name, value in typed.items()}


def outcomes(reply):
    """Return what the screen tells: (orders that were done, orders left alone with why)."""
    done = [outcome.order_id for outcome in reply.context["done"]]
    return done, {outcome.order_id: outcome.text for outcome in reply.context["left"]}


def decide(client, choice, order, **more):
    sent = {"do": f"{choice}:{order.pk}"} | page_of(order) | typed_for(order)
    return client.post(HELD, sent | more)


def incident_of(package):
    """An order that is held by its unknown outcome and by an incident."""
    order = held_orders.unknown(package)
    OrderIncident.objects.create(order=order, kind="cost_above_price", text="60.00 > 50.00")
    return order


def came_of(choice, order):
    """Return whether a decision was carried out, as the database tells it."""
    order = as_it_is(order)
    if choice == "check":
        return order.events.filter(what="check_wanted").exists()
    if choice == "close":
        return order.incidents.filter(closed_at__isnull=False).exists()
    status = {"send_elsewhere": "pending", "deliver": "completed", "refund": "cancelled"}
    return order.external_status == status[choice] and order.decisions.exists()


# Each button


@by_choice
def test_an_order_is_settled_by_its_own_button(client, desk, choice):
    order, other = incident_of(make_ways()), incident_of(make_ways())
    reply = client.post(
        HELD, {"do": f"{choice}:{order.pk}"} | page_of(order, other) | typed_for(order)
    )
    assert (reply.status_code, outcomes(reply)) == (200, ([order.pk], {}))
    assert (came_of(choice, order), came_of(choice, other)) == (True, False)


@by_choice
def test_all_that_are_ticked_are_settled_together(client, desk, choice):
    package = make_ways()
    orders = [incident_of(package) for _each in range(3)]
    shared = {
        "shared-reason": "پایان شیفت",
        "shared-integration": package.routings.last().integration_id,
    }
    amounts = {f"{order.pk}-amount": "5" for order in orders}
    ticked = {"do": choice, "order": [order.pk for order in orders[:2]]}
    done, left = outcomes(client.post(HELD, ticked | page_of(*orders) | shared | amounts))
    assert (done, left) == ([order.pk for order in orders[:2]], {})
    assert [came_of(choice, order) for order in orders] == [True, True, False]


def test_everything_means_all_of_the_page(client, desk):
    orders = [incident_of(make_ways()) for _each in range(2)]
    sent = {"do": "close", "everything": "yes", "shared-reason": "بررسی شد"}
    done, left = outcomes(client.post(HELD, sent | page_of(*orders)))
    assert (done, left) == ([order.pk for order in orders], {})
    assert all(came_of("close", order) for order in orders)


def test_an_orders_own_reason_and_provider_come_before_the_shared_ones(client, desk):
    order = held_orders.unknown(make_ways())
    shared = {"shared-reason": "همه", "shared-integration": make_integration().pk}
    sent = {"do": "send_elsewhere", "order": order.pk} | page_of(order) | typed_for(order) | shared
    assert outcomes(client.post(HELD, sent)) == ([order.pk], {})
    decision = OrderDecision.objects.get()
    assert decision.reason == "مشتری منتظر است"
    assert decision.integration_id == order.package.routings.last().integration_id


def test_an_amount_is_typed_in_persian_digits(client, desk):
    order = held_orders.unknown(make_ways())
    decide(client, "refund", order)
    assert str(OrderDecision.objects.get().amount) == "12.50"


def test_a_pin_that_was_typed_is_the_orders_and_shown_no_more(client, desk):
    order = held_orders.unknown(make_ways())
    reply = decide(client, "deliver", order, **{f"{order.pk}-pin": "HAND-1234-5678"})
    assert as_it_is(order).pin_code == "HAND-1234-5678"
    assert "HAND-1234" not in reply.content.decode()


# What is left alone


def test_an_order_that_changed_meanwhile_is_left_alone_and_what_was_typed_stays(client, desk):
    order = held_orders.unknown(make_ways())
    sent = {"do": "deliver", "order": order.pk, f"{order.pk}-pin": "HAND-1234-5678"}
    sent |= page_of(order) | typed_for(order)
    held_orders.asked(order, "", sent_at=held_orders.LONG_AGO)  # meanwhile it has failed
    reply = client.post(HELD, sent)
    assert outcomes(reply) == ([], {order.pk: "در این میان تغییر کرده است؛ دوباره نگاهش کنید"})
    [card] = reply.context["cards"]
    assert (card.is_ticked, card.has_changed) == (True, True)
    text = reply.content.decode()
    for typed in ("مشتری منتظر است", "HAND-1234-5678", "۱۲٫۵"):
        assert f'value="{typed}"' in text
    assert f'<option value="{sent[f"{order.pk}-integration"]}" selected>' in text
    assert not OrderDecision.objects.exists()


def test_a_second_look_at_what_was_refused_decides(client, desk):
    order = held_orders.unknown(make_ways())
    stale = {"do": f"refund:{order.pk}", f"{order.pk}-seen": "stale"} | typed_for(order)
    reply = client.post(HELD, stale)
    seen = re.search(rf'name="{order.pk}-seen" value="(\w+)"', reply.content.decode())[1]
    reply = client.post(HELD, stale | {f"{order.pk}-seen": seen})
    assert outcomes(reply) == ([order.pk], {})


@pytest.mark.parametrize("choice", ["send_elsewhere", "deliver", "refund", "close"])
def test_the_same_page_sent_twice_decides_once(client, desk, choice):
    order = incident_of(make_ways())
    sent = {"do": f"{choice}:{order.pk}"} | page_of(order) | typed_for(order)
    client.post(HELD, sent)
    before = list(OrderDecision.objects.values()), list(OrderIncident.objects.values())
    done, left = outcomes(client.post(HELD, sent))
    assert (done, list(left)) == ([], [order.pk])
    assert before == (list(OrderDecision.objects.values()), list(OrderIncident.objects.values()))


def test_what_can_not_be_read_as_an_amount_is_told_and_kept(client, desk):
    order = held_orders.unknown(make_ways())
    reply = decide(client, "refund", order, **{f"{order.pk}-amount": "نیمی"})
    assert outcomes(reply)[1] == {order.pk: "مبلغ بازپرداخت را با عدد بنویسید"}
    assert 'value="نیمی"' in reply.content.decode()
    assert as_it_is(order).external_status == "sent"


@pytest.mark.parametrize("choice", ["send_elsewhere", "deliver", "refund", "close"])
def test_without_a_reason_nothing_is_done(client, desk, choice):
    order = incident_of(make_ways())
    reply = decide(client, choice, order, **{f"{order.pk}-reason": " "})
    assert outcomes(reply) == ([], {order.pk: "دلیل را بنویسید"})
    assert not came_of(choice, order)


def test_one_that_is_left_alone_or_fails_stops_no_other(client, desk, monkeypatch):
    orders = [held_orders.unknown(make_ways()) for _each in range(3)]
    sent = {"do": "refund", "order": [order.pk for order in orders]} | page_of(*orders)
    for order in orders:
        sent |= typed_for(order)
    due(orders[0], **claims.new_claim())
    refund = settling.refund

    def failing(order_id, **typed):
        if order_id == orders[1].pk:
            raise DatabaseError
        refund(order_id, **typed)

    monkeypatch.setattr(settling, "refund", failing)
    done, left = outcomes(client.post(HELD, sent))
    assert (done, list(left)) == ([orders[2].pk], [orders[0].pk, orders[1].pk])
    assert [came_of("refund", order) for order in orders] == [False, False, True]


def test_an_order_that_waits_for_nobody_any_more_is_shown_once_with_what_was_typed(client, desk):
    order = held_orders.unknown(make_ways())
    sent = {"do": f"refund:{order.pk}"} | page_of(order) | typed_for(order)
    held_orders.asked(order, "completed")
    reply = client.post(HELD, sent | {f"{order.pk}-pin": "HAND-1234-5678"})
    assert [card.needs_nobody for card in reply.context["cards"]] == [True]
    for typed in ("مشتری منتظر است", "HAND-1234-5678", "۱۲٫۵"):
        assert f'value="{typed}"' in reply.content.decode()
    assert client.get(HELD).context["cards"] == []


def test_what_was_typed_for_other_orders_stays(client, desk):
    order, other = (held_orders.unknown(make_ways()) for _each in range(2))
    sent = {"do": f"refund:{order.pk}"} | page_of(order, other) | typed_for(order)
    reply = client.post(HELD, sent | typed_for(other, reason="هنوز نه"))
    [card] = reply.context["cards"]
    assert (card.order, card.form["reason"].value()) == (other, "هنوز نه")


def test_nothing_ticked_is_told(client, desk):
    order = held_orders.unknown(make_ways())
    reply = client.post(HELD, {"do": "refund"} | page_of(order))
    assert "سفارشی برگزیده نشده است" in reply.content.decode()
    assert as_it_is(order).external_status == "sent"


@pytest.mark.parametrize("do", ["", "delete", "refund2", "check_status"])
def test_no_other_decision_is_taken(client, desk, do):
    order = held_orders.unknown(make_ways())
    assert client.post(HELD, {"do": do} | page_of(order)).status_code == 400


@pytest.mark.parametrize("key", ["9" * 30, "-1", "x", "0", "١٢"])
def test_what_is_no_order_is_passed_over(client, desk, key):
    order = held_orders.unknown(make_ways())
    sent = {"do": "refund", "order": key, f"{key}-seen": "x", f"{key}-reason": "دلیل"}
    assert outcomes(client.post(HELD, sent)) == ([], {})
    assert as_it_is(order).external_status == "sent"


# Who may


@by_choice
def test_a_decision_takes_its_permission(client, desk, choice):
    order = incident_of(make_ways())
    app_and_name = deciding.PERMISSIONS[choice]
    named = Permission.objects.get(codename=app_and_name.partition(".")[2])
    desk.user_permissions.remove(named)
    text = client.get(HELD).content.decode()
    assert [f'value="{each}:{order.pk}"' in text for each in CHOICES] == [
        each != choice for each in CHOICES
    ]
    assert f'value="{choice}" data-bulk' not in text
    assert decide(client, choice, order).status_code == 403
    assert not came_of(choice, order)


@pytest.mark.parametrize("method", ["get", "post"])
def test_the_screen_takes_the_right_to_see_orders(client, make_user, method):
    client.force_login(make_user("stranger", *deciding.PERMISSIONS.values()))
    assert getattr(client, method)(HELD, {"do": "check"}).status_code == 403


def test_a_form_of_another_site_is_refused(desk):
    order = held_orders.unknown(make_ways())
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(desk)
    assert decide(strict, "refund", order).status_code == 403
    assert as_it_is(order).external_status == "sent"


def test_looking_changes_nothing(client, desk):
    order = incident_of(make_ways())
    client.get(HELD)
    query = {"do": f"refund:{order.pk}"} | page_of(order) | typed_for(order)
    with CaptureQueriesContext(connection) as asked:
        client.get(HELD, query)
    written = [query for query in asked if WRITES.match(query["sql"])]
    assert written == []
    assert not came_of("refund", order)


# What is shown


def test_the_page_is_kept_nowhere(client, desk):
    assert "no-store" in client.get(HELD)["Cache-Control"]


def test_no_pin_that_is_kept_is_on_the_page(client, desk):
    make_held(15)
    text = client.get(HELD).content.decode()
    assert (PIN in text, "TYPED-4444" in text, "…3333" in text) == (False, False, True)


def test_a_machines_words_are_told_in_words(client, desk):
    incident_of(make_ways())
    text = client.get(HELD).content.decode()
    assert "هزینهٔ ۶۰ از بهای ۵۰ بیشتر است" in text
    assert "60.00 > 50.00" not in text and "60.00 &gt; 50.00" not in text


def test_the_screen_is_persian_for_people_and_ascii_for_machines(client, desk):
    orders = make_held(15)
    for model in (Tenant, Product, ProviderIntegration):
        model.objects.update(name="نمونه")
    text = client.post(HELD, {"do": "close", "everything": "yes"} | page_of(*orders[:2]))
    html = text.content.decode()
    assert latin.latin_phrases(html, {"desk", "decides"}) == []
    assert (latin.ascii_numbers(html), latin.changed_for_machines(html)) == ([], [])


def test_the_reasons_are_tabs_with_counts(client, desk):
    package = make_ways()
    orders = held_orders.unknown(package), held_orders.timeout(package)
    held_orders.unknown(package)
    reply = client.get(HELD, {"reason": "timeout"})
    assert [card.order for card in reply.context["cards"]] == [orders[1]]
    assert [(count, is_on) for _address, _label, count, is_on in reply.context["tabs"]] == [
        (3, False),
        (2, False),
        (1, True),
    ]


def test_a_page_asks_as_often_for_nine_orders_as_for_three(client, desk):
    def queries():
        with CaptureQueriesContext(connection) as asked:
            reply = client.get(HELD)
        return len(asked), len(reply.context["cards"])

    package = make_ways()
    for _each in range(3):
        held_orders.unknown(package)
    queries()
    few = queries()
    for _each in range(6):
        held_orders.timeout(package)
    assert queries() == (few[0], 9)


def test_the_rest_is_on_the_next_page_and_what_was_begun_stays_in_sight(client, desk, monkeypatch):
    monkeypatch.setattr(admin_held, "PER_PAGE", 2)
    package = make_ways()
    orders = [held_orders.unknown(package) for _each in range(3)]
    assert [card.order for card in client.get(HELD, {"p": 2}).context["cards"]] == orders[2:]
    sent = {"do": "check", "order": orders[2].pk} | page_of(orders[2])
    assert [card.order for card in client.post(HELD, sent).context["cards"]] == orders


def test_a_search_that_no_page_makes_is_refused(client, desk):
    assert client.get(HELD, {"tenant": "nobody"}).status_code == 400


def test_nothing_to_decide_is_told(client, desk):
    assert "سفارشی منتظر تصمیم نیست" in client.get(HELD).content.decode()


def test_the_list_the_apps_page_and_the_first_page_lead_to_the_screen(admin_client):
    held_orders.unknown(make_ways())
    lists = reverse("admin:orders_productorder_changelist")
    for address in (lists, reverse("admin:app_list", args=["orders"]), reverse("admin:index")):
        assert f'href="{HELD}"' in admin_client.get(address).content.decode()
    listed = admin_client.get(lists, {"attention": "needing_a_person"})
    assert [row.pk for row in listed.context["cl"].result_list] == [ProductOrder.objects.get().pk]
