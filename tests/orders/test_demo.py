import pytest
from django.core.management import CommandError, call_command

from orders.models import OrderAttempt, ProductOrder, ProviderIntegration, Tenant
from orders.simulator import Store
from tests.orders.factories import make_tenant


@pytest.fixture
def office(settings, tmp_path):
    settings.VAR_DIR = tmp_path
    return tmp_path


@pytest.mark.django_db(transaction=True)
def test_the_demo_brings_orders_into_all_states_and_buys_each_once(office, settings, capsys):
    call_command("load_orders_demo")
    states = set(ProductOrder.objects.values_list("external_status", flat=True))
    assert states == {
        "pending", "sent", "processing", "completed", "delivered", "cancelled", "failed",
    }  # fmt: skip
    assert ProductOrder.objects.filter(outcome_unknown=True).exists()
    held = set(ProductOrder.objects.needing_a_person().values_list("review_reason", flat=True))
    assert held == {"unknown", "refused", "no_route", "timeout", "late_success"}
    assert ProductOrder.objects.filter(integration__provider="barakat").exists()
    assert (Tenant.objects.count(), ProductOrder.objects.count()) == (2, 60)
    store = Store(office / "simulator.sqlite3")
    bought = store._rows("SELECT referans, count(*) FROM purchases GROUP BY referans")
    assert all(count == 1 for _referans, count in bought)
    known = set(OrderAttempt.objects.values_list("referans", flat=True))
    assert {referans for referans, _count in bought} <= known
    addresses = set(ProviderIntegration.objects.values_list("base_url", flat=True))
    assert addresses == {f"http://127.0.0.1:{settings.SIMULATOR_PORT}"}


@pytest.mark.django_db
def test_the_demo_goes_into_a_new_office_only(office):
    make_tenant()
    with pytest.raises(CommandError, match="tenants already"):
        call_command("load_orders_demo")
    assert (ProductOrder.objects.count(), ProviderIntegration.objects.count()) == (0, 0)


@pytest.mark.django_db
def test_without_the_simulator_nothing_is_loaded(office, settings):
    settings.PROVIDER_PRIVATE_ADDRESSES = False
    with pytest.raises(CommandError, match="SIMULATOR=yes"):
        call_command("load_orders_demo")
    assert Tenant.objects.count() == 0
