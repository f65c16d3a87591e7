"""A tenant's shop as its program: it knows its key, and nothing else opens the API to it."""

import json

from django.test import Client

from orders.models import ProductOrder, Status
from tests.orders.factories import make_order, make_package, make_token

ORDERS = "/api/orders/"
PIN = "PLANTED-PIN-7731"


class Shop:
    def __init__(self, code="shop", *, by, name="سایت"):
        self.token, self.plain = make_token(code, by=by, name=name)
        self.tenant = self.token.tenant
        self.client = Client(enforce_csrf_checks=True, raise_request_exception=False)

    def ask(self, method, path=ORDERS, body="", *, content_type="application/json", **headers):
        """Send a request with this shop's key; another ``Authorization`` replaces it."""
        headers = {"Authorization": f"Bearer {self.plain}"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        given = {name: value for name, value in headers.items() if value is not None}
        return self.client.generic(method, path, body, content_type, headers=given)

    def get(self, path=ORDERS, **headers):
        return self.ask("GET", path, **headers)

    def order(self, package, *, headers=None, **changes):
        """Order a package; a change of None leaves a field out."""
        content = content_for(package) | changes
        sent = {name: value for name, value in content.items() if value is not None}
        return self.ask("POST", ORDERS, json.dumps(sent), **(headers or {}))

    def has(self, package=None, **columns):
        """Return an order of this shop, with columns as wanted."""
        order = make_order(package or make_package(), tenant=self.tenant)
        if columns:
            ProductOrder.objects.filter(pk=order.pk).update(**columns)
            order.refresh_from_db()
        return order


def content_for(package):
    return {
        "productId": package.product.code,
        "packageId": package.code,
        "userIdentifier": "5123456789",
        "extraField": "",
    }


def done(instant="2026-01-02T03:04:05Z", *, pin=PIN, **columns):
    """Return the columns of an order that has come, with its PIN."""
    return {
        "external_status": Status.COMPLETED,
        "completed_at": instant,
        "next_check_at": None,
        "pin_code": pin,
        "pin_last_four": pin[-4:],
        **columns,
    }


def address(order):
    return f"{ORDERS}{order.public_id}/"
