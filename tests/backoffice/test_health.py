from datetime import timedelta

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.utils import timezone
from django_q.models import Schedule

from backoffice import clusters, health, schedules
from backoffice.clock import database_now
from backoffice.clusters import ClusterSign
from tests.backoffice.factories import make_run


@pytest.fixture(autouse=True)
def office(db):
    schedules.ensure_schedules()


def state_of(name):
    return next(task for task in health.task_states() if task.schedule.name == name)


def run_all():
    for name in schedules.SCHEDULED_TASKS:
        make_run(name)


def give_signs(seconds_ago=0):
    """Have every cluster look for work, so many seconds ago."""
    for name in clusters.configured():
        clusters.give_sign(name)
    ClusterSign.objects.update(seen_at=database_now() - timedelta(seconds=seconds_ago))


def down():
    return [state.name for state in health.cluster_states() if state.down]


def test_a_cluster_that_never_ran_is_down():
    states = health.cluster_states()

    assert [(state.name, state.last_sign) for state in states] == [
        ("DjangoORM", None),
        ("dispatch", None),
    ]
    assert down() == ["DjangoORM", "dispatch"]


def test_clusters_that_look_for_work_are_up():
    give_signs()

    assert down() == []


def test_a_cluster_that_nobody_runs_is_told_by_its_name():
    give_signs()
    ClusterSign.objects.filter(cluster="dispatch").delete()

    assert down() == ["dispatch"]


@pytest.mark.parametrize(("seconds", "names"), [(110, []), (130, ["DjangoORM", "dispatch"])])
def test_workers_at_their_longest_task_are_no_silence(seconds, names):
    give_signs(seconds_ago=seconds)

    assert down() == names


def test_a_later_sign_replaces_the_one_before():
    give_signs(seconds_ago=500)
    clusters.give_sign("dispatch")

    assert down() == ["DjangoORM"]
    assert ClusterSign.objects.count() == 2


def test_a_host_with_a_wrong_clock_sees_the_same():
    give_signs(seconds_ago=60)
    run_all()

    with time_machine.travel(timezone.now() + timedelta(hours=1)):
        assert down() == []
        assert [task.late for task in health.task_states()] == [False] * len(
            schedules.SCHEDULED_TASKS
        )


def test_an_office_without_schedules_has_no_task():
    Schedule.objects.all().delete()

    assert health.task_states() == []


def test_a_slower_task_is_waited_for():
    Schedule.objects.all().update(minutes=30)
    make_run("heartbeat", minutes_ago=60)

    assert not state_of("heartbeat").late


def test_a_paused_task_is_never_late():
    Schedule.objects.all().update(repeats=0)
    make_run("heartbeat", minutes_ago=600)

    assert not state_of("heartbeat").late


@pytest.mark.parametrize(("minutes_ago", "late"), [(14, False), (16, True)])
def test_a_task_is_late_after_three_periods(minutes_ago, late):
    make_run("check_pending_orders_batch", minutes_ago=minutes_ago)

    assert state_of("check_pending_orders_batch").late is late


def test_a_task_that_never_ran_is_late_by_its_plan():
    Schedule.objects.filter(name="heartbeat").update(next_run=timezone.now() - timedelta(minutes=4))

    assert state_of("heartbeat").late
    assert not state_of("check_pending_orders_batch").late


def test_a_failed_run_is_told_until_the_next_one():
    make_run("heartbeat", error="ValueError")
    failed = state_of("heartbeat").failed
    make_run("heartbeat")

    assert (failed, state_of("heartbeat").failed) == (True, False)


def test_it_takes_three_queries_however_many_runs_there_are(django_assert_num_queries):
    for _number in range(3):
        run_all()

    give_signs()

    with django_assert_num_queries(3):
        health.cluster_states()
        health.task_states()


def test_the_command_is_content_with_clusters_that_work(capsys):
    run_all()
    give_signs()

    call_command("check_cluster")

    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("The cluster DjangoORM is up; last sign of life: 20")
    assert said[1].startswith("The cluster dispatch is up; last sign of life: 20")


def test_the_command_names_each_cluster_that_is_down():
    clusters.give_sign("DjangoORM")

    with pytest.raises(CommandError) as told:
        call_command("check_cluster")

    assert str(told.value) == "The cluster dispatch is down; last sign of life: never."


def test_the_command_fails_when_a_task_is_late():
    run_all()
    give_signs()
    schedules.TaskRun.objects.filter(name="release_expired_locks").delete()
    make_run("release_expired_locks", minutes_ago=9)

    with pytest.raises(CommandError, match="late: release_expired_locks"):
        call_command("check_cluster")


def test_whoever_asks_hears_that_the_office_is_alive(client):
    response = client.get("/healthz")

    assert (response.status_code, response.content) == (200, b"ok\n")
    assert "no-store" in response["Cache-Control"]
    assert not response.cookies


def test_a_database_that_does_not_answer_is_told(client):
    def refuse(*args):
        raise OperationalError("password=s3cret")

    with connection.execute_wrapper(refuse):
        response = client.get("/healthz")

    assert (response.status_code, response.content) == (503, b"database does not answer\n")


def test_the_supervisor_is_not_sent_to_another_address(client, settings):
    settings.SECURE_SSL_REDIRECT = True

    assert client.get("/healthz").status_code == 200
    assert client.get("/admin/").status_code == 301
