"""The description: where it is, and that what it says of limits and names is the code's own."""

import re
from unicodedata import category

import pytest
from django.conf import settings
from django.test import Client
from django.urls import get_resolver, resolve
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

from backoffice import json_api, openapi
from orders import api, monitoring
from orders.api_content import KEY, MOST_BYTES, ContentForm
from orders.models import OPEN, ReviewReason, Status
from tests.api.description import ADDRESS, DOCUMENT, examples, operations, responses
from tests.api.world import OF_SHOPS, TAKE

SCHEMAS = DOCUMENT["components"]["schemas"]
# All that is no letter, digit or mark, and one of those
SIGNS = ["ا", *(sign for sign in map(chr, range(0xD800)) if category(sign)[0] in "CZ"), "\ufeff"]


def test_the_description_is_served_to_whoever_asks_without_the_database(client):
    answer = client.get(ADDRESS)

    assert answer.json() == DOCUMENT
    assert answer["Content-Language"] == "en" and not answer.cookies
    assert answer["Cache-Control"] == "public, max-age=300"


def test_it_is_not_sent_again_to_who_has_it(client):
    mark = client.get(ADDRESS)["ETag"]

    again = client.get(ADDRESS, headers={"If-None-Match": mark})

    assert (again.status_code, again.content, again["ETag"]) == (304, b"", mark)
    assert (again["Content-Language"], again["Cache-Control"]) == ("en", "public, max-age=300")


def test_it_is_openapi_as_its_standard_has_it():
    OPENAPI_31_VALIDATOR.validate(DOCUMENT)


def test_control_what_is_no_openapi_is_found_out():
    without_words = {"paths": {"/x": {"get": {"responses": {"200": {}}}}}}
    assert not OPENAPI_31_VALIDATOR.is_valid(DOCUMENT | without_words)


def test_it_holds_no_secret():
    text = openapi.document().decode()
    for secret in (settings.METRICS_TOKEN, settings.SECRET_KEY, *settings.ENCRYPTION_KEYS):
        assert secret not in text


def test_what_is_described_twice_is_found_out():
    with pytest.raises(AssertionError, match="openapi is described twice"):
        openapi._merge({"openapi": "3.1.0"}, {"openapi": "3.1.0"})


# Every address, and nothing else


def addresses(patterns=None, before=""):
    """Yield each address for programs: those under /api/, and those that answer no person."""
    for found in get_resolver().url_patterns if patterns is None else patterns:
        route = before + str(found.pattern)
        if hasattr(found, "url_patterns"):
            if not route.startswith("admin"):
                yield from addresses(found.url_patterns, route)
        elif route.startswith("api/") or ("/" not in route and route):
            yield "/" + route.replace("<str:public_id>", "{id}")


def test_each_address_is_described():
    assert set(addresses()) - {"/api/orders"} == set(DOCUMENT["paths"])
    assert resolve("/api/orders").func is resolve("/api/orders/").func


def test_what_answers_hold_is_always_there_and_nothing_else():
    closed = [node for node in objects(DOCUMENT) if node.get("additionalProperties") is False]

    assert len(closed) > 8
    for node in closed:
        if node is not SCHEMAS["Wanted"]:
            assert set(node["required"]) == set(node["properties"])
    opened = [name for name, node in SCHEMAS.items() if "OrderFields" in node.get("$ref", "")]
    assert opened == ["Order", "OrderWithPin"]
    assert all(SCHEMAS[name]["unevaluatedProperties"] is False for name in opened)
    assert set(SCHEMAS["OrderFields"]["required"]) == set(SCHEMAS["OrderFields"]["properties"])


def objects(node):
    """Yield every schema of an object in the document."""
    if isinstance(node, dict):
        if node.get("type") == "object" and "properties" in node:
            yield node
        node = list(node.values())
    for inner in node if isinstance(node, list) else []:
        yield from objects(inner)


# As the code refuses: by a code of the whole, or of a field
CODE = re.compile('Refused\\(\\s*\\d+, "(\\w+)"|code="(.+?)"')


def test_codes_are_those_of_the_code():
    files = [
        settings.BASE_DIR / f"orders/{name}.py" for name in ("api", "api_access", "api_content")
    ]
    text = "".join(file.read_text() for file in [*files, settings.BASE_DIR / "orders/shop.py"])
    text += (settings.BASE_DIR / "orders/models.py").read_text().split("def clean(self)")[1]
    own = {code for found in CODE.findall(text) for code in found if code}
    django_s = {"required", "max_length"}

    told = {
        code
        for (label, status, _name), example in examples().items()
        if label in OF_SHOPS and status >= 400
        for code in codes(example)
    }
    assert told | {"method_not_allowed"} == own | django_s | {"invalid"}


