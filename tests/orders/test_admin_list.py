from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from backoffice.clock import database_now
from orders import dispatch, polling
from orders.models import OrderEvent, ProductOrder
from tests.orders.factories import due, make_integration, make_order, make_package, make_tenant

pytestmark = pytest.mark.django_db
LIST = reverse("admin:orders_productorder_changelist")


def listed(client, **query):
    rows = client.get(LIST, query).context["cl"].result_list
    return sorted(row.pk for row in rows)


def cells(client, name, **query):
    """Return the text of a column."""
    reply = client.get(LIST, query)
    admin = reply.context["cl"].model_admin
    return [str(getattr(admin, name)(row)) for row in reply.context["cl"].result_list]


# What is found


@pytest.mark.parametrize(
    "field", ["provider_referans", "user_identifier", "public_id", "external_key", "pin_last_four"]
)
def test_an_order_is_found_by_what_people_know_of_it(admin_client, completed, place, field):
    other = place()
    ProductOrder.objects.filter(pk=completed.pk).update(external_key="A-17")
    completed.refresh_from_db()
    term = str(getattr(completed, field))
    assert listed(admin_client, q=term) == [completed.pk]
    assert listed(admin_client, q=f" {term} ") == [completed.pk]
    assert listed(admin_client, q=f"…{term}") == [completed.pk]  # as the list shows a PIN's end
    assert other.pk in listed(admin_client)


def test_an_order_is_found_by_the_reference_of_an_earlier_attempt(admin_client, simulator):
    package = make_package(make_integration(), make_integration(simulator.url))
    order = make_order(package)
    dispatch.try_auto_dispatch(order.pk)
    due(order)
    dispatch.try_auto_dispatch(order.pk)
    references = list(order.attempts.order_by("number").values_list("referans", flat=True))
    assert len(references) == 2
    for referans in references:
        assert listed(admin_client, q=referans) == [order.pk]


def test_the_beginning_of_a_user_identifier_finds_it(admin_client):
    package = make_package()
    order = make_order(package, user_identifier="98912-longish")
    make_order(package, user_identifier="1-98912-longish")
    assert listed(admin_client, q="98912-lon") == [order.pk]
    assert listed(admin_client, q="۹۸۹۱۲-lon") == [order.pk]


def test_an_identifier_in_persian_digits_is_found_by_either(admin_client):
    order = make_order(make_package(), user_identifier="۵۵۱۲۳")
    assert listed(admin_client, q="55123") == listed(admin_client, q="۵۵۱۲۳") == [order.pk]


@pytest.mark.parametrize("term", ["%", "_", "\0", "nobody", "0" * 400])
def test_what_is_no_order_finds_none(admin_client, completed, term):
    found = listed(admin_client, q=term)
    assert found == ([completed.pk] if term == "\0" else [])


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"attention": "open"}, 1),
        ({"attention": "overdue"}, 1),
        ({"attention": "needing_a_person"}, 1),
        ({"attention": "delete"}, 3),
        ({"claim": "live"}, 0),
        ({"claim": "stale"}, 0),
        ({"claim": "update"}, 3),
        ({"external_status__exact": "completed"}, 1),
        ({"review_reason__exact": "refused"}, 1),
        ({"created_at__from": "1300/01/01"}, 3),
        ({"created_at__from": "1490/01/01"}, 0),
    ],
)
def test_the_list_is_filtered_by_what_needs_doing(admin_client, place, completed, query, count):
    refused = place("refused")
    ProductOrder.objects.filter(pk=refused.pk).update(
        external_status="failed", next_check_at=None, review_reason="refused"
    )
    due(place())
    assert len(listed(admin_client, **query)) == count


def test_the_list_is_filtered_by_tenant_and_integration(admin_client, place):
    order = place(tenant=make_tenant("other"))
    dispatch.try_auto_dispatch(order.pk)
    order.refresh_from_db()
    place()
    assert listed(admin_client, tenant__id__exact=order.tenant_id) == [order.pk]
    assert listed(admin_client, integration__id__exact=order.integration_id) == [order.pk]


