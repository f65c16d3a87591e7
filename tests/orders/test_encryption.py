import pytest
from cryptography.fernet import Fernet
from django.core import serializers
from django.core.exceptions import FieldError
from django.db import connection

from orders.encryption import Undecryptable, decrypt, encrypt, last_four
from orders.models import ProductOrder
from tests.orders.factories import make_order, make_package

PIN = "AB12-CD34-EF56-GH78"


@pytest.fixture
def order(db):
    order = make_order(make_package())
    ProductOrder.objects.filter(pk=order.pk).update(pin_code=PIN)
    return order


def stored():
    with connection.cursor() as cursor:
        cursor.execute("SELECT pin_code FROM orders_productorder")
        return cursor.fetchone()[0]


def test_the_column_holds_ciphertext_and_the_attribute_the_text(order):
    order.refresh_from_db()
    assert order.pin_code == PIN
    assert PIN not in stored()


def test_an_empty_text_stays_empty(db):
    order = make_order(make_package())
    assert stored() == ""
    assert list(ProductOrder.objects.filter(pin_code="")) == [order]


def test_an_older_key_still_opens_what_it_closed(order, settings):
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode(), *settings.ENCRYPTION_KEYS]
    order.refresh_from_db()
    assert order.pin_code == PIN


def test_without_the_key_the_error_names_neither_value_nor_key(order, settings):
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    with pytest.raises(Undecryptable) as refused:
        order.refresh_from_db()
    assert stored() not in str(refused.value)
    assert settings.ENCRYPTION_KEYS[0] not in str(refused.value)


def test_the_text_can_not_be_searched(order):
    with pytest.raises(FieldError):
        ProductOrder.objects.filter(pin_code__contains="AB12").exists()


def test_a_dump_holds_ciphertext_and_can_be_loaded(order):
    order.refresh_from_db()
    dump = serializers.serialize("json", [order])
    assert PIN not in dump
    assert next(serializers.deserialize("json", dump)).object.pin_code == PIN


def test_two_encryptions_differ_and_open_alike():
    assert encrypt(PIN) != encrypt(PIN)
    assert decrypt(encrypt(PIN)) == PIN


@pytest.mark.parametrize(("pin", "shown"), [(PIN, "GH78"), ("1234567", ""), ("", "")])
def test_of_short_pins_nothing_is_shown(pin, shown):
    assert last_four(pin) == shown
