import pytest

from backoffice import json_api
from tests.threads import at_once

PEOPLE, CALLS, ALLOWED = 8, 25, 60


@pytest.fixture
def files(settings, tmp_path):
    """The cache of a real office, which is one of files."""
    backend = "django.core.cache.backends.filebased.FileBasedCache"
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": str(tmp_path)}}


@pytest.fixture(autouse=True)
def one_minute(monkeypatch):
    """The time stands still, ten seconds before its minute is over."""
    monkeypatch.setattr("time.time", lambda: 1_800_000_050.4)


def call_at_once():
    """Return the waits of many calls of one caller at the same time."""

    def call(number):
        return [json_api.seconds_to_wait("x", 1, ALLOWED) for _time in range(CALLS)]

    return [wait for waits in at_once(call, PEOPLE) for wait in waits]


def test_of_many_calls_at_once_just_as_many_as_allowed_are_let_through(files):
    waits = call_at_once()

    assert (len(waits), waits.count(0)) == (PEOPLE * CALLS, ALLOWED)
    assert set(waits) == {0, 10}


def test_control_calls_that_are_counted_side_by_side_are_lost(files, monkeypatch):
    monkeypatch.setattr("django.core.files.locks.lock", lambda file, flags: None)

    assert call_at_once().count(0) > ALLOWED


def test_each_caller_each_endpoint_and_each_minute_has_its_own_count(files, monkeypatch):
    def count(name="x", caller=1):
        return json_api.seconds_to_wait(name, caller, 1)

    first = [count(), count()]
    others = [count(caller=2), count(name="y")]
    monkeypatch.setattr("time.time", lambda: 1_800_000_060.0)

    assert (first, others, count()) == ([0, 10], [0, 0], 0)
