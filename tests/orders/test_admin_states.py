import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from orders import incidents, limits
from orders.models import IntegrationState, OrderIncident
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
