from datetime import timedelta

from django.contrib.auth import get_user_model
from django.utils import timezone

from backoffice import audit
from backoffice.audit import LockEvent
from backoffice.clock import database_now
from backoffice.schedules import TaskRun


def make_run(name="heartbeat", *, minutes_ago=0, **kw):
    """Return a run of a scheduled task that began so many minutes ago."""
    started_at = timezone.now() - timedelta(minutes=minutes_ago)
    return TaskRun.objects.create(
        **{"name": name, "started_at": started_at, "duration": timedelta(seconds=0.25)} | kw
    )


def make_event(name="A13", *, days_ago=0, **kw):
    """Return an event of the log, so many days old."""
    event = audit.event("seat", "taken", (get_user_model(), 1, name), source="page", **kw)
    event.at = database_now() - timedelta(days=days_ago)
    event.save(force_insert=True)
    return LockEvent.objects.get(pk=event.pk)
