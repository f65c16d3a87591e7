"""A provider for figures: speaks znet, answers each call after a while, costs next to nothing.

``python -m tests.benchmarks.slow_provider SECONDS`` prints its port. Connections are kept alive.
Half of the orders wait, by the last digit of their reference, the others have their PIN.
``/seen`` answers at once with what it was asked so far, ``/forget`` also begins anew.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections import Counter
from urllib.parse import parse_qs, urlsplit

import requests

from backoffice.environment import BASE_DIR

PLACED, WAITS, DONE = "OK|40.00|100000.00", "OK|1| |bekliyor", "OK|2|PIN-{}|tamam"
CREDENTIALS = {"kod": "dealer", "sifre": "open-sesame"}


class Seen:
    """What was asked: when each reference was, and how many calls were under way at most."""

    def __init__(self):
        self.arrivals, self.under_way = [], 0
        self.most = Counter()  # by seconds since the first call

    def begin(self, path, reference):
        now = time.time()
        self.arrivals.append((now, path, reference))
        self.under_way += 1
        second = int(now - self.arrivals[0][0])
        self.most[second] = max(self.most[second], self.under_way)


class Connection(asyncio.Protocol):
    """One kept connection: one request after the other."""

    seconds = 0.05
    seen = Seen()

    def connection_made(self, transport):
        self.transport, self.received, self.answering = transport, b"", None

    def data_received(self, data):
        self.received += data
        if self.answering is None and b"\r\n\r\n" in self.received:
            head, _end, self.received = self.received.partition(b"\r\n\r\n")
            self.ask(urlsplit(head.split(b" ", 2)[1].decode()))

    def ask(self, address):
        kind = type(self)
        if address.path in ("/seen", "/forget"):
            seen = {"arrivals": kind.seen.arrivals, "most": kind.seen.most}
            if address.path == "/forget":
                kind.seen.arrivals, kind.seen.most = [], Counter()
            self.write(json.dumps(seen))
            return
        asked = {name: values[-1] for name, values in parse_qs(address.query).items()}
        reference = asked.get("referans") or asked.get("tahsilat_api_islem_id", "")
        kind.seen.begin(address.path, reference)
        text = PLACED if "referans" in asked else self.state(reference)
        loop = asyncio.get_running_loop()
        self.answering = loop.call_later(self.seconds, self.answer, text)

    def state(self, reference):
        return WAITS if reference[-1:] in "02468" else DONE.format(reference)

    def answer(self, text):
        self.answering = None
        type(self).seen.under_way -= 1
        self.write(text)

    def write(self, text):
        body = text.encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n"
        self.transport.write(head.encode() + body)

    def connection_lost(self, problem):
        if self.answering is not None:
            self.answering.cancel()
            type(self).seen.under_way -= 1


class SlowProvider:
    """The provider in a process of its own; a context manager."""

    def __init__(self, seconds=0.05):
        self.seconds = seconds

    def __enter__(self):
        self.process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(self.seconds)],
            cwd=BASE_DIR,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.url = f"http://127.0.0.1:{int(self.process.stdout.readline())}"
        return self

    def __exit__(self, *exception):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def seen(self):
        """Return what it was asked since this was called last: all arrivals, the most at once."""
        return requests.get(f"{self.url}/forget", timeout=30).json()


async def serve(seconds):
    Connection.seconds = seconds
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1])))