def test_codes_that_are_described_have_an_example():
    for label, status, response in responses():
        if label in OF_SHOPS and status >= 400:
            [media] = response["content"].values()
            described = set(enumerated(media["schema"]))
            told = {
                code for example in media["examples"].values() for code in codes(example["value"])
            }
            assert described | {"invalid"} == told | {"invalid"}, (label, status)


def codes(refusal):
    return [refusal["code"], *(field["code"] for field in refusal.get("fields", {}).values())]


def enumerated(node):
    """Yield what a schema lets a code be."""
    if isinstance(node, dict):
        yield from node.get("enum", [node["const"]] if "const" in node else [])
        node = list(node.values())
    for inner in node if isinstance(node, list) else []:
        yield from enumerated(inner) if isinstance(inner, (dict, list)) else ()


def test_a_shop_may_ask_what_is_described():
    for path, view in (("/api/orders/", api.orders), ("/api/orders/{id}/", api.order)):
        assert {method.upper() for method in DOCUMENT["paths"][path]} == set(view.handlers)


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/healthz", "/metrics", ADDRESS, "/api/monitoring/orders/"])
def test_a_wrong_method_at_an_address_that_is_read_is_told_so(path):
    answer = Client(enforce_csrf_checks=True).post(path)

    assert (answer.status_code, answer["Allow"]) == (405, "GET, HEAD")


# Limits and names


def test_limits_of_content_are_those_of_the_code():
    described = SCHEMAS["Wanted"]["properties"]
    form = ContentForm()

    assert list(described) == list(form.fields)
    for name, field in form.fields.items():
        assert described[name]["maxLength"] == field.max_length
    required = [name for name, field in form.fields.items() if field.required]
    assert SCHEMAS["Wanted"]["required"] == required
    body = dict(operations())[TAKE]["requestBody"]
    assert body["description"].startswith(f"At most {MOST_BYTES} bytes")


@pytest.mark.parametrize("name", ["userIdentifier", "extraField"])
def test_a_text_is_accepted_sign_by_sign_as_it_is_described(name):
    described = SCHEMAS["Wanted"]["properties"][name]
    pattern = re.compile(described.get("pattern") or SCHEMAS["Text"]["pattern"])
    content = {"productId": "p", "packageId": "p", "userIdentifier": "u"}

    def differs(sign):
        return bool(pattern.fullmatch(sign)) != ContentForm(content | {name: sign}).is_valid()

    assert [hex(ord(sign)) for sign in SIGNS if differs(sign)] == []


def test_the_key_of_a_request_is_described_as_it_is_checked():
    [parameter] = dict(operations())[TAKE]["parameters"]
    assert parameter["schema"]["pattern"] == f"^{KEY.pattern}$"


def test_states_and_reasons_are_those_of_the_code():
    now = SCHEMAS["OrdersNow"]["properties"]

    assert SCHEMAS["Status"]["enum"] == Status.values
    assert SCHEMAS["TakenOrder"]["properties"]["status"]["const"] == Status.PENDING
    assert now["open"]["required"] == list(OPEN)
    assert now["forReview"]["propertyNames"]["enum"] == ReviewReason.values
    assert now["lastCompleted"]["maxItems"] == monitoring.NEWEST
    assert SCHEMAS["OrderPage"]["properties"]["orders"]["maxItems"] == api.A_PAGE


def test_limits_of_calls_are_those_of_the_code():
    words = {tag["name"]: tag["description"] for tag in DOCUMENT["tags"]}

    assert f"({settings.ORDER_API_CALLS_A_MINUTE}, unless" in words["Orders"]
    assert json_api.MINUTE == 60


def test_cookies_are_those_of_the_code():
    schemes = DOCUMENT["components"]["securitySchemes"]

    assert schemes["staffSession"]["name"] == settings.SESSION_COOKIE_NAME
    header = schemes["staffForm"]["name"].upper().replace("-", "_")
    assert f"HTTP_{header}" == settings.CSRF_HEADER_NAME
    assert f"`{settings.CSRF_COOKIE_NAME}`" in schemes["staffForm"]["description"]
