"""Each answer that is described can be had, and is as its example says; nothing else is."""

import re

import pytest

from orders.models import ProductOrder
from tests.api.answers import ANSWERS, FINISHED
from tests.api.description import CONFORMANCE, examples, operations
from tests.api.world import LIST, METRICS, SHOW, TAKE

pytestmark = pytest.mark.django_db
EXAMPLES = examples()
CHANGING = {
    "an id": re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    "a time": re.compile(r"[0-9-]{10}T[0-9:.]{12}Z"),
}


def masked(value):
    """Return a value of JSON without what is another each time."""
    if isinstance(value, dict):
        return {name: masked(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [masked(inner) for inner in value]
    if isinstance(value, float):
        return "seconds"
    is_text = isinstance(value, str)
    return next(
        (name for name, form in CHANGING.items() if is_text and form.fullmatch(value)), value
    )


def told(response):
    """Return what an answer holds, as an example says it."""
    if "json" in response.headers["content-type"][0]:
        return masked(response.json())
    return response.text


def test_each_answer_that_is_described_is_had_here():
    assert set(ANSWERS) == set(EXAMPLES)


@pytest.mark.parametrize("which", ANSWERS, ids=lambda which: " ".join(map(str, which)))
def test_an_answer_is_as_it_is_described(world, which):
    label, status, _name = which

    case, response = ANSWERS[which](world)

    assert (case.operation.label, response.status_code) == (label, status)
    case.validate_response(response, checks=CONFORMANCE)
    example = EXAMPLES[which]
    if label == METRICS and status == 200:  # the example is a part of it
        assert set(example.splitlines()) <= set(response.text.splitlines())
    elif example is not None:
        assert told(response) == masked(example)


@pytest.mark.parametrize("name", ["top_up", "gift_card"])
def test_an_example_of_an_order_is_taken_as_it_is(world, name):
    wanted = world.example(TAKE, name)

    _case, response = world.ask(TAKE, body=wanted)

    assert response.status_code == 201
    assert response.json() | wanted == response.json()


def test_each_example_of_an_order_is_sent():
    body = dict(operations())[TAKE]["requestBody"]["content"]["application/json"]
    assert list(body["examples"]) == ["top_up", "gift_card"]


def test_a_question_is_asked_with_the_examples_of_its_parts(world):
    order = world.has(**FINISHED)
    ProductOrder.objects.filter(pk=order.pk).update(public_id=example_of(SHOW, "id"))
    world.shop.has(world.package, **FINISHED)

    _case, shown = world.ask(SHOW, path_parameters={"id": example_of(SHOW, "id")})
    names = ("status", "after")
    _case, listed = world.ask(LIST, query={name: example_of(LIST, name) for name in names})

    assert shown.json()["status"] == example_of(LIST, "status")
    assert listed.json() == {"orders": [], "next": None}


def example_of(label, name):
    """Return the example of a parameter."""
    parameters = dict(operations())[label]["parameters"]
    return next(found["example"] for found in parameters if found["name"] == name)
