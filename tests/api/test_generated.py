"""What is made up from the description, right and wrong, is answered as it says."""

from copy import deepcopy

import pytest
from schemathesis.core.failures import FailureGroup
from schemathesis.generation.hypothesis.builder import (
    HypothesisTestConfig,
    HypothesisTestMode,
    create_test,
)

from orders import api
from tests.api.description import DOCUMENT, loaded, operations
from tests.api.world import LIST, NOW, SHOW, TAKE

pytestmark = pytest.mark.django_db
LABELS = [label for label, _operation in operations()]


def ask_all(world, label, *, change=None, max_examples=5):
    """Send whatever is made up for an operation; raise where an answer is not as described.

    ``change`` takes the description before it is made use of.
    """
    document = of_this_office(world)
    if change:
        change(document)
    schema = loaded(document, max_examples=max_examples)
    schema.auth(refresh_interval=None)(world.sign)
    operation = schema.find_operation_by_label(label)
    project = schema.config
    settings = project.get_hypothesis_settings(operation=operation, phase="fuzzing")
    modes = list(HypothesisTestMode)
    config = HypothesisTestConfig(project=project, modes=modes, settings=settings)

    def ask(case):
        case.call_and_validate()

    create_test(operation=operation, test_func=ask, config=config)()


def of_this_office(world):
    """Return the description with the codes and orders that there are."""
    document = deepcopy(DOCUMENT)
    known = {"enum": [str(world.has().public_id) for _number in range(3)]}
    wanted = document["components"]["schemas"]["Wanted"]["properties"]
    wanted["productId"], wanted["packageId"] = {"enum": ["pubg"]}, {"enum": ["pubg-60"]}
    for label, operation in operations(document):
        for parameter in operation.get("parameters", ()):
            if label in (LIST, SHOW) and parameter["name"] in ("after", "id"):
                parameter["schema"] = known
    return document


@pytest.mark.parametrize("label", LABELS)
def test_whatever_is_asked_is_answered_as_described(world, label):
    ask_all(world, label)


@pytest.mark.storm
@pytest.mark.parametrize("label", LABELS)
def test_hundreds_of_requests_are_answered_as_described(world, label):
    ask_all(world, label, max_examples=500)


# Controls: a description that is wrong is found out, and so is an answer


def without_status(document):
    del document["paths"]["/api/orders/"]["post"]["responses"]["415"]


def without_property(document):
    taken = document["components"]["schemas"]["TakenOrder"]
    taken["required"].remove("price")
    del taken["properties"]["price"]


def with_property(document):
    document["components"]["schemas"]["TakenOrder"]["required"].append("currency")


def with_longer_text(document):
    document["components"]["schemas"]["Wanted"]["properties"]["userIdentifier"]["maxLength"] = 200


def with_shorter_text(document):
    document["components"]["schemas"]["Wanted"]["properties"]["userIdentifier"]["maxLength"] = 50


def with_field(document):
    document["components"]["schemas"]["Wanted"]["properties"]["note"] = {"type": "string"}


def without_method(document):
    del document["paths"]["/api/orders/"]["get"]


def with_header(document):
    headers = document["paths"]["/api/orders/"]["post"]["responses"]["201"]["headers"]
    headers["X-Order"] = {"required": True, "schema": {"type": "string"}}


@pytest.mark.anywhere
@pytest.mark.parametrize(
    ("change", "found"),
    [
        (without_status, "UndefinedStatusCode"),
        (without_property, "JsonSchemaError"),
        (with_property, "JsonSchemaError"),
        (with_longer_text, "RejectedPositiveData"),
        (with_shorter_text, "AcceptedNegativeData"),
        (with_field, "RejectedPositiveData"),
        (without_method, "AllowHeaderMismatch"),
        (with_header, "MissingHeaders"),
    ],
)
def test_control_a_wrong_description_is_found_out(world, change, found):
    assert found in faults(world, TAKE, change=change)


def faults(world, label, **kwargs):
    """Return what is found wrong with an operation."""
    with pytest.raises(FailureGroup) as failed:
        ask_all(world, label, max_examples=1, **kwargs)
    return [type(fault).__name__ for fault in failed.value.exceptions]


@pytest.mark.anywhere
@pytest.mark.parametrize("label", [LIST, SHOW])
def test_control_an_answer_with_a_property_more_is_found_out(world, label, monkeypatch):
    as_it_is = api.described
    monkeypatch.setattr(api, "described", lambda order: as_it_is(order) | {"cost": "1.00"})

    assert faults(world, label) == ["JsonSchemaError"]


@pytest.mark.anywhere
@pytest.mark.parametrize("label", [LIST, NOW])
def test_control_an_address_that_lets_everybody_in_is_found_out(world, label, monkeypatch):
    monkeypatch.setattr("orders.api_access._token_of", lambda request: world.shop.token)
    monkeypatch.setattr("backoffice.metrics.secrets.compare_digest", lambda *_tokens: True)

    assert faults(world, label) == ["IgnoredAuth"]


@pytest.mark.anywhere
def test_control_a_fault_is_found_out(world, monkeypatch):
    monkeypatch.setattr("orders.shop.orders_of", None)

    assert "ServerError" in faults(world, LIST)
