"""The real web server on the database of the test: gunicorn with its workers, as in service."""

import signal
import subprocess
import sys

import requests
from django.conf import settings

from tests.conftest import session_cookie
from tests.processes import free_port, wait_for
from tests.reservations import programs
from tests.reservations.load import Cashier


class WebServer:
    """A context manager. ``more`` are environment variables, ``log`` is a file for its words.

    Its settings are those of the tests, for pages need no collected files then.
    """

    def __init__(self, log, application="backoffice.wsgi", **more):
        self.log, self.application, self.port = log, application, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = programs.environment() | {
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "BASE_URL": self.url,
            **{name: str(value) for name, value in more.items()},
        }

    def __enter__(self):
        with self.log.open("a") as words:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gunicorn", self.application],
                cwd=settings.BASE_DIR,
                env=self.environment,
                stdout=words,
                stderr=words,
                start_new_session=True,
            )
        try:
            wait_for(self.is_open, seconds=60, what="the web server opens")
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise
        return self

    def __exit__(self, *exception):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    def is_open(self):
        assert self.process.poll() is None, self.log.read_text()
        try:
            return requests.get(f"{self.url}/admin/login/", timeout=5).status_code == 200
        except requests.RequestException:
            return False

    def cashier(self, user, event):
        """Return the browser of somebody who has the map of an event open."""
        return Cashier(self.port, cookie_of(user), event.pk).open_map()


def cookie_of(user):
    """Return the header of the cookie that logs a user in."""
    cookie = session_cookie(user, "")
    return f"{cookie['name']}={cookie['value']}"
