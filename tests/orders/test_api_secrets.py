"""Keys and PINs go to whom they belong, and nowhere else."""

import json
import logging

import pytest
from django.conf import settings as office
from django.core.cache import cache
from django.db import connection

from orders import resources
from orders.models import OrderEvent
from tests.orders.factories import make_package
from tests.orders.shops import ORDERS, PIN, Shop, address, content_for, done

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_calls_so_far():
    cache.clear()


@pytest.fixture
def shop(make_user):
    return Shop(by=make_user("boss"))


@pytest.fixture
def logged(caplog):
    """Return a function that gives all that was logged, down to the last statement of SQL."""
    caplog.set_level("DEBUG")
    for name in ("django", "django.request", "django.db.backends", "orders", "django-q"):
        caplog.set_level("DEBUG", logger=name)
    return lambda: "\n".join([caplog.text, *(str(record.__dict__) for record in caplog.records)])


def broken_with(*secrets):
    def broken(*args, **kwargs):
        raise RuntimeError(*secrets) from ValueError(*secrets)

    return broken


def test_what_is_asked_leaves_no_secret_in_the_log(shop, logged, settings):
    settings.DEBUG = True
    connection.force_debug_cursor = True
    order = shop.has(**done())
    try:
        assert shop.get(address(order)).json()["pinCode"] == PIN
        shop.get(), shop.order(make_package()), shop.get(Authorization="Bearer shop_wrong-one")
    finally:
        connection.force_debug_cursor = False

    text = logged()
    assert "SELECT" in text and "Unauthorized" in text
    assert shop.plain not in text and PIN not in text and "shop_wrong-one" not in text


@pytest.mark.parametrize("debug", [False, True])
def test_a_fault_tells_no_secret(shop, monkeypatch, logged, settings, debug):
    settings.DEBUG = debug
    order = shop.has(**done())
    monkeypatch.setattr("orders.journal.record", broken_with(PIN, shop.plain))

    response = shop.get(address(order))

    assert response.json() == {
        "error": "This could not be done. The fault is recorded.",
        "code": "server_error",
    }
    text = logged()
    assert "RuntimeError" in text and "hand_out_pin" in text  # where it broke is told
    assert PIN not in text and shop.plain not in text


@pytest.mark.parametrize("debug", [False, True])
def test_a_fault_while_the_key_is_looked_up_tells_no_secret(
    shop, monkeypatch, logged, settings, debug
):
    settings.DEBUG = debug
    monkeypatch.setattr("orders.tokens.holder_of", broken_with(shop.plain))

    response = shop.get()

    assert (response.status_code, response.json()["code"]) == (500, "server_error")
    assert shop.plain not in response.content.decode() + logged()


def test_a_fault_outside_of_the_api_tells_no_key_on_its_page(shop, logged, settings):
    settings.DEBUG = True
    body = json.dumps(content_for(make_package()))

    response = shop.ask("POST", ORDERS, body, Host="elsewhere.example")

    assert (response.status_code, response["Content-Type"][:9]) == (400, "text/html")
    assert "HTTP_AUTHORIZATION" in response.content.decode()
    assert shop.plain not in response.content.decode() + logged()


def test_control_a_log_with_a_secret_is_found_out(shop, logged):
    logging.getLogger("orders.api").warning("came with %s", shop.plain)

    assert shop.plain in logged()


def test_the_journal_holds_no_key(shop):
    shop.order(make_package())
    shop.get(address(shop.has(**done())))

    lines = str(list(OrderEvent.objects.values()))
    assert shop.token.name in lines
    assert shop.plain not in lines and shop.token.digest not in lines


def test_no_file_that_goes_out_has_a_column_of_keys():
    columns = {
        field.attribute
        for resource in vars(resources).values()
        if isinstance(resource, type) and hasattr(resource, "_meta")
        for field in getattr(resource, "fields", {}).values()
    }

    assert "user_identifier" in columns
    assert not {name for name in columns if name and ("token" in name or "digest" in name)}
    assert not any("TenantToken" in name for name in vars(resources))


def test_the_same_address_is_never_kept(shop):
    order = shop.has(**done())

    for response in (shop.get(), shop.get(address(order)), shop.get(Authorization="x")):
        assert response["Cache-Control"] == "no-store"
    assert office.SESSION_COOKIE_NAME not in shop.client.cookies
