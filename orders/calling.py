"""Calls to providers that are under way: a bounded number at once, and of one integration a share.

A provider that hangs keeps its own share busy and leaves the rest to the others. The calls run in
threads that touch no database; whoever began them writes what they brought. Work is taken a little
ahead, so that no thread waits for the database; when a provider fails, what was taken ahead for it
comes back uncalled.
"""

import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, SimpleQueue
from threading import Lock
from types import TracebackType
from typing import Any, TypeAlias

from orders.transport import CONNECTIONS, refuse_inside_transaction

SHARE = CONNECTIONS // 4  # of one integration
AHEAD = 100  # calls that wait for a thread, of a provider that answers
GATHERED = 100  # answers that are written together, at most
GATHERING_SECONDS = 0.2
LOOK_AGAIN_SECONDS = 0.1  # for new work, while calls are under way

Function: TypeAlias = Callable[[Any], Any]
Answered: TypeAlias = list[tuple[Any, Any]]


class Calls:
    """The calls of one run, as a context manager that waits for the last of them.

    ``failed`` tells of what a call returned whether its provider fails.
    """

    def __init__(self, failed: Callable[[Any], bool]) -> None:
        refuse_inside_transaction()
        self._failed = failed
        self._pool = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="provider")
        self._lock = Lock()
        self._waiting: defaultdict[int, deque[tuple[Function, Any]]] = defaultdict(deque)
        self._threads: Counter[int] = Counter()
        self._ahead: Counter[int] = Counter()  # how far each integration's work is taken ahead
        self._done: SimpleQueue[tuple[Any, Any]] = SimpleQueue()
        self._begun = 0  # and not yet handed out by ``answered``

    def __enter__(self) -> "Calls":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._waiting.clear()
        self._pool.shutdown()

    def __len__(self) -> int:
        return self._begun

    def free(self, integration_id: int) -> int:
        """Return how many calls of an integration would go out at once."""
        with self._lock:
            free = CONNECTIONS - self._threads.total()
            idle = SHARE - self._threads[integration_id] - len(self._waiting[integration_id])
            return max(0, min(idle, free))

    def room(self, integration_id: int) -> int:
        """Return how many calls an integration may get now, those taken ahead included."""
        free = self.free(integration_id)
        with self._lock:
            if not free and not self._threads[integration_id]:
                return 0  # nobody would come for it
            ahead, waiting = self._ahead[integration_id], len(self._waiting[integration_id])
        if ahead and waiting > ahead // 2:
            return 0  # until there is room for more than a few
        return max(free, ahead - waiting)

    def begin(self, integration_id: int, function: Function, item: Any) -> None:
        """Have ``function(item)`` called in a thread, after what already waits."""
        with self._lock:
            self._begun += 1
            self._waiting[integration_id].append((function, item))
            fits = self._threads[integration_id] < SHARE and self._threads.total() < CONNECTIONS
            if fits:
                self._threads[integration_id] += 1
        if fits:
            self._pool.submit(self._work, integration_id)

    def _work(self, integration_id: int | None) -> None:
        while integration_id is not None:
            with self._lock:
                waiting = self._waiting[integration_id]
                if not waiting:
                    integration_id = self._next(integration_id)
                    continue
                function, item = waiting.popleft()
            try:
                answer = function(item)
            except BaseException as problem:  # raised again where the answer is awaited
                self._done.put((item, problem))
                continue
            self._done.put((item, answer))
            self._adapt(integration_id, answer)

    def _next(self, integration_id: int) -> int | None:
        """Leave an integration for one that waits without a thread, if there is one."""
        self._threads[integration_id] -= 1
        for other, waiting in self._waiting.items():
            if waiting and not self._threads[other]:
                self._threads[other] += 1
                return other
        return None

    def _adapt(self, integration_id: int, answer: Any) -> None:
        """Take more ahead for a provider that answers, and nothing for one that fails."""
        with self._lock:
            if not self._failed(answer):
                self._ahead[integration_id] = min(AHEAD, self._ahead[integration_id] + SHARE // 4)
                return
            self._ahead[integration_id] = 0
            while self._waiting[integration_id]:
                _function, item = self._waiting[integration_id].popleft()
                self._done.put((item, None))

    def answered(self) -> Answered:
        """Return (item, answer) of calls that ended, with None for what came back uncalled."""
        answered: Answered = []
        end = time.monotonic() + LOOK_AGAIN_SECONDS
        while len(answered) < min(GATHERED, self._begun):
            try:
                item, answer = self._done.get(timeout=max(0, end - time.monotonic()))
            except Empty:
                break
            if isinstance(answer, BaseException):
                raise answer
            if not answered:
                end = time.monotonic() + GATHERING_SECONDS
            answered.append((item, answer))
        self._begun -= len(answered)
        return answered


def keep_busy(
    begin: Callable[[Calls], int],
    settle: Callable[[Answered], None],
    failed: Callable[[Any], bool],
    seconds: float,
) -> None:
    """Begin calls as there is room, and settle what they bring, until nothing is left to begin.

    After so many seconds nothing more is begun. ``begin`` returns how much it looked after.
    """
    end = time.monotonic() + seconds
    with Calls(failed) as calls:
        while True:
            begun = begin(calls) if time.monotonic() < end else 0
            if not begun and not calls:
                return
            settle(calls.answered())
