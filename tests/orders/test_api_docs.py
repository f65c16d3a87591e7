"""What the page about the API says, done as it says."""

import re
import shlex
from itertools import pairwise

import pytest
from django.core.cache import cache

from orders.management.commands.load_orders_demo import import_file
from orders.resources import PackageResource, ProductResource
from tests.orders.shops import Shop

PAGE = "docs/api.md"
OFFICE = "http://127.0.0.1:8000"

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(make_user):
    cache.clear()
    import_file(ProductResource, "products.csv")
    import_file(PackageResource, "packages.xlsx")
    return Shop(by=make_user("boss"))


@pytest.fixture
def page(settings):
    return (settings.BASE_DIR / PAGE).read_text()


def calls(page):
    """Return (address, body, headers) of each command."""
    found = []
    for command in re.findall(r"^curl (?:.*\\\n)*.*", page, re.MULTILINE):
        words = shlex.split(command.replace("\\\n", " "))
        pairs = list(pairwise(words))
        headers = dict(value.split(": ", 1) for word, value in pairs if word == "-H")
        body = next((value for word, value in pairs if word == "-d"), "")
        found.append((next(word for word in words if OFFICE in word), body, headers))
    return found


def test_the_commands_of_the_page_work(shop, page):
    known = {"$TOKEN": shop.plain, "$ID": ""}
    answers = []
    for address, body, headers in calls(page):
        for name, value in known.items():
            address = address.replace(name, value)
            headers = {header: text.replace(name, value) for header, text in headers.items()}
        kind = headers.pop("Content-Type", "")
        path, method = address.removeprefix(OFFICE), "POST" if body else "GET"
        answers.append(shop.ask(method, path, body, content_type=kind, **headers))
        known["$ID"] = known["$ID"] or answers[0].json()["id"]

    assert [answer.status_code for answer in answers] == [201, 200, 200, 200]
    assert answers[1].json()["id"] == answers[0].json()["id"]


def test_the_page_names_every_code_that_the_program_has(page, settings):
    names = ("api", "api_access", "api_content", "shop")
    text = "".join((settings.BASE_DIR / f"orders/{name}.py").read_text() for name in names)
    codes = {*re.findall(r'Refused\(\s*\d+, "(\w+)"', text), *re.findall('code="(.+?)"', text)}

    assert len(codes) > 15
    assert {code for code in codes if f"`{code}`" not in page} == set()
