import json
import uuid

import pytest
from django.core.cache import cache
from django_q.models import OrmQ

from orders.models import OrderEvent, Package, Product, ProductOrder, Tenant
from orders.tokens import TenantToken, revoke
from tests.orders.factories import make_package
from tests.orders.shops import ORDERS, PIN, Shop, address, content_for, done

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_calls_so_far():
    """Forget the calls of other tests, whose keys had the same numbers."""
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


def refused(response, status, code):
    """Return the words for each field of a refusal, which is JSON and took no order."""
    answer = response.json()
    assert (response.status_code, answer["code"]) == (status, code)
    assert answer["error"] and response["Cache-Control"] == "no-store"
    assert ProductOrder.objects.count() == OrmQ.objects.count() == 0
    return {name: problem["code"] for name, problem in answer.get("fields", {}).items()}


# Taking


def test_an_order_is_taken_with_its_price_and_its_sending_is_queued(shop, package):
    response = shop.order(package, extraField="0912")

    order = ProductOrder.objects.get()
    assert response.status_code == 201
    assert response.json() == {
        "id": str(order.public_id),
        "status": "pending",
        "productId": "game",
        "packageId": package.code,
        "userIdentifier": "5123456789",
        "extraField": "0912",
        "price": "49.50",
        "createdAt": order.created_at.strftime("%Y-%m-%dT%H:%M:%S.") + millis(order) + "Z",
    }
    assert (order.tenant, order.package, order.created_by) == (shop.tenant, package, None)
    assert [row.task["args"] for row in OrmQ.objects.all()] == [(order.pk,)]


def millis(order):
    return f"{order.created_at.microsecond // 1000:03d}"


def test_an_order_says_where_it_is(shop, package):
    response = shop.order(package)

    assert response["Location"] == address(ProductOrder.objects.get())
    assert shop.get(response["Location"]).json()["id"] == response.json()["id"]


def test_the_journal_says_by_which_key_an_order_came(shop, package):
    shop.order(package)

    [line] = OrderEvent.objects.values_list("what", "status", "by_name", "by_id")
    assert line == ("created", "pending", "سایت", None)


def test_what_a_customer_typed_is_stored_as_staff_would_store_it(shop, package):
    shop.order(package, userIdentifier=" ۰۹۱۲\u200e ", extraField="علي كاظمي")

    order = ProductOrder.objects.get()
    assert order.extra_field == "علی کاظمی"
    assert order.user_identifier.startswith("0912")


def test_an_address_without_its_last_slash_takes_an_order_too(shop, package):
    response = shop.ask("POST", ORDERS.rstrip("/"), json.dumps(content_for(package)))

    assert (response.status_code, ProductOrder.objects.count()) == (201, 1)


def test_an_order_without_a_key_of_its_own_is_another_each_time(shop, package):
    assert shop.order(package).json()["id"] != shop.order(package).json()["id"]
    assert ProductOrder.objects.count() == OrmQ.objects.count() == 2


# Refusing what can't be taken


@pytest.mark.parametrize(
    "body",
    [" ", "{", "[]", '"x"', "null", b"\xff\xfe", "[" * 16_000, '{"price": %s}' % ("9" * 9000)],
    ids=["blank", "broken", "list", "text", "null", "not UTF-8", "deep", "huge number"],
)
def test_what_is_no_json_object_is_refused(shop, body):
    assert refused(shop.ask("POST", ORDERS, body), 400, "json_invalid") == {}


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", "x"])
def test_what_is_not_called_json_is_refused(shop, package, kind):
    body = json.dumps(content_for(package))
    refused(shop.ask("POST", ORDERS, body, content_type=kind), 415, "json_needed")


def test_json_may_say_its_charset(shop, package):
    kind = "application/json; charset=utf-8"
    body = json.dumps(content_for(package))
    assert shop.ask("POST", ORDERS, body, content_type=kind).status_code == 201


