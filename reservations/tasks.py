"""What the cluster runs for the box office."""

import logging

from backoffice.schedules import recorded
from reservations import holds

logger = logging.getLogger(__name__)


@recorded
def release_expired_locks():
    """Free seats whose hold ran out; return how many."""
    count = len(holds.release_expired())
    if count:
        logger.info("Released %s expired seat locks", count)
    return count
