import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone
from django.utils.module_loading import import_string
from django_q.brokers import get_broker
from django_q.models import OrmQ, Schedule
from django_q.scheduler import scheduler
from django_q.tasks import async_task

from backoffice import schedules
from backoffice.schedules import SCHEDULED_TASKS, TaskRun, TaskSchedule, recorded
from tests.backoffice.factories import make_run
from tests.threads import at_once


@pytest.fixture
def schedule(db):
    schedules.ensure_schedules()
    return TaskSchedule.objects.get(name="heartbeat")


@pytest.fixture
def tick(monkeypatch):
    """Return the queue's own look at its schedules, on the connection of the test."""
    monkeypatch.setattr("django_q.scheduler.close_old_django_connections", lambda: None)
    return lambda: scheduler(get_broker())


def task_like(function):
    """Return a recorded task under the name of the heartbeat."""
    function.__module__, function.__name__ = "backoffice.tasks", "heartbeat"
    return recorded(function)


def queued():
    return [(row.task["func"], row.task["group"]) for row in OrmQ.objects.order_by("pk")]


def make_due(name):
    long_ago = timezone.now() - timedelta(minutes=30)
    Schedule.objects.filter(name=name).update(next_run=long_ago)


# The list


def test_every_task_of_the_list_is_a_function():
    assert all(callable(import_string(task.function)) for task in SCHEDULED_TASKS.values())


def test_what_is_missing_is_created_by_name(db):
    assert schedules.ensure_schedules() == list(SCHEDULED_TASKS)

    rows = Schedule.objects.values_list("name", "func", "minutes", "repeats")
    assert sorted(rows) == sorted(
        (task.name, task.function, task.minutes, -1) for task in SCHEDULED_TASKS.values()
    )


def test_a_second_set_up_creates_nothing(schedule):
    before = list(Schedule.objects.order_by("pk").values())

    assert schedules.ensure_schedules() == []

    assert list(Schedule.objects.order_by("pk").values()) == before


def test_what_staff_changed_survives_the_next_set_up(schedule):
    schedules.change_interval("heartbeat", 7)
    schedules.pause("check_pending_orders_batch")

    schedules.ensure_schedules()

    assert Schedule.objects.get(name="heartbeat").minutes == 7
    assert Schedule.objects.get(name="check_pending_orders_batch").repeats == 0


def test_a_function_that_is_not_the_list_s_is_set_right(schedule):
    Schedule.objects.filter(name="heartbeat").update(func="os.system", minutes=9)

    schedules.ensure_schedules()

    assert Schedule.objects.get(name="heartbeat").func == "backoffice.tasks.heartbeat"
    assert Schedule.objects.get(name="heartbeat").minutes == 9


def test_a_row_that_is_not_in_the_list_is_none_of_ours(schedule):
    stranger = Schedule.objects.create(name="stranger", func="os.getcwd")

    assert not TaskSchedule.objects.filter(pk=stranger.pk).exists()


# The clock


def test_a_task_that_is_due_is_queued(schedule, tick):
    Schedule.objects.exclude(name="heartbeat").delete()
    make_due("heartbeat")

    tick()

    assert queued() == [("backoffice.tasks.heartbeat", "heartbeat")]


def test_a_paused_task_is_never_queued(schedule, tick):
    Schedule.objects.exclude(name="heartbeat").delete()
    make_due("heartbeat")

    assert schedules.pause("heartbeat")
    tick()

    assert queued() == []
    assert TaskSchedule.objects.get().paused


def test_pausing_twice_is_pausing_once(schedule):
    assert schedules.pause("heartbeat")
    assert not schedules.pause("heartbeat")


def test_resuming_queues_at_once_and_by_the_clock_again(schedule):
    schedules.pause("heartbeat")

    assert schedules.resume("heartbeat")

    again = TaskSchedule.objects.get(name="heartbeat")
    assert queued() == [("backoffice.tasks.heartbeat", "heartbeat")]
    assert (again.repeats, again.next_run > timezone.now()) == (-1, True)


def test_what_is_not_paused_is_not_resumed(schedule):
    assert not schedules.resume("heartbeat")

    assert queued() == []


def test_a_new_interval_counts_from_now(schedule):
    schedules.change_interval("heartbeat", 60)

    again = TaskSchedule.objects.get(name="heartbeat")
    ahead = again.next_run - timezone.now()
    assert again.minutes == 60
    assert timedelta(minutes=59) < ahead < timedelta(minutes=61)
    assert len(queued()) == 1


def test_a_shorter_interval_does_not_wait_for_the_longer_one(schedule):
    later = timezone.now() + timedelta(hours=20)
    Schedule.objects.filter(name="heartbeat").update(minutes=1440, next_run=later)

    schedules.change_interval("heartbeat", 1)

    ahead = TaskSchedule.objects.get(name="heartbeat").next_run - timezone.now()
    assert ahead < timedelta(minutes=2)


