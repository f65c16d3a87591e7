"""Is the office well: does its database answer, does its background cluster work?"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import Error as DatabaseFault
from django.db import connection
from django.db.models import OuterRef, Subquery
from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from backoffice.schedules import LATE_PERIODS, TICK, TaskRun, TaskSchedule

# The scheduled tasks that end claims which ran out, and check the orders.
CLEANERS = ("clear_stale_edit_locks", "release_expired_locks", "check_pending_orders_batch")


@dataclass(frozen=True)
class TaskHealth:
    """A scheduled task as it is now; ``late`` after three periods without a run."""

    schedule: TaskSchedule
    last_run: TaskRun | None
    now: datetime

    @property
    def patience(self) -> timedelta:
        return LATE_PERIODS * timedelta(minutes=self.schedule.minutes) + TICK

    @property
    def late(self) -> bool:
        # One that never ran has no other time than the one it was planned for.
        since = self.last_run.started_at if self.last_run else self.schedule.next_run
        return not self.schedule.paused and since < self.now - self.patience

    @property
    def failed(self) -> bool:
        return bool(self.last_run and self.last_run.error)


@dataclass(frozen=True)
class ClusterHealth:
    """The background cluster as it is now: its last sign of life and its tasks."""

    last_sign: datetime | None
    down: bool
    tasks: list[TaskHealth]


def cluster() -> ClusterHealth:
    """Return how the background cluster is, asked in two queries.

    Any run is a sign of life, and the most frequent task says how long to wait for one: staff may
    have paused or slowed the heartbeat.
    """
    now = timezone.now()
    newest = TaskRun.objects.filter(name=OuterRef("name")).order_by("-pk").values("pk")[:1]
    schedules = list(TaskSchedule.objects.annotate(newest_run=Subquery(newest)))
    runs = TaskRun.objects.in_bulk([schedule.newest_run for schedule in schedules])
    tasks = [TaskHealth(schedule, runs.get(schedule.newest_run), now) for schedule in schedules]
    last_sign = max((run.started_at for run in runs.values()), default=None)
    patience = [health.patience for health in tasks if not health.schedule.paused]
    silent = last_sign is None or (bool(patience) and last_sign < now - min(patience))
    return ClusterHealth(last_sign, silent, tasks)


def cleaners() -> dict[str, TaskHealth | None]:
    """Return how each cleaner is, by its name; None for one that is not scheduled at all."""
    found = {task.schedule.name: task for task in cluster().tasks}
    return {name: found.get(name) for name in CLEANERS}


@never_cache
@require_safe
def healthz(request):
    """Answer 200 while the database answers, 503 otherwise; for a supervisor, without a login."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseFault:
        return HttpResponse("database does not answer\n", "text/plain", status=503)
    return HttpResponse("ok\n", "text/plain")
