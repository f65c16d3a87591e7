import json
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

import pytest

from orders import providers

pytestmark = pytest.mark.django_db
barakat = providers.get_adapter("barakat")
ONE = "123456"


@pytest.fixture
def creds(canned):
    return {"base_url": canned.url, "allowed_hosts": [], "api_token": "secret-token"}


@pytest.fixture
def place(canned, creds):
    def make(body, http=200, headers=None):
        canned.reply = (http, json.dumps(body), headers or {})
        payload = {
            "referans": ONE,
            "userIdentifier": "player 7",
            "extraField": "0912",
            "fieldMapping": {},
        }
        return barakat.place_order(creds, "1234", payload)

    return make


@pytest.fixture
def ask(canned, creds):
    def make(body, *references, **more):
        canned.reply = (200, json.dumps(body), {})
        return barakat.fetch_status_many(creds | more, references or [ONE])

    return make


@pytest.fixture
def status(ask):
    """Return a function that gives what a row says about the one order that was asked about."""
    return lambda row, **more: ask({"status": "OK", "data": [row]}, **more)[ONE]


def test_an_order_is_sent_with_the_token_in_the_header_alone(place, canned):
    place({"status": "OK", "data": {"order_id": "ID_1", "status": "wait", "price": 10.12}})
    parts = urlsplit(canned.seen[-1])
    assert parts.path == "/client/api/newOrder/1234/params"
    sent = {name: values[0] for name, values in parse_qs(parts.query).items()}
    assert sent == {"qty": "1", "playerId": "player 7", "order_uuid": ONE}
    assert canned.headers[-1]["api-token"] == "secret-token"


@pytest.mark.parametrize("price", [10.12, "10.12", "10,12"])
def test_ok_is_accepted_with_its_cost(place, price):
    answer = place({"status": "OK", "data": {"order_id": "ID_1", "status": "wait", "price": price}})
    assert (answer["outcome"], answer["status"], answer["cost"]) == (
        "accepted",
        "sent",
        Decimal("10.12"),
    )


def test_an_order_that_is_turned_down_at_once_is_asked_about(place):
    answer = place({"status": "OK", "data": {"order_id": "ID_1", "status": "reject"}})
    assert (answer["outcome"], answer["cost"]) == ("accepted", None)


def test_a_pin_in_the_answer_to_an_order_is_not_kept(place):
    row = {"status": "completed", "pin": "AB12-CD34", "replay_api": ["code AB12-CD34 of 99-88"]}
    answer = place({"status": "OK", "data": row})
    assert (answer["outcome"], answer["answer"]) == ("accepted", '{"status": "completed"}')
    assert "AB12" not in repr(answer)


def test_an_answer_about_another_order_is_unknown(place):
    answer = place({"status": "OK", "data": {"order_uuid": "999", "status": "wait"}})
    assert (answer["outcome"], answer["transport"]) == ("unknown", False)


@pytest.mark.parametrize("code", [105, "106", 109, 110, 112, 113, 114, 120, 121, 122, 123])
def test_these_errors_are_certainly_no_order(place, code):
    answer = place({"status": "ERROR", "code": code, "message": "no"})
    assert (answer["outcome"], answer["retryable"], answer["lowBalance"]) == (
        "refused",
        False,
        False,
    )
    assert (answer["reason"], answer["transport"]) == (f"{code} no", False)


@pytest.mark.parametrize("code", [130, 429])
@pytest.mark.parametrize("http", [200, 429, 503])
def test_these_errors_mean_later_whatever_the_http_status(place, code, http):
    answer = place({"status": "ERROR", "code": code}, http, {"Retry-After": "60"})
    assert (answer["outcome"], answer["retryable"], answer["transport"]) == (
        "refused",
        True,
        False,
    )
    assert answer["retryAfter"] == (None if http == 200 else 60)


@pytest.mark.parametrize("error", [{"code": 100}, {"code": 500}, {"message": "oops"}, {}])
@pytest.mark.parametrize("http", [200, 500])
def test_any_other_error_may_have_come_after_the_purchase(place, error, http):
    answer = place({"status": "ERROR", **error}, http)
    assert (answer["outcome"], answer["retryable"]) == ("unknown", False)


