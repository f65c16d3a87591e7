from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.utils import timezone
from django_q.models import Schedule

from backoffice import health, schedules
from tests.backoffice.factories import make_run


@pytest.fixture(autouse=True)
def office(db):
    schedules.ensure_schedules()


def state_of(name):
    return next(task for task in health.cluster().tasks if task.schedule.name == name)


def run_all():
    for name in schedules.SCHEDULED_TASKS:
        make_run(name)


def test_a_cluster_that_never_ran_is_down():
    state = health.cluster()

    assert (state.down, state.last_sign) == (True, None)
    assert [task.last_run for task in state.tasks] == [None] * len(schedules.SCHEDULED_TASKS)


def test_an_office_without_schedules_has_a_cluster_that_is_down():
    Schedule.objects.all().delete()

    assert health.cluster() == health.ClusterHealth(None, True, [])


def test_a_cluster_that_beats_is_up():
    run = make_run("heartbeat", minutes_ago=3)

    state = health.cluster()

    assert (state.down, state.last_sign) == (False, run.started_at)


def test_after_three_periods_without_a_sign_it_is_down():
    run = make_run("heartbeat", minutes_ago=3.6)

    state = health.cluster()

    assert (state.down, state.last_sign) == (True, run.started_at)


def test_any_run_is_a_sign_of_life():
    make_run("heartbeat", minutes_ago=60)
    make_run("release_expired_locks")

    assert not health.cluster().down


def test_a_slower_heartbeat_is_waited_for():
    Schedule.objects.all().update(minutes=30)
    make_run("heartbeat", minutes_ago=60)

    assert not health.cluster().down


def test_where_everything_is_paused_silence_is_no_fault():
    Schedule.objects.all().update(repeats=0)
    make_run("heartbeat", minutes_ago=600)

    state = health.cluster()

    assert not state.down
    assert [task.late for task in state.tasks] == [False] * len(state.tasks)


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


def test_it_takes_two_queries_however_many_runs_there_are(django_assert_num_queries):
    for _number in range(3):
        run_all()

    with django_assert_num_queries(2):
        health.cluster()


def test_the_command_is_content_with_a_cluster_that_works(capsys):
    run_all()

    call_command("check_cluster")

    assert capsys.readouterr().out.startswith("The cluster is up; last sign of life: 20")


def test_the_command_fails_when_the_cluster_is_down():
    with pytest.raises(CommandError, match="down; last sign of life: never"):
        call_command("check_cluster")


def test_the_command_fails_when_a_task_is_late():
    run_all()
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
