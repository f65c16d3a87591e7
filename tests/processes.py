"""Real processes for tests: who belongs to whom, how much memory they take, the whole office.

Linux only, as it reads ``/proc``.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import requests

PROC = Path("/proc")
ROOT = Path(__file__).resolve().parent.parent
CLUSTERS = 2  # of an office


def free_port():
    """Return a port on which nobody listened a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(answer, *, seconds, what):
    """Return the first true answer; fail, saying what was waited for, when none comes in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := answer():
            return found
        time.sleep(0.1)
    raise AssertionError(f"{what}: not within {seconds} seconds")


def table():
    """Return {process id: (parent, session)} of all processes that are not zombies."""
    found = {}
    for folder in PROC.iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rsplit(")", 1)[1].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if fields[0] != "Z":
                found[int(folder.name)] = (int(fields[1]), int(fields[3]))
    return found


def family(pid):
    """Return the ids of a process and all its descendants."""
    parents = {child: parent for child, (parent, _session) in table().items()}
    members = {pid}
    while grown := {child for child, parent in parents.items() if parent in members} - members:
        members |= grown
    return members


def sessions_of(pid):
    """Return the sessions that a process and its descendants have made."""
    known = table()
    return {known[member][1] for member in family(pid) if member in known} - {os.getsid(0)}


def members_of(sessions):
    """Return the ids of the processes that live in one of the sessions."""
    return {pid for pid, (_parent, session) in table().items() if session in sessions}


def title(pid):
    """Return the command line of a process, '' when it is gone."""
    try:
        return (PROC / str(pid) / "cmdline").read_text().replace("\0", " ").strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def memory(pid):
    """Return the proportional set size of a process in MiB; 0 when it is gone."""
    try:
        lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


class RealOffice:
    """The office as ``make run`` starts it, on a data folder and a database of its own.

    ``settings`` are environment variables. ``output`` is all that it has printed so far.
    """

    def __init__(self, folder, *, database_url, **settings):
        self.folder = Path(folder)
        self.folder.mkdir(exist_ok=True)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.database_url = database_url
        self.process = None
        self.sessions = set()
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith("DJANGO_")
        } | {
            "VAR_DIR": str(self.folder),
            "DATABASE_URL": database_url,
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "BASE_URL": self.url,
            "SIMULATOR_PORT": str(free_port()),
            **{name: str(value) for name, value in settings.items()},
        }
        subprocess.run(
            [sys.executable, "-m", "backoffice.environment"],
            cwd=ROOT,
            env=self.environment,
            check=True,
        )

    @property
    def output(self):
        log = self.folder / "output.txt"
        return log.read_text(encoding="utf-8") if log.exists() else ""

    def manage(self, *arguments, **more):
        """Run a command of the office to its end; its status and its words are in the result."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment | more,
            capture_output=True,
            text=True,
        )

    def start(self, **more):
        """Start the office, in a session of its own, without waiting for it."""
        with (self.folder / "output.txt").open("a") as output:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "run_office"],
                cwd=ROOT,
                env=self.environment | more,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        return self

    def wait_until_open(self, seconds=90):
        """Wait for the first page, and note which sessions the processes live in."""
        wait_for(self.answers, seconds=seconds, what=f"the office opens\n{self.output}")
        wait_for(
            lambda: sum(" pusher" in title(pid) for pid in self.members()) == CLUSTERS,
            seconds=seconds,
            what=f"the clusters run\n{self.output}",
        )
        return self

    def answers(self):
        assert self.process.poll() is None, self.output
        try:
            return requests.get(f"{self.url}/admin/login/", timeout=5).status_code == 200
        except requests.RequestException:
            return False

    def members(self):
        """Return the ids of all processes of the office, those it has lost sight of included."""
        if self.process.poll() is None:
            self.sessions |= sessions_of(self.process.pid)
        return members_of(self.sessions)

    def stop(self, number=signal.SIGTERM, seconds=30):
        """Ask the office to stop; return its status when every process of it is gone."""
        self.members()
        self.process.send_signal(number)
        self.wait_until_gone(seconds)
        return self.process.returncode

    def wait_until_gone(self, seconds=30):
        """Wait until every process of the office is gone."""
        wait_for(
            lambda: self.process.poll() is not None and not self.members(),
            seconds=seconds,
            what=f"no process is left of {[title(pid) for pid in self.members()]}\n{self.output}",
        )

    def destroy(self):
        """End whatever runs, for the end of a test that failed."""
        if self.process is not None:
            for pid in self.members():
                with contextlib.suppress(ProcessLookupError):  # it ended meanwhile
                    os.kill(pid, signal.SIGKILL)
            self.process.wait()
