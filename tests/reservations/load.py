"""Cashiers at the map of an event, as far as HTTP can tell; without Django, to weigh little."""

import http.client
import json
import time
from dataclasses import dataclass
from http.cookies import SimpleCookie
from urllib.parse import urlencode

IDLE = 1  # seconds; after two the web server closes a connection that nobody uses


@dataclass
class Answer:
    status: int
    json: dict | None
    etag: str
    seconds: float

    def __bool__(self):
        return self.status == 200


class Cashier:
    """A browser that is logged in and shows the map; it keeps its connection and its ETag."""

    def __init__(self, port, session, event):
        self.port = port
        self.connection, self.used = None, 0
        self.map = f"/admin/reservations/event/{event}/map/"
        self.cookies = SimpleCookie(session)
        self.etag, self.seats = "", []

    def open_map(self):
        """Load the page, which brings the cookie that every change has to prove."""
        answer, body = self._send("GET", "", None, {})
        assert answer.status == 200, (answer.status, body[:500])
        for header in answer.headers.get_all("Set-Cookie", ()):
            self.cookies.load(header)
        assert "csrftoken" in self.cookies, "the page brings no token"
        self.close()  # what comes next comes seconds later, on a new connection
        return self

    def post(self, name, **fields):
        """Ask for something of the map; return its ``Answer``, in JSON whatever it is."""
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-CSRFToken": self.cookies["csrftoken"].value,
        }
        return self._timed("POST", f"{name}/", urlencode(fields, doseq=True), headers)

    def look(self):
        """Refresh the map; return the ``Answer``. ``seats`` is what the page shows then."""
        answer = self._timed("GET", "state/", None, {"If-None-Match": self.etag})
        if answer.status == 200:
            self.etag, self.seats = answer.etag, answer.json["seats"]
        return answer

    def _timed(self, method, path, body, headers):
        began = time.perf_counter()
        answer, content = self._send(method, path, body, headers)
        seconds = time.perf_counter() - began
        known = (
            json.loads(content) if content and "json" in answer.headers["Content-Type"] else None
        )
        return Answer(answer.status, known, answer.headers.get("ETag", ""), seconds)

    def _send(self, method, path, body, headers):
        now = time.monotonic()
        if self.connection is None or now - self.used > IDLE:
            self.close()
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        cookies = "; ".join(f"{name}={cookie.value}" for name, cookie in self.cookies.items())
        self.connection.request(method, self.map + path, body, {"Cookie": cookies, **headers})
        answer = self.connection.getresponse()
        content = answer.read()
        self.used = time.monotonic()
        if answer.will_close:
            self.close()
        return answer, content

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None
