"""The Persian catalogues: complete, sound, compiled, and no more than what the code says."""

import os
import re
import shutil
import subprocess
import sys

import polib
import pytest
from django.conf import settings

ROOT = settings.BASE_DIR
NAMES = ("backoffice", "inventory", "reservations", "orders", "locale", "locale_packages")
CATALOGUES = sorted(path for name in NAMES for path in (ROOT / name).rglob("fa/LC_MESSAGES/*.po"))
PLACEHOLDER = re.compile(r"%\(\w+\)[sdr]|%[sd]|\{\w*\}")
ADVICE = "the catalogues were not compared with the code: install gettext (apt install gettext)"

each_catalogue = pytest.mark.parametrize(
    "path", CATALOGUES, ids=[str(path.relative_to(ROOT)) for path in CATALOGUES]
)


def texts(entry):
    """Return the pairs of a message and its translation, with plural forms."""
    if entry.msgid_plural:
        return [(entry.msgid_plural, text) for text in entry.msgstr_plural.values()]
    return [(entry.msgid, entry.msgstr)]


def key(entry):
    return entry.msgctxt, entry.msgid


@each_catalogue
def test_every_entry_is_translated_and_none_is_fuzzy_or_obsolete(path):
    catalogue = polib.pofile(str(path))

    assert catalogue.untranslated_entries() == []
    assert catalogue.fuzzy_entries() == [] and not catalogue.metadata_is_fuzzy
    assert catalogue.obsolete_entries() == []


@each_catalogue
def test_placeholders_survive_the_translation(path):
    pairs = [pair for entry in polib.pofile(str(path)) for pair in texts(entry)]
    lost = [
        (message, text)
        for message, text in pairs
        if sorted(set(PLACEHOLDER.findall(message))) != sorted(set(PLACEHOLDER.findall(text)))
    ]

    assert lost == []


@each_catalogue
def test_translations_are_written_in_persian_letters(path):
    pairs = [pair for entry in polib.pofile(str(path)) for pair in texts(entry)]

    assert [text for _message, text in pairs if re.search("[يىكۀ\u0660-\u0669\u200b]", text)] == []


@each_catalogue
def test_the_compiled_catalogue_is_that_of_the_text(path):
    source = polib.pofile(str(path))
    compiled = polib.mofile(str(path.with_suffix(".mo")))

    assert {key(e): texts(e) for e in compiled} == {key(e): texts(e) for e in source}


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """The catalogues as they come out of the code now, without a translation."""
    if not shutil.which("xgettext"):
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(ADVICE)
    copy = tmp_path_factory.mktemp("code")
    for name in ("backoffice", "inventory", "reservations", "orders", "templates", "locale"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("*.po", "*.mo"))
        if name != "templates":
            (copy / name / ("" if name == "locale" else "locale")).mkdir(exist_ok=True)
    shutil.copy(ROOT / "manage.py", copy)
    environment = os.environ | {"VAR_DIR": str(settings.VAR_DIR), "PYTHONPATH": str(copy)}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    command = [sys.executable, "manage.py", "makemessages", "-l", "fa", "-v", "0"]
    subprocess.run(command, cwd=copy, check=True, env=environment, timeout=120)
    return copy


@each_catalogue
def test_the_catalogue_holds_what_the_code_says_and_nothing_else(path, fresh):
    if "locale_packages" in path.parts:
        return  # its messages are in the packages' code
    said = polib.pofile(str(fresh / path.relative_to(ROOT)))

    assert {key(entry) for entry in polib.pofile(str(path))} == {key(entry) for entry in said}
