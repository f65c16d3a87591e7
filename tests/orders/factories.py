"""What the tests of orders are made of. The default order goes to the simulator and is bought."""

import json
from itertools import count

from django.contrib.auth.models import User

from backoffice.clock import database_now
from orders import intake, tokens
from orders.models import (
    Package,
    PackageRouting,
    PriceListing,
    Product,
    ProductOrder,
    ProviderIntegration,
    Tenant,
)
from orders.price_listings import sought
from orders.simulator import PROTOCOLS

numbers = count(1)
NOWHERE = "http://127.0.0.1:9"  # the port "discard", on which nobody listens


def make_tenant(code="shop", **kwargs):
    return Tenant.objects.get_or_create(code=code, defaults={"name": code, **kwargs})[0]


def make_integration(base_url=NOWHERE, provider="znet", **kwargs):
    number = next(numbers)
    values = {
        "code": f"{provider}-{number}",
        "name": f"{provider} {number}",
        "provider": provider,
        "base_url": base_url,
        "credentials": json.dumps(PROTOCOLS[provider].credentials),
        **kwargs,
    }
    return ProviderIntegration.objects.create(**values)


def make_package(*integrations, scenario="normal", **kwargs):
    """A package that is ordered at the integrations in this order."""
    number = next(numbers)
    product, _created = Product.objects.get_or_create(code="game", defaults={"name": "Game"})
    values = {"product": product, "code": f"package-{number}", "name": "P", "price": 50, **kwargs}
    package = Package.objects.create(**values)
    for priority, integration in enumerate(integrations, 1):
        PackageRouting.objects.create(
            package=package,
            integration=integration,
            priority=priority,
            provider_package_id=PROTOCOLS[integration.provider].package_id(scenario),
        )
    return package


def make_token(code="shop", *, by, name="سایت"):
    """A key of a tenant's shop: (its row, its plain text)."""
    return tokens.issue(make_tenant(code), name, by=by)


def make_user_of_desk(name="decides"):
    """Somebody who decides on orders."""
    return User.objects.get_or_create(username=name)[0]


def make_order(package, *, by=None, **kwargs):
    """A new order as it comes in, not sent yet."""
    values = {"tenant": make_tenant(), "user_identifier": f"player-{next(numbers)}", **kwargs}
    return intake.accept(ProductOrder(package=package, **values), by=by)


def due(order, **columns):
    """Make an order due now, with other columns changed as wanted."""
    ProductOrder.objects.filter(pk=order.pk).update(next_check_at="2020-01-01T00:00:00Z", **columns)
    return order


def as_it_is(order):
    """Return an order as it is stored now."""
    return ProductOrder.objects.get(pk=order.pk)


def make_listing(integration, number, *, name="Paket", cost=10, **kwargs):
    """A row of an integration's price list, as it was fetched just now."""
    values = {
        "first_seen_at": database_now(),
        "last_seen_at": database_now(),
        "extra": {},
        **kwargs,
    }
    return PriceListing.objects.create(
        integration=integration,
        provider_package_id=number,
        name=name,
        cost=cost,
        search_text=sought(f"{number} {name}"),
        **values,
    )
