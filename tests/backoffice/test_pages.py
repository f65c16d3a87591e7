"""Every page of the admin, in Persian for people and in ASCII for machines."""

import re

import pytest
from django.contrib.auth import get_user_model
from django.db import transaction

from tests import latin
from tests.pages import OF_A_MODEL, OF_A_ROW, fill_the_office, render

pytestmark = [pytest.mark.django_db, pytest.mark.walk]

# Codes and names of the rows, of a provider and its fields, and of the queue.
ALLOWED = {"head", "shop", "game", "a", "ID", "DjangoORM", "unknown"}
ALLOWED |= {"znet", "kod", "sifre", "barakat", "api", "token", "accepted", "completed"}
# Packages name these rows in English, past their own catalogues; only superusers see them.
UNTRANSLATABLE = re.compile(
    r"(OrmQ object|Access (Log|Attempt) for [^<\"]*|\.ico\|\.png\|\.gif - 16x16\|32x32 px)"
)


@pytest.fixture(scope="module")
def pages(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), transaction.atomic():
        fill_the_office()
        user = get_user_model().objects.create_superuser("head", first_name="سارا")
        yield render(user)
        transaction.set_rollback(True)


def found(pages, search):
    return {name: hits for name, html in pages.items() if (hits := search(html))}


def test_pages_of_every_kind_are_rendered(pages):
    kinds = {name.rsplit("_", 1)[-1] for name in pages}

    assert kinds >= {"index", *OF_A_MODEL, *OF_A_ROW}
    assert len(pages) > 60


def test_no_page_shows_a_latin_word(pages):
    def search(html):
        return latin.latin_phrases(UNTRANSLATABLE.sub("", html), ALLOWED)

    assert found(pages, search) == {}


def test_no_page_shows_a_number_in_ascii_digits(pages):
    def search(html):
        return latin.ascii_numbers(re.sub(r"OrmQ object \(\d+\)", "", html))

    assert found(pages, search) == {}


def test_no_page_has_persian_digits_where_machines_read(pages):
    assert found(pages, latin.changed_for_machines) == {}


def test_no_page_loads_anything_from_another_host(pages):
    foreign = re.compile(r"<(?:link|script|img)\b[^>]*(?:href|src)=[\"'](?:https?:)?//[^>]*>")

    assert found(pages, foreign.findall) == {}


def test_no_page_has_a_number_input_that_drops_persian_digits(pages):
    assert found(pages, re.compile(r"<input type=\"number\"[^>]*>").findall) == {}


def test_no_page_has_a_script_or_handler_written_into_it(pages):
    script = r"<script(?![^>]*\bsrc=)(?![^>]*application/json)[^>]*>"
    inline = re.compile(script + r"|\son[a-z]+=\"[^\"]*\"")

    assert found(pages, inline.findall) == {}


def test_every_page_may_be_zoomed(pages):
    assert found(pages, re.compile("user-scalable=no").findall) == {}