def test_what_is_longer_than_any_order_is_refused(shop, package):
    refused(shop.order(package, extraField="x" * 20_000), 413, "too_large")


@pytest.mark.parametrize("name", ["productId", "packageId", "userIdentifier"])
@pytest.mark.parametrize("value", [None, "", "  "])
def test_what_is_missing_is_named(shop, package, name, value):
    assert refused(shop.order(package, **{name: value}), 400, "invalid") == {name: "required"}


@pytest.mark.parametrize("name", ["productId", "packageId", "userIdentifier", "extraField"])
@pytest.mark.parametrize(
    ("value", "code"),
    [
        (5, "wrong_type"),
        (True, "wrong_type"),
        (["x"], "wrong_type"),
        ({"x": 1}, "wrong_type"),
        ("a\x00b", "forbidden_characters"),
        ("a\nb", "forbidden_characters"),
        ("\ud800", "forbidden_characters"),
        ("a\u202eb", "forbidden_characters"),
        ("x" * 201, "max_length"),
    ],
)
def test_what_can_not_be_stored_is_named(shop, package, name, value, code):
    assert refused(shop.order(package, **{name: value}), 400, "invalid") == {name: code}


def test_every_wrong_field_is_named_at_once(shop, package):
    response = shop.order(package, userIdentifier=5, extraField="x" * 201, quantity="2")

    assert refused(response, 400, "invalid") == {
        "userIdentifier": "wrong_type",
        "extraField": "max_length",
        "quantity": "unknown_field",
    }


def test_what_there_is_not_is_refused(shop, package):
    other = Product.objects.create(code="other", name="Other")

    unknown = refused(shop.order(package, packageId="nothing"), 400, "invalid")
    of_another = refused(shop.order(package, productId=other.code), 400, "invalid")
    no_product = refused(shop.order(package, productId="nothing"), 400, "invalid")

    assert unknown == of_another == {"packageId": "unknown_package"}
    assert no_product == {"productId": "unknown_product"}


@pytest.mark.parametrize("model", [Package, Product])
def test_what_is_not_on_sale_is_refused(shop, package, model):
    model.objects.update(is_active=False)

    assert refused(shop.order(package), 400, "invalid") == {"packageId": "not_on_sale"}


def test_what_a_package_asks_for_is_needed(shop):
    package = make_package(extra_field_label="شماره موبایل")

    response = shop.order(package)

    assert refused(response, 400, "invalid") == {"extraField": "extra_field_needed"}
    assert "شماره موبایل" in response.json()["fields"]["extraField"]["error"]
    assert shop.order(package, extraField="0912").status_code == 201


# Who may come in


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, "token_needed"),
        ("", "token_needed"),
        ("Bearer", "token_needed"),
        ("Bearer  ", "token_needed"),
        ("Basic c2hvcDp4", "token_needed"),
        ("Bearer shop_x", "token_invalid"),
        ("Bearer \xff\xfe", "token_invalid"),
    ],
)
def test_without_a_key_of_its_own_nobody_comes_in(shop, package, header, code):
    response = shop.order(package, headers={"Authorization": header})

    refused(response, 401, code)
    assert response["WWW-Authenticate"].startswith("Bearer")
    assert ("invalid_token" in response["WWW-Authenticate"]) == (code == "token_invalid")


def test_the_name_of_the_scheme_may_be_written_in_any_case(shop):
    assert shop.get(Authorization=f"bearer {shop.plain}").status_code == 200


def test_a_key_that_was_revoked_opens_nothing(shop, package, boss):
    revoke(shop.token, by=boss)

    refused(shop.order(package), 401, "token_invalid")


def test_the_key_of_a_tenant_that_is_not_active_opens_nothing(shop, package):
    Tenant.objects.update(is_active=False)

    refused(shop.order(package), 401, "token_invalid")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"])
def test_other_ways_of_asking_are_refused(shop, method):
    for path, allowed in ((ORDERS, "GET, POST"), (f"{ORDERS}{uuid.uuid4()}/", "GET")):
        response = shop.ask(method, path)
        assert (response.status_code, response["Allow"]) == (405, allowed)


