"""The description of the API as tests use it, and what it says there is."""

import json

import schemathesis
from schemathesis import checks
from schemathesis.config import SchemathesisConfig

import backoffice.urls  # noqa: F401 - there the apps register what they describe
from backoffice import openapi
from backoffice.wsgi import application

ADDRESS = "/api/openapi.json"
METHODS = ("get", "post", "put", "patch", "delete")
DOCUMENT = json.loads(openapi.document())
checks.load_all_checks()
# What every answer is held against, whatever was asked
CONFORMANCE = checks.CHECKS.get_by_names(
    [
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
    ]
)


def loaded(document=DOCUMENT, max_examples=1):
    """Return the description for requests that are made of it, to the real application."""
    settings = {
        "seed": 6,
        "warnings": False,
        "analysis": {"constants": {"enabled": False}},  # it would read the whole of our code
        "generation": {
            "deterministic": True,
            "database": "none",
            "max-examples": max_examples,
            "with-security-parameters": False,  # those of the world are sent
        },
        "phases": {"coverage": {"generate-duplicate-query-parameters": True}},
        "checks": {
            # The same key comes with other content, too.
            "positive_data_acceptance": {"expected-statuses": ["200", "201", "304", "422"]},
            "negative_data_rejection": {"expected-statuses": ["400", "401", "404", "415", "422"]},
        },
    }
    config = SchemathesisConfig.from_dict(settings)
    schema = schemathesis.openapi.from_dict(document, config=config)
    schema.app = application
    return schema


def resolved(node, document=DOCUMENT):
    """Return what a node of the document says, where it refers to another."""
    while "$ref" in node and len(node) == 1:
        found = document
        for name in node["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        node = found
    return node


def operations(document=DOCUMENT):
    """Yield (label, operation) of all that may be asked."""
    for path, methods in document["paths"].items():
        for method in METHODS:
            if method in methods:
                yield f"{method.upper()} {path}", methods[method]


def responses(document=DOCUMENT):
    """Yield (label, status, response) of every answer that there may be."""
    for label, operation in operations(document):
        for status, response in operation["responses"].items():
            yield label, int(status), resolved(response, document)


def examples(document=DOCUMENT):
    """Return the example of each answer by (label, status, name); None where there is none."""
    found = {}
    for label, status, response in responses(document):
        [media] = response.get("content", {"": {}}).values()
        for name, example in media.get("examples", {"": {"value": None}}).items():
            found[label, status, name] = example["value"]
    return found
