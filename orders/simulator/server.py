"""The simulated provider's HTTP server: quick enough to be measured against."""

import asyncio
import json
import socket
import struct
import threading
from http import HTTPStatus
from urllib.parse import parse_qsl, urlsplit

from orders.simulator.protocols import PROTOCOLS, Reply
from orders.simulator.scenarios import SCENARIOS

BACKLOG = 512
REQUEST_MAXIMUM_BYTES = 65_536


class _Client(asyncio.Protocol):
    """One connection, which asks one thing after another and is answered in that order."""

    def __init__(self, simulator):
        self.simulator = simulator
        self.received = b""
        self.busy = False

    def connection_made(self, transport):
        self.transport = transport
        self.simulator.clients.add(self)

    def connection_lost(self, problem):
        self.simulator.clients.discard(self)

    def data_received(self, data):
        self.received += data
        if len(self.received) > REQUEST_MAXIMUM_BYTES:
            self.transport.abort()
        self.answer_next()

    def answer_next(self):
        head, end, rest = self.received.partition(b"\r\n\r\n")
        if self.busy or not end:
            return
        self.received, self.busy = rest, True
        reply = self.simulator.reply(head.decode("latin-1"))
        seconds = max(reply.seconds, self.simulator.answer_seconds)
        if reply.fate == "hang":
            return
        send = self.reset if reply.fate == "reset" else self.send
        if seconds:
            asyncio.get_running_loop().call_later(seconds, send, reply)
        else:
            send(reply)

    def send(self, reply):
        body = reply.text.encode(reply.encoding, "replace")
        headers = {"Content-Type": "text/plain; charset=utf-8", "Content-Length": str(len(body))}
        headers |= reply.headers
        lines = [f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.transport.write("\r\n".join([*lines, "", ""]).encode() + body)
        self.busy = False
        self.answer_next()

    def reset(self, reply):
        # Lingering for no time makes closing send a reset instead of an end.
        linger = struct.pack("ii", 1, 0)
        connection = self.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.transport.abort()


class Simulator:
    """The server; as a context manager it runs in a thread of this process.

    ``answer_seconds`` is how long every answer takes at least, as a real provider's would.
    """

    def __init__(self, store, *, host="127.0.0.1", port=0, answer_seconds=0.0):
        self.store = store
        self.answer_seconds = answer_seconds
        self.protocols = [protocol(store) for protocol in PROTOCOLS.values()]
        self.clients = set()
        self.socket = socket.create_server((host, port), backlog=BACKLOG)
        self.server_address = self.socket.getsockname()
        self._loop = self._stopped = self._thread = None

    @property
    def url(self):
        return f"http://{self.server_address[0]}:{self.server_address[1]}"

    def reply(self, head):
        """Return the reply to a request; nothing of it is logged, as it holds the credentials."""
        lines = head.split("\r\n")
        method, target, _version = (*lines[0].split(" "), "", "")[:3]
        parts = urlsplit(target)
        query = dict(parse_qsl(parts.query))
        if parts.path.startswith("/simulator/"):
            return self.control(method, parts.path, query)
        protocol = next((one for one in self.protocols if one.knows(parts.path)), None)
        if method != "GET" or protocol is None:
            return Reply("<html>not found</html>", 404)
        pairs = (line.partition(":") for line in lines[1:])
        headers = {name.strip().lower(): value.strip() for name, _colon, value in pairs}
        return protocol.answer(parts.path, query, headers)

    def control(self, method, path, query):
        """Answer whoever runs the simulator: what was counted, the switch, and the prices."""
        name = query.get("scenario", "")
        if path == "/simulator/counts" and method == "GET":
            referans = query.get("referans")
            counts = self.store.about(referans) if referans else self.store.counts()
            return Reply(json.dumps(counts))
        if path == "/simulator/switch" and method == "POST" and name in ("", *SCENARIOS):
            self.store.switch(name)
            return Reply(name)
        if path == "/simulator/prices" and method == "POST" and query.get("package"):
            cost = query.get("cost")
            self.store.set_price(query["package"], float(cost) if cost else None)
            return Reply(cost or "")
        return Reply("unknown", 404)

    def serve_forever(self):
        """Answer until ``shutdown`` or an interruption."""
        asyncio.run(self._serve())

    async def _serve(self):
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        server = await self._loop.create_server(lambda: _Client(self), sock=self.socket)
        try:
            await self._stopped.wait()
        finally:
            server.close()
            for client in list(self.clients):
                client.transport.abort()

    def server_close(self):
        self.socket.close()

    def __enter__(self):
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        ready.wait()
        return self

    def _run(self, ready):
        async def serve():
            asyncio.get_running_loop().call_soon(ready.set)
            await self._serve()

        asyncio.run(serve())

    def __exit__(self, *_exception):
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join()
        self.server_close()
