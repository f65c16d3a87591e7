"""What every adapter must keep, rule by rule. Each rule fails an adapter that breaks it."""

import logging
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from urllib.parse import unquote_plus

import pytest
from django.db import transaction

from orders.simulator import PROTOCOLS, SCENARIOS, Store
from orders.transport import ANSWER_MAXIMUM_BYTES, CallInTransaction
from tests.orders.factories import NOWHERE

SECRET = "planted-secret-7391"
REFERENCE = "170000000123001"
ORDER_KEYS = {
    "providerReferans", "status", "outcome", "retryable", "cost", "balance", "reason", "answer",
    "retryAfter", "lowBalance", "transport", "request", "milliseconds",
}  # fmt: skip
STATUS_KEYS = {
    "status", "pinCode", "outcome", "reason", "answer", "retryAfter", "transport", "request",
    "milliseconds",
}  # fmt: skip
BALANCE_KEYS = STATUS_KEYS - {"status", "pinCode"} | {"balance"}
LIST_KEYS = BALANCE_KEYS - {"balance"} | {"listings", "unread", "skipped"}
HTML = (200, "<!DOCTYPE html><html></html>", {})
# Answers that can't have come from a provider's API; whether it was reached is not known.
UNUSABLE = {
    "empty": (200, "", {}),
    "blank": (200, " \n", {}),
    "html": HTML,
    "html behind a mark": (200, "\ufeff\n<html></html>", {}),
    "500": (500, "error", {}),
    "502 html": (502, "<html>bad gateway</html>", {}),
    "503": (503, "", {}),
    "redirect": (302, "", {"Location": "http://127.0.0.1:9/"}),
    "redirect for good": (308, "", {"Location": "/elsewhere"}),
    "408": (408, "late", {}),
    "409": (409, "conflict", {}),
    "204": (204, "", {}),
    "binary": (200, b"\x00\x01\xff\xfe", {}),
    "nonsense": (200, "nonsense", {}),
    "another language": (200, '{"ok": [1, 2', {}),
    "too long": (200, "x" * (ANSWER_MAXIMUM_BYTES + 1), {}),
}
RULES = {}


class Bench:
    """An adapter before a server that answers as a rule wants."""

    def __init__(self, adapter, canned, caplog, settings):
        self.adapter, self.canned, self.caplog, self.settings = adapter, canned, caplog, settings
        self.creds = {name: f"{SECRET}-{name}" for name in adapter.credential_names}
        self.creds |= {"base_url": canned.url, "allowed_hosts": []}

    def order(self, reply=(200, "", {}), **creds):
        self.canned.reply = reply
        payload = {
            "referans": REFERENCE,
            "userIdentifier": "player & co",
            "extraField": "0912",
            "fieldMapping": {},
        }
        package = self.adapter.package_id_example
        return self.adapter.place_order(self.creds | creds, package, payload)

    def status(self, reply=(200, "", {}), **creds):
        self.canned.reply = reply
        return self.adapter.fetch_status(self.creds | creds, REFERENCE)

    def balance(self, reply=(200, "", {}), **creds):
        self.canned.reply = reply
        return self.adapter.fetch_balance(self.creds | creds)

    def prices(self, reply=(200, "", {}), **creds):
        self.canned.reply = reply
        return self.adapter.fetch_price_list(self.creds | creds)

    def all(self, reply=(200, "", {}), **creds):
        calls = (self.order, self.status, self.balance, self.prices)
        return [call(reply, **creds) for call in calls]

    @property
    def calls(self):
        """How many of ``all`` ask the provider."""
        return 3 + self.adapter.has_price_list


def rule(function):
    RULES[function.__name__] = function
    return function


@rule
def our_reference_travels_and_comes_back(bench):
    answers = [bench.order(), bench.order()]
    assert [REFERENCE in unquote_plus(path) for path in bench.canned.seen] == [True, True]
    assert bench.canned.seen[0] == bench.canned.seen[1]
    assert {answer["providerReferans"] for answer in answers} == {REFERENCE}
    bench.status()
    assert REFERENCE in unquote_plus(bench.canned.seen[-1])


