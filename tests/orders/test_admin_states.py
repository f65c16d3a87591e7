import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from orders import incidents, limits
from orders.models import IntegrationState, OrderIncident, ProductOrder
from tests.orders.factories import make_integration, make_order, make_package

pytestmark = pytest.mark.django_db
STATES = reverse("admin:orders_integrationstate_changelist")
INCIDENTS = reverse("admin:orders_orderincident_changelist")


def make_state(**columns):
    integration = make_integration(low_balance=100)
    limits.read([integration.pk])
    IntegrationState.objects.filter(pk=integration.pk).update(**columns)
    return integration


def text_of(client, address):
    return client.get(address).content.decode()


def make_incident(kind=OrderIncident.Kind.LATE_SUCCESS):
    order = make_order(make_package())
    incidents.open_incident(order.pk, kind, "Gec yuklendi", status="failed")
    return order


@pytest.mark.parametrize(
    ("until", "text"),
    [(None, "عادی"), ("2020-01-01", "یک درخواست آزمایش می‌شود"), ("2100-01-01", "فرستاده نمی‌شود")],
)
def test_a_breaker_says_whether_the_provider_is_called(admin_client, until, text):
    make_state(open_until=until and f"{until}T00:00:00Z")
    assert text in text_of(admin_client, STATES)


@pytest.mark.parametrize(("balance", "low"), [("99.99", True), ("100", False), (None, False)])
def test_a_balance_below_its_mark_is_marked(admin_client, balance, low):
    make_state(balance=balance)
    assert ('<strong class="order-mark">کم</strong>' in text_of(admin_client, STATES)) is low


@pytest.mark.parametrize("address", [STATES, INCIDENTS])
def test_nothing_of_it_can_be_added_changed_or_deleted(admin_client, address):
    make_state()
    make_incident()
    row = (IntegrationState if address == STATES else OrderIncident).objects.first()
    assert admin_client.get(f"{address}add/").status_code == 403
    assert admin_client.post(f"{address}{row.pk}/change/", {}).status_code == 403
    assert admin_client.post(f"{address}{row.pk}/delete/", {"post": "yes"}).status_code == 403
    assert admin_client.get(f"{address}{row.pk}/change/").status_code == 200


def test_incidents_lead_to_their_order_in_words(admin_client):
    order = make_incident()
    text = text_of(admin_client, INCIDENTS)
    assert reverse("admin:orders_productorder_change", args=[order.pk]) in text
    assert ("Gec yuklendi" in text, order.user_identifier in text) == (True, True)


def test_open_incidents_are_told_from_closed_ones(admin_client):
    make_incident()
    make_incident()
    first = OrderIncident.objects.first()
    OrderIncident.objects.filter(pk=first.pk).update(closed_at="2026-01-01T00:00:00Z")
    shown = {
        state: [
            row.pk
            for row in admin_client.get(INCIDENTS, {"state": state}).context["cl"].result_list
        ]
        for state in ("open", "closed", "neither")
    }
    assert shown["closed"] == [first.pk]
    assert (len(shown["open"]), len(shown["neither"])) == (1, 2)


@pytest.mark.parametrize(("address", "make"), [(STATES, make_state), (INCIDENTS, make_incident)])
def test_their_lists_ask_as_often_for_three_rows_as_for_one(admin_client, address, make):
    def queries():
        with CaptureQueriesContext(connection) as asked:
            admin_client.get(address)
        return len(asked)

    make()
    queries()
    one = queries()
    make()
    make()
    assert queries() == one


# Incidents are closed by a person


def close(client, word, *incidents):
    keys = [incident.pk for incident in incidents or OrderIncident.objects.all()]
    content = {"action": "close_incidents", "word": word, "_selected_action": keys}
    return client.post(INCIDENTS, content, follow=True).content.decode()


@pytest.fixture
def desk(client, make_user):
    rights = ("view_orderincident", "close_orderincident")
    user = make_user("desk", *(f"orders.{name}" for name in rights), first_name="مینا")
    client.force_login(user)
    return user


def test_an_incident_is_closed_with_a_word_and_told_in_the_orders_journal(client, desk):
    order = make_incident()
    assert "بسته شد" in close(client, "  به مشتری تحویل شد  ")
    incident = OrderIncident.objects.get()
    assert (incident.closed_by_name, incident.closing_word) == ("مینا", "به مشتری تحویل شد")
    assert incident.closed_at
    line = order.events.get(what="incident_end")
    assert (line.text, line.by_name, line.by_id) == ("به مشتری تحویل شد", "مینا", desk.pk)


@pytest.mark.parametrize("word", ["", "  ", ".", "\u200c\u200c "])
def test_without_a_word_nothing_is_closed(client, desk, word):
    make_incident()
    assert "چیزی بسته نشد" in close(client, word)
    assert OrderIncident.objects.get().closed_at is None


def test_what_was_closed_stays_as_it_was(client, desk):
    make_incident()
    close(client, "نخستین توضیح")
    before = OrderIncident.objects.values().get()
    assert "پیش‌تر بسته شده" in close(client, "توضیح دیگر")
    assert OrderIncident.objects.values().get() == before


def test_who_may_only_look_closes_nothing(client, make_user):
    make_incident()
    client.force_login(make_user("auditor", "orders.view_orderincident"))
    assert "close_incidents" not in text_of(client, INCIDENTS)
    close(client, "توضیح")
    assert OrderIncident.objects.get().closed_at is None


def test_an_order_that_was_delivered_late_leaves_the_list_with_its_incident(client, desk):
    order = make_incident()
    other = make_incident(OrderIncident.Kind.COST_ABOVE_PRICE)
    rows = ProductOrder.objects.filter(pk__in=[order.pk, other.pk])
    rows.update(external_status="failed", next_check_at=None, review_reason="late_success")
    close(client, "پول بازگردانده شد")
    assert list(ProductOrder.objects.needing_a_person()) == [other]
    assert order.events.get(what="incident_end").status == "failed"


def test_the_same_may_happen_again_after_it_was_closed(client, desk):
    order = make_incident()
    close(client, "پول بازگردانده شد")
    assert incidents.open_incident(order.pk, "late_success", "", status="failed")
    assert OrderIncident.objects.filter(closed_at__isnull=True).count() == 1
