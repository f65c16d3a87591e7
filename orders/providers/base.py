"""What all providers share: the seam, the HTTP call, its errors, and the one place of redaction.

A provider's module has a class ``Adapter`` that only translates: four methods, no HTTP. Both
calls answer with a plain dict and never raise for what the provider did.

``place_order``: ``outcome`` is ``accepted``, ``refused`` (certainly not placed; with ``retryable``
where the provider was not reached at all) or ``unknown`` (never to be sent again by a machine).
``fetch_status``: ``outcome`` is ``answered``, which alone makes ``status`` mean something, or
``no_answer``.
"""

import logging
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from decimal import Decimal, InvalidOperation
from typing import Any

import requests

from orders.transport import (
    CONNECTIONS,
    CallInTransaction,
    ProviderFailure,
    ProviderRequest,
    call,
    kept_session,
    new_session,
    redact,
    refuse_inside_transaction,
)

__all__ = ["Misconfigured", "ProviderAdapter", "ProviderFailure", "ProviderRequest", "money"]

logger = logging.getLogger(__name__)


class Misconfigured(Exception):
    """An integration or a routing can't be used as it is set; nothing was sent."""


def money(text: str) -> Decimal | None:
    """Return an amount with a dot or a comma, None where it can't be read."""
    try:
        value = Decimal(text.strip().replace(",", ".") if "." not in text else text.strip())
    except InvalidOperation:
        return None
    return value.quantize(Decimal("0.01")) if value.is_finite() and abs(value) < 10**12 else None


def in_parallel(function: Any, items: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
    """Yield (item, result) as they come, over a bounded number of connections.

    ``function`` runs in threads of its own and touches no database.
    """
    refuse_inside_transaction()
    with ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="provider") as pool:
        futures = {pool.submit(function, item): item for item in items}
        for future in as_completed(futures):
            yield futures[future], future.result()


class ProviderAdapter:
    """One provider's protocol. A subclass fills in the four methods that translate."""

    credential_names: tuple[str, ...] = ()
    default_mapping: dict[str, str] = {}  # the provider's parameter -> the order's field
    package_id_example = ""
    status_batch = 1  # how many references one question takes

    def package_parameters(self, provider_package_id: str) -> dict[str, str]:
        """Return the parameters that name a package; raise ValueError for a text that can't."""
        raise NotImplementedError

    def order_request(
        self, creds: dict[str, str], provider_package_id: str, payload: dict[str, Any]
    ) -> ProviderRequest:
        raise NotImplementedError

    def read_order(self, text: str) -> dict[str, Any]:
        """Return what an answer to an order means, or raise ``ProviderFailure``."""
        raise NotImplementedError

    def status_request(self, creds: dict[str, str], referans: str) -> ProviderRequest:
        raise NotImplementedError

    def read_status(self, text: str) -> dict[str, Any]:
        """Return what an answer to a question means, or raise ``ProviderFailure``.

        ``secret`` is what of the answer must not be kept in words, where it is not ``pinCode``.
        """
        raise NotImplementedError

    def mapped(self, payload: dict[str, Any]) -> dict[str, str]:
        """Return the order's fields under the names that the package's mapping gives them."""
        fields = {
            "user_identifier": payload["userIdentifier"],
            "extra_field": payload["extraField"],
        }
        mapping = payload["fieldMapping"] or self.default_mapping
        return {name: fields[source] for name, source in mapping.items()}

    def describe_order(
        self, creds: dict[str, str], provider_package_id: str, payload: dict[str, Any]
    ) -> str:
        """Return the masked request; raise ``Misconfigured`` where there can be none."""
        try:
            request = self.order_request(creds, provider_package_id, payload)
        except (AttributeError, LookupError, TypeError, ValueError):
            raise Misconfigured("the routing does not fit the provider") from None
        return request.masked(self.secrets(creds))

    def secrets(self, creds: dict[str, str]) -> list[str]:
        return [creds[name] for name in self.credential_names]

    def place_order(
        self, creds: dict[str, str], provider_package_id: str, payload: dict[str, Any]
    ) -> dict[str, Any]:
        """Place an order once under ``payload["referans"]``; return what is known of it then."""
        result = {
            "providerReferans": payload["referans"],
            "outcome": "unknown",
            "retryable": False,
            "cost": None,
            "balance": None,
        }
        request = self.order_request(creds, provider_package_id, payload)
        # Over a connection of its own: a kept one may have been closed by the provider, and an
        # order that it then resets would be of unknown outcome for nothing.
        with new_session() as session:
            answer = self._exchange(creds, session, request, self.read_order, result)
        answer["status"] = "failed" if answer["outcome"] == "refused" else "sent"
        return answer

    def fetch_status(self, creds: dict[str, str], referans: str) -> dict[str, Any]:
        """Ask what became of an order by our reference; return what is known of it then."""
        result = {"status": "", "pinCode": "", "outcome": "no_answer"}
        request = self.status_request(creds, referans)
        answer = self._exchange(creds, kept_session(), request, self.read_status, result)
        if answer["outcome"] != "answered":
            answer["outcome"] = "no_answer"
        return answer

    def _exchange(
        self,
        creds: dict[str, str],
        session: requests.Session,
        request: ProviderRequest,
        read: Any,
        result: dict[str, Any],
    ) -> dict[str, Any]:
        text, reason, retry_after = "", "", None
        began, transport = time.monotonic(), True
        try:
            text = call(session, creds["base_url"], request)
            transport = False
            result |= read(text)
            reason = result.get("reason", "")
        except ProviderFailure as failure:
            text, reason, retry_after = failure.body or text, failure.reason, failure.retry_after
            result |= {"outcome": failure.outcome, "retryable": failure.retryable}
        except CallInTransaction:
            raise
        except Exception as problem:
            # A fault of ours after the order may have gone out: its text may hold the answer.
            logger.error("Adapter %s failed: %s", type(self).__module__, type(problem).__name__)
            reason = type(problem).__name__
        hidden = [*self.secrets(creds), result.get("pinCode", ""), result.pop("secret", "")]
        result["reason"] = redact(reason, hidden)[:300]
        result["answer"] = redact(text, hidden)
        result["retryAfter"] = retry_after
        result["transport"] = transport
        result["request"] = request.masked(self.secrets(creds))
        result["milliseconds"] = round((time.monotonic() - began) * 1000)
        result.setdefault("lowBalance", False)
        return result
