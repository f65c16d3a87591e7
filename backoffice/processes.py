"""The office's processes: started together, and ended so that none is left behind.

``run`` plays the part of ``honcho start`` with honcho's own pieces. Its loop is ours, since
honcho's kills after five seconds what a running task may need minutes for, fails when it is told
to stop before everything has started, and prints from inside a signal handler.

``lead`` runs the task queue's cluster. A SIGTERM that reaches the whole process group kills the
guard of the cluster before its head, which then waits for the dead guard for ever; so the cluster
gets a session of its own, and whoever wants it to stop tells its head alone.

Telling once means: finish what you are doing. Telling twice: cut it off.

``python -m backoffice.processes PLAN`` runs an office without Django in its memory; the plan is a
JSON object of the arguments of ``Office``.
"""

import contextlib
import ctypes
import functools
import json
import os
import queue
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from types import FrameType
from typing import Any

from honcho.colour import get_colours
from honcho.printer import Message, Printer
from honcho.process import Popen, Process

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
KILL_AFTER_SECONDS = 3  # between cutting off and SIGKILL
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def leash(parent: int) -> None:
    """Have this process told to stop when its parent is gone, killed ones included (Linux)."""
    if LIBC is not None:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)


class Leashed(Process):  # type: ignore[misc]  # honcho has no types
    """A line of the Procfile, ended with the office even if that was killed."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._child_ctor = functools.partial(
            Popen, preexec_fn=functools.partial(leash, os.getpid())
        )


class Office:
    """The running office. ``run`` returns its exit status: 0 when it was told to stop.

    ``commands`` maps names to shell commands; those in ``needed_to_the_end`` are told to stop
    when the others have ended. ``patience`` is how many seconds a running task may take. When
    something listens at ``host`` and ``port``, ``greeting`` is printed.
    """

    def __init__(
        self,
        commands: Mapping[str, str],
        *,
        patience: float,
        host: str,
        port: int,
        greeting: str,
        needed_to_the_end: Iterable[str] = (),
    ) -> None:
        self.commands = commands
        self.patience = patience
        self.address = (host, port)
        self.greeting = greeting
        self.needed_to_the_end = set(needed_to_the_end)
        self.events: queue.SimpleQueue[Any] = (
            queue.SimpleQueue()
        )  # the one queue that a signal handler may fill
        # Name: process id, None until it has started.
        self.running: dict[str, int | None] = dict.fromkeys(commands)
        self.told = 0  # how often to stop
        self.passed_on: dict[str, int] = {}  # how often that was passed on, by name
        self.deadline = 0.0
        self.status = 0
        self.printer = Printer(sys.stdout, width=max(map(len, commands)))

    def run(self) -> int:
        for number in STOP_SIGNALS:
            signal.signal(number, lambda number, frame: self.events.put("stop"))
        for (name, command), colour in zip(self.commands.items(), get_colours(), strict=False):
            process = Leashed(command, name=name, colour=colour)
            threading.Thread(target=process.run, args=(self.events,), daemon=True).start()
        greeted = False
        while self.running:
            with contextlib.suppress(queue.Empty):
                self.handle(self.events.get(timeout=0.2))
            if self.told:
                self.pass_on()
            elif not greeted and self.is_open():
                greeted = True
                self.say(self.greeting)
        return self.status

    def is_open(self) -> bool:
        try:
            socket.create_connection(self.address, timeout=1).close()
        except OSError:
            return False
        return True

    def handle(self, event: Any) -> None:
        if event == "stop":
            self.stop()
        elif event.type == "line":
            self.printer.write(event)
        elif event.type == "start":
            self.running[event.name] = event.data["pid"]
        elif event.type == "stop":
            del self.running[event.name]
            if not self.told:
                self.status = 1
                code = event.data["returncode"]
                self.say(f"{event.name} ended by itself with status {code}; the office closes.")
                self.stop()

    def stop(self) -> None:
        self.told += 1
        self.deadline = time.monotonic() + (self.patience if self.told == 1 else KILL_AFTER_SECONDS)
        if self.told == 1:
            self.say("Closing; a running task is finished first (Ctrl-C cuts it off).")

    def pass_on(self) -> None:
        """Tell whoever has started and was not told yet; kill who is late."""
        late = time.monotonic() > self.deadline
        if late and self.told == 1:
            self.say(f"Still running after {self.patience} seconds: {', '.join(self.running)}.")
            self.stop()
            late = False
        others = self.running.keys() - self.needed_to_the_end
        for name, pid in self.running.items():
            waits = name in self.needed_to_the_end and others and self.told == 1
            if pid is None or waits:
                continue
            if late:
                signal_group(pid, signal.SIGKILL)
            elif self.passed_on.get(name, 0) < self.told:
                self.passed_on[name] = self.told
                signal_group(pid, signal.SIGTERM)

    def say(self, text: str) -> None:
        self.printer.write(Message("line", text, datetime.now(), "office", None))


def signal_group(pid: int, number: int) -> None:
    """Signal a process group; one that is gone is fine."""
    # macOS answers with PermissionError for a group that has ended but was not waited for.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def lead(work: Callable[[], object]) -> int:
    """Run ``work`` in a child with a session of its own; return the exit status for it.

    The child's head gets SIGTERM for whichever signal to stop comes first, its whole group gets
    SIGKILL for a second one, and for whatever is left when the head has ended. 0 means that it
    ended because it was told to.
    """
    told: list[int] = []
    parent = os.getpid()
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)  # until both sides can answer
    head = os.fork()
    if head == 0:
        os.setsid()
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        leash(parent)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
        work()
        sys.exit(0)

    def pass_on(number: int, frame: FrameType | None) -> None:
        told.append(number)
        if len(told) == 1:
            os.kill(head, signal.SIGTERM)
        else:
            signal_group(head, signal.SIGKILL)

    for number in STOP_SIGNALS:
        signal.signal(number, pass_on)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
    os.waitpid(head, 0)
    signal_group(head, signal.SIGKILL)
    return 0 if told else 1


if __name__ == "__main__":
    sys.exit(Office(**json.loads(sys.argv[1])).run())
