"""The one way out to a provider: sessions, the call, its errors, and the masking of secrets.

Nothing that leaves this module, a log line, an exception or a text to be kept, holds an address
or a secret.
"""

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from http.cookiejar import DefaultCookiePolicy
from urllib.parse import quote, quote_plus

import requests
from django.conf import settings
from django.db import connection
from django.utils.translation import gettext_noop
from urllib3.exceptions import LocationParseError, NewConnectionError

from orders.addresses import ForbiddenAddress, GuardedTransport

CONNECTIONS = 64  # at once, of one process; of one integration a quarter
ANSWER_MAXIMUM_BYTES = 100_000
KEPT = 500  # characters of a text that is kept
LONGEST_PAUSE = 86_400.0  # seconds that a provider may ask us to wait
# Statuses that a server gives without handing the request on: certainly nothing was placed.
REFUSING = frozenset({400, 401, 403, 404, 405, 410})


class CallInTransaction(Exception):
    """A call was tried while a transaction was open; it would hold locks for its whole time."""


class ProviderFailure(Exception):
    """There is no answer that can be read. The text never holds the address, which is a secret."""

    def __init__(
        self,
        reason: str,
        *,
        outcome: str = "unknown",
        retryable: bool = False,
        retry_after: float | None = None,
        body: str = "",
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.outcome = outcome
        self.retryable = retryable
        self.retry_after = retry_after
        self.body = body


@dataclass(frozen=True)
class ProviderRequest:
    """A GET request: what an adapter makes of an order or a reference."""

    path: str
    parameters: dict[str, str]
    headers: dict[str, str] = field(default_factory=dict)

    def masked(self, secrets: Iterable[str]) -> str:
        pairs = " ".join(f"{name}={value}" for name, value in self.parameters.items())
        return redact(f"GET {self.path} {pairs}", secrets)


def redact(text: str, secrets: Iterable[str]) -> str:
    """Return at most ``KEPT`` characters of a text, every secret in it masked."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        for form in {secret, quote(secret), quote_plus(secret)}:
            text = text.replace(form, "***")
    return text[:KEPT]


def refuse_inside_transaction() -> None:
    """Raise where a transaction is open; those that a test case wraps around don't count."""
    if any(not getattr(block, "_from_testcase", False) for block in connection.atomic_blocks):
        raise CallInTransaction("a provider may not be called inside a transaction")


def new_session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # no proxy and no .netrc gets to see the credentials
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # threads share it
    transport = GuardedTransport(max_retries=0, pool_maxsize=CONNECTIONS // 4)
    session.mount("http://", transport)
    session.mount("https://", transport)
    return session


@cache
def _session_of(process: int) -> requests.Session:
    return new_session()


def kept_session() -> requests.Session:
    """Return this process's session, whose connections are kept alive; a fork has its own."""
    return _session_of(os.getpid())


def call(session: requests.Session, base_url: str, request: ProviderRequest) -> str:
    """Return the text of an answer; raise ``ProviderFailure`` where there is none to be read."""
    refuse_inside_transaction()
    deadline = time.monotonic() + settings.PROVIDER_CONNECT_SECONDS + settings.PROVIDER_READ_SECONDS
    try:
        with session.get(
            f"{base_url.rstrip('/')}/{request.path}",
            params=request.parameters,
            headers={"Accept": "*/*", **request.headers},
            timeout=(settings.PROVIDER_CONNECT_SECONDS, settings.PROVIDER_READ_SECONDS),
            allow_redirects=False,
            stream=True,
        ) as response:
            return _read(response, deadline)
    except ForbiddenAddress:
        raise ProviderFailure(gettext_noop("forbidden address"), outcome="refused") from None
    except (requests.RequestException, LocationParseError) as problem:
        # Without the cause: its text holds the whole address.
        raise _failure_of(problem) from None


def _failure_of(problem: requests.RequestException | LocationParseError) -> ProviderFailure:
    cause = getattr(problem.args[0] if problem.args else None, "reason", None)
    not_reached = (requests.ConnectTimeout, requests.exceptions.InvalidURL, LocationParseError)
    if isinstance(problem, not_reached) or isinstance(cause, NewConnectionError):
        return ProviderFailure(
            gettext_noop("provider not reached"), outcome="refused", retryable=True
        )
    if isinstance(problem, requests.ReadTimeout):
        return ProviderFailure(gettext_noop("no answer in time"))
    return ProviderFailure(gettext_noop("connection broken"))


def _read(response: requests.Response, deadline: float) -> str:
    body = b""
    for chunk in response.iter_content(8192):
        body += chunk
        if len(body) > ANSWER_MAXIMUM_BYTES or time.monotonic() > deadline:
            raise ProviderFailure(gettext_noop("the answer is too long or too slow"))
    text = _decode(body)
    code = response.status_code
    if code == 429:
        after = _seconds(response.headers.get("Retry-After", ""))
        raise ProviderFailure(
            "HTTP 429", outcome="refused", retryable=True, retry_after=after, body=text
        )
    if code in REFUSING:
        raise ProviderFailure(f"HTTP {code}", outcome="refused", body=text)
    if code != 200:
        raise ProviderFailure(f"HTTP {code}", body=text)
    if not text.strip():
        raise ProviderFailure(gettext_noop("empty answer"))
    if text.lstrip().startswith("<"):
        raise ProviderFailure(gettext_noop("HTML instead of an answer"), body=text)
    return text


def _decode(body: bytes) -> str:
    body = body.replace(b"\0", b"")  # PostgreSQL keeps no text with such a byte
    try:
        return body.decode()
    except UnicodeDecodeError:
        return body.decode("cp1254", "replace")  # what Turkish servers send beside UTF-8


def _seconds(value: str) -> float | None:
    if value.isascii() and value.isdigit():
        return min(float(value), LONGEST_PAUSE)
    try:
        seconds = (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError):
        return None
    return min(max(seconds, 0.0), LONGEST_PAUSE)
