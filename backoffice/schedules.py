"""The one list of what runs by the clock, and the record of each run.

``ensure_schedules`` creates what is missing by name and leaves alone what is there, so that an
interval changed in the admin survives every deploy.
"""

import functools
import logging
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_q.models import Schedule

logger = logging.getLogger(__name__)
RUNS_KEPT = 200  # of each task


@dataclass(frozen=True)
class ScheduledTask:
    """A task of the office: its name in the database, its function, its minutes, its label."""

    name: str
    function: str
    minutes: int
    label: Any


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

    def __str__(self):
        return self.name


def recorded(task):
    """Decorate a scheduled task, which returns a count or None, so that each run leaves a row.

    An error is recorded by its class alone, as its text may hold an address or a secret, and is
    raised again.
    """
    name = BY_FUNCTION[f"{task.__module__}.{task.__name__}"].name

    @functools.wraps(task)
    def run(*args, **kwargs):
        started_at, clock = timezone.now(), time.monotonic()
        count, error = None, ""
        try:
            count = task(*args, **kwargs)
        except Exception as problem:
            error = type(problem).__name__
            raise
        finally:
            duration = timedelta(seconds=time.monotonic() - clock)
            TaskRun.objects.create(
                name=name, started_at=started_at, duration=duration, count=count, error=error
            )
            kept = TaskRun.objects.filter(name=name).values("pk")[RUNS_KEPT : RUNS_KEPT + 1]
            TaskRun.objects.filter(name=name, pk__lte=models.Subquery(kept)).delete()
        return count

    return run


def ensure_schedules():
    """Create the schedules that are missing; return their names."""
    present = set(Schedule.objects.values_list("name", flat=True))
    missing = [task for task in SCHEDULED_TASKS.values() if task.name not in present]
    for task in missing:
        Schedule.objects.create(
            name=task.name,
            func=task.function,
            schedule_type=Schedule.MINUTES,
            minutes=task.minutes,
            repeats=-1,
        )
    return [task.name for task in missing]
