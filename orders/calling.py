"""Calls to providers that are under way: a bounded number at once, and of one integration a share.

A provider that hangs keeps its own share busy and leaves the rest to the others. The calls run in
threads that touch no database; whoever began them writes what they brought. Work is taken a little
ahead, so that no thread waits for the database; when a provider fails, or the run is over, what was
taken ahead comes back uncalled. After each call a thread goes where the fewest are, so that none
that has work waits for those that have more.
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
STEP = SHARE // 4  # by which that grows with each answer
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
        self.recall()
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
            ahead, waiting = self._ahead[integration_id], len(self._waiting[integration_id])
            if not free and not self._threads[integration_id]:
                ahead = max(ahead, STEP)  # the next thread that comes back goes there
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

    def recall(self) -> None:
        """Have all that waits for a thread come back uncalled."""
        with self._lock:
            for integration_id in self._waiting:
                self._recall(integration_id)

    def _recall(self, integration_id: int) -> None:
        waiting = self._waiting[integration_id]
        while waiting:
            _function, item = waiting.popleft()
            self._done.put((item, None))

    def _work(self, integration_id: int) -> None:
        while True:
            with self._lock:
                turn = self._turn(integration_id)
                self._threads[integration_id] -= 1
                if turn is None:
                    return
                integration_id = turn
                self._threads[integration_id] += 1
                function, item = self._waiting[integration_id].popleft()
            try:
                answer = function(item)
            except BaseException as problem:  # raised again where the answer is awaited
                self._done.put((item, problem))
                continue
            self._done.put((item, answer))
            self._adapt(integration_id, answer)

    def _turn(self, integration_id: int) -> int | None:
        """Return whose call is next: the own one's, or theirs where fewer threads are."""
        wanting = [pk for pk, waiting in self._waiting.items() if waiting]
        if not wanting:
            return None
        others = Counter({pk: self._threads[pk] - (pk == integration_id) for pk in wanting})
        fewest = min(wanting, key=others.__getitem__)
        if integration_id in wanting and others[integration_id] <= others[fewest] + 1:
            return integration_id
        return fewest if others[fewest] < SHARE else None

    def _adapt(self, integration_id: int, answer: Any) -> None:
        """Take more ahead for a provider that answers, and nothing for one that fails."""
        with self._lock:
            if not self._failed(answer):
                self._ahead[integration_id] = min(AHEAD, self._ahead[integration_id] + STEP)
                return
            self._ahead[integration_id] = 0
            self._recall(integration_id)

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

    After so many seconds nothing more is begun or called, and ``settle`` gets what waited back
    with None. So it does after a fault of either of them, which is raised when all is settled:
    what a provider answered meanwhile is not lost. ``begin`` returns how much it looked after.
    """
    end = time.monotonic() + seconds
    fault: Exception | None = None
    with Calls(failed) as calls:
        while True:
            begun = 0
            try:
                if fault is None and time.monotonic() < end:
                    begun = begin(calls)
                else:
                    calls.recall()
                if not begun and not calls:
                    break
                settle(calls.answered())
            except Exception as problem:
                fault = fault or problem
    if fault:
        raise fault
