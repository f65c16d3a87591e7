"""The one way out to a provider: the call, its errors, and the masking of secrets.

Nothing that leaves this module, a log line, an exception or a text to be kept, holds an address
or a secret.
"""

import html
import http.client
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

import requests
import urllib3
from django.conf import settings
from django.db import connection
from django.utils.translation import gettext_noop

from orders.addresses import Origin, origin_of
from orders.connections import (
    ForbiddenAddress,
    KeptConnection,
    NotReached,
    keep,
    new_session,
    take,
)

CONNECTIONS = 64  # at once, of one process; of one integration a quarter
ANSWER_MAXIMUM_BYTES = 100_000
LIST_MAXIMUM_BYTES = 5_000_000  # of a price list: some ten thousand rows
PIECE_BYTES = 8192
FORBIDDEN = gettext_noop("forbidden address")
KEPT = 500  # characters of a text that is kept
LONGEST_PAUSE = 86_400.0  # seconds that a provider may ask us to wait
# Statuses that a server gives without handing the request on: certainly nothing was placed.
REFUSING = frozenset({400, 401, 403, 404, 405, 410})


class CallInTransaction(Exception):
    """A call was tried while a transaction was open; it would hold locks for its whole time."""


class ProviderFailure(Exception):
    """There is no answer that can be read. The text never holds the address, which is a secret.

    ``transport`` is whether the provider gave no usable answer at all.
    """

    def __init__(
        self,
        reason: str,
        *,
        outcome: str = "unknown",
        retryable: bool = False,
        retry_after: float | None = None,
        body: str = "",
        transport: bool = True,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.outcome = outcome
        self.retryable = retryable
        self.retry_after = retry_after
        self.body = body
        self.transport = transport


@dataclass(frozen=True)
class ProviderRequest:
    """A GET request: what an adapter makes of an order or a reference."""

    path: str
    parameters: dict[str, str] = field(repr=False)
    headers: dict[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if not all(text.isascii() and text.isprintable() for text in self.headers.values()):
            raise ValueError("a header can't be sent")

    def masked(self, secrets: Iterable[str]) -> str:
        pairs = " ".join(f"{name}={value}" for name, value in self.parameters.items())
        return redact(f"GET {self.path} {pairs}".strip(), secrets)


@dataclass(frozen=True)
class Reply:
    """What a server answered, not yet looked at."""

    status: int
    retry_after: str
    body: bytes = field(repr=False)


def redact(text: str, secrets: Iterable[str]) -> str:
    """Return at most ``KEPT`` characters of a text, every secret in it masked."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        for form in _forms(secret):
            text = text.replace(form, "***")
    return storable(text)[:KEPT]


def present(text: str, secrets: Iterable[str]) -> list[str]:
    """Return those of the secrets that a text holds, in whichever form."""
    return [s for s in secrets if s and any(form in text for form in _forms(s))]


def _forms(secret: str) -> set[str]:
    """Return how a secret may be written in an address, in JSON and in HTML."""
    coded = {quote(secret), quote_plus(secret)}
    lower = {re.sub("%[0-9A-F]{2}", lambda code: code[0].lower(), form) for form in coded}
    return {secret, *coded, *lower, json.dumps(secret)[1:-1], html.escape(secret)}


def storable(text: str) -> str:
    """Return a text that every database keeps: JSON may hold half a character, or a zero byte."""
    return text.encode("utf-8", "replace").decode().replace("\0", "")


def redact_codes(text: str) -> str:
    """Return a text that nobody could read with every word masked that looks like a PIN.

    That is a word of four characters or more with a digit in it, or of six capitals or more.
    """
    return re.sub(r"[\w-]{4,}", lambda word: "***" if looks_like_code(word[0]) else word[0], text)


def looks_like_code(word: str) -> bool:
    """Return whether a word may be a PIN: by a digit, or as it is all capitals."""
    return re.search("[0-9]", word) is not None or (len(word) >= 6 and word.isupper())


def refuse_inside_transaction() -> None:
    """Raise where a transaction is open; those that a test case wraps around don't count."""
    if any(not getattr(block, "_from_testcase", False) for block in connection.atomic_blocks):
        raise CallInTransaction("a provider may not be called inside a transaction")


def call(
    creds: dict[str, Any],
    request: ProviderRequest,
    *,
    paths: str,
    order: bool = False,
    most: int = ANSWER_MAXIMUM_BYTES,
) -> str:
    """Return the text of an answer; raise ``ProviderFailure`` where there is none to be read.

    ``paths`` is the pattern of the paths that may be asked for. An ``order`` is sent once and never
    again, over a connection of its own: a kept one may have been closed by the provider, and an
    order that is then reset would be of unknown outcome for nothing. ``most`` bytes are read.
    """
    refuse_inside_transaction()
    try:
        origin = _allowed_origin(creds, request, paths)
        reply = _send_order(origin, request) if order else _ask(origin, request, most)
    except ForbiddenAddress:
        raise ProviderFailure(
            FORBIDDEN, outcome="refused", retryable=True, transport=False
        ) from None
    except NotReached:
        raise ProviderFailure(
            gettext_noop("provider not reached"), outcome="refused", retryable=True
        ) from None
    except (TimeoutError, requests.Timeout, urllib3.exceptions.TimeoutError):
        # Without the cause here and below: its text holds the whole address.
        raise ProviderFailure(gettext_noop("no answer in time")) from None
    except (OSError, http.client.HTTPException, urllib3.exceptions.HTTPError):
        raise ProviderFailure(gettext_noop("connection broken")) from None
    return _text(reply)


def _allowed_origin(creds: dict[str, Any], request: ProviderRequest, paths: str) -> Origin:
    try:
        origin = origin_of(creds["base_url"])
    except ValueError:
        raise NotReached from None
    hosts = creds.get("allowed_hosts")
    if (hosts and not origin.is_among(hosts)) or not re.fullmatch(paths, request.path):
        raise ForbiddenAddress
    return origin


def _send_order(origin: Origin, request: ProviderRequest) -> Reply:
    with (
        new_session() as session,
        session.get(
            f"{origin.url}/{request.path}",
            params=request.parameters,
            headers={"Accept": "*/*", **request.headers},
            timeout=(settings.PROVIDER_CONNECT_SECONDS, settings.PROVIDER_READ_SECONDS),
            allow_redirects=False,
            stream=True,
        ) as response,
    ):
        after = response.headers.get("Retry-After", "")
        return Reply(response.status_code, after, _body(response.raw.read, ANSWER_MAXIMUM_BYTES))


def _ask(origin: Origin, request: ProviderRequest, most: int) -> Reply:
    """Ask over a kept connection; once more over a fresh one where it turns out to be closed."""
    kept = take(origin)
    response = _begin(kept, request) if kept else None
    if kept is None or response is None:
        kept = KeptConnection(origin)
        response = _begin(kept, request)
    if response is None:
        raise ConnectionResetError
    try:
        with response:
            after = response.headers.get("Retry-After", "")
            reply = Reply(response.status, after, _body(response.read, most))
            if response.length:
                raise http.client.IncompleteRead(b"")
    except BaseException:
        kept.close()
        raise
    if kept.sock:
        keep(kept)
    return reply


def _begin(connection: KeptConnection, request: ProviderRequest) -> http.client.HTTPResponse | None:
    """Return an answer whose body is not read yet, None where the connection was reset before."""
    query = f"?{urlencode(request.parameters)}" if request.parameters else ""
    target = f"{connection.origin.path}/{request.path}{query}"
    try:
        connection.request("GET", target, headers={"Accept": "*/*", **request.headers})
        return connection.getresponse()
    except ConnectionError:
        connection.close()
        return None
    except BaseException:
        connection.close()
        raise


def _body(read: Callable[[int], bytes], most: int) -> bytes:
    body = bytearray()
    while piece := read(PIECE_BYTES):
        body += piece
        if len(body) > most:
            raise ProviderFailure(gettext_noop("the answer is too long"))
    return bytes(body)


def _text(reply: Reply) -> str:
    text, code = _decode(reply.body), reply.status
    if code == 429:
        raise ProviderFailure(
            "HTTP 429",
            outcome="refused",
            retryable=True,
            retry_after=_seconds(reply.retry_after),
            body=text,
            transport=False,
        )
    if code in REFUSING:
        raise ProviderFailure(f"HTTP {code}", outcome="refused", body=text, transport=False)
    if code != 200:
        raise ProviderFailure(f"HTTP {code}", retry_after=_seconds(reply.retry_after), body=text)
    if not text.strip():
        raise ProviderFailure(gettext_noop("empty answer"))
    if text.lstrip("\ufeff \t\r\n").startswith("<"):
        raise ProviderFailure(gettext_noop("HTML instead of an answer"), body=text)
    return text


def _decode(body: bytes) -> str:
    body = body.replace(b"\0", b"")  # PostgreSQL keeps no text with such a byte
    try:
        return body.decode()
    except UnicodeDecodeError:
        return body.decode("cp1254", "replace")  # what Turkish servers send beside UTF-8


def _seconds(value: str) -> float | None:
    """Return how long a provider asks us to wait, which it says in seconds or as a date."""
    if value.isascii() and value.isdigit():
        return min(float(value), LONGEST_PAUSE)
    try:
        seconds = (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError):
        return None
    return min(max(seconds, 0.0), LONGEST_PAUSE)
