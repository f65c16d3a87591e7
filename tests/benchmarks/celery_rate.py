"""Celery and Redis with their own environment, to be measured beside ours.

Redis is Debian's; where it is missing the figure is left out, or fails under CI.
"""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from backoffice.environment import BASE_DIR, VAR_DIR
from tests.processes import free_port, wait_for

FOLDER = Path(__file__).parent / "celery"
REQUIREMENTS = FOLDER / "requirements.txt"
ADVICE = "Redis is not on this machine: apt install redis-server"
POOLS = {
    "prefork": ("--pool=prefork", "--concurrency=4"),
    "gevent": ("--pool=gevent", "--concurrency=100"),
}


def find_redis():
    """Return Redis's server; without one the test is left out, or fails under CI."""
    found = shutil.which("redis-server")
    if found is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(ADVICE)
    return found


def environment():
    """Return the Python of Celery's own environment, made where it is missing or out of date."""
    state = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()[:12]
    folder = VAR_DIR / f"celery-{state}"
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        install = [python, "-m", "pip", "install", "--disable-pip-version-check"]
        done = subprocess.run([*install, "-r", REQUIREMENTS], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        (folder / "complete").touch()
    return python


class Redis:
    """A server that keeps nothing; a context manager."""

    def __init__(self, folder):
        self.program, self.folder, self.port = find_redis(), folder, free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def __enter__(self):
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        self.process = subprocess.Popen(
            [self.program, *options, "--dir", self.folder], stdout=subprocess.DEVNULL
        )
        return self

    def __exit__(self, *exception):
        self.process.terminate()
        self.process.wait()


class Worker:
    """A worker of Celery with one of the ``POOLS``; a context manager."""

    def __init__(self, pool, *, redis, database_url, provider_url, log):
        self.pool, self.log = pool, log
        self.environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "shop.settings",
            "PYTHONPATH": str(BASE_DIR),
            "DATABASE_URL": database_url,
            "SHOP_REDIS": redis.url,
            "SHOP_PROVIDER": provider_url,
        }
        self.python = environment()

    def __enter__(self):
        options = ["-Q", "celery", "--loglevel=WARNING", *POOLS[self.pool]]
        with self.log.open("a") as words:
            self.process = subprocess.Popen(
                [self.python, "-m", "celery", "-A", "shop.app", "worker", *options],
                cwd=FOLDER,
                env=self.environment,
                stdout=words,
                stderr=words,
            )
        wait_for(self.is_ready, seconds=60, what="Celery's worker is ready")
        return self

    def is_ready(self):
        assert self.process.poll() is None, self.log.read_text()
        ping = [self.python, "-m", "celery", "-A", "shop.app", "inspect", "ping"]
        asked = subprocess.run(ping, cwd=FOLDER, env=self.environment, capture_output=True)
        return asked.returncode == 0

    def __exit__(self, *exception):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def check(self, count):
        """Return how many seconds the worker takes for so many orders."""
        feeder = subprocess.Popen(
            [self.python, "-m", "shop.measure", str(count)],
            cwd=FOLDER,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert feeder.stdout.readline() == "ready\n", self.log.read_text()
        time.sleep(0.5)
        seconds, _nothing = feeder.communicate("go\n", timeout=300)
        return float(seconds)
