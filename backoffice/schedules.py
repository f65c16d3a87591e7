"""The one list of what runs by the clock, and the record of each run.

``ensure_schedules`` creates what is missing by name and leaves alone what is there, so that an
interval changed in the admin survives every deploy.
"""

import functools
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import ParamSpec, TypeVar

from django.db import Error as DatabaseFault
from django.db import models, transaction
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django_q.models import Schedule
from django_q.tasks import async_task

from backoffice.clock import database_now
from backoffice.clusters import MAIN

logger = logging.getLogger(__name__)
RUNS_KEPT = 1500  # of each task: a day of one that runs every minute
LATE_PERIODS = 3
TICK = timedelta(seconds=30)  # how often the queue looks at its schedules
# One click, however often the finger fell.
ONE_CLICK = timedelta(seconds=10)
FOR_EVER = -1  # repeats of a schedule

P = ParamSpec("P")
Count = TypeVar("Count", bound=int | None)


@dataclass(frozen=True)
class ScheduledTask:
    """A task of the office: its name in the database, its function, its minutes, its label."""

    name: str
    function: str
    minutes: int
    label: str | Promise


SCHEDULED_TASKS = {
    task.name: task
    for task in (
        ScheduledTask(
            "clear_stale_edit_locks",
            "backoffice.tasks.clear_stale_edit_locks",
            1,
            _("Clear edit locks that ran out"),
        ),
        ScheduledTask(
            "release_expired_locks",
            "reservations.tasks.release_expired_locks",
            1,
            _("Free seats whose hold ran out"),
        ),
        ScheduledTask(
            "check_pending_orders_batch",
            "orders.tasks.check_pending_orders_batch",
            5,
            _("Send and check open orders"),
        ),
        ScheduledTask(
            "fetch_price_lists",
            "orders.tasks.fetch_price_lists",
            6 * 60,
            _("Fetch the providers' price lists"),
        ),
        ScheduledTask(
            "purge_drafts",
            "backoffice.tasks.purge_drafts",
            24 * 60,
            _("Delete drafts that are too old"),
        ),
        ScheduledTask(
            "purge_failures",
            "backoffice.tasks.purge_failures",
            24 * 60,
            _("Delete old failures of the queue"),
        ),
        ScheduledTask("heartbeat", "backoffice.tasks.heartbeat", 1, _("Sign of life")),
    )
}
BY_FUNCTION = {task.function: task for task in SCHEDULED_TASKS.values()}


class TaskRun(models.Model):
    """One run of a scheduled task; the last ``RUNS_KEPT`` of each are kept."""

    name = models.CharField(_("task"), max_length=100)
    started_at = models.DateTimeField(_("started"))
    duration = models.DurationField(_("duration"))
    count = models.PositiveIntegerField(_("rows done"), null=True)
    error = models.CharField(_("error"), max_length=300, blank=True)

    class Meta:
        verbose_name = _("task run")
        verbose_name_plural = _("task runs")
        ordering = ["-pk"]
        default_permissions = ("view",)
        indexes = [models.Index(fields=["name", "-id"], name="taskrun_name")]

    def __str__(self) -> str:
        return task_label(self.name)

    @property
    def seconds(self) -> float:
        return self.duration.total_seconds()


class TaskScheduleManager(models.Manager["TaskSchedule"]):
    def get_queryset(self) -> models.QuerySet["TaskSchedule"]:
        return super().get_queryset().filter(name__in=SCHEDULED_TASKS)


class TaskSchedule(Schedule):
    """The row of the queue that says how often a task of the list runs."""

    objects = TaskScheduleManager()

    class Meta:
        proxy = True
        verbose_name = _("scheduled task")
        verbose_name_plural = _("scheduled tasks")
        ordering = ["pk"]
        default_permissions = ("view", "change")

    def __str__(self) -> str:
        return task_label(self.name)

    @property
    def paused(self) -> bool:
        return bool(self.repeats == 0)


