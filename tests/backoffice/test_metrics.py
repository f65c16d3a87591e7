"""What a monitoring system reads: with its token only, and in the form that it takes."""

import re

import pytest
from django.conf import settings
from django.db import OperationalError

from backoffice import clusters, metrics, schedules
from backoffice.metrics import Metric

pytestmark = pytest.mark.django_db
LINE = re.compile(r'[a-z_]+(\{[a-z]+="([^"\\]|\\.)*"(,[a-z]+="([^"\\]|\\.)*")*\})? -?[0-9.e+]+')


@pytest.fixture
def monitor(client):
    def ask(address="/metrics", token=None):
        token = settings.METRICS_TOKEN if token is None else token
        return client.get(address, headers={"Authorization": f"Bearer {token}"})

    return ask


@pytest.mark.parametrize("address", ["/metrics", "/api/monitoring/orders/"])
@pytest.mark.parametrize("token", ["", "another", "\u06f1"])
def test_without_the_token_nothing_is_told(monitor, address, token):
    answer = monitor(address, token)

    assert (answer.status_code, answer["WWW-Authenticate"][:6]) == (401, "Bearer")
    assert "office_" not in answer.content.decode() and "open" not in answer.content.decode()


@pytest.mark.parametrize("address", ["/metrics", "/api/monitoring/orders/"])
def test_staff_have_no_way_in_without_the_token_and_nobody_posts(admin_client, address):
    assert admin_client.get(address).status_code == 401
    assert admin_client.post(address).status_code == 405


def test_every_line_is_of_the_form(monitor):
    schedules.ensure_schedules()
    clusters.give_sign("dispatch")

    answer = monitor()

    assert answer["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = answer.content.decode().splitlines()
    assert [line for line in lines if not line.startswith("# ") and not LINE.fullmatch(line)] == []
    names = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(names) == len(set(names)) and all(name.startswith("office_") for name in names)


def test_a_cluster_that_never_ran_is_told_beside_one_that_runs(monitor):
    clusters.give_sign("dispatch")

    text = monitor().content.decode()

    assert 'office_cluster_up{cluster="dispatch"} 1\n' in text
    assert 'office_cluster_up{cluster="DjangoORM"} 0\n' in text


def test_labels_are_escaped():
    told = metrics._told(Metric("x", "X.", [({"a": 'one "two"\n\\'}, 1.5)]))

    assert told.endswith('office_x{a="one \\"two\\"\\n\\\\"} 1.5\n')


def test_a_database_that_does_not_answer_is_said(monitor, monkeypatch):
    def fails():
        raise OperationalError("password=secret")

    monkeypatch.setattr(metrics, "text", fails)
    answer = monitor()

    assert (answer.status_code, answer.content) == (503, b"database does not answer\n")
