from io import StringIO

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.db import models
from django.db.models import Value
from django.db.models.functions import Cast

from orders import rotation
from orders.models import ProductOrder, ProviderIntegration
from tests.orders.factories import make_integration, make_order, make_package

pytestmark = pytest.mark.django_db
PIN = "AB12-CD34-EF56-GH78"
PINS, CREDENTIALS = "orders.ProductOrder.pin_code", "orders.ProviderIntegration.credentials"


@pytest.fixture
def orders():
    package = make_package(make_integration())
    made = [make_order(package) for _number in range(3)]
    ProductOrder.objects.filter(pk__in=[order.pk for order in made[:2]]).update(pin_code=PIN)
    return made


@pytest.fixture
def new_key(orders, settings):
    """A new key in front of the old one, with which everything is stored."""
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode(), *settings.ENCRYPTION_KEYS]
    return settings.ENCRYPTION_KEYS[0]


def ciphertexts(model=ProductOrder, column="pin_code"):
    rows = model.objects.order_by("pk").annotate(stored=Cast(column, models.TextField()))
    return list(rows.values_list("stored", flat=True))


def run(*options):
    out, err = StringIO(), StringIO()
    try:
        call_command("rotate_encryption_keys", *options, stdout=out, stderr=err)
    except CommandError as problem:
        return out.getvalue(), f"{err.getvalue()}{problem}"
    return out.getvalue(), err.getvalue()


def test_every_encrypted_column_of_every_model_is_known():
    known = {f"{model._meta.label}.{name}" for model, name in rotation.columns()}
    assert known == {PINS, CREDENTIALS, "orders.OrderAttempt.pin_code"}


def test_after_a_rotation_the_old_key_can_be_taken_out(new_key, orders, settings):
    out, err = run()
    assert f"{PINS}: 2 encrypted anew, 0 of the first key" in out
    assert f"{CREDENTIALS}: 1 encrypted anew, 0 of the first key" in out
    assert err == ""
    settings.ENCRYPTION_KEYS = [new_key]
    assert [order.pin_code for order in ProductOrder.objects.order_by("pk")] == [PIN, PIN, ""]
    assert "sifre" in ProviderIntegration.objects.get().credentials


def test_without_a_rotation_it_can_not(new_key, settings):
    from orders.encryption import Undecryptable

    settings.ENCRYPTION_KEYS = [new_key]
    with pytest.raises(Undecryptable):
        list(ProductOrder.objects.all())


def test_a_check_says_how_many_need_an_old_key_and_changes_nothing(new_key):
    before = ciphertexts()
    out, err = run("--check")
    assert f"{PINS}: 2 of an old key, 0 of the first key" in out
    assert "3 values may still need an old key" in err
    assert ciphertexts() == before
    run()
    assert run("--check")[1] == ""


def test_a_second_run_touches_nothing(new_key):
    run()
    before = ciphertexts()
    out, _err = run()
    assert f"{PINS}: 0 encrypted anew, 2 of the first key" in out
    assert ciphertexts() == before


def test_a_run_that_was_broken_off_is_finished_by_the_next(new_key, monkeypatch):
    monkeypatch.setattr(rotation, "BATCH", 1)
    replace = rotation._replace
    monkeypatch.setattr(rotation, "_replace", lambda *args: replace(*args) and 1 / 0)
    with pytest.raises(ZeroDivisionError):
        rotation.rotate()
    monkeypatch.setattr(rotation, "_replace", replace)
    found = {counts.column: counts for counts in rotation.rotate()}
    assert (found[PINS].old, found[CREDENTIALS].old) == (2, 0)


def change_while_rotating(monkeypatch):
    """Write another PIN between the reading of a batch and its replacing."""
    replace = rotation._replace

    def replace_late(model, name, moved):
        if model is ProductOrder:
            ProductOrder.objects.filter(pk=moved[0][0]).update(pin_code="ANOTHER-PIN")
        return replace(model, name, moved)

    monkeypatch.setattr(rotation, "_replace", replace_late)


def test_a_value_that_was_changed_meanwhile_is_not_overwritten(new_key, orders, monkeypatch):
    change_while_rotating(monkeypatch)
    out, err = run()
    assert f"{PINS}: 1 encrypted anew, 0 of the first key, 1 changed meanwhile" in out
    assert "1 values may still need an old key" in err
    assert [o.pin_code for o in ProductOrder.objects.order_by("pk")] == ["ANOTHER-PIN", PIN, ""]


def test_without_the_old_ciphertext_in_its_update_it_would_be(new_key, orders, monkeypatch):
    def overwrite(model, name, moved):
        for pk, _stored, new in moved:
            model.objects.filter(pk=pk).update(**{name: Value(new)})
        return len(moved)

    monkeypatch.setattr(rotation, "_replace", overwrite)
    change_while_rotating(monkeypatch)
    run()
    assert [o.pin_code for o in ProductOrder.objects.order_by("pk")] == [PIN, PIN, ""]


def test_what_no_key_opens_is_named_by_its_id_and_never_printed(new_key, orders):
    lost = f"fernet${Fernet(Fernet.generate_key()).encrypt(b'gone').decode()}"
    ProductOrder.objects.filter(pk=orders[2].pk).update(pin_code=Value(lost))
    out, err = run()
    assert f"{PINS}: no key opens that of id {orders[2].pk}\n" in err
    assert "1 are opened by none" in err
    assert ciphertexts()[2] == lost
    printed = out + err
    assert not any(text in printed for text in [*ciphertexts()[:2], lost, PIN, new_key])


def test_every_batch_is_read_once(new_key, monkeypatch):
    monkeypatch.setattr(rotation, "BATCH", 1)
    out, _err = run()
    assert f"{PINS}: 2 encrypted anew, 0 of the first key" in out
