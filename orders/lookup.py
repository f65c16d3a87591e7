"""How an order is found again: by a reference of ours, its number, its player or its PIN's end.

Each way has its own index, and they are united: an OR over them would read every order.
"""

import uuid
from typing import Any, TypeVar

from django.db.models import Q, QuerySet

from backoffice.persian import normalise_for_storing, to_ascii_digits, to_persian_digits
from orders.models import OrderAttempt, ProductOrder, ProviderIntegration, Tenant

Rows = TypeVar("Rows", bound="QuerySet[Any]")


def find(orders: Rows, term: str) -> Rows:
    """Return those of the orders that a search for ``term`` means."""
    # The list shows a PIN's end with dots before it, which may be copied along.
    typed = normalise_for_storing(term.replace("\0", "")).lstrip("…")
    if not typed:
        return orders
    code = to_ascii_digits(typed)
    known = ProductOrder.objects.order_by().values("pk")
    player = Q(user_identifier__startswith=code)
    if to_persian_digits(code) != code:  # it may be stored as it was typed
        player |= Q(user_identifier__startswith=to_persian_digits(code))
    found = known.filter(player).union(_attempts(code), _of_tenants(known, code))
    if len(code) == 4:
        found = found.union(known.filter(pin_last_four__in={code, code.upper()}))
    if number := _number(code):
        found = found.union(known.filter(public_id=number))
    return orders.filter(pk__in=found)


def _attempts(code: str) -> "QuerySet[Any, Any]":
    """Return the keys of orders that were ever sent under a reference of ours."""
    # A reference is unique at its provider: with the providers named, their index finds it.
    providers = ProviderIntegration.objects.order_by().values("provider")
    attempts = OrderAttempt.objects.order_by().filter(provider__in=providers, referans=code)
    return attempts.values("order")


def _of_tenants(known: "QuerySet[Any, Any]", code: str) -> "QuerySet[Any, Any]":
    """Return the keys of orders with a tenant's own number."""
    tenants = Tenant.objects.order_by().values("pk")
    return known.filter(tenant__in=tenants, external_key=code, external_key__gt="")


def _number(code: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(code)
    except ValueError:
        return None
