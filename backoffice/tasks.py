"""What the cluster runs for the office itself."""

import logging

from django.apps import apps

from backoffice import drafts, lock_requests, locks
from backoffice.schedules import recorded

logger = logging.getLogger(__name__)


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
def heartbeat():
    """Show that the cluster runs: the row that ``recorded`` writes is the sign of life."""
