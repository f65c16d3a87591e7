"""Connections to providers: where they may lead is looked at as they are made, and in time.

A name is looked up once, all that it leads to is checked, and that is what is connected to: nothing
can lie between the check and the connection. Orders go by ``requests``, each over a connection of
its own. Questions, of which there are many more, go over connections that are kept alive, by hand:
that costs less than half of the processor's time.
"""

import http.client
import io
import os
import socket
import ssl
import time
from collections import defaultdict, deque
from functools import cache
from typing import Any

import requests
from django.conf import settings
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

from orders.addresses import Origin, is_allowed

KEPT_SECONDS = 30.0  # idle; routers on the way forget a connection silently after some minutes


class ForbiddenAddress(Exception):
    """The provider's name leads to an address that may not be called; nothing was sent."""


class NotReached(Exception):
    """No connection came about; nothing was sent."""


def open_socket(host: str, port: int) -> socket.socket:
    """Return a socket that is connected to a host.

    Raises ``ForbiddenAddress`` where any of its addresses may not be called.
    """
    deadline = time.monotonic() + settings.PROVIDER_CONNECT_SECONDS
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise NotReached from None
    if not all(is_allowed(str(address[0])) for *_kind, address in found):
        raise ForbiddenAddress
    for family, kind, protocol, _name, address in found:
        left = deadline - time.monotonic()
        if left > 0:
            connected = socket.socket(family, kind, protocol)
            try:
                connected.settimeout(left)
                connected.connect(address)
                connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return connected
            except OSError:
                connected.close()
    raise NotReached


class _Timely(io.RawIOBase):
    """What comes in over a socket until a moment: its own timeout is one for each piece."""

    def __init__(self, source: socket.socket) -> None:
        self._socket = source
        self._pieces = source.makefile("rb", buffering=0)
        self._deadline = time.monotonic() + settings.PROVIDER_READ_SECONDS

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)
        return self._pieces.readinto(buffer)

    def close(self) -> None:
        self._pieces.close()
        super().close()


class TimelyResponse(http.client.HTTPResponse):
    """An answer that has to be complete in time, head and body."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp.close()
        self.fp = io.BufferedReader(_Timely(sock))


# Questions, over kept connections


@cache
def _certificates() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=DEFAULT_CA_BUNDLE_PATH)


class KeptConnection(http.client.HTTPConnection):
    """A connection to a provider that may be used again."""

    response_class = TimelyResponse
    idle_since = 0.0

    def __init__(self, origin: Origin) -> None:
        super().__init__(origin.host, origin.port)
        self.origin = origin
        self.default_port = origin.default_port

    def connect(self) -> None:
        """Connect, or raise ``NotReached`` or ``ForbiddenAddress``."""
        connected = open_socket(self.origin.host, self.origin.port)
        if self.origin.scheme == "https":
            try:
                connected = _certificates().wrap_socket(connected, server_hostname=self.origin.host)
            except (OSError, ValueError):
                connected.close()
                raise NotReached from None
        connected.settimeout(settings.PROVIDER_READ_SECONDS)
        self.sock = connected

    def is_usable(self) -> bool:
        """Return whether it is young and the other end has neither closed it nor said anything."""
        if time.monotonic() - self.idle_since > KEPT_SECONDS:
            return False
        self.sock.settimeout(0)
        try:
            self.sock.recv(1)  # the end, or words that nobody asked for
        except (BlockingIOError, ssl.SSLWantReadError):
            self.sock.settimeout(settings.PROVIDER_READ_SECONDS)
            return True
        except OSError:
            pass
        return False


_kept: dict[Origin, deque[KeptConnection]] = defaultdict(deque)
os.register_at_fork(after_in_child=_kept.clear)


def take(origin: Origin) -> KeptConnection | None:
    """Return a kept connection that can be used, None where there is none."""
    idle = _kept[origin]
    while True:
        try:
            connection = idle.pop()
        except IndexError:
            return None
        if connection.is_usable():
            return connection
        connection.close()


def keep(connection: KeptConnection) -> None:
    """Keep a connection whose answer was read to its end; close those that nobody needed."""
    connection.idle_since = time.monotonic()
    idle = _kept[connection.origin]
    idle.append(connection)
    try:
        while idle[0].idle_since < connection.idle_since - KEPT_SECONDS:
            idle.popleft().close()
    except IndexError:
        pass  # another thread took the rest


# Orders, by requests


class _Guard:
    def _new_conn(self) -> socket.socket:
        return open_socket(self._dns_host, self.port)  # type: ignore[attr-defined]

    def connect(self) -> None:
        try:
            super().connect()  # type: ignore[misc]
        except (OSError, ValueError, HTTPError):  # in the TLS handshake: before anything was sent
            raise NotReached from None


class _GuardedHTTPConnection(_Guard, HTTPConnection):
    response_class = TimelyResponse


class _GuardedHTTPSConnection(_Guard, HTTPSConnection):
    response_class = TimelyResponse


class _GuardedHTTPPool(HTTPConnectionPool):
    ConnectionCls = _GuardedHTTPConnection


class _GuardedHTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _GuardedHTTPSConnection


class _GuardedTransport(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {
            "http": _GuardedHTTPPool,
            "https": _GuardedHTTPSPool,
        }


def new_session() -> requests.Session:
    """Return a session for one order, whose connection nobody else has used or will use."""
    session = requests.Session()
    session.trust_env = False  # no proxy and no .netrc gets to see the credentials
    # Identity: what would be unpacked could be much longer than what was sent.
    session.headers.update({"Accept-Encoding": "identity", "Connection": "close"})
    transport = _GuardedTransport(max_retries=0)
    session.mount("http://", transport)
    session.mount("https://", transport)
    return session