def task_label(name: str) -> str:
    """Return what staff call a task; the bare name of one that has left the list."""
    return str(SCHEDULED_TASKS[name].label) if name in SCHEDULED_TASKS else name


def recorded(task: Callable[P, Count]) -> Callable[P, Count]:
    """Decorate a scheduled task, which returns a count or None, so that each run leaves a row.

    An error is recorded by its class alone, as its text may hold an address or a secret, and is
    raised again. A run that the queue cuts off for its length ends in a ``SystemExit``.
    """
    name = BY_FUNCTION[f"{task.__module__}.{task.__name__}"].name

    @functools.wraps(task)
    def run(*args: P.args, **kwargs: P.kwargs) -> Count:
        clock = time.monotonic()

        def keep(*, count: int | None = None, error: str = "") -> None:
            duration = timedelta(seconds=time.monotonic() - clock)
            TaskRun.objects.create(
                name=name,
                started_at=database_now() - duration,
                duration=duration,
                count=count,
                error=error,
            )
            kept = TaskRun.objects.filter(name=name).values("pk")[RUNS_KEPT : RUNS_KEPT + 1]
            TaskRun.objects.filter(name=name, pk__lte=models.Subquery(kept)).delete()

        try:
            count = task(*args, **kwargs)
        except BaseException as problem:
            try:
                keep(error=type(problem).__name__)
            except DatabaseFault:  # what broke the task may well keep its row from being written
                logger.exception("The failed run of %s could not be recorded", name)
            raise
        keep(count=count)
        return count

    return run


def ensure_schedules() -> list[str]:
    """Create the schedules that are missing; return their names.

    Of one that is there only the function is set right, where the list names another.
    """
    present = dict(Schedule.objects.values_list("name", "func"))
    for task in SCHEDULED_TASKS.values():
        if present.get(task.name, task.function) != task.function:
            Schedule.objects.filter(name=task.name).update(func=task.function)
    missing = [task for task in SCHEDULED_TASKS.values() if task.name not in present]
    for task in missing:
        Schedule.objects.create(
            name=task.name,
            func=task.function,
            schedule_type=Schedule.MINUTES,
            minutes=task.minutes,
            repeats=FOR_EVER,
        )
    return [task.name for task in missing]


def run_now(name: str) -> bool:
    """Queue a task at once and count its period from now; return False if it was just queued.

    What runs is the function of the list, whatever the row says.
    """
    minutes = TaskSchedule.objects.values_list("minutes", flat=True).get(name=name)
    with transaction.atomic():
        following = timezone.now() + timedelta(minutes=minutes)
        rows = TaskSchedule.objects.filter(name=name, next_run__lte=following - ONE_CLICK)
        if rows.update(next_run=following) == 0:
            return False
        async_task(SCHEDULED_TASKS[name].function, q_options={"group": name, "cluster": MAIN})
    return True


def pause(name: str) -> bool:
    """Keep a task from being queued by the clock; return False if it was paused already."""
    # The queue passes over rows without repeats, and never gives them any.
    return TaskSchedule.objects.filter(name=name).exclude(repeats=0).update(repeats=0) == 1


def resume(name: str) -> bool:
    """Queue a paused task at once, and by the clock again; return False if it was not paused."""
    paused = TaskSchedule.objects.filter(name=name, repeats=0)
    with transaction.atomic():
        resumed = paused.update(repeats=FOR_EVER, next_run=timezone.now()) == 1
        if resumed:
            run_now(name)
    return resumed


def change_interval(name: str, minutes: int) -> None:
    """Set how many minutes lie between two runs; unless it is paused, the task runs at once."""
    with transaction.atomic():
        rows = TaskSchedule.objects.filter(name=name)
        rows.update(minutes=minutes, next_run=timezone.now())
        if rows.exclude(repeats=0).exists():
            run_now(name)
