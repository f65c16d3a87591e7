"""The loop that wakes itself: a delayed row in the queue for the moment the next order is due.

One row of ours, ``CheckLoop``, says for when the queue holds such a task, so that there are a few
of them and not one per order. Nothing depends on it: the scheduled batch finds all that is due.
"""

from datetime import timedelta

from django.db import transaction
from django.db.models import Min, Q
from django.utils import timezone
from django_q.brokers.orm import ORM
from django_q.tasks import async_task

from backoffice.clock import database_now
from orders.models import CheckLoop, ProductOrder

TASK = "orders.tasks.check_due_orders"
SHORTEST = 0.2  # seconds; a due time and the queue's clock may differ by a moment
LOST_AFTER = timedelta(seconds=30)  # a task so late is not coming: its row was deleted


class DelayedBroker(ORM):
    """The queue's own broker, whose rows may be taken after a delay."""

    def __init__(self, seconds):
        super().__init__()
        self.seconds = seconds

    def enqueue(self, task):
        due = timezone.now() + timedelta(seconds=self.seconds)
        return self.get_connection().create(key=self.list_key, payload=task, lock=due).pk


def wake_in(seconds):
    """Have the loop run in so many seconds, unless it is to run before that anyway."""
    seconds = max(seconds, SHORTEST)
    at = database_now() + timedelta(seconds=seconds)
    with transaction.atomic():
        CheckLoop.objects.get_or_create(pk=1)
        later = Q(wake_at__isnull=True) | Q(wake_at__gt=at)
        lost = Q(wake_at__lte=database_now() - LOST_AFTER)
        if CheckLoop.objects.filter(later | lost, pk=1).update(wake_at=at) == 1:
            async_task(TASK, broker=DelayedBroker(seconds))


def awake():
    """Note that the task of the loop has come, so that the next one is asked for."""
    soon = database_now() + timedelta(seconds=1)
    CheckLoop.objects.filter(pk=1, wake_at__lte=soon).update(wake_at=None)


def wake_for_next():
    """Have the loop run when the next order is due, or the next claim runs out."""
    rows = ProductOrder.objects.open()
    due = rows.free().aggregate(at=Min("next_check_at"))["at"]
    run_out = rows.live().aggregate(at=Min("claimed_until"))["at"]
    if due or run_out:
        wake_in((min(filter(None, (due, run_out))) - _now()).total_seconds())


def _now():
    CheckLoop.objects.get_or_create(pk=1)
    return CheckLoop.objects.values_list(database_now(), flat=True).get(pk=1)
