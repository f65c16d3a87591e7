"""The queue's rows in the database: put there, taken, locked while a task is at work.

The library's own broker goes by the clock of the host that it runs on, takes rows in no order, has
several clusters fight for the same ones, asks twice at each look, and gives up for ten seconds
when the database is gone. Here the database's clock decides, the oldest row comes first, and rows
that another cluster is just taking are passed over.
"""

import logging
import time
from datetime import timedelta
from typing import Any

from django.db import InterfaceError, OperationalError, connections, models, transaction
from django.db.models.expressions import Combinable
from django_q.brokers.orm import ORM
from django_q.conf import Conf
from django_q.models import OrmQ

from backoffice.clock import database_now
from backoffice.clusters import MAIN, SIGN_SECONDS, give_sign

logger = logging.getLogger(__name__)
OUTAGE_SECONDS = 1  # between two looks while the database does not answer


class DatabaseBroker(ORM):  # type: ignore[misc]  # the library has no types
    """A queue by the database's clock. Rows may be taken ``seconds`` after they were put there."""

    seconds = 0.0
    next_sign = 0.0  # by the process's own clock
    is_out = False

    def enqueue(self, task: str) -> int:
        """Put a task into the queue, in the caller's transaction; return the key of its row."""
        due = database_now() + timedelta(seconds=self.seconds) if self.seconds else database_now()
        key = self.list_key or Conf.CLUSTER_NAME
        return int(self.get_connection().create(key=key, payload=task, lock=due).pk)

    def dequeue(self) -> list[tuple[int, str]] | None:
        """Take the oldest rows that are due; None after a pause where there are none."""
        # Asked for without the library's test of the connection, which is a second statement.
        try:
            if time.monotonic() >= self.next_sign:
                give_sign(self.list_key)
                self.next_sign = time.monotonic() + SIGN_SECONDS
            taken = self._take() if self._due().exists() else []
            self.is_out = False
        except (InterfaceError, OperationalError) as problem:
            if not self.is_out:
                logger.error("The queue waits for its database: %s", type(problem).__name__)
                self.is_out = True
            connections[Conf.ORM].close()
            time.sleep(OUTAGE_SECONDS)
            return None
        if not taken:
            time.sleep(Conf.POLL)
        return taken or None

    def _take(self) -> list[tuple[int, str]]:
        connection = connections[Conf.ORM]
        skip = connection.features.has_select_for_update_skip_locked
        with transaction.atomic(using=Conf.ORM):
            oldest = self._due().order_by("lock", "pk").select_for_update(skip_locked=skip)
            return [
                (row.pk, row.payload)
                for row in oldest[: Conf.BULK]
                if self._due().filter(pk=row.pk).update(lock=self.timeout(row)) == 1
            ]

    def _rows(self) -> "models.QuerySet[Any]":
        rows: models.QuerySet[Any] = OrmQ.objects.using(Conf.ORM).filter(key=self.list_key)
        return rows

    def _due(self) -> "models.QuerySet[Any]":
        return self._rows().filter(lock__lte=database_now())

    def timeout(self, task: object) -> Combinable:
        """Return until when a row that is taken now is out of others' reach."""
        return database_now() + timedelta(seconds=Conf.RETRY)

    def queue_size(self) -> int:
        """Return how many rows may be taken."""
        return self._due().count()

    def lock_size(self) -> int:
        """Return how many rows are taken, or put there for later."""
        return self._rows().exclude(lock__lte=database_now()).count()


class DelayedBroker(DatabaseBroker):
    """For ``async_task(..., broker=DelayedBroker(60))``: the task may be taken in so many seconds.

    It goes to the cluster that is named, wherever it is queued.
    """

    def __init__(self, seconds: float, cluster: str = MAIN) -> None:
        super().__init__(cluster)
        self.seconds = seconds
