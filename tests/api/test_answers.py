"""Each answer that is described can be had, and is as its example says; nothing else is."""

import re

import pytest

from tests.api.answers import ANSWERS
from tests.api.description import CONFORMANCE, examples
from tests.api.world import METRICS

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
