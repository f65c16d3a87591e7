"""The same request again: one order, and the first answer."""

import json
import threading

import pytest
from django.core.cache import cache
from django.db import connection
from django_q.models import OrmQ

from orders import shop as business
from orders.models import OrderEvent, Package, Product, ProductOrder
from orders.shop import Wanted
from tests.orders.factories import make_package
from tests.orders.shops import ORDERS, Shop, content_for, done
from tests.threads import at_once

pytestmark = pytest.mark.django_db
KEY = {"Idempotency_Key": "6e1f2c1e-once"}


@pytest.fixture(autouse=True)
def no_calls_so_far():
    cache.clear()


@pytest.fixture
def boss(make_user):
    return make_user("boss")


@pytest.fixture
def shop(boss):
    return Shop(by=boss)


@pytest.fixture
def package():
    return make_package(price="49.50")


def counts():
    return [model.objects.count() for model in (ProductOrder, OrderEvent, OrmQ)]


def test_the_same_key_gives_the_first_answer_byte_for_byte(shop, package):
    first = shop.order(package, headers=KEY)

    again = shop.order(package, headers=KEY)

    assert (again.status_code, again.content) == (201, first.content)
    assert again["Location"] == first["Location"]
    assert (first.get("Idempotent-Replayed"), again["Idempotent-Replayed"]) == (None, "true")
    assert counts() == [1, 1, 1]


def test_the_first_answer_stays_whatever_became_of_the_order(shop, package):
    first = shop.order(package, headers=KEY)
    content = json.dumps(content_for(package))
    ProductOrder.objects.update(**done())
    Package.objects.update(price=99, is_active=False, code="renamed")
    Product.objects.update(is_active=False)

    again = shop.ask("POST", ORDERS, content, **KEY)

    assert (again.status_code, again.content) == (201, first.content)
    assert counts() == [1, 1, 1]


def test_content_is_the_same_however_it_is_written(shop, package):
    first = shop.order(package, extraField=None, headers=KEY)
    content = dict(reversed(content_for(package).items()))

    again = shop.ask("POST", ORDERS, json.dumps(content, indent=4), **KEY)

    assert again.content == first.content


@pytest.mark.parametrize("name", ["packageId", "userIdentifier", "extraField"])
def test_the_same_key_with_other_content_is_refused(shop, package, name):
    other = make_package().code if name == "packageId" else "other"
    shop.order(package, headers=KEY)
    before = list(ProductOrder.objects.values())

    response = shop.order(package, headers=KEY, **{name: other})

    assert (response.status_code, response.json()["code"]) == (422, "idempotency_key_reused")
    assert list(ProductOrder.objects.values()) == before
    assert counts() == [1, 1, 1]


def test_fields_do_not_run_into_one_another(package):
    left, right = Wanted("p", "ab", "c", ""), Wanted("p", "a", "bc", "")

    assert left.digest != right.digest


def test_what_was_refused_may_come_again_under_its_key(shop, package):
    Package.objects.update(is_active=False)
    assert shop.order(package, headers=KEY).status_code == 400
    Package.objects.update(is_active=True)

    assert shop.order(package, headers=KEY).status_code == 201
    assert counts() == [1, 1, 1]


def test_another_key_is_another_order(shop, package):
    shop.order(package, headers=KEY)
    shop.order(package, headers={"Idempotency_Key": "6E1F2C1E-ONCE"})

    assert counts() == [2, 2, 2]


def test_a_key_is_the_tenants_and_not_the_tokens(shop, package, boss):
    first = shop.order(package, headers=KEY)

    again = Shop(by=boss, name="second").order(package, headers=KEY)

    assert again.content == first.content
    assert counts() == [1, 1, 1]


def test_two_tenants_may_have_the_same_key(shop, package, boss):
    mine = shop.order(package, headers=KEY)
    theirs = Shop("other", by=boss).order(package, headers=KEY)

    assert mine.json()["id"] != theirs.json()["id"]
    assert theirs.get("Idempotent-Replayed") is None


