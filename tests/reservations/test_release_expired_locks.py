"""One function behind the command, the scheduled task and the endpoint."""

import logging

import pytest
from django.core.cache import cache
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from backoffice.audit import LockEvent
from backoffice.schedules import TaskRun
from reservations import holds, tasks
from tests.reservations.factories import claim_of, let_run_out

ADDRESS = "/api/release-expired-locks/"


@pytest.fixture(autouse=True)
def own_cache(settings, tmp_path):
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
            "LOCATION": tmp_path,
        }
    }
    cache.clear()


@pytest.fixture
def run_out(event, seats, holder):
    """Two seats whose hold ran out, beside one that is free."""
    holds.hold(event, [seats[0].pk, seats[1].pk], by=holder)
    let_run_out()
    return seats[:2]


# The command


def test_the_command_prints_a_line_for_each_seat_and_the_total(event, run_out, capsys):
    call_command("release_expired_locks")

    assert capsys.readouterr().out == (
        f"✅ Released lock on Seat A1 (Event: {event.name}, was locked by holder)\n"
        f"✅ Released lock on Seat A2 (Event: {event.name}, was locked by holder)\n"
        "\n"
        "✅ Total locks released: 2\n"
    )
    assert [claim_of(seat)["status"] for seat in run_out] == ["available", "available"]
    assert LockEvent.objects.filter(action="ran_out", source="command").count() == 2


def test_the_command_says_when_there_is_nothing_to_do(event, seats, holder, capsys):
    holds.hold(event, [seats[0].pk], by=holder)
    before = claim_of(seats[0])

    call_command("release_expired_locks")

    assert capsys.readouterr().out == "✅ No expired locks to release\n"
    assert claim_of(seats[0]) == before


def test_the_command_names_a_holder_whose_account_is_gone(run_out, holder, capsys):
    holder.delete()

    call_command("release_expired_locks")

    assert "was locked by مریم رضایی)" in capsys.readouterr().out


# The task


def test_the_task_returns_and_records_its_count_and_logs_one_line(run_out, caplog):
    with caplog.at_level(logging.INFO, logger="reservations"):
        assert tasks.release_expired_locks() == 2
        assert tasks.release_expired_locks() == 0

    assert [record.message for record in caplog.records] == ["Released 2 expired seat locks"]
    counts = TaskRun.objects.filter(name="release_expired_locks").order_by("pk")
    assert list(counts.values_list("count", flat=True)) == [2, 0]


# The endpoint


def test_the_endpoint_frees_and_counts_and_may_be_asked_again(client, run_out, colleague):
    client.force_login(colleague)

    first, second = client.post(ADDRESS), client.post(ADDRESS)

    assert first.json() == {"success": True, "count": 2, "message": "Released 2 expired locks"}
    assert second.json() == {"success": True, "count": 0, "message": "Released 0 expired locks"}
    event = LockEvent.objects.filter(action="ran_out").first()
    assert (event.source, event.actor_name, event.holder_name) == (
        "api",
        "علی کریمی",
        "مریم رضایی",
    )


def test_the_endpoint_has_its_fixed_address():
    assert reverse("release-expired-locks") == ADDRESS


def refused(response, status, run_out):
    """Assert that the answer is a refusal in Persian words, and that nothing was freed."""
    answer = response.json()
    assert (response.status_code, answer["success"]) == (status, False)
    assert set(answer) == {"success", "error"}
    assert [claim_of(seat)["status"] for seat in run_out] == ["locked", "locked"]


def test_the_endpoint_refuses_a_stranger(client, run_out):
    refused(client.post(ADDRESS), 401, run_out)
    refused(Client(enforce_csrf_checks=True).post(ADDRESS), 401, run_out)


def test_the_endpoint_refuses_who_may_not(client, run_out, make_user):
    client.force_login(make_user("auditor", "reservations.view_seat"))

    refused(client.post(ADDRESS), 403, run_out)


def test_the_endpoint_refuses_a_request_without_the_pages_token(run_out, colleague):
    foreign = Client(enforce_csrf_checks=True)
    foreign.force_login(colleague)

    refused(foreign.post(ADDRESS), 403, run_out)


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_the_endpoint_takes_only_a_post(client, run_out, colleague, method):
    client.force_login(colleague)

    response = getattr(client, method)(ADDRESS)

    refused(response, 405, run_out)
    assert response["Allow"] == "POST"


def test_the_endpoint_refuses_the_thirty_first_call_of_a_minute(client, event, seats, colleague):
    client.force_login(colleague)
    answers = [client.post(ADDRESS).status_code for _call in range(30)]
    holds.hold(event, [seats[0].pk, seats[1].pk], by=colleague)
    let_run_out()

    response = client.post(ADDRESS)

    assert set(answers) == {200}
    refused(response, 429, seats[:2])
    assert 1 <= int(response["Retry-After"]) <= 60


def test_the_endpoint_tells_no_exceptions_text(client, run_out, colleague, monkeypatch, caplog):
    client.force_login(colleague)

    def fail(*args, **kwargs):
        raise RuntimeError("password of the database")

    monkeypatch.setattr(holds, "_end", fail)
    response = client.post(ADDRESS)

    refused(response, 500, run_out)
    assert "password" not in response.content.decode()
    assert "password of the database" in caplog.text
