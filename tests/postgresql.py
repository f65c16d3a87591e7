"""A PostgreSQL of the tests' own: made, killed and thrown away by them.

``python -m tests.postgresql COMMAND...`` runs a command with ``DATABASE_URL`` at such a server,
or at the one that ``DATABASE_URL`` names already. For figures, ``DURABLE=yes`` makes every commit
wait for the disk, as an office's does.
"""

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.processes import free_port

ADVICE = "PostgreSQL is not on this machine, its tests are left out: apt install postgresql"
NAME = "office"


def find_binaries():
    """Return the folder of PostgreSQL's programs, the newest where there are several, or None."""
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version, reverse=True):
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None


def _version(folder):
    return int(folder.parent.name) if folder.parent.name.isdigit() else 0


class Server:
    """A throwaway server; a context manager. ``kill`` and ``start`` are for tests of outages."""

    def __init__(self):
        self.binaries = find_binaries()
        self.folder = Path(tempfile.mkdtemp(prefix="office-pg-"))
        self.port = free_port()
        self.password = secrets.token_hex(12)
        self.process = None
        self.account = {}
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            owner = _unprivileged()
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
            self.account = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}

    def __enter__(self):
        password_file = self.folder / "password"
        password_file.write_text(self.password)
        if self.account:
            shutil.chown(password_file, self.account["user"], self.account["group"])
        data = self.folder / "data"
        options = ["-U", NAME, "-A", "scram-sha-256", f"--pwfile={password_file}"]
        options += ["-E", "UTF8", "--locale=C", "--no-instructions"]
        self._run(["initdb", "-D", data, *options])
        with (data / "postgresql.conf").open("a") as settings:
            settings.write(
                f"listen_addresses = '127.0.0.1'\nport = {self.port}\n"
                f"unix_socket_directories = '{self.folder}'\nmax_connections = 200\n"
                # A killed server loses nothing without it, only a power cut would.
                f"fsync = {'on' if os.environ.get('DURABLE') == 'yes' else 'off'}\n"
            )
        self.start()
        self._run(["createdb", "-h", self.folder, "-p", str(self.port), "-U", NAME, NAME])
        return self

    def __exit__(self, *exception):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def url(self):
        return f"postgres://{NAME}:{self.password}@127.0.0.1:{self.port}/{NAME}"

    def start(self):
        """Start the server and wait until it answers, after a crash until it has recovered."""
        ready = ["pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        for _attempt in range(300):
            if self.process is None or self.process.poll() is not None:
                self._launch()  # the first tries may still meet children of a killed server
            with contextlib.suppress(subprocess.CalledProcessError):
                return self._run(ready)
            time.sleep(0.1)
        raise RuntimeError((self.folder / "log").read_text())

    def _launch(self):
        with (self.folder / "log").open("a") as log:
            self.process = subprocess.Popen(
                [self.binaries / "postgres", "-D", self.folder / "data"],
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
                **self.account,
            )

    def kill(self):
        """Kill the server and its children at once, as a power cut would."""
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def _run(self, command):
        program, *arguments = command
        subprocess.run(
            [self.binaries / program, *arguments],
            check=True,
            cwd="/",
            stdout=subprocess.DEVNULL,
            env=os.environ | {"PGPASSWORD": self.password},
            **self.account,
        )


def _unprivileged():
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise RuntimeError("PostgreSQL refuses to run as root, and there is no other account")


def main(command):
    if os.environ.get("DATABASE_URL", "").startswith("postgres"):
        return subprocess.run(command).returncode
    if find_binaries() is None:
        print(ADVICE)
        return 1 if os.environ.get("CI") == "true" else 0
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    with Server() as server:
        return subprocess.run(command, env=os.environ | {"DATABASE_URL": server.url}).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