def test_who_asks_too_often_is_told_when_to_ask_again(shop, package, settings):
    settings.ORDER_API_CALLS_A_MINUTE = 2
    shop.get(), shop.get()

    response = shop.order(package)

    refused(response, 429, "too_many_requests")
    assert 1 <= int(response["Retry-After"]) <= 60


def test_the_calls_of_one_key_are_not_those_of_another(shop, boss, settings):
    settings.ORDER_API_CALLS_A_MINUTE = 1
    shop.get()
    other = Shop(by=boss, name="other")

    assert (shop.get().status_code, other.get().status_code) == (429, 200)


def test_calls_are_counted_only_of_who_has_a_key(shop, settings):
    settings.ORDER_API_CALLS_A_MINUTE = 1
    for _time in range(3):
        assert shop.get(Authorization="Bearer shop_x").status_code == 401

    assert shop.get().status_code == 200


def test_no_session_and_no_cookie_comes_of_a_call(shop, package, django_assert_num_queries):
    shop.get()
    with django_assert_num_queries(2):  # the key, and the orders
        response = shop.get()

    assert not response.cookies


# The language of words


@pytest.mark.parametrize(
    ("accepts", "language", "words"),
    [
        (None, "en", "There is no such order."),
        ("*", "en", "There is no such order."),
        ("tr", "en", "There is no such order."),
        ("tr, fa-IR;q=0.9, en;q=0.8", "fa", "چنین سفارشی نیست."),
        ("en-GB, fa;q=0.5", "en", "There is no such order."),
        ("\x00;;q=x", "en", "There is no such order."),
    ],
)
def test_words_are_in_the_language_that_is_asked_for(shop, accepts, language, words):
    response = shop.get(f"{ORDERS}{uuid.uuid4()}/", Accept_Language=accepts)

    assert (response.json()["error"], response.json()["code"]) == (words, "unknown_order")
    assert response["Content-Language"] == language
    assert "Accept-Language" in response["Vary"]


def test_the_words_for_a_field_are_in_that_language_too(shop, package):
    response = shop.order(package, userIdentifier="", headers={"Accept_Language": "fa"})

    assert response.json()["fields"]["userIdentifier"]["error"] == "این فیلد لازم است."


# Telling


def test_an_order_is_told_with_times_in_utc(shop, package):
    order = shop.has(package, provider_message="Ok", **done(sent_at="2026-01-02T03:30:00+03:30"))

    told = shop.get(address(order)).json()

    assert told == {
        "id": str(order.public_id),
        "status": "completed",
        "productId": "game",
        "packageId": package.code,
        "userIdentifier": order.user_identifier,
        "extraField": "",
        "price": "49.50",
        "message": "Ok",
        "createdAt": told["createdAt"],
        "sentAt": "2026-01-02T00:00:00.000Z",
        "lastCheckedAt": None,
        "completedAt": "2026-01-02T03:04:05.000Z",
        "pinCode": PIN,
    }


def test_words_of_ours_are_told_in_the_language_of_the_asker(shop):
    ended = {"external_status": "failed", "review_reason": "refused", "next_check_at": None}
    order = shop.has(provider_message="no answer in time", **ended)

    assert shop.get(address(order)).json()["message"] == "no answer in time"
    assert "پاسخ" in shop.get(address(order), Accept_Language="fa").json()["message"]


@pytest.mark.parametrize("status", ["cancelled", "failed"])
def test_an_order_that_is_not_done_gives_no_pin(shop, status):
    order = shop.has(**done(external_status=status, completed_at=None))

    response = shop.get(address(order))

    assert response.json()["pinCode"] is None
    assert PIN not in response.content.decode()
    assert not OrderEvent.objects.filter(what="revealed").exists()


def test_an_order_that_is_done_without_a_pin_gives_none(shop):
    order = shop.has(**done(pin=""))

    assert shop.get(address(order)).json()["pinCode"] is None
    assert not OrderEvent.objects.filter(what="revealed").exists()


