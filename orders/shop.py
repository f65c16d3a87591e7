"""What a tenant's shop does with its orders through its program: take, see, and get the PIN."""

import hashlib
import json
from dataclasses import astuple, dataclass

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from orders import intake, journal
from orders.journal import OrderEvent
from orders.models import Package, Product, ProductOrder, Tenant, TenantToken
from orders.states import DONE, OrderQuerySet


class KeyReused(Exception):
    """The key of a request is that of another one, with other content."""


@dataclass(frozen=True)
class Wanted:
    """What a shop orders, by the codes of the office."""

    product: str
    package: str
    user_identifier: str
    extra_field: str

    @property
    def digest(self) -> str:
        """What two requests with the same content have in common."""
        return hashlib.sha256(json.dumps(astuple(self)).encode()).hexdigest()


def take(wanted: Wanted, token: TenantToken, *, key: str) -> tuple[ProductOrder, bool]:
    """Take an order; return it, and whether it is new.

    The same key again gives the order that it brought, though its package be sold no more; with
    other content it raises ``KeyReused``. What can't be sold raises a ``ValidationError``. Of two
    at once with one key, the database lets one in.
    """
    first = _taken_before(wanted, token.tenant, key)
    if first:
        return first, False
    order = ProductOrder(
        tenant=token.tenant,
        package=_package(wanted),
        user_identifier=wanted.user_identifier,
        extra_field=wanted.extra_field,
        idempotency_key=key,
        request_digest=wanted.digest if key else "",
    )
    order.clean()
    try:
        return intake.accept(order, by=None, by_name=token.name), True
    except IntegrityError:
        first = _taken_before(wanted, token.tenant, key)
        if first is None:
            raise
        return first, False


def _taken_before(wanted: Wanted, tenant: Tenant, key: str) -> ProductOrder | None:
    if not key:
        return None
    first = orders_of(tenant).filter(idempotency_key=key).first()
    if first and first.request_digest != wanted.digest:
        raise KeyReused
    return first


def _package(wanted: Wanted) -> Package:
    package = Package.objects.select_related("product").filter(code=wanted.package).first()
    if package and package.product.code == wanted.product:
        return package
    if Product.objects.filter(code=wanted.product).exists():
        text = _("This product has no such package.")
        raise ValidationError({"package": ValidationError(text, code="unknown_package")})
    text = _("There is no such product.")
    raise ValidationError({"product": ValidationError(text, code="unknown_product")})


def orders_of(tenant: Tenant) -> OrderQuerySet[ProductOrder]:
    """Return the orders of a tenant, the newest first, with what they are of and without PINs."""
    rows = ProductOrder.objects.filter(tenant=tenant).order_by("-pk")
    return rows.select_related("package__product").defer("pin_code")


def hand_out_pin(order: ProductOrder, token: TenantToken) -> str:
    """Return the PIN of an order that is done, recorded as seen by the shop; '' where it has none.

    However often the shop asks in a row, the journal holds one line of it.
    """
    pin = order.pin_code if order.external_status in DONE else ""
    if pin:
        with transaction.atomic():
            what, status = OrderEvent.What.REVEALED, order.external_status
            journal.record(order.pk, what, status=status, by_name=token.name)
    return pin
