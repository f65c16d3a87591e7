"""An office in which every address of the API has something to tell, and those who may ask."""

from django.conf import settings
from django.core.cache import cache
from django.test import Client

from orders.models import Product
from tests.api.description import loaded, operations
from tests.orders.factories import make_package
from tests.orders.shops import Shop

LIST, TAKE, SHOW = "GET /api/orders/", "POST /api/orders/", "GET /api/orders/{id}/"
NOW, METRICS, ALIVE = "GET /api/monitoring/orders/", "GET /metrics", "GET /healthz"
RELEASE, DESCRIBE = "POST /api/release-expired-locks/", "GET /api/openapi.json"
OF_SHOPS, OF_MONITORING = (LIST, TAKE, SHOW), (NOW, METRICS)
FORM = "f" * 32  # in a cookie and in a header: no other site can send both


class World:
    """A shop, somebody of the staff, a monitoring system, and what they ask about."""

    def __init__(self, make_user):
        cache.clear()
        self.schema = loaded()
        self.shop = Shop(by=make_user("boss"))
        self.package = self.sells("pubg", "pubg-60", price=95_000)
        self.gift = self.sells("gift", "gift-10", extra_field_label="شماره موبایل")
        self.staff = {
            "clerk": make_user("clerk", "reservations.release_expired_seat"),
            "colleague": make_user("colleague"),
        }

    def sells(self, product, package, **columns):
        row = Product.objects.create(code=product, name=product)
        return make_package(product=row, code=package, **columns)

    def has(self, **columns):
        """Return an order of the shop, with columns as wanted."""
        who = {"user_identifier": self.example(TAKE, "top_up")["userIdentifier"]}
        return self.shop.has(self.package, **who, **columns)

    def example(self, label, name):
        """Return the content of a request as the description gives it."""
        content = dict(operations())[label]["requestBody"]["content"]
        return content["application/json"]["examples"][name]["value"]

    def credentials(self, label):
        """Return the headers with which whoever may ask this asks it."""
        [schemes] = dict(operations())[label].get("security") or [{}]
        if "shopToken" in schemes:
            return {"Authorization": f"Bearer {self.shop.plain}"}
        if "monitoringToken" in schemes:
            return {"Authorization": f"Bearer {settings.METRICS_TOKEN}"}
        return {"X-CSRFToken": FORM} if schemes else {}

    def cookies(self, label, user):
        """Return the cookies with which a person asks this; none where it takes no session."""
        if "X-CSRFToken" not in self.credentials(label):
            return {}
        browser = Client()
        browser.force_login(user, settings.AUTHENTICATION_BACKENDS[-1])
        session = browser.cookies[settings.SESSION_COOKIE_NAME].value
        return {settings.SESSION_COOKIE_NAME: session, settings.CSRF_COOKIE_NAME: FORM}

    def ask(self, label, *, by="clerk", headers=None, data=None, **parts):
        """Ask as described but for what is given; return what was asked, and the answer."""
        if "body" in parts:
            parts["media_type"] = "application/json"
        if label == SHOW:
            parts.setdefault("path_parameters", {"id": "0d3a5c1e-6f0b-4c57-9f2e-1b7a8c9d0e1f"})
        case = self.schema.find_operation_by_label(label).Case(**parts)
        sent = self.credentials(label) | (headers or {})
        given = {name: value for name, value in sent.items() if value is not None}
        raw = {} if data is None else {"data": data}
        cookies = self.cookies(label, self.staff[by]) if by else {}
        return case, case.call(headers=given, cookies=cookies, **raw)

    def take(self, headers=None, **changes):
        """Order as in the first example, but for what is changed."""
        return self.ask(TAKE, headers=headers, body=self.example(TAKE, "top_up") | changes)

    def show(self, **columns):
        """Ask about an order of the shop, with columns as wanted."""
        return self.ask(SHOW, path_parameters={"id": str(self.has(**columns).public_id)})

    @property
    def sign(self):
        """How requests that are made up come to what lets them in."""

        class Signing:
            def get(_self, case, context):
                label = case.operation.label
                return self.credentials(label), self.cookies(label, self.staff["clerk"])

            def set(_self, case, data, context):
                headers, cookies = data
                case.headers.update(headers)
                case.cookies.update(cookies)

        return Signing
