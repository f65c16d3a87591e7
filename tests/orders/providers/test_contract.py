"""What every module in ``orders/providers`` must keep. A new one is judged by being there."""

import json
import logging

import pytest

from orders import providers
from orders.providers import Misconfigured, get_provider_binding
from tests.orders.factories import NOWHERE

pytestmark = [pytest.mark.django_db, pytest.mark.parametrize("provider", providers.names())]
SECRET = "planted-secret-7391"
PLAYER = "player & co"


class Integration:
    """As much of an integration as a binding looks at."""

    def __init__(self, provider, base_url):
        self.base_url = base_url
        self.allowed_hosts = ""
        names = providers.get_adapter(provider).credential_names
        self.credentials = json.dumps({name: f"{SECRET}-{name}" for name in names})


@pytest.fixture
def ask(provider, canned):
    """Return a function that places an order (or asks) at a server with a given answer."""

    def make(method, reply=(200, "", {}), base_url=canned.url):
        canned.reply = reply
        binding = get_provider_binding(provider, Integration(provider, base_url))
        creds, adapter = binding.to_credentials(), binding.adapter
        if method == "fetch_status":
            return adapter.fetch_status(creds, "123456")
        payload = {
            "referans": "123456",
            "userIdentifier": PLAYER,
            "extraField": "0912",
            "fieldMapping": {},
        }
        return adapter.place_order(creds, adapter.package_id_example, payload)

    return make


UNUSABLE = [
    (200, "", {}),
    (200, "<!DOCTYPE html><html></html>", {}),
    (500, "error", {}),
    (503, "", {}),
    (302, "", {"Location": "http://127.0.0.1:9/"}),
    (409, "conflict", {}),
    (200, "\x00\x01 nonsense", {}),
]


@pytest.mark.parametrize("reply", UNUSABLE, ids=lambda reply: f"{reply[0]} {reply[1][:9]!r}")
def test_an_answer_that_can_not_be_read_is_unknown(ask, canned, reply):
    answer = ask("place_order", reply)
    assert (answer["outcome"], answer["status"], answer["retryable"]) == ("unknown", "sent", False)
    assert answer["providerReferans"] == "123456"
    assert len(canned.seen) == 1


@pytest.mark.parametrize("reply", UNUSABLE, ids=lambda reply: f"{reply[0]} {reply[1][:9]!r}")
def test_a_question_without_a_readable_answer_says_nothing(ask, reply):
    answer = ask("fetch_status", reply)
    assert (answer["outcome"], answer["status"], answer["pinCode"]) == ("no_answer", "", "")


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_server_that_turns_the_request_away_has_refused(ask, status):
    answer = ask("place_order", (status, "no", {}))
    assert (answer["outcome"], answer["status"], answer["retryable"]) == (
        "refused",
        "failed",
        False,
    )


def test_too_many_requests_may_be_sent_again_later(ask):
    answer = ask("place_order", (429, "slow down", {"Retry-After": "120"}))
    assert (answer["outcome"], answer["retryable"], answer["retryAfter"]) == ("refused", True, 120)


@pytest.mark.parametrize("after", ["²", "-5", "tomorrow"])
def test_a_pause_that_can_not_be_read_is_none(ask, after):
    answer = ask("place_order", (429, "slow down", {"Retry-After": after}))
    assert (answer["outcome"], answer["retryable"], answer["retryAfter"]) == ("refused", True, None)


def test_an_answer_is_kept_without_the_sign_that_a_database_refuses(ask):
    assert ask("place_order", (400, "no\0 thanks", {}))["answer"] == "no thanks"


def test_a_server_that_is_not_reached_may_be_tried_again(ask):
    answer = ask("place_order", base_url=NOWHERE)
    assert (answer["outcome"], answer["retryable"]) == ("refused", True)


@pytest.mark.parametrize("name", ["provider.invalid", "provider..invalid", "x" * 64])
def test_a_name_that_does_not_exist_may_be_tried_again(ask, name):
    answer = ask("place_order", base_url=f"http://{name}")
    assert (answer["outcome"], answer["retryable"]) == ("refused", True)


def test_a_read_timeout_is_unknown(ask, settings, simulator):
    settings.PROVIDER_READ_SECONDS = 0.000001
    assert ask("place_order", base_url=simulator.url)["outcome"] == "unknown"


def test_an_address_of_the_internal_network_is_not_called(ask, canned, settings):
    settings.PROVIDER_PRIVATE_ADDRESSES = False
    answer = ask("place_order", (200, "OK", {}))
    assert (answer["outcome"], answer["retryable"], canned.seen) == ("refused", False, [])


def test_no_secret_is_in_an_answer_or_a_log(ask, provider, caplog):
    caplog.set_level(logging.DEBUG)
    names = providers.get_adapter(provider).credential_names
    echo = (200, f"what is {' '.join(f'{SECRET}-{name}' for name in names)}?", {})
    answers = [ask(method, echo) for method in ("place_order", "fetch_status")]
    answers += [ask(method, base_url=NOWHERE) for method in ("place_order", "fetch_status")]
    assert answers[0]["answer"].startswith("what is ***")
    assert SECRET not in repr(answers) + caplog.text


def test_the_description_of_a_request_holds_no_secret(provider):
    binding = get_provider_binding(provider, Integration(provider, NOWHERE))
    payload = {
        "referans": "123456",
        "userIdentifier": PLAYER,
        "extraField": "",
        "fieldMapping": {},
    }
    adapter = binding.adapter
    creds = binding.to_credentials()
    text = adapter.describe_order(creds, adapter.package_id_example, payload)
    assert SECRET not in text
    assert "123456" in text


def test_missing_credentials_are_told_by_name(provider):
    integration = Integration(provider, NOWHERE)
    integration.credentials = "{}"
    with pytest.raises(Misconfigured, match="credentials are missing"):
        get_provider_binding(provider, integration).to_credentials()


def test_a_package_number_of_another_shape_is_refused(provider):
    with pytest.raises(ValueError):
        providers.get_adapter(provider).package_parameters("no such package!")
