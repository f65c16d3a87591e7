"""Real clusters on the database of the test: told to stop, killed, two at one queue."""

import os
import signal
import sys
import time

import pytest
from django.db import transaction
from django_q.models import Failure, OrmQ, Success
from django_q.tasks import async_task

from backoffice.clusters import DISPATCH, MAIN, ClusterSign
from tests.clusters import Cluster, office_clusters
from tests.processes import wait_for

pytestmark = [
    pytest.mark.processes,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(sys.platform != "linux", reason="processes are counted in /proc"),
]
# The library's queue, whose lock dies with its holder.
FRAGILE = """
import sys
from django.core.management import execute_from_command_line
from backoffice import queues
queues.survive_kills = lambda: None
execute_from_command_line(["manage.py", "run_cluster", sys.argv[1]])
"""


@pytest.fixture
def notes(tmp_path):
    """The file in which test tasks leave a line for each run."""
    (tmp_path / "notes.txt").touch()
    return tmp_path / "notes.txt"


def put(notes, words, *, function="tests.work.note", seconds=0, **more):
    with transaction.atomic():
        for word in words:
            arguments = (seconds,) if seconds else ()
            async_task(function, str(notes), word, *arguments, **more)


def wait_until_done(seconds=60):
    wait_for(lambda: not OrmQ.objects.exists(), seconds=seconds, what="the queue is empty")


def lines(notes):
    return sorted(notes.read_text().split())


def see_each_task_run_once(notes):
    good = [f"good-{number}" for number in range(20)]
    put(notes, good)
    put(notes, ["sent"], cluster=DISPATCH)
    put(notes, ["wrong"], function="tests.work.fail")
    put(notes, ["long"], seconds=60, timeout=1)  # it is cut off
    wait_until_done()
    assert lines(notes) == sorted([*good, "sent", "wrong", "long"])
    failed = Failure.objects.values_list("func", "attempt_count").order_by("func")
    assert list(failed) == [("tests.work.fail", 1), ("tests.work.note", 1)]
    assert not Success.objects.exists()


def kill_one_after_the_other(cluster, *names):
    for name in names:
        cluster.kill(cluster.find(name)[0])
        wait_for(lambda name=name: cluster.find(name), seconds=10, what="it was replaced")


def make_busy(notes, clusters):
    for cluster in clusters:
        put(notes, [f"busy-{cluster.name}"], seconds=3, cluster=cluster.name)
    wait_for(lambda: notes.read_text().count("busy-") == 2, seconds=10, what="the tasks run")


def test_each_task_runs_once_whatever_becomes_of_it_and_of_the_clusters(notes, tmp_path):
    """One start of both clusters for all of it, as a start takes seconds."""
    with office_clusters(tmp_path) as both:
        names = {MAIN, DISPATCH}
        wait_for(
            lambda: {sign.pk for sign in ClusterSign.objects.all()} == names,
            seconds=10,
            what="both give a sign of life",
        )
        see_each_task_run_once(notes)
        notes.write_text("")
        kill_one_after_the_other(both[1], " idle", " idle", " monitor", " pusher")
        put(notes, "abcd", cluster=DISPATCH)
        wait_until_done()
        make_busy(notes, both)
        for cluster in both:
            os.killpg(cluster.process.pid, signal.SIGTERM)
        assert [cluster.wait_until_gone() for cluster in both] == [0, 0]
    assert lines(notes) == ["a", "b", "busy-DjangoORM", "busy-dispatch", "c", "d"]
    assert (OrmQ.objects.count(), Failure.objects.count()) == (0, 2)


@pytest.mark.storm
def test_control_with_the_librarys_queue_a_killed_worker_stops_the_whole_cluster(notes, tmp_path):
    with Cluster(tmp_path / "log", DISPATCH, program=("-c", FRAGILE)) as cluster:
        for _worker in range(2):
            cluster.kill(cluster.find(" idle")[0])
        wait_for(lambda: len(cluster.find(" idle")) == 2, seconds=10, what="they were replaced")
        put(notes, ["a"], cluster=DISPATCH)
        time.sleep(5)
    assert lines(notes) == []


@pytest.mark.storm
@pytest.mark.parametrize("busy", [False, True])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_to_the_whole_process_group_ends_both_clusters(notes, tmp_path, number, busy):
    with office_clusters(tmp_path) as both:
        if busy:
            make_busy(notes, both)
        for cluster in both:
            os.killpg(cluster.process.pid, number)
        assert [cluster.wait_until_gone() for cluster in both] == [0, 0]
    assert (OrmQ.objects.count(), Failure.objects.count()) == (0, 0)


@pytest.mark.storm
@pytest.mark.parametrize("busy", [False, True])
def test_sigterm_to_the_head_alone_finishes_what_runs(notes, tmp_path, busy):
    with office_clusters(tmp_path) as both:
        if busy:
            make_busy(notes, both)
        for cluster in both:
            os.kill(cluster.head(), signal.SIGTERM)
        for cluster in both:
            cluster.wait_until_gone()
    assert (OrmQ.objects.count(), Failure.objects.count()) == (0, 0)


@pytest.mark.storm
def test_two_clusters_at_one_queue_run_each_task_once(notes, tmp_path):
    words = [f"{number:03d}" for number in range(500)]
    with Cluster(tmp_path / "one.log"), Cluster(tmp_path / "two.log"):
        put(notes, words)
        wait_until_done(seconds=120)
    assert lines(notes) == words
