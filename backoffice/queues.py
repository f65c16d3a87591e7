"""The queue in memory between the processes of a cluster, which survives that one is killed.

Whoever waits for work waits behind a lock. The library's is a semaphore: when the process that has
it is killed, by the system's lack of memory for instance, it stays closed, and neither the workers
that are left nor those that replace the dead ever get work again; nor does the cluster end when it
is told to. A lock on a file is opened by the system itself.
"""

import fcntl
import tempfile
from types import TracebackType
from typing import Any

from django_q import cluster
from django_q.queues import Queue


class FileLock:
    """A lock between processes, for ``with``; it ends with its holder."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the queue is

    def __enter__(self) -> None:
        fcntl.lockf(self._file, fcntl.LOCK_EX)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        fcntl.lockf(self._file, fcntl.LOCK_UN)


class SurvivingQueue(Queue):  # type: ignore[misc]  # the library has no types
    """The library's queue with such a lock for those who read from it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._rlock = FileLock()


def survive_kills() -> None:
    """Have the cluster of this process use such queues."""
    cluster.Queue = SurvivingQueue
