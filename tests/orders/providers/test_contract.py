"""Judges every module in ``orders/providers`` by being there, and adapters made to break a rule."""

import json
import logging

import pytest
import requests

from orders import providers
from orders.providers import Misconfigured, ProviderBinding, barakat, znet
from tests.orders.factories import NOWHERE
from tests.orders.providers.contract import ORDER_KEYS, RULES, SECRET, Bench

pytestmark = pytest.mark.django_db


@pytest.fixture
def make_bench(canned, caplog, settings):
    return lambda adapter: Bench(adapter, canned, caplog, settings)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("provider", providers.names())
def test_every_adapter_keeps_every_rule(provider, rule, make_bench):
    RULES[rule](make_bench(providers.get_adapter(provider)))


class Integration:
    """As much of an integration as a binding looks at."""

    def __init__(self, provider, **credentials):
        self.base_url, self.allowed_hosts = NOWHERE, "a.example b.example:8080"
        self.credentials = json.dumps(credentials)


@pytest.mark.parametrize("provider", providers.names())
def test_missing_credentials_are_told_by_name(provider):
    adapter = providers.get_adapter(provider)
    with pytest.raises(Misconfigured, match="credentials are missing"):
        ProviderBinding(adapter, Integration(provider)).to_credentials()


@pytest.mark.parametrize("provider", providers.names())
def test_no_credential_takes_the_place_of_the_address(provider):
    adapter = providers.get_adapter(provider)
    known = dict.fromkeys([*adapter.credential_names, "base_url", "allowed_hosts"], SECRET)
    creds = ProviderBinding(adapter, Integration(provider, **known)).to_credentials()
    assert creds["base_url"] == NOWHERE
    assert creds["allowed_hosts"] == ["a.example", "b.example:8080"]


class OwnReference(znet.Adapter):
    numbers = iter(range(100, 200))

    def order_request(self, creds, package, payload):
        return super().order_request(creds, package, payload | {"referans": next(self.numbers)})


class KeyLeftOut(znet.Adapter):
    def place_order(self, creds, package, payload):
        answer = super().place_order(creds, package, payload)
        return {name: answer[name] for name in answer if name != "transport"}


class SentAgain(znet.Adapter):
    def place_order(self, creds, package, payload):
        super().place_order(creds, package, payload)
        return super().place_order(creds, package, payload)


class OwnTransport(znet.Adapter):
    """As one writes it who does not know better: over requests, with whatever it does."""

    def place_order(self, creds, package, payload):
        request = self.order_request(creds, package, payload)
        answer = dict.fromkeys(ORDER_KEYS) | {"outcome": "refused", "status": "failed"}
        try:
            url = f"{creds['base_url']}/{request.path}"
            text = requests.get(url, params=request.parameters, timeout=1).text
        except requests.RequestException as problem:
            text = str(problem)
        return answer | {"answer": text, "reason": text, "retryable": True, "request": "GET "}


class RubbishRefused(znet.Adapter):
    def read_order(self, creds, text, referans):
        return {"outcome": "refused"}


class RubbishCompleted(znet.Adapter):
    def read_statuses(self, creds, text, references):
        return {references[0]: {"outcome": "answered", "status": "completed"}}


class SecretLogged(znet.Adapter):
    def read_order(self, creds, text, referans):
        logging.getLogger("orders").info("asked as %s", creds["sifre"])
        return super().read_order(creds, text, referans)


class SecretTold(znet.Adapter):
    def fetch_status(self, creds, referans):
        return super().fetch_status(creds, referans) | {"reason": creds["sifre"]}


class RubbishKept(znet.Adapter):
    def read_statuses(self, creds, text, references):
        return {references[0]: {"outcome": "no_answer", "reason": text}}


class EveryPath(znet.Adapter):
    allowed_paths = ".*"


class EveryPackage(znet.Adapter):
    def package_parameters(self, text):
        return {"oyun": text, "kupur": text}


class EndlessBatch(barakat.Adapter):
    def fetch_status_many(self, creds, references):
        found = super().fetch_status_many(creds, references[: self.status_batch])
        return dict.fromkeys(references, found[references[0]])


class SecretDescribed(znet.Adapter):
    def describe_order(self, creds, package, payload):
        return str(self.order_request(creds, package, payload).parameters)


class RubbishListed(znet.Adapter):
    def read_price_list(self, text):
        row = {"provider_package_id": "1:2", "name": text or "-", "cost": "1", "extra": {}}
        return [row]


class OrderedById(znet.Adapter):
    def read_price_list(self, text):
        rows = json.loads(text)["result"]
        return [
            {
                "provider_package_id": f"{row['id']}:{row['kupur']}",
                "name": row["adi"],
                "cost": row["fiyat"],
                "extra": {},
            }
            for row in rows
        ]


class ListedAnyway(znet.Adapter):
    def fetch_price_list(self, creds):
        return super().fetch_price_list(creds) | {"outcome": "answered"}


BROKEN = [
    (RubbishListed, "an_unusable_price_list_says_nothing"),
    (OrderedById, "a_price_list_has_the_numbers_that_are_ordered_by"),
    (ListedAnyway, "a_provider_without_a_price_list_says_so"),
    (OwnReference, "our_reference_travels_and_comes_back"),
    (KeyLeftOut, "answers_are_plain_and_have_all_keys"),
    (RubbishRefused, "an_unusable_answer_to_an_order_is_unknown"),
    (OwnTransport, "an_unusable_answer_to_an_order_is_unknown"),
    (RubbishCompleted, "an_unusable_answer_to_a_question_says_nothing"),
    (SentAgain, "each_call_asks_once"),
    (OwnTransport, "each_call_asks_once"),  # it follows where it is sent on to
    (OwnTransport, "a_call_inside_a_transaction_raises"),
    (OwnTransport, "a_server_that_turns_the_request_away_has_refused"),
    (OwnTransport, "too_many_requests_may_be_sent_again_later"),
    (OwnTransport, "a_server_that_is_not_reached_may_be_tried_again"),
    (OwnTransport, "an_answer_that_comes_too_late_is_unknown"),
    (OwnTransport, "only_allowed_addresses_are_called"),
    (EveryPath, "only_its_own_paths_are_called"),
    (OwnTransport, "no_secret_is_in_an_answer_or_a_log"),
    (SecretLogged, "no_secret_is_in_an_answer_or_a_log"),
    (SecretTold, "no_secret_is_in_an_answer_or_a_log"),
    (RubbishKept, "what_may_be_a_pin_in_an_unreadable_answer_is_not_kept"),
    (OwnTransport, "text_that_a_database_refuses_is_not_kept"),
    (EndlessBatch, "a_batch_gives_each_order_its_own_answer"),
    (SecretDescribed, "the_request_is_told_without_secrets"),
    (EveryPackage, "a_package_number_of_another_shape_is_refused"),
]


@pytest.mark.parametrize(("adapter", "rule"), BROKEN)
def test_control_an_adapter_that_breaks_a_rule_is_caught(adapter, rule, make_bench):
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        RULES[rule](make_bench(adapter()))


def test_every_rule_has_its_control():
    assert {rule for _adapter, rule in BROKEN} == set(RULES)