def test_the_interval_of_a_paused_task_changes_and_it_stays_paused(schedule):
    schedules.pause("heartbeat")

    schedules.change_interval("heartbeat", 60)

    again = TaskSchedule.objects.get(name="heartbeat")
    assert (again.minutes, again.paused, queued()) == (60, True, [])


# Run now


def test_run_now_queues_the_function_of_the_list(schedule):
    Schedule.objects.filter(name="heartbeat").update(func="os.system")

    assert schedules.run_now("heartbeat")

    assert queued() == [("backoffice.tasks.heartbeat", "heartbeat")]


def test_a_double_click_queues_once(schedule):
    assert schedules.run_now("heartbeat")
    assert not schedules.run_now("heartbeat")

    assert len(queued()) == 1


def test_a_click_a_while_later_queues_again(schedule):
    schedules.run_now("heartbeat")
    a_while = timezone.now() + timedelta(minutes=1) - schedules.ONE_CLICK
    Schedule.objects.filter(name="heartbeat").update(next_run=a_while)

    assert schedules.run_now("heartbeat")

    assert len(queued()) == 2


def test_what_the_clock_has_just_queued_is_not_queued_again(schedule, tick):
    Schedule.objects.exclude(name="heartbeat").delete()
    Schedule.objects.update(next_run=timezone.now() - timedelta(seconds=1))
    tick()

    assert not schedules.run_now("heartbeat")

    assert len(queued()) == 1


def test_a_paused_task_runs_now_and_stays_paused(schedule):
    schedules.pause("heartbeat")

    assert schedules.run_now("heartbeat")

    assert len(queued()) == 1
    assert TaskSchedule.objects.get(name="heartbeat").paused


def test_queueing_goes_with_its_transaction(schedule):
    before = schedule.next_run

    with pytest.raises(ZeroDivisionError), transaction.atomic():
        schedules.run_now("heartbeat")
        raise ZeroDivisionError

    assert queued() == []
    assert TaskSchedule.objects.get(name="heartbeat").next_run == before


CLICKS = 8


@pytest.fixture
def clicked(transactional_db):
    schedules.ensure_schedules()


def test_of_many_clicks_at_once_one_queues(clicked):
    answers = at_once(lambda number: schedules.run_now("heartbeat"), CLICKS)

    assert sorted(answers) == [False] * (CLICKS - 1) + [True]
    assert len(queued()) == 1


def test_control_reading_before_writing_queues_several_times(clicked):
    everybody_has_read = threading.Barrier(CLICKS)

    def run_naively(number):
        schedule = TaskSchedule.objects.get(name="heartbeat")
        everybody_has_read.wait()
        following = timezone.now() + timedelta(minutes=schedule.minutes)
        if schedule.next_run <= following - schedules.ONE_CLICK:
            TaskSchedule.objects.filter(pk=schedule.pk).update(next_run=following)
            async_task(schedule.func, q_options={"group": schedule.name})

    at_once(run_naively, CLICKS)

    assert len(queued()) == CLICKS


# The record of runs


def test_a_run_leaves_its_count_and_its_time(db):
    assert task_like(lambda: 3)() == 3

    run = TaskRun.objects.get()
    assert (run.name, run.count, run.error) == ("heartbeat", 3, "")
    assert run.duration >= timedelta(0)
    assert abs(timezone.now() - run.started_at) < timedelta(seconds=5)


def test_a_task_that_fails_leaves_no_word_of_its_error(db):
    def fail():
        raise ValueError("https://provider/?password=s3cret")

    with pytest.raises(ValueError, match="s3cret"):
        task_like(fail)()

    run = TaskRun.objects.get()
    assert (run.error, run.count) == ("ValueError", None)
    assert "s3cret" not in str(TaskRun.objects.values().get())


def test_a_task_that_is_cut_off_for_its_length_is_recorded(db):
    class TimeoutException(SystemExit):
        pass

    def hang():
        raise TimeoutException

    with pytest.raises(TimeoutException):
        task_like(hang)()

    assert TaskRun.objects.get().error == "TimeoutException"


def test_a_broken_transaction_does_not_hide_what_broke_it(db, caplog):
    def fail():
        connection.set_rollback(True)  # as a fault of the database does
        raise ValueError("what broke it")

    with pytest.raises(ValueError, match="what broke it"), transaction.atomic():
        task_like(fail)()

    assert "could not be recorded" in caplog.text
    assert not TaskRun.objects.exists()


def test_the_newest_runs_of_each_task_are_kept(db, monkeypatch):
    monkeypatch.setattr(schedules, "RUNS_KEPT", 3)
    for count in range(5):
        make_run("heartbeat", count=count)
    for count in range(4):
        make_run("release_expired_locks", count=count)

    task_like(lambda: 5)()

    runs = TaskRun.objects.order_by("pk")
    assert [run.count for run in runs.filter(name="heartbeat")] == [3, 4, 5]
    assert runs.filter(name="release_expired_locks").count() == 4


def test_only_a_task_of_the_list_can_be_recorded():
    with pytest.raises(KeyError):
        recorded(lambda: 0)