# What is shown


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (40, "ثانیه دیگر"),
        (200, "۳ دقیقه دیگر"),
        (-120, "هم‌اکنون"),
        (-1500, '<strong class="order-mark">۲۵ دقیقه دیرکرد</strong>'),
    ],
)
def test_the_next_check_is_told_from_now(admin_client, seconds, text):
    order = make_order(make_package())
    moment = database_now() + timedelta(seconds=seconds)
    ProductOrder.objects.filter(pk=order.pk).update(next_check_at=moment)
    [shown] = cells(admin_client, "next_check")
    assert text in shown.replace("\N{NO-BREAK SPACE}", " ")


def test_a_claim_that_ran_out_is_marked(admin_client, place):
    order = place()
    dispatch.begin(order.pk)
    [live] = cells(admin_client, "claim")
    ProductOrder.objects.update(claimed_until="2020-01-01T00:00:00Z")
    [stale] = cells(admin_client, "claim")
    assert stale == f"{live} (منقضی)"


def test_an_order_of_unknown_outcome_says_so(admin_client, place):
    order = place("reset")
    dispatch.try_auto_dispatch(order.pk)
    [state] = cells(admin_client, "state")
    assert ("ارسال‌شده" in state, "نتیجه نامعلوم" in state) == (True, True)


def test_the_list_never_shows_a_pin(admin_client, completed):
    text = admin_client.get(LIST).content.decode()
    assert completed.pin_code not in text
    assert f"…{completed.pin_last_four}" in text


@pytest.mark.parametrize("query", [{}, {"attention": "needing_a_person"}, {"q": "player"}])
def test_the_list_asks_as_often_for_three_orders_as_for_one(admin_client, place, query):
    def queries():
        with CaptureQueriesContext(connection) as asked:
            admin_client.get(LIST, query)
        return len(asked)

    dispatch.try_auto_dispatch(place("reset").pk)
    queries()
    one = queries()
    for _number in range(2):
        dispatch.try_auto_dispatch(place("reset").pk)
    assert ProductOrder.objects.needing_a_person().count() == 3
    assert queries() == one


def test_the_list_counts_no_further_than_people_turn_pages(admin_client, monkeypatch):
    monkeypatch.setattr("backoffice.admin_events.PAGES_COUNT", 2)
    package = make_package()
    for _number in range(3):
        make_order(package)
    with CaptureQueriesContext(connection) as asked:
        reply = admin_client.get(LIST)
    assert reply.context["cl"].result_count == 2
    counts = [query["sql"] for query in asked if "COUNT(" in query["sql"]]
    assert counts
    assert all("LIMIT 2" in sql for sql in counts if "orders_productorder" in sql)


# What needs a person


def test_the_desks_list_says_why_since_when_and_what_the_provider_said(admin_client, place):
    order = place("reset")
    dispatch.try_auto_dispatch(order.pk)
    ProductOrder.objects.update(provider_message="Baglanti koptu")
    place()
    reply = admin_client.get(LIST, {"attention": "needing_a_person"})
    assert "سفارش‌های نیازمند رسیدگی" in reply.context["title"]
    [row] = reply.context["cl"].result_list
    assert row.get_review_reason_display() == "نتیجه نامعلوم"
    assert row.in_review_since == order.events.get(what="unknown").at
    assert '<bdi dir="ltr" class="code">Baglanti koptu</bdi>' in reply.content.decode()


def test_the_time_is_that_of_the_reason_and_not_of_what_came_later(admin_client, place, desk):
    order = place("reset")
    dispatch.try_auto_dispatch(order.pk)
    polling.check_now(ProductOrder.objects.all(), by=desk)
    assert order.events.last().what == "check_wanted"
    [row] = admin_client.get(LIST, {"attention": "needing_a_person"}).context["cl"].result_list
    assert row.in_review_since == order.events.get(what="unknown").at


@pytest.mark.parametrize("reason", ["timeout", "misconfigured", "low_balance", "late_success"])
def test_every_reason_has_a_time(admin_client, reason):
    order = make_order(make_package())
    ProductOrder.objects.update(review_reason=reason)
    OrderEvent.objects.create(order=order, what="given_up", status="failed", text=reason)
    [row] = admin_client.get(LIST, {"attention": "needing_a_person"}).context["cl"].result_list
    assert row.in_review_since == order.events.last().at
