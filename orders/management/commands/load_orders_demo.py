import json
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError

import orders
from backoffice.clock import database_now
from backoffice.import_files import format_of
from orders import desk, dispatch, polling, prices
from orders.models import AT_PROVIDER, ProductOrder, ProviderIntegration, Status, Tenant
from orders.resources import (
    PackageResource,
    PackageRoutingResource,
    ProductOrderResource,
    ProductResource,
    TenantResource,
)
from orders.simulator import PROTOCOLS, Simulator, Store

FILES = Path(orders.__file__).parent / "demo"
# The last of the orders came in just now; those before are with the provider, not yet asked about.
NOT_SENT, NOT_ASKED, SLOW, DELIVERED = 5, 9, 4, 8
OVERTIME = 3  # of those with the provider


class Command(BaseCommand):
    help = "Fills a new office with tenants, products, and orders in all states."

    def handle(self, **options):
        if Tenant.objects.exists():
            raise CommandError("There are tenants already; the demo belongs into a new office.")
        if not settings.PROVIDER_PRIVATE_ADDRESSES:
            raise CommandError("The demo orders from a simulator: set SIMULATOR=yes.")
        used = [
            make_integration("znet-main", "زدنت، حساب اصلی"),
            make_integration("barakat-main", "برکات", provider="barakat"),
        ]
        make_integration("znet-reserve", "زدنت، حساب ذخیره", is_active=False)
        import_file(TenantResource, "tenants.csv")
        import_file(ProductResource, "products.csv")
        import_file(PackageResource, "packages.xlsx")
        import_file(PackageRoutingResource, "routings.csv")
        import_file(ProductOrderResource, "orders.xlsx", user=staff())
        # The same database as the office's own simulator, which goes on with these orders.
        store = Store(settings.VAR_DIR / "simulator.sqlite3", finish_seconds=0)
        with Simulator(store) as simulator:
            accounts = ProviderIntegration.objects.filter(pk__in=[account.pk for account in used])
            accounts.update(base_url=simulator.url)
            live(store)
            for account in used:
                prices.fetch(account.pk)
        accounts.update(base_url=office_simulator())
        self.stdout.write(f"Loaded {ProductOrder.objects.count()} orders.")


def office_simulator():
    return f"http://127.0.0.1:{settings.SIMULATOR_PORT}"


def make_integration(code, name, provider="znet", **kwargs):
    return ProviderIntegration.objects.create(
        code=code,
        name=name,
        provider=provider,
        base_url=office_simulator(),
        credentials=json.dumps(PROTOCOLS[provider].credentials),
        **kwargs,
    )


def import_file(resource_class, name, user=None):
    """Import a file of the demo, as the page for it would."""
    content = (FILES / name).read_bytes()
    dataset = format_of(content)().create_dataset(content)
    result = resource_class().import_data(dataset, use_transactions=True, user=user)
    if result.has_errors() or result.has_validation_errors():
        problems = [row.error for row in result.invalid_rows] or result.base_errors
        raise CommandError(f"{name} was refused: {problems}")


def staff():
    """Return who works at the order desk; None in an office without staff."""
    users = get_user_model().objects.filter(is_active=True, is_superuser=False).order_by("pk")
    return next((user for user in users if user.has_perm("orders.add_productorder")), None)


def live(store):
    """Bring the orders into all states, by the functions behind staff's buttons and the tasks."""
    keys = list(ProductOrder.objects.order_by("pk").values_list("pk", flat=True))
    for pk in keys[:-NOT_SENT]:
        if dispatch.try_auto_dispatch(pk) == "refused":
            dispatch.try_auto_dispatch(pk)  # at the package's next provider
    asked = keys[: -NOT_SENT - NOT_ASKED]
    check(asked[:-SLOW])
    store.finish_seconds = 3600
    check(asked[-SLOW:])
    run_out_of_time(asked[-OVERTIME:], store)
    with_pin = ProductOrder.objects.filter(external_status=Status.COMPLETED).exclude(pin_code="")
    for pk in with_pin.order_by("pk").values_list("pk", flat=True)[:DELIVERED]:
        desk.reveal_pin(pk, by=staff())


def run_out_of_time(keys, store):
    """Let orders fail by time, and the last of them be delivered after that."""
    past = database_now() - timedelta(hours=settings.ORDER_DEADLINE_HOURS)
    ProductOrder.objects.filter(pk__in=keys).update(created_at=past, sent_at=past)
    check(keys)
    store.finish_seconds = 0
    late = ProductOrder.objects.get(pk=keys[-1])
    polling.check_now(ProductOrder.objects.filter(pk=late.pk), by=staff())
    polling.check_order(late.pk, late.tenant_id)


def check(keys):
    known = ProductOrder.objects.filter(pk__in=keys, external_status__in=AT_PROVIDER)
    chosen = known.filter(outcome_unknown=False)
    polling.check_now(chosen, by=staff())
    for pk, tenant_id in chosen.order_by("pk").values_list("pk", "tenant_id"):
        polling.check_order(pk, tenant_id)
