"""Is the office well: does its database answer, do its clusters work, is every task in time?"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import Error as DatabaseFault
from django.db import connection
from django.db.models import OuterRef, Subquery
from django.http import HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from backoffice import clusters
from backoffice.clock import database_now
from backoffice.clusters import ClusterSign
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
    """A cluster of the queue as it is now: ``down`` when it looks for work no more."""

    name: str
    last_sign: datetime | None
    down: bool

    @property
    def label(self) -> str:
        return clusters.label(self.name)


def cluster_states() -> list[ClusterHealth]:
    """Return how each cluster that must run is, asked in one query."""
    found = {sign.pk: sign for sign in ClusterSign.objects.annotate(now=database_now())}
    states = []
    for name, settings in clusters.configured().items():
        sign = found.get(name)
        down = sign is None or sign.seen_at < sign.now - clusters.longest_silence(settings)
        states.append(ClusterHealth(name, sign.seen_at if sign else None, down))
    return states


def task_states() -> list[TaskHealth]:
    """Return how each scheduled task is, asked in two queries."""
    newest = TaskRun.objects.filter(name=OuterRef("name")).order_by("-pk").values("pk")[:1]
    rows = TaskSchedule.objects.annotate(newest_run=Subquery(newest), now=database_now())
    schedules = list(rows)
    runs = TaskRun.objects.in_bulk([schedule.newest_run for schedule in schedules])
    return [
        TaskHealth(schedule, runs.get(schedule.newest_run), schedule.now) for schedule in schedules
    ]


def cleaners() -> dict[str, TaskHealth | None]:
    """Return how each cleaner is, by its name; None for one that is not scheduled at all."""
    found = {task.schedule.name: task for task in task_states()}
    return {name: found.get(name) for name in CLEANERS}


@csrf_exempt  # a wrong method is told so
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