@rule
def answers_are_plain_and_have_all_keys(bench):
    for reply in UNUSABLE.values():
        order, status, balance, prices = bench.all(reply)
        assert (type(prices), set(prices)) == (dict, LIST_KEYS)
        assert (type(order), set(order)) == (dict, ORDER_KEYS)
        assert (type(status), set(status)) == (dict, STATUS_KEYS)
        assert (type(balance), set(balance)) == (dict, BALANCE_KEYS)
        assert all(type(answer["milliseconds"]) is int for answer in (order, status, balance))


@rule
def an_unusable_answer_to_an_order_is_unknown(bench):
    for name, reply in UNUSABLE.items():
        answer = bench.order(reply)
        got = [answer[key] for key in ("outcome", "status", "retryable", "transport", "lowBalance")]
        assert got == ["unknown", "sent", False, True, False], name


@rule
def an_unusable_answer_to_a_question_says_nothing(bench):
    for name, reply in UNUSABLE.items():
        _order, status, balance, _prices = bench.all(reply)
        got = [status[key] for key in ("outcome", "status", "pinCode", "transport")]
        assert got == ["no_answer", "", "", True], name
        assert (balance["outcome"], balance["balance"], balance["transport"]) == (
            "no_answer",
            None,
            True,
        ), name


@rule
def each_call_asks_once(bench):
    for reply in UNUSABLE.values():
        before = len(bench.canned.seen)
        bench.all(reply)
        assert len(bench.canned.seen) - before == bench.calls


@rule
def a_call_inside_a_transaction_raises(bench):
    asking = [bench.prices] if bench.adapter.has_price_list else []
    for call in (bench.order, bench.status, bench.balance, *asking):
        with pytest.raises(CallInTransaction), transaction.atomic():
            call()
    assert bench.canned.seen == []


@rule
def a_server_that_turns_the_request_away_has_refused(bench):
    for status in (400, 401, 403, 404):
        answer = bench.order((status, "no", {}))
        got = [answer[key] for key in ("outcome", "status", "retryable", "transport")]
        assert got == ["refused", "failed", False, False], status


@rule
def too_many_requests_may_be_sent_again_later(bench):
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=121), usegmt=True)
    for after, expected in [("120", 120), (date, 120), ("²", None), ("-5", None), ("soon", None)]:
        order, status, *_others = bench.all((429, "slow down", {"Retry-After": after}))
        assert (order["outcome"], order["retryable"], order["transport"]) == (
            "refused",
            True,
            False,
        )
        for answer in (order, status):
            assert answer["retryAfter"] == (expected and pytest.approx(expected, abs=3))


@rule
def a_server_that_is_not_reached_may_be_tried_again(bench):
    for address in (NOWHERE, "http://provider.invalid", f"http://{'x' * 64}", "no address"):
        answer = bench.order(base_url=address)
        got = [answer[key] for key in ("outcome", "retryable", "transport")]
        assert got == ["refused", True, True], address
        assert bench.status(base_url=address)["transport"]


@rule
def an_answer_that_comes_too_late_is_unknown(bench):
    bench.canned.seconds, bench.settings.PROVIDER_READ_SECONDS = 0.3, 0.1
    order, status, *_others = bench.all()
    assert (order["outcome"], order["transport"]) == ("unknown", True)
    assert (status["outcome"], status["transport"]) == ("no_answer", True)


@rule
def only_allowed_addresses_are_called(bench):
    answers = bench.all(allowed_hosts=["other.example"])
    bench.settings.PROVIDER_PRIVATE_ADDRESSES = False
    answers += bench.all()
    assert {answer["outcome"] for answer in answers} <= {"refused", "no_answer", "not_offered"}
    assert bench.canned.seen == []


