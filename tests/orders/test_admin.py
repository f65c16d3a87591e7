import json

import pytest
from django.contrib.admin.models import LogEntry
from django.db.models import Value
from django.urls import reverse
from django_q.models import OrmQ

from orders import claims, dispatch
from orders.models import ProductOrder, ProviderIntegration
from tests.forms import form_fields
from tests.orders.factories import make_integration, make_order, make_package, make_tenant

pytestmark = pytest.mark.django_db
LIST = "admin:orders_productorder_changelist"


def test_an_order_is_taken_by_a_form_and_sent_by_a_task(admin_client, simulator, admin_user):
    package = make_package(make_integration(simulator.url))
    data = {"tenant": make_tenant().pk, "package": package.pk, "user_identifier": "player"}
    reply = admin_client.post(reverse("admin:orders_productorder_add"), data)
    assert reply.status_code == 302
    order = ProductOrder.objects.get()
    assert (order.created_by, order.price, order.external_status) == (admin_user, 50, "pending")
    [row] = OrmQ.objects.all()
    assert (row.task["func"], row.task["args"]) == ("orders.tasks.dispatch_order", (order.pk,))


def test_a_page_that_is_sent_twice_takes_one_order(admin_client):
    package, address = make_package(make_integration()), reverse("admin:orders_productorder_add")
    fields = form_fields(admin_client.get(address).content.decode(), "productorder_form")
    fields |= {"tenant": make_tenant().pk, "package": package.pk, "user_identifier": "player"}
    assert admin_client.post(address, fields).status_code == 302
    again = admin_client.post(address, fields)
    assert "پیش‌تر ثبت شده" in again.content.decode()
    assert str(ProductOrder.objects.get().public_id) == fields["page"]
    assert OrmQ.objects.count() == 1


def test_a_package_that_asks_for_more_refuses_an_order_without_it(admin_client):
    package = make_package(extra_field_label="phone")
    data = {"tenant": make_tenant().pk, "package": package.pk, "user_identifier": "player"}
    reply = admin_client.post(reverse("admin:orders_productorder_add"), data)
    assert reply.status_code == 200
    assert "extra_field" in reply.context["adminform"].form.errors
    assert ProductOrder.objects.count() == 0


def test_an_order_can_be_neither_changed_nor_deleted(admin_client, place):
    order = place()
    change = reverse("admin:orders_productorder_change", args=[order.pk])
    assert admin_client.post(change, {"user_identifier": "other"}).status_code == 403
    assert admin_client.post(reverse("admin:orders_productorder_delete", args=[order.pk]))
    assert ProductOrder.objects.values_list("user_identifier", flat=True).get() != "other"


def test_the_pages_of_an_order_never_show_its_pin(admin_client, completed):
    pages = [reverse(LIST), reverse("admin:orders_productorder_change", args=[completed.pk])]
    for page in pages:
        text = admin_client.get(page).content.decode()
        assert completed.pin_code not in text
        assert f"…{completed.pin_last_four}" in text


def test_the_page_of_an_order_asks_as_often_for_three_attempts_as_for_one(
    admin_client, django_assert_num_queries
):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    order = make_order(make_package(make_integration()))
    page = reverse("admin:orders_productorder_change", args=[order.pk])
    dispatch.try_auto_dispatch(order.pk)
    admin_client.get(page)
    with CaptureQueriesContext(connection) as one:
        admin_client.get(page)
    dispatch.try_auto_dispatch(order.pk)
    dispatch.try_auto_dispatch(order.pk)
    assert order.attempts.count() == 3
    with django_assert_num_queries(len(one)):
        admin_client.get(page)


# Integrations

FORM = {
    "code": "znet-9",
    "name": "znet",
    "provider": "znet",
    "base_url": "http://bayi.example",
    "exchange_rate": "1",
    "is_active": "on",
}
SECRETS = "kod=dealer\nsifre=planted-secret-4711"


def add_integration(client, **changes):
    data = {**FORM, "new_credentials": SECRETS, **changes}
    return client.post(reverse("admin:orders_providerintegration_add"), data)


def test_credentials_are_stored_encrypted_and_never_shown_again(admin_client):
    assert add_integration(admin_client).status_code == 302
    integration = ProviderIntegration.objects.get()
    assert json.loads(integration.credentials)["sifre"] == "planted-secret-4711"
    page = reverse("admin:orders_providerintegration_change", args=[integration.pk])
    assert "planted-secret-4711" not in admin_client.get(page).content.decode()
    assert all("planted" not in str(row.change_message) for row in LogEntry.objects.all())


def test_a_form_with_a_mistake_does_not_give_the_credentials_back(admin_client):
    reply = add_integration(admin_client, base_url="nonsense")
    assert reply.status_code == 200
    assert "planted-secret-4711" not in reply.content.decode()
    assert ProviderIntegration.objects.count() == 0


