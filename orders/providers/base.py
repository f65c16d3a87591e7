"""What all providers share: the seam, the HTTP call, its errors, and the one place of redaction.

A provider's module has a class ``Adapter`` that only translates: what is asked, and what an answer
means. The calls of the seam answer with plain dicts and never raise for what the provider did.

``place_order``: ``outcome`` is ``accepted``, ``refused`` (certainly not placed; with ``retryable``
where the provider was not reached at all, with ``lowBalance`` where our money there is out) or
``unknown`` (never to be sent again by a machine).
``fetch_status_many``: by reference; ``outcome`` is ``answered``, which alone makes ``status`` mean
something, or ``no_answer``.
``fetch_price_list``: ``outcome`` is ``answered``, ``no_answer``, or ``not_offered`` by a provider
that has none.
All have ``transport``, whether there was no usable answer at all: the provider was not reached, too
slow, or what came can't have come from its API.
"""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

from django.utils.translation import gettext_noop

from orders.price_rows import listing_rows, masked, nothing_asked
from orders.transport import (
    ANSWER_MAXIMUM_BYTES,
    LIST_MAXIMUM_BYTES,
    CallInTransaction,
    ProviderFailure,
    ProviderRequest,
    call,
    redact,
    redact_codes,
    storable,
)

__all__ = ["Misconfigured", "ProviderAdapter", "ProviderFailure", "ProviderRequest", "money"]

logger = logging.getLogger(__name__)
Reading = TypeVar("Reading")
REASON_LENGTH = 300
NO_PRICE_LIST = gettext_noop("this provider has no price list")
EMPTY_LIST = gettext_noop("no row of the price list can be read")
LEFT_OUT = gettext_noop("the provider's answer leaves the order out")


class Misconfigured(Exception):
    """An integration or a routing can't be used as it is set; nothing was sent."""


def money(text: str) -> Decimal | None:
    """Return an amount with a dot or a comma, None where it can't be read."""
    try:
        value = Decimal(text.strip().replace(",", ".") if "." not in text else text.strip())
    except InvalidOperation:
        return None
    return value.quantize(Decimal("0.01")) if value.is_finite() and abs(value) < 10**12 else None


