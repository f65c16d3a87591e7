"""What the cluster runs for the office itself."""

import logging
from datetime import timedelta

from django.apps import apps
from django_q.models import Failure

from backoffice import drafts, lock_requests, locks
from backoffice.clock import database_now
from backoffice.schedules import recorded

logger = logging.getLogger(__name__)
FAILURES_KEPT = timedelta(days=30)
MOST_FAILURES = 5000


@recorded
def clear_stale_edit_locks():
    """End edit locks that ran out, over all models; return how many."""
    total = sum(locks.clear_stale(table) for table in locks.lockable_tables(apps.get_models()))
    if total:
        logger.info("Cleared %s stale edit locks", total)
    return total


@recorded
def purge_drafts():
    """Delete drafts that are too old or have lost their document, and old edit requests."""
    return drafts.purge() + lock_requests.purge()


@recorded
def purge_failures():
    """Delete failures of the queue, which keeps them for ever: old ones, and beyond so many."""
    old = Failure.objects.filter(stopped__lt=database_now() - FAILURES_KEPT)
    beyond = Failure.objects.order_by("-stopped").values("pk")[MOST_FAILURES:]
    return old.delete()[0] + Failure.objects.filter(pk__in=beyond).delete()[0]


@recorded
def heartbeat():
    """Show that tasks are queued by the clock, and done: the row that ``recorded`` writes."""