def test_each_pin_handed_out_is_recorded_and_polling_is_one_line(shop, boss):
    order = shop.has(**done())
    for _time in range(3):
        assert shop.get(address(order)).json()["pinCode"] == PIN
    other = Shop(by=boss, name="انبار")
    other.get(address(order))

    lines = OrderEvent.objects.filter(order=order, what="revealed").order_by("pk")
    assert list(lines.values_list("by_name", "times")) == [("سایت", 3), ("انبار", 1)]
    assert PIN not in str(list(OrderEvent.objects.values()))
    order.refresh_from_db()
    assert order.external_status == "completed"


def test_without_its_record_no_pin_is_handed_out(shop, monkeypatch):
    order = shop.has(**done())

    def broken(*args, **kwargs):
        raise RuntimeError(PIN)

    monkeypatch.setattr("orders.journal.record", broken)
    response = shop.get(address(order))

    assert (response.status_code, response.json()["code"]) == (500, "server_error")
    assert PIN not in response.content.decode()


@pytest.mark.parametrize("path", ["x", "1", "../", "00000000-0000-0000-0000-000000000000"])
def test_what_is_no_order_is_unknown(shop, path):
    shop.has()

    assert shop.get(f"{ORDERS}{path}/").status_code == 404


# Listing


def test_the_newest_orders_come_first_and_without_pins(shop):
    orders = [shop.has(**done()) for _number in range(3)]

    response = shop.get()

    listed = response.json()
    assert [row["id"] for row in listed["orders"]] == [str(o.public_id) for o in orders[::-1]]
    assert listed["next"] is None
    assert "pinCode" not in listed["orders"][0] and PIN not in response.content.decode()
    assert not OrderEvent.objects.filter(what="revealed").exists()


def test_a_list_is_told_page_by_page(shop, monkeypatch):
    monkeypatch.setattr("orders.api.A_PAGE", 2)
    package = make_package()
    wanted = [str(shop.has(package).public_id) for _number in range(5)][::-1]

    found, following = [], ""
    while following is not None:
        page = shop.get(f"{ORDERS}{following and '?after=' + following}").json()
        found.append([row["id"] for row in page["orders"]])
        following = page["next"]

    assert found == [wanted[:2], wanted[2:4], wanted[4:]]


def test_a_list_of_one_state_holds_no_other(shop):
    completed = shop.has(**done())
    shop.has()

    [row] = shop.get(f"{ORDERS}?status=completed").json()["orders"]

    assert row["id"] == str(completed.public_id)


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("status=open", {"status": "unknown_status"}),
        ("status=", {"status": "unknown_status"}),
        ("after=x", {"after": "unknown_order"}),
        ("after=00000000-0000-0000-0000-000000000000", {"after": "unknown_order"}),
    ],
)
def test_a_question_that_can_not_be_answered_is_refused(shop, query, fields):
    assert refused(shop.get(f"{ORDERS}?{query}"), 400, "invalid") == fields


def test_a_list_of_three_costs_as_much_as_one_of_one(shop, django_assert_num_queries):
    shop.has()
    shop.get()
    with django_assert_num_queries(2):
        shop.get()
    shop.has(), shop.has()
    with django_assert_num_queries(2):
        assert len(shop.get().json()["orders"]) == 3


def test_that_a_key_is_used_is_seen(shop):
    assert TenantToken.objects.get().last_used_at is None
    shop.get()
    assert TenantToken.objects.get().last_used_at is not None


def test_a_question_with_a_misspelled_name_is_refused(shop):
    answer = shop.get("/api/orders/?staus=completed")
    assert refused(answer, 400, "invalid") == {"staus": "unknown_field"}


def test_a_question_that_names_something_twice_is_refused(shop):
    answer = shop.get("/api/orders/?status=completed&status=sent")
    assert refused(answer, 400, "invalid") == {"status": "repeated"}