class ProviderAdapter:
    """One provider's protocol. A subclass fills in the methods that translate."""

    credential_names: tuple[str, ...] = ()
    # What may stand beside the credentials, no secrets: its name -> the values that it may have.
    optional_values: dict[str, tuple[str, ...]] = {}
    default_mapping: dict[str, str] = {}  # the provider's parameter -> the order's field
    package_id_example = ""
    allowed_paths = ""  # the pattern of all paths that the requests below may have
    low_balance_words: tuple[str, ...] = ()  # in a refusal, in lower case
    status_batch = 1  # references that one call can ask about
    has_price_list = False  # where it is, the two methods about it are filled in

    # What a provider's module translates

    def package_parameters(self, provider_package_id: str) -> dict[str, str]:
        """Return the parameters that name a package; raise ValueError for a text that can't."""
        raise NotImplementedError

    def order_request(
        self, creds: dict[str, Any], provider_package_id: str, payload: dict[str, Any]
    ) -> ProviderRequest:
        raise NotImplementedError

    def read_order(self, creds: dict[str, Any], text: str, referans: str) -> dict[str, Any]:
        """Return what an answer to an order means, or raise ``ProviderFailure``.

        ``hidden`` is a list of what of the answer must not be kept in words.
        """
        raise NotImplementedError

    def status_request(self, creds: dict[str, Any], references: Sequence[str]) -> ProviderRequest:
        raise NotImplementedError

    def read_statuses(
        self, creds: dict[str, Any], text: str, references: Sequence[str]
    ) -> dict[str, dict[str, Any]]:
        """Return what an answer to a question means by reference, or raise ``ProviderFailure``.

        ``answer`` is the part of it about a reference, where it is not the whole; ``hidden`` is
        a list of what of it must not be kept in words, beside ``pinCode``.
        """
        raise NotImplementedError

    def balance_request(self, creds: dict[str, Any]) -> ProviderRequest:
        raise NotImplementedError

    def read_balance(self, text: str) -> Decimal:
        """Return our money at the provider, or raise ``ProviderFailure``."""
        raise NotImplementedError

    def price_list_request(self, creds: dict[str, Any]) -> ProviderRequest:
        raise NotImplementedError

    def read_price_list(self, text: str) -> list[dict[str, Any] | None]:
        """Return the rows of a price list, or raise ``ProviderFailure``; None for no row at all.

        Each has ``provider_package_id`` as routings have it, ``name``, ``cost`` as it came, and
        ``extra``: ``description``, ``minimum``, ``maximum``, ``unavailable`` where they are told.
        """
        raise NotImplementedError

    def read_error(self, text: str) -> dict[str, Any] | None:
        """Return what the body of an HTTP error means for an order, None where its status says it.

        Keys are ``outcome``, ``retryable`` and ``reason``.
        """
        return None

    # The seam

    def place_order(
        self, creds: dict[str, Any], provider_package_id: str, payload: dict[str, Any]
    ) -> dict[str, Any]:
        """Place an order once under ``payload["referans"]``; return what is known of it then."""
        referans = payload["referans"]
        found, common = self._exchange(
            creds,
            lambda: self.order_request(creds, provider_package_id, payload),
            lambda text: self.read_order(creds, text, referans),
            order=True,
        )
        answer = self._told(creds, common, found or {})
        refused = answer["outcome"] == "refused"
        words = answer["reason"].lower().replace("\u0307", "")  # what lower makes of a Turkish I
        return {
            "cost": None,
            "balance": None,
            **answer,
            "providerReferans": referans,
            "status": "failed" if refused else "sent",
            "lowBalance": refused and any(word in words for word in self.low_balance_words),
        }

    def fetch_status(self, creds: dict[str, Any], referans: str) -> dict[str, Any]:
        """Ask what became of an order by our reference; return what is known of it then."""
        return self.fetch_status_many(creds, [referans])[referans]

    def fetch_status_many(
        self, creds: dict[str, Any], references: Sequence[str]
    ) -> dict[str, dict[str, Any]]:
        """Ask about at most ``status_batch`` orders in one call; return answers by reference."""
        if len(references) > self.status_batch:
            raise ValueError(f"one call asks about {self.status_batch} orders at most")
        found, common = self._exchange(
            creds,
            lambda: self.status_request(creds, references),
            lambda text: self.read_statuses(creds, text, references),
        )
        hidden = [secret for reading in (found or {}).values() for secret in _hidden(reading)]
        left_out = {} if found is None else {"reason": LEFT_OUT, "answer": ""}
        answers = {}
        for reference in references:
            reading = (found or {}).get(reference, left_out)
            answer = {"status": "", "pinCode": "", **self._told(creds, common, reading, hidden)}
            answer["pinCode"] = storable(answer["pinCode"])
            if reading.get("outcome") != "answered":
                answer["outcome"] = "no_answer"
            del answer["retryable"]
            answers[reference] = answer
        return answers

    def fetch_balance(self, creds: dict[str, Any]) -> dict[str, Any]:
        """Ask for our money at the provider; return what is known of it then."""
        balance, common = self._exchange(
            creds, lambda: self.balance_request(creds), self.read_balance
        )
        answer = self._told(creds, common, {})
        del answer["retryable"]
        outcome = "no_answer" if balance is None else "answered"
        return {**answer, "balance": balance, "outcome": outcome}

    def fetch_price_list(self, creds: dict[str, Any]) -> dict[str, Any]:
        """Ask what the provider sells at which cost; return what is known of it then.

        ``listings``, ``unread`` and ``skipped`` are told as by ``listing_rows``.
        """
        if not self.has_price_list:
            return nothing_asked(NO_PRICE_LIST)
        rows, common = self._exchange(
            creds,
            lambda: self.price_list_request(creds),
            lambda text: listing_rows(self.read_price_list(text), self.package_parameters),
            most=LIST_MAXIMUM_BYTES,
        )
        answer = self._told(creds, common, {"answer": ""} if rows else {})
        del answer["retryable"]
        if not (rows and rows["listings"]):
            reason = answer["reason"] or EMPTY_LIST
            return answer | listing_rows([]) | {"outcome": "no_answer", "reason": reason}
        return answer | masked(rows, self.secrets(creds)) | {"outcome": "answered"}

    # What they are made of

    def mapped(self, payload: dict[str, Any]) -> dict[str, str]:
        """Return the order's fields under the names that the package's mapping gives them."""
        fields = {
            "user_identifier": payload["userIdentifier"],
            "extra_field": payload["extraField"],
        }
        mapping = payload["fieldMapping"] or self.default_mapping
        return {name: fields[source] for name, source in mapping.items()}

    def describe_order(
        self, creds: dict[str, Any], provider_package_id: str, payload: dict[str, Any]
    ) -> str:
        """Return the masked request; raise ``Misconfigured`` where there can be none."""
        try:
            request = self.order_request(creds, provider_package_id, payload)
        except Exception:  # of any adapter, and of what people typed
            raise Misconfigured("the routing does not fit the provider") from None
        return request.masked(self.secrets(creds))

    def secrets(self, creds: dict[str, Any]) -> list[str]:
        return [creds[name] for name in self.credential_names]

    def _exchange(
        self,
        creds: dict[str, Any],
        make: Callable[[], ProviderRequest],
        read: Callable[[str], Reading],
        *,
        order: bool = False,
        most: int = ANSWER_MAXIMUM_BYTES,
    ) -> tuple[Reading | None, dict[str, Any]]:
        """Return (what an answer was read as, None without one; what is known of the call)."""
        text, found = "", None
        known: dict[str, Any] = {"outcome": "unknown", "retryable": False, "transport": False}
        known |= {"reason": "", "retryAfter": None, "request": ""}
        began = time.monotonic()
        try:
            request = make()
            known["request"] = request.masked(self.secrets(creds))
            text = call(creds, request, paths=self.allowed_paths, order=order, most=most)
            found = read(text)
        except ProviderFailure as failure:
            known |= self._failed(failure)
            text = redact_codes(failure.body or text)
        except CallInTransaction:
            raise
        except Exception as problem:
            # A fault of ours after the order may have gone out: its text may hold the answer.
            logger.error("Adapter %s failed: %s", type(self).__module__, type(problem).__name__)
            known["reason"] = type(problem).__name__
            text = redact_codes(text)
        known["milliseconds"] = round((time.monotonic() - began) * 1000)
        return found, known | {"answer": text}

    def _failed(self, failure: ProviderFailure) -> dict[str, Any]:
        known = {
            "outcome": failure.outcome,
            "retryable": failure.retryable,
            "transport": failure.transport,
            "reason": failure.reason,
            "retryAfter": failure.retry_after,
        }
        words = self.read_error(failure.body) if failure.body else None
        return known if words is None else known | {"transport": False} | words

    def _told(
        self,
        creds: dict[str, Any],
        common: dict[str, Any],
        reading: dict[str, Any],
        hidden: Iterable[str] = (),
    ) -> dict[str, Any]:
        """Return an answer as it may be kept: without secrets in its words."""
        answer = common | reading
        masked = [*self.secrets(creds), *hidden, *_hidden(reading)]
        answer.pop("hidden", None)
        answer["reason"] = redact(answer["reason"], masked)[:REASON_LENGTH]
        answer["answer"] = redact(answer["answer"], masked)
        return answer


def _hidden(reading: dict[str, Any]) -> list[str]:
    return [*reading.get("hidden", ()), reading.get("pinCode", "")]
