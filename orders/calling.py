"""Calls to providers that are under way: a bounded number at once, and of one integration a share.

A provider that hangs keeps its own share busy and leaves the rest to the others. The calls run in
threads that touch no database; whoever began them writes what they brought.
"""

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import Any, TypeAlias

from orders.transport import CONNECTIONS, refuse_inside_transaction

SHARE = CONNECTIONS // 4  # of one integration
GATHERING_SECONDS = 0.005  # answers that come together are written together
LOOK_AGAIN_SECONDS = 0.1  # for new work, while calls are under way

Answered: TypeAlias = list[tuple[Any, Any]]


class Calls:
    """The calls of one run, as a context manager that waits for the last of them."""

    def __init__(self) -> None:
        refuse_inside_transaction()
        self._pool = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="provider")
        self._under_way: dict[Future[Any], tuple[int, Any]] = {}
        self._of: Counter[int] = Counter()

    def __enter__(self) -> "Calls":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._pool.shutdown(cancel_futures=True)

    def __len__(self) -> int:
        return len(self._under_way)

    def room(self, integration_id: int) -> int:
        """Return how many more calls an integration may get now."""
        free = CONNECTIONS - len(self._under_way)
        return max(0, min(SHARE - self._of[integration_id], free))

    def begin(self, integration_id: int, function: Callable[[Any], Any], item: Any) -> None:
        """Call ``function(item)`` in a thread."""
        self._under_way[self._pool.submit(function, item)] = (integration_id, item)
        self._of[integration_id] += 1

    def answered(self, seconds: float) -> Answered:
        """Return (item, answer) of the calls that ended; wait so many seconds for the first."""
        if not self._under_way:
            return []
        refuse_inside_transaction()
        done, _others = wait(self._under_way, seconds, FIRST_COMPLETED)
        if done and len(done) < len(self._under_way):
            time.sleep(GATHERING_SECONDS)
            done = {call for call in self._under_way if call.done()}
        answered = []
        for call in done:
            integration_id, item = self._under_way.pop(call)
            self._of[integration_id] -= 1
            answered.append((item, call.result()))
        return answered


def keep_busy(
    begin: Callable[[Calls], int], settle: Callable[[Answered], None], seconds: float
) -> None:
    """Begin calls as there is room, and settle what they bring, until nothing is left to begin.

    After so many seconds nothing more is begun. ``begin`` returns how many it began.
    """
    end = time.monotonic() + seconds
    with Calls() as calls:
        while True:
            begun = begin(calls) if time.monotonic() < end else 0
            if not begun and not calls:
                return
            settle(calls.answered(LOOK_AGAIN_SECONDS))