@pytest.mark.parametrize(
    "words",
    ["Insufficient balance", "Your BALANCE is not enough", "رصيدك غير كاف", "Yetersiz Bakiye"],
)
def test_our_money_is_out_where_the_words_say_so(place, words):
    answer = place({"status": "ERROR", "code": 100, "message": words})
    assert (answer["outcome"], answer["lowBalance"]) == ("refused", True)


@pytest.mark.parametrize(
    "body", [[], "OK", {"status": "OK"}, {"data": {}}, {"status": "OK", "data": 1}]
)
def test_json_of_another_shape_is_unknown(place, body):
    assert place(body)["outcome"] == "unknown"


def test_many_orders_are_asked_about_in_one_call(ask, canned):
    rows = [
        {"order_uuid": "2", "status": "completed", "pin": "PIN-2"},
        {"order_uuid": "1", "status": "wait"},
    ]
    answers = ask({"status": "OK", "data": rows}, "1", "2", "3")
    assert parse_qs(urlsplit(canned.seen[-1]).query) == {"orders": ["[1,2,3]"], "uuid": ["1"]}
    assert [(key, one["outcome"], one["pinCode"]) for key, one in answers.items()] == [
        ("1", "answered", ""),
        ("2", "answered", "PIN-2"),
        ("3", "no_answer", ""),
    ]
    assert (len(canned.seen), answers["3"]["transport"]) == (1, False)


def test_no_order_gets_anothers_answer_or_pin_in_its_words(ask):
    rows = [
        {"order_uuid": "1", "status": "completed", "pin": "PIN-ONE"},
        {"order_uuid": "2", "status": "reject", "replay_api": ["stock of PIN-ONE is out"]},
    ]
    answers = ask({"status": "OK", "data": rows}, "1", "2")
    assert answers["2"]["reason"] == "stock of *** is out"
    assert "PIN-ONE" not in repr(answers["2"]) + answers["1"]["answer"]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("Success", "completed"),
        ("ok", "completed"),
        ("done", "completed"),
        ("completed", "completed"),
        ("reject", "cancelled"),
        ("canceled", "cancelled"),
        ("failed", "failed"),
        ("wait", "processing"),
        ("queued", "processing"),
        ("accept", "processing"),
        ("accepted", "processing"),
    ],
)
def test_words_are_read_by_the_table(status, word, expected, caplog):
    answer = status({"order_id": "ID_1", "status": word})
    assert (answer["outcome"], answer["status"], caplog.text) == ("answered", expected, "")


def test_accepted_is_done_where_the_integration_says_so(status):
    assert status({"status": "accept"}, accepted="completed")["status"] == "completed"


def test_an_unknown_word_is_in_progress_and_warns(status, caplog):
    assert status({"status": "teleported"})["status"] == "processing"
    assert "unknown status 'teleported'" in caplog.text


@pytest.mark.parametrize(
    ("row", "pin", "reason"),
    [
        ({"pin": "AB-12"}, "AB-12", ""),
        ({"pin": 123456}, "123456", ""),
        ({"replay_api": ["AB-12"]}, "AB-12", ""),
        ({"replay_api": [{"replay": ["AB-12", "CD-34"]}]}, "AB-12\nCD-34", ""),
        ({"pin": "AB-12", "replay_api": ["AB-12", "serial 9"]}, "AB-12\nserial 9", ""),
        ({"replay_api": ["charged, thank you"]}, "", "charged, thank you"),
        ({"replay_api": [], "pin": None}, "", ""),
    ],
)
def test_the_pin_is_found_where_stores_put_it(status, row, pin, reason):
    answer = status({"status": "completed", **row})
    assert (answer["pinCode"], answer["reason"]) == (pin, reason)
    assert "AB-12" not in answer["answer"]


def test_a_code_of_an_order_in_progress_is_hidden(status):
    answer = status({"status": "wait", "pin": "AB-12", "replay_api": ["CD-34"]})
    assert answer["pinCode"] == ""
    assert "AB-12" not in repr(answer)
    assert "CD-34" not in repr(answer)


def test_the_reason_of_a_rejected_order_is_no_pin(status):
    answer = status({"status": "reject", "replay_api": ["player 77 not found"]})
    assert (answer["status"], answer["pinCode"]) == ("cancelled", "")
    assert answer["reason"] == "player 77 not found"