@rule
def only_its_own_paths_are_called(bench):
    for path in ("", "admin", "../admin", "x/../../admin", "servis/x.php", "client/api/x"):
        assert not re.fullmatch(bench.adapter.allowed_paths, path), path
    bench.all()
    assert len(bench.canned.seen) == bench.calls


@rule
def no_secret_is_in_an_answer_or_a_log(bench):
    bench.caplog.set_level(logging.DEBUG)
    bench.settings.PROVIDER_READ_SECONDS = 1
    known = " ".join(value for name, value in bench.creds.items() if SECRET in value)
    replies = [(200, known, {}), (200, f"<b>{known}", {}), (500, known, {}), (403, known, {})]
    answers = [answer for reply in replies for answer in bench.all(reply)]
    answers += bench.all(base_url=NOWHERE)
    assert SECRET not in repr(answers) + bench.caplog.text
    asked = [answer for answer in answers if answer["outcome"] != "not_offered"]
    assert all("GET " in answer["request"] for answer in asked)


@rule
def what_may_be_a_pin_in_an_unreadable_answer_is_not_kept(bench):
    for reply in [(200, "??PIN AB12-CD34", {}), (500, "AB12-CD34", {}), (200, "<b>AB12-CD34", {})]:
        assert "AB12" not in repr(bench.all(reply))


@rule
def text_that_a_database_refuses_is_not_kept(bench):
    assert bench.order((400, "no\0 thanks", {}))["answer"] == "no thanks"


@rule
def a_batch_gives_each_order_its_own_answer(bench):
    references = [f"{REFERENCE}{number}" for number in range(min(bench.adapter.status_batch, 3))]
    bench.canned.reply = HTML
    answers = bench.adapter.fetch_status_many(bench.creds, references)
    assert list(answers) == references
    assert {answer["outcome"] for answer in answers.values()} == {"no_answer"}
    many = references * (bench.adapter.status_batch + 1)
    with pytest.raises(ValueError):
        bench.adapter.fetch_status_many(bench.creds, many)


@rule
def the_request_is_told_without_secrets(bench):
    payload = {"referans": REFERENCE, "userIdentifier": "p", "extraField": "", "fieldMapping": {}}
    adapter = bench.adapter
    text = adapter.describe_order(bench.creds, adapter.package_id_example, payload)
    assert REFERENCE in text
    assert SECRET not in text


@rule
def a_package_number_of_another_shape_is_refused(bench):
    for text in ("", "no such package!", "1/../2", "1?x=1", "1&x=1", "²"):
        with pytest.raises(ValueError):
            bench.adapter.package_parameters(text)


@rule
def an_unusable_price_list_says_nothing(bench):
    for name, reply in UNUSABLE.items():
        answer = bench.prices(reply)
        assert answer["outcome"] in ("no_answer", "not_offered"), name
        assert (answer["listings"], answer["unread"], answer["skipped"]) == ([], [], 0), name
        assert answer["reason"], name


@rule
def a_price_list_has_the_numbers_that_are_ordered_by(bench):
    if not bench.adapter.has_price_list:
        return
    names = set(bench.adapter.credential_names)
    protocol = next(one for one in PROTOCOLS.values() if set(one.credentials) == names)
    bench.canned.reply = (200, protocol(Store(":memory:")).prices("", {}).text, {})
    found = bench.adapter.fetch_price_list(bench.creds)
    assert (found["outcome"], found["skipped"], found["answer"]) == ("answered", 0, "")
    ordered = {protocol.package_id(name) for name in SCENARIOS}
    assert {row["provider_package_id"] for row in found["listings"]} == ordered
    assert {row["cost"] for row in found["listings"]} == {Decimal("10.12")}


@rule
def a_provider_without_a_price_list_says_so(bench):
    without = type("Without", (type(bench.adapter),), {"has_price_list": False})()
    answer = without.fetch_price_list(bench.creds)
    assert (answer["outcome"], answer["listings"], bench.canned.seen) == ("not_offered", [], [])
    assert answer["reason"]
