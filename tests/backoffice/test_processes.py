"""The life of the processes, with stand-ins for the office's own; tests/backoffice/test_run.py
has the real ones."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time

import pytest

from tests.processes import ROOT, free_port, members_of, sessions_of, wait_for

pytestmark = [
    pytest.mark.anywhere,
    pytest.mark.processes,
    pytest.mark.skipif(sys.platform != "linux", reason="processes are counted in /proc"),
]
SLEEPER = "exec sleep 60"
# Ends two seconds after it was told to, as a cluster with a running task would.
SLOW = """trap 'sleep 2; echo task done; exit 0' TERM; echo ready; while :; do sleep 0.1; done"""
DEAF = "trap '' TERM; echo ready; while :; do sleep 0.1; done"


@pytest.fixture
def start(tmp_path):
    """Return a function that starts an office of stand-ins."""
    running = []

    def start(**commands):
        changes = commands.pop("plan", {})
        plan = {"commands": commands, "host": "127.0.0.1", "port": free_port(), "patience": 30}
        plan |= {"greeting": "open", "needed_to_the_end": ["last"]} | changes
        with (tmp_path / "output.txt").open("w") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "backoffice.processes", json.dumps(plan)],
                cwd=ROOT,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        running.append(process)
        process.words = lambda: (tmp_path / "output.txt").read_text()
        wait_for(
            lambda: len(sessions_of(process.pid)) == 1 + len(commands),
            seconds=10,
            what="every command runs",
        )
        process.sessions = sessions_of(process.pid)
        return process

    yield start
    for process in running:
        for pid in members_of(process.sessions):
            os.kill(pid, signal.SIGKILL)
        process.wait()


def end(process, seconds=10):
    status = process.wait(timeout=seconds)
    assert members_of(process.sessions) == set(), process.words()
    return status


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_every_signal_to_stop_ends_every_process(start, number):
    office = start(web=SLEEPER, cluster=SLEEPER)
    office.send_signal(number)
    assert end(office) == 0


def test_a_signal_to_the_whole_group_is_no_different(start):
    office = start(web=SLEEPER, cluster=SLEEPER)
    os.killpg(office.pid, signal.SIGINT)
    assert end(office) == 0


def test_a_signal_before_everything_has_started_ends_every_process(tmp_path):
    plan = {"commands": {"web": SLEEPER, "cluster": SLEEPER}, "patience": 30, "host": "127.0.0.1"}
    plan |= {"port": free_port(), "greeting": "open"}
    for delay in (0.1, 0.15, 0.2, 0.25, 0.3):
        office = subprocess.Popen(
            [sys.executable, "-m", "backoffice.processes", json.dumps(plan)],
            cwd=ROOT,
            start_new_session=True,
            stdout=subprocess.DEVNULL,
        )
        time.sleep(delay)
        sessions = sessions_of(office.pid)
        office.terminate()
        office.wait(timeout=10)
        assert members_of(sessions) == set()


def test_a_running_task_is_finished_before_the_office_is_closed(start):
    office = start(web=SLEEPER, cluster=SLOW)
    wait_for(lambda: "ready" in office.words(), seconds=5, what="the trap is set")
    office.terminate()
    assert end(office) == 0
    assert "task done" in office.words()


def test_what_the_others_need_is_stopped_after_them(start):
    office = start(cluster=SLOW, last="trap 'echo last; exit 0' TERM; while :; do sleep 0.1; done")
    wait_for(lambda: "ready" in office.words(), seconds=5, what="the trap is set")
    office.terminate()
    assert end(office) == 0
    assert office.words().index("task done") < office.words().index("| last")


def test_a_second_signal_cuts_a_running_task_off(start):
    office = start(web=SLEEPER, cluster=DEAF)
    wait_for(lambda: "ready" in office.words(), seconds=5, what="the trap is set")
    office.terminate()
    time.sleep(0.5)
    assert office.poll() is None
    office.terminate()
    assert end(office) == 0


def test_patience_ends(start):
    office = start(cluster=DEAF, plan={"patience": 1})
    wait_for(lambda: "ready" in office.words(), seconds=5, what="the trap is set")
    office.terminate()
    assert end(office) == 0
    assert "Still running after 1 seconds: cluster." in office.words()


def test_one_that_ends_by_itself_closes_the_office_and_is_named(start):
    office = start(web=SLEEPER, cluster="sleep 1; exit 3")
    assert end(office) == 1
    assert "cluster ended by itself with status 3; the office closes." in office.words()


def test_a_killed_office_leaves_nothing_behind(start):
    office = start(web=SLEEPER, cluster=SLEEPER)
    office.kill()
    wait_for(lambda: not members_of(office.sessions), seconds=5, what="no process is left")


def test_the_address_is_told_when_somebody_listens_there(start):
    port = free_port()
    listen = f"sleep 1; exec {shlex.quote(sys.executable)} -m http.server -b 127.0.0.1 {port}"
    office = start(web=listen, plan={"port": port, "greeting": "Come in"})
    assert "Come in" not in office.words()
    wait_for(lambda: "Come in" in office.words(), seconds=10, what="the greeting")
