"""The office as ``make run`` starts it: real processes, counted by their sessions."""

import os
import re
import signal
import sqlite3
import stat
import sys
import time

import pytest
import requests

from tests.conftest import offices
from tests.processes import free_port, title, wait_for

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(sys.platform != "linux", reason="processes are counted in /proc"),
]
SLEEP = "from django_q.tasks import async_task; async_task('time.sleep', {})"


def working(office):
    """Return whether a worker of the cluster is at a task."""
    return [pid for pid in office.members() if " processing " in title(pid)]


def test_two_first_starts_at_once_make_one_office_that_closes_without_a_trace(make_office):
    office = make_office(DEMO="no").start()
    wait_for(lambda: "Setting up" in office.output, seconds=20, what="the first set-up begins")
    second = office.manage("run_office", PORT=str(free_port()))
    assert second.returncode == 1
    assert "The office is being set up already" in second.stderr
    office.wait_until_open()
    assert "Administrator: admin   password: " in office.output
    assert not (office.folder / "demo-passwords.txt").exists()
    assert not any("provider_simulator" in title(pid) for pid in office.members())
    os.killpg(office.process.pid, signal.SIGINT)  # as a terminal does it
    assert office.stop(signal.SIGINT) == 0


def test_a_killed_office_leaves_nothing_behind_and_a_second_run_changes_nothing(
    make_office, empty_office
):
    office = make_office(copy_of=empty_office).start().wait_until_open()
    office.process.kill()
    office.wait_until_gone()
    count = (
        "from django.contrib.auth.models import User, Group, Permission;"
        "from django_q.models import Schedule;"
        "print([list(m.objects.values_list('pk', flat=True)) for m in (User, Group, Schedule)])"
    )
    before = office.manage("shell", "-v0", "-c", count).stdout
    secrets, output = (office.folder / "secrets.env").read_text(), office.output
    office.start().wait_until_open()
    assert office.manage("shell", "-v0", "-c", count).stdout == before
    assert (office.folder / "secrets.env").read_text() == secrets
    assert "password" not in office.output.removeprefix(output)
    assert office.stop() == 0


def test_a_running_task_is_finished_before_the_office_is_closed(make_office, empty_office):
    office = make_office(copy_of=empty_office).start().wait_until_open()
    assert office.manage("shell", "-c", SLEEP.format(6)).returncode == 0
    wait_for(lambda: working(office), seconds=10, what="the task runs")
    began = time.monotonic()
    assert office.stop() == 0
    assert time.monotonic() - began > 3
    left = "from django_q.models import OrmQ; print(OrmQ.objects.count())"
    assert office.manage("shell", "-v0", "-c", left).stdout.strip() == "0"


@pytest.mark.anywhere
def test_a_second_ctrl_c_cuts_the_task_off(make_office, empty_office):
    office = make_office(copy_of=empty_office).start().wait_until_open()
    assert office.manage("shell", "-c", SLEEP.format(80)).returncode == 0
    wait_for(lambda: working(office), seconds=10, what="the task runs")
    office.process.send_signal(signal.SIGINT)
    time.sleep(1)
    assert office.process.poll() is None
    assert office.stop(signal.SIGINT, seconds=10) == 0


@pytest.mark.anywhere
@pytest.mark.parametrize(
    ("victim", "name"),
    [
        ("gunicorn: master", "web"),
        pytest.param("python manage.py run_cluster", "cluster|dispatch", marks=pytest.mark.storm),
        ("qcluster MainProcess", "cluster|dispatch"),  # both heads are called so
    ],
)
def test_when_one_process_is_killed_the_office_closes_and_names_it(
    make_office, empty_office, victim, name
):
    office = make_office(copy_of=empty_office).start().wait_until_open()
    os.kill(min(pid for pid in office.members() if title(pid).startswith(victim)), signal.SIGKILL)
    office.wait_until_gone()
    assert office.process.returncode == 1
    assert re.search(rf"({name}) ended by itself with status ", office.output)


@pytest.fixture(scope="module")
def running(tmp_path_factory, collected_static, databases, empty_office):
    """An office that is open, for tests that leave it so."""
    folder = tmp_path_factory.mktemp("running")
    with offices(folder, collected_static, databases) as make:
        yield make(copy_of=empty_office).start().wait_until_open()


def test_both_clusters_give_a_sign_from_their_first_moment(running):
    said = running.manage("check_cluster")
    assert (said.returncode, said.stderr) == (0, "")
    assert [line.split(";")[0] for line in said.stdout.splitlines()] == [
        "The cluster DjangoORM is up",
        "The cluster dispatch is up",
    ]


@pytest.mark.anywhere
def test_a_second_office_at_the_same_port_is_told_so(running):
    second = running.manage("run_office")
    assert second.returncode == 1
    assert second.stderr.startswith(f"CommandError: Port {running.port} on 127.0.0.1 is taken:")
    assert second.stderr.count("\n") == 1
    assert running.answers()


@pytest.mark.anywhere
def test_static_files_are_served_compressed_and_hashed(running):
    answer = requests.get(f"{running.url}/admin/login/", timeout=5)
    assert "text/html" in answer.headers["Content-Type"]
    style = answer.text.split('rel="stylesheet" href="', 1)[1].split('"', 1)[0]
    sheet = requests.get(running.url + style, headers={"Accept-Encoding": "br"}, timeout=5)
    assert sheet.headers["Content-Encoding"] == "br"
    assert "immutable" in sheet.headers["Cache-Control"]


def test_a_locked_database_is_told_in_one_sentence(make_office, databases):
    if databases.kind != "sqlite":
        pytest.skip("a file can be locked, a server not")
    office = make_office(DEMO="no")
    writer = sqlite3.connect(office.folder / "office.sqlite3", isolation_level=None)
    writer.execute("BEGIN EXCLUSIVE")
    refused = office.manage("run_office")
    writer.close()
    assert refused.returncode == 1
    assert refused.stderr.startswith("CommandError: The database ")
    assert "is locked" in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_a_half_migrated_database_is_told_in_one_sentence(make_office):
    office = make_office(DEMO="no")
    assert office.manage("migrate", "-v0", "auth").returncode == 0
    refused = office.manage("run_office")
    assert refused.returncode == 1
    assert refused.stderr.startswith("CommandError: The first set-up of this database was broken")
    assert refused.stderr.count("\n") == 1


def test_a_first_set_up_that_was_interrupted_never_counts_as_an_office(make_office):
    office = make_office(DEMO="no").start()
    wait_for(lambda: "Setting up" in office.output, seconds=20, what="the first set-up begins")
    time.sleep(0.7)
    office.process.kill()
    office.process.wait()
    again = office.manage("set_up_office")
    assert again.returncode == 0 or "was broken off" in again.stderr
    assert ("Administrator" in again.stdout) == (again.returncode == 0)


def test_the_data_folder_keeps_secrets_for_their_owner(empty_office):
    mode = stat.S_IMODE((empty_office.folder / "secrets.env").stat().st_mode)
    assert mode == 0o600
