"""Real clusters of the task queue on the database of the test, without the rest of the office."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress

from tests.processes import ROOT, members_of, sessions_of, title, wait_for
from tests.reservations import programs


class Cluster:
    """A cluster as the Procfile starts it; a context manager. ``output`` is what it has printed.

    ``more`` are environment variables; ``program`` stands in for the command that starts it.
    """

    def __init__(self, log, name="DjangoORM", *, program=("manage.py", "run_cluster"), **more):
        self.log, self.name, self.program = log, name, program
        self.sessions = set()
        self.environment = programs.environment() | {
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "Q_CLUSTER_NAME": name,
            **{name: str(value) for name, value in more.items()},
        }

    def __enter__(self):
        return self.start().wait_until_ready()

    def __exit__(self, *exception):
        for pid in self.members():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()

    @property
    def output(self):
        return self.log.read_text(encoding="utf-8")

    def start(self):
        with self.log.open("a") as words:
            self.process = subprocess.Popen(
                [sys.executable, *self.program, self.name],
                cwd=ROOT,
                env=self.environment,
                stdout=words,
                stderr=words,
                start_new_session=True,
            )
        return self

    def wait_until_ready(self):
        """Wait until it looks for work."""
        wait_for(self.is_ready, seconds=60, what="a cluster that looks for work")
        return self

    def is_ready(self):
        assert self.process.poll() is None, self.output
        return self.find(" pusher")

    def members(self):
        """Return the ids of all its processes, those it has lost sight of included."""
        if self.process.poll() is None:
            self.sessions |= sessions_of(self.process.pid)
        return members_of(self.sessions)

    def find(self, words):
        """Return the ids of its processes whose titles hold some words, the oldest first."""
        return sorted(pid for pid in self.members() if words in title(pid))

    def head(self):
        return self.find("qcluster MainProcess")[0]

    def guard(self):
        return self.find("qcluster MainProcess")[1]

    def workers(self):
        return self.find(" idle") + self.find(" processing ")

    def kill(self, pid):
        """Kill one of its processes, and wait until it is gone."""
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not title(pid), seconds=10, what="the killed one is gone")

    def wait_until_gone(self, seconds=20):
        """Return its exit status when no process of it is left."""
        self.members()
        wait_for(
            lambda: self.process.poll() is not None and not self.members(),
            seconds=seconds,
            what=f"no process is left of {[title(pid) for pid in self.members()]}\n{self.output}",
        )
        return self.process.returncode


@contextmanager
def office_clusters(folder, **more):
    """Run both clusters of an office side by side; the value is the two, the main one first."""
    clusters = [Cluster(folder / f"{name}.log", name, **more) for name in ("DjangoORM", "dispatch")]
    for cluster in clusters:
        cluster.start()
    try:
        yield [cluster.wait_until_ready() for cluster in clusters]
    finally:
        for cluster in clusters:
            cluster.__exit__()