def test_rows_without_a_reference_are_asked_for_one_by_one(ask, canned):
    answers = ask({"status": "OK", "data": [{"order_id": "ID_1", "status": "completed"}]}, "1", "2")
    assert [parse_qs(urlsplit(path).query)["orders"] for path in canned.seen] == [
        ["[1,2]"],
        ["[1]"],
        ["[2]"],
    ]
    assert [one["status"] for one in answers.values()] == ["completed", "completed"]


def test_a_failed_question_is_no_answer_about_any_order(ask):
    answers = ask({"status": "ERROR", "code": 109, "message": "not found"}, "1", "2")
    assert {(one["outcome"], one["status"], one["transport"]) for one in answers.values()} == {
        ("no_answer", "", False)
    }


@pytest.mark.parametrize(
    "body", [{"balance": "980.88"}, {"status": "OK", "data": {"balance": 980.88}}]
)
def test_the_balance_is_a_number(canned, creds, body):
    canned.reply = (200, json.dumps(body), {})
    answer = barakat.fetch_balance(creds)
    assert (answer["outcome"], answer["balance"]) == ("answered", Decimal("980.88"))


def test_a_token_that_is_no_header_is_misconfigured(creds):
    payload = {"referans": ONE, "userIdentifier": "p", "extraField": "", "fieldMapping": {}}
    with pytest.raises(providers.Misconfigured):
        barakat.describe_order(creds | {"api_token": "a\r\nb: c"}, "1234", payload)


@pytest.mark.parametrize("http", [200, 500])
def test_an_error_that_speaks_of_our_money_may_have_come_after_the_purchase(place, http):
    text = "Order was placed, but your balance could not be refreshed"
    answer = place({"status": "ERROR", "code": 100, "message": text}, http)
    assert (answer["outcome"], answer["lowBalance"]) == ("unknown", False)


def test_words_never_say_that_a_broken_server_has_refused(place):
    answer = place({"status": "ERROR", "code": 100, "message": "Insufficient balance"}, 500)
    assert (answer["outcome"], answer["lowBalance"]) == ("unknown", False)


def test_a_code_of_letters_is_a_pin(status):
    answer = status({"status": "done", "replay_api": ["qwertasdfg"]})
    assert (answer["pinCode"], answer["reason"]) == ("qwertasdfg", "")
    answer = status({"status": "done", "replay_api": ["QWERT-ASDFG", "Thank you", "done"]})
    assert (answer["pinCode"], answer["reason"]) == ("QWERT-ASDFG", "Thank you done")


PRODUCT = {
    "id": 365,
    "name": "660",
    "price": 1.05,
    "category_name": "Game",
    "available": False,
    "qty_values": {"min": "5", "max": 100},
    "params": ["playerId"],
}


@pytest.fixture
def listed(canned, creds):
    """Return a function that gives what is read of the products in an answer."""

    def make(body):
        canned.reply = (200, json.dumps(body), {})
        return barakat.fetch_price_list(creds)

    return make


@pytest.mark.parametrize("wrap", [lambda rows: rows, lambda rows: {"status": "OK", "data": rows}])
def test_products_are_read_with_what_limits_them(listed, wrap, canned):
    answer = listed(wrap([PRODUCT, "rubbish"]))
    assert answer["listings"] == [
        {
            "provider_package_id": "365",
            "name": "Game 660",
            "cost": Decimal("1.05"),
            "extra": {"minimum": "5", "maximum": "100", "unavailable": "yes"},
        }
    ]
    assert (answer["skipped"], urlsplit(canned.seen[-1]).path) == (1, "/client/api/products")


@pytest.mark.parametrize("quantities", [None, ["60", "325"], "", 7])
def test_other_shapes_of_quantities_are_passed_over(listed, quantities):
    [row] = listed([PRODUCT | {"available": True, "qty_values": quantities}])["listings"]
    assert row["extra"] == {}


def test_products_that_are_refused_say_why(listed):
    answer = listed({"status": "ERROR", "code": 123, "message": "IP not allowed"})
    assert (answer["outcome"], answer["reason"]) == ("no_answer", "123 IP not allowed")