def test_empty_credentials_keep_those_that_are_stored(admin_client):
    add_integration(admin_client)
    integration = ProviderIntegration.objects.get()
    data = {**FORM, "name": "renamed", "new_credentials": "", "editing_version": 1}
    page = reverse("admin:orders_providerintegration_change", args=[integration.pk])
    assert admin_client.post(page, data).status_code == 302
    integration.refresh_from_db()
    assert integration.name == "renamed"
    assert "planted-secret-4711" in integration.credentials


def test_stored_credentials_are_not_sent_to_another_address(admin_client):
    add_integration(admin_client)
    integration = ProviderIntegration.objects.get()
    data = {**FORM, "base_url": "http://elsewhere.example", "editing_version": 1}
    page = reverse("admin:orders_providerintegration_change", args=[integration.pk])
    reply = admin_client.post(page, data)
    assert list(reply.context["adminform"].form.errors) == ["new_credentials"]
    integration.refresh_from_db()
    assert integration.base_url == FORM["base_url"]
    assert admin_client.post(page, {**data, "new_credentials": SECRETS}).status_code == 302


def test_credentials_whose_key_is_lost_can_be_typed_again(admin_client, place):
    integration = place().package.routings.get().integration
    ProviderIntegration.objects.update(credentials=Value("fernet$closed-with-a-lost-key"))
    page = reverse("admin:orders_providerintegration_change", args=[integration.pk])
    assert admin_client.get(reverse(LIST)).status_code == 200
    assert admin_client.get(page).status_code == 200
    data = {**FORM, "new_credentials": SECRETS, "editing_version": 1}
    assert admin_client.post(page, data).status_code == 302
    assert "planted-secret-4711" in ProviderIntegration.objects.get().credentials


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"provider": "nobody"}, "provider"),
        ({"base_url": "http://127.0.0.1:1"}, "base_url"),
        ({"allowed_hosts": "bayi.example http://other.example"}, "allowed_hosts"),
        ({"allowed_hosts": "other.example"}, "allowed_hosts"),
        ({"calls_per_second": "0"}, "calls_per_second"),
        ({"exchange_rate": "0"}, "exchange_rate"),
        ({"new_credentials": "kod=only"}, "new_credentials"),
        ({"new_credentials": "nonsense"}, "new_credentials"),
        ({"new_credentials": ""}, "new_credentials"),
    ],
)
def test_a_wrong_integration_is_refused(admin_client, settings, changes, field):
    settings.PROVIDER_PRIVATE_ADDRESSES = False
    reply = add_integration(admin_client, **changes)
    assert list(reply.context["adminform"].form.errors) == [field]
    assert ProviderIntegration.objects.count() == 0


def test_a_routing_that_does_not_fit_the_provider_is_refused():
    from django.core.exceptions import ValidationError

    routing = make_package(make_integration()).routings.get()
    routing.provider_package_id = "660"
    with pytest.raises(ValidationError, match="187:660"):
        routing.full_clean()
    routing.provider_package_id = "187:660"
    routing.field_mapping = {"oyuncu_bilgi": "pin_code"}
    with pytest.raises(ValidationError, match="user_identifier"):
        routing.full_clean()


@pytest.mark.parametrize("mapping", [["user_identifier"], "user_identifier", {"kod": []}])
def test_a_mapping_of_another_shape_is_refused(mapping):
    from django.core.exceptions import ValidationError

    routing = make_package(make_integration()).routings.get()
    routing.field_mapping = mapping
    with pytest.raises(ValidationError, match="oyuncu_bilgi"):
        routing.full_clean()


def save_package(client, package, **changes):
    address = reverse("admin:orders_package_change", args=[package.pk])
    fields = form_fields(client.get(address).content.decode(), "package_form")
    return client.post(address, fields | changes)


def test_a_mapping_that_was_emptied_is_the_providers_own(admin_client):
    package = make_package(make_integration())
    changes = {"routings-0-field_mapping": "", "routings-0-provider_package_id": "187:7"}
    assert save_package(admin_client, package, **changes).status_code == 302
    routing = package.routings.get()
    assert (routing.field_mapping, routing.provider_package_id) == ({}, "187:7")


def test_a_price_or_priority_below_its_least_is_told_at_its_field(admin_client):
    package = make_package(make_integration())
    reply = save_package(admin_client, package, price="-1", **{"routings-0-priority": "0"})
    assert list(reply.context["adminform"].form.errors) == ["price"]
    [formset] = reply.context["inline_admin_formsets"]
    assert [list(form.errors) for form in formset.formset] == [["priority"]]
    package.refresh_from_db()
    assert package.price == 50


def test_orders_are_a_kind_of_claim_and_have_figures(place):
    from backoffice.claims import FIGURES, KINDS

    dispatch.begin(place().pk)
    kind = KINDS["order"]
    assert (kind.live().count(), kind.stale().count()) == (1, 0)
    assert kind.release(kind.live(), by=None, reason="test") == 1
    assert FIGURES["orders:open"].count() == 1
    assert claims.clear_stale(kind.stale()) == 0