@pytest.mark.parametrize("key", ["x", "~" * 255, "!"])
def test_a_key_is_of_visible_ascii_characters(shop, package, key):
    assert shop.order(package, headers={"Idempotency_Key": key}).status_code == 201
    assert ProductOrder.objects.get().idempotency_key == key


@pytest.mark.parametrize("key", ["", "x" * 256, "a b", "کلید", "\x7f"])
def test_what_can_be_no_key_is_refused(shop, package, key):
    response = shop.order(package, headers={"Idempotency_Key": key})

    assert (response.status_code, response.json()["code"]) == (400, "idempotency_key_invalid")
    assert counts() == [0, 0, 0]


# Two at once


def order_at_once(shop, package, monkeypatch, *, meeting):
    """Send one request twice at the same moment; they meet after both found no first order."""
    look, looked = business._taken_before, threading.local()

    def look_together(*args):
        found = look(*args)
        if not getattr(looked, "once", False):
            looked.once = True
            meeting.wait()
        return found

    monkeypatch.setattr(business, "_taken_before", look_together)
    return at_once(lambda number: shop.order(package, headers=KEY), meeting.parties)


@pytest.mark.django_db(transaction=True)
def test_two_at_once_with_one_key_make_one_order(shop, package, monkeypatch):
    meeting = threading.Barrier(2, timeout=20)
    first, second = order_at_once(shop, package, monkeypatch, meeting=meeting)

    assert [first.status_code, second.status_code] == [201, 201]
    assert first.content == second.content
    replayed = [response.get("Idempotent-Replayed") for response in (first, second)]
    assert sorted(map(str, replayed)) == ["None", "true"]
    assert counts() == [1, 1, 1]


@pytest.mark.django_db(transaction=True)
def test_two_at_once_with_one_key_and_other_content_are_one_order(shop, package, monkeypatch):
    meeting = threading.Barrier(2, timeout=20)
    order, players = shop.order, iter(["one", "two"])
    lock = threading.Lock()

    def order_for_somebody(*args, **kwargs):
        with lock:
            player = next(players)
        return order(*args, userIdentifier=player, **kwargs)

    shop.order = order_for_somebody
    answers = order_at_once(shop, package, monkeypatch, meeting=meeting)

    assert sorted(answer.status_code for answer in answers) == [201, 422]
    assert counts() == [1, 1, 1]


@pytest.fixture
def unguarded(transactional_db):
    """The table of orders without the constraint on keys."""
    constraints = {found.name: found for found in ProductOrder._meta.constraints}
    guard = constraints["order_idempotency_key"]
    with connection.schema_editor() as editor:
        editor.remove_constraint(ProductOrder, guard)
    yield
    ProductOrder.objects.update(idempotency_key="")
    with connection.schema_editor() as editor:
        editor.add_constraint(ProductOrder, guard)


@pytest.mark.django_db(transaction=True)
def test_control_without_the_constraint_they_make_two(shop, package, monkeypatch, unguarded):
    meeting = threading.Barrier(2, timeout=20)
    first, second = order_at_once(shop, package, monkeypatch, meeting=meeting)

    assert first.json()["id"] != second.json()["id"]
    assert counts() == [2, 2, 2]


@pytest.mark.storm
@pytest.mark.django_db(transaction=True)
def test_many_at_once_with_one_key_make_one_order(shop, package):
    answers = at_once(lambda number: shop.order(package, headers=KEY), 16)

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert counts() == [1, 1, 1]


def test_an_order_whose_sending_can_not_be_queued_is_not_taken(shop, package, monkeypatch):
    def broken(order_id):
        raise RuntimeError

    monkeypatch.setattr("orders.dispatch.queue", broken)

    assert shop.order(package, headers=KEY).status_code == 500
    assert counts() == [0, 0, 0]
