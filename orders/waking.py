"""The loop that wakes itself: a delayed row in the queue for the moment the next order is due.

A few rows of ours, ``CheckLoop``, say for when the queue holds such a task, so that there are a few
of them and not one per order. The first lane wakes itself; the others are woken where there is more
to do than one can. Nothing depends on it: the scheduled batch finds all that is due.
"""

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Min, Q
from django_q.tasks import async_task

from backoffice.broker import DelayedBroker
from backoffice.clock import database_now
from orders.models import CheckLoop, ProductOrder

TASK = "orders.tasks.check_due_orders"
SHORTEST = 0.2  # seconds; a due time and the queue's clock may differ by a moment
BLOCKED_PAUSE = timedelta(seconds=5)
LONGEST_RUN_SECONDS = 120  # of a run that died: a task of the cluster is cut off before that
LOST_AFTER = timedelta(seconds=30)  # a task so late is not coming: its row was deleted


def wake_in(seconds: float, lane: int = 1) -> None:
    """Have a lane run in so many seconds, unless it is to run before that anyway."""
    seconds = max(seconds, SHORTEST)
    at = database_now() + timedelta(seconds=seconds)
    with transaction.atomic():
        CheckLoop.objects.get_or_create(pk=lane)
        later = Q(wake_at__isnull=True) | Q(wake_at__gt=at)
        lost = Q(wake_at__lte=database_now() - LOST_AFTER)
        if CheckLoop.objects.filter(later | lost, pk=lane).update(wake_at=at) == 1:
            async_task(TASK, lane, broker=DelayedBroker(seconds))


def wake_all_lanes():
    """Have every lane run that is not running: there is more to do than one can."""
    running = CheckLoop.objects.filter(busy_until__gt=database_now())
    busy = set(running.values_list("pk", flat=True))
    for lane in range(1, settings.ORDER_CHECK_LANES + 1):
        if lane not in busy:
            wake_in(0, lane)


def awake(lane=1):
    """Note that the task of a lane has come, so that the next one is asked for."""
    soon = database_now() + timedelta(seconds=1)
    CheckLoop.objects.filter(pk=lane, wake_at__lte=soon).update(wake_at=None)


def enter(lane):
    """Take a lane for a run; return until when, None where another run is in it."""
    CheckLoop.objects.get_or_create(pk=lane)
    now = database_now()
    free = Q(busy_until__isnull=True) | Q(busy_until__lte=now)
    until = now + timedelta(seconds=LONGEST_RUN_SECONDS)
    with transaction.atomic():
        if CheckLoop.objects.filter(free, pk=lane).update(busy_until=until) == 0:
            return None
        return CheckLoop.objects.values_list("busy_until", flat=True).get(pk=lane)


def leave(lane, until):
    """Give a lane back that was entered ``until`` then, unless another run has taken it since."""
    CheckLoop.objects.filter(pk=lane, busy_until=until).update(busy_until=None)


def wake_when_free(lane):
    """Have a lane run when whoever is in it would have left it at the latest: it may be dead."""
    busy = CheckLoop.objects.filter(pk=lane, busy_until__isnull=False).annotate(now=database_now())
    for until, now in busy.values_list("busy_until", "now"):
        wake_in((until - now).total_seconds(), lane)


def wake_for_next(*, idle=False):
    """Have the loop run when the next order is due, or the next claim runs out.

    After an ``idle`` run what is due already had to wait for its provider, and waits a little more.
    """
    now = _now()
    rows = ProductOrder.objects.filter(next_check_at__isnull=False)
    due = rows.free().filter(next_check_at__gt=now) if idle else rows.free()
    moments = [
        due.aggregate(at=Min("next_check_at"))["at"],
        rows.live().aggregate(at=Min("claimed_until"))["at"],
    ]
    if idle and rows.free().due().exists():
        moments.append(now + BLOCKED_PAUSE)
    if any(moments):
        wake_in((min(filter(None, moments)) - now).total_seconds())


def _now():
    CheckLoop.objects.get_or_create(pk=1)
    return CheckLoop.objects.values_list(database_now(), flat=True).get(pk=1)
