"""No program sees what is another tenant's: asked of every address of the API there is."""

import json

import pytest
from django.contrib import admin
from django.core.cache import cache
from django.http import JsonResponse
from django.test import Client
from django.urls import NoReverseMatch, URLResolver, get_resolver, path, reverse

from orders.api_access import resource
from orders.models import OrderEvent, ProductOrder
from orders.shop import orders_of
from tests.orders.factories import make_package
from tests.orders.shops import ORDERS, PIN, Shop, address, content_for, done

pytestmark = pytest.mark.django_db
MINE, THEIRS = "player-of-mine", "player-of-theirs"


@pytest.fixture(autouse=True)
def no_calls_so_far():
    cache.clear()


@pytest.fixture
def mine(make_user):
    return Shop("mine", by=make_user("boss"))


@pytest.fixture
def theirs(make_user):
    return Shop("theirs", by=make_user("other-boss"))


@pytest.fixture
def my_order(mine):
    return mine.has(user_identifier=MINE, **done(pin="PIN-OF-MINE-1234"))


@pytest.fixture
def their_order(theirs):
    key = {"idempotency_key": "the-same"}
    return theirs.has(user_identifier=THEIRS, **done(), **key)


# What each address and method is asked, and with which answer nothing of another tenant's is told.


def ask_for_list(shop, order):
    return shop.get(), 200


def ask_for_list_after(shop, order):
    return shop.get(f"{ORDERS}?after={order.public_id}"), 400


def ask_for_order(shop, order):
    return shop.get(address(order)), 404


def order_with_their_key(shop, order):
    body = json.dumps(content_for(order.package) | {"userIdentifier": MINE})
    return shop.ask("POST", ORDERS, body, Idempotency_Key=order.idempotency_key), 201


ASKED = {
    ("api/orders/", "GET"): [ask_for_list, ask_for_list_after],
    ("api/orders/", "POST"): [order_with_their_key],
    ("api/orders", "GET"): [ask_for_list],
    ("api/orders", "POST"): [order_with_their_key],
    ("api/orders/<str:public_id>/", "GET"): [ask_for_order],
}


def views_of_the_api(patterns=None, before=""):
    """Yield the route and the view of each address under /api/orders."""
    for found in get_resolver().url_patterns if patterns is None else patterns:
        route = before + str(found.pattern)
        if isinstance(found, URLResolver):
            yield from views_of_the_api(found.url_patterns, route)
        elif route.startswith("api/orders"):
            yield route, found.callback


def uncovered():
    """Return what the API answers and no question of this module asks."""
    answered = {
        (route, method)
        for route, view in views_of_the_api()
        for method in getattr(view, "handlers", ["a view that is not of the API's making"])
    }
    return answered - ASKED.keys()


def leaks(shop, other, order):
    """Return the questions whose answer tells a shop of another one's order."""
    told = (THEIRS, str(order.public_id), PIN)
    found = []
    for questions in ASKED.values():
        for question in questions:
            response, status = question(shop, order)
            text = response.content.decode()
            if response.status_code != status or any(secret in text for secret in told):
                found.append(question.__name__)
    return found


def test_every_address_of_the_api_is_asked_here():
    assert uncovered() == set()
    assert len(list(views_of_the_api())) == 3


def test_no_address_tells_a_shop_of_another_ones_orders(mine, theirs, my_order, their_order):
    before = list(ProductOrder.objects.filter(tenant=theirs.tenant).values())

    assert leaks(mine, theirs, their_order) == []

    assert list(ProductOrder.objects.filter(tenant=theirs.tenant).values()) == before
    assert not OrderEvent.objects.filter(order=their_order, what="revealed").exists()


def test_each_shop_sees_its_own(mine, theirs, my_order, their_order):
    for shop, order, pin in ((mine, my_order, "PIN-OF-MINE-1234"), (theirs, their_order, PIN)):
        assert [row["id"] for row in shop.get().json()["orders"]] == [str(order.public_id)]
        assert shop.get(address(order)).json()["pinCode"] == pin


def test_control_an_order_that_is_looked_up_without_its_tenant_is_found_out(
    mine, theirs, my_order, their_order, monkeypatch
):
    everybodys = orders_of

    def without_tenant(tenant):
        rows = everybodys(tenant)
        rows.query.where.children.clear()
        return rows

    monkeypatch.setattr("orders.shop.orders_of", without_tenant)

    found = set(leaks(mine, theirs, their_order))

    assert {"ask_for_list", "ask_for_list_after", "ask_for_order", "order_with_their_key"} == found


def everything(request, token):
    return JsonResponse({"orders": list(ProductOrder.objects.values("user_identifier"))})


def plain_view(request):
    return JsonResponse({})


@pytest.mark.parametrize("view", [resource(GET=everything), plain_view], ids=["api", "plain"])
def test_control_a_new_address_is_found_on_arrival(view):
    new = path("api/orders/all/", view)
    patterns = get_resolver().url_patterns
    patterns.append(new)
    try:
        assert {route for route, _method in uncovered()} == {"api/orders/all/"}
    finally:
        patterns.remove(new)


def test_another_shops_order_is_answered_as_one_that_is_not(mine, their_order):
    unknown = address(their_order).replace(str(their_order.public_id), "0" * 32)

    known, none = mine.get(address(their_order)), mine.get(unknown)

    assert (known.status_code, known.content) == (none.status_code, none.content)
    assert dict(known.headers) == dict(none.headers)


# A session is no key, and a key is no session


@pytest.mark.parametrize("case", ASKED, ids=lambda case: f"{case[1]} {case[0]}")
def test_a_session_of_staff_alone_opens_no_address(admin_user, their_order, case):
    route, method = case
    client = Client()
    client.force_login(admin_user, "django.contrib.auth.backends.ModelBackend")
    body = json.dumps(content_for(make_package()))

    target = "/" + route.replace("<str:public_id>", str(their_order.public_id))
    response = client.generic(method, target, body, "application/json")

    assert (response.status_code, response.json()["code"]) == (401, "token_needed")
    assert ProductOrder.objects.count() == 1


def pages_of_the_admin():
    for model in admin.site._registry:
        for page in ("changelist", "add", "import", "export"):
            name = f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}"
            try:
                yield reverse(name)
            except NoReverseMatch:
                continue


def test_a_key_opens_no_page_of_the_admin(mine, their_order):
    change = reverse("admin:orders_productorder_change", args=[their_order.pk])
    pages = [reverse("admin:index"), change, *pages_of_the_admin()]
    assert len(pages) > 40

    answers = {page: mine.get(page) for page in pages}

    assert {response.status_code for response in answers.values()} == {302}
    assert all("/login/" in response["Location"] for response in answers.values())


def test_a_key_opens_no_other_endpoint(mine):
    response = mine.ask("POST", reverse("release-expired-locks"))

    assert response.status_code in (401, 403)
