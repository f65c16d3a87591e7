"""barakat: the JSON API ``client/api`` that many stores of one family share.

Address: ``https://api.x-stor.net`` or the store's own. Authentication: the header ``api-token``;
at some stores a fixed IP address besides.

Quirks:
- ``order_uuid`` is ours; that the store takes one which is no UUID, as our numbers are none, and
  that it buys a repeated one only once, is not documented: it is never repeated;
- ``accept`` is a word for "in hand" at one store and for "done" at another: it is "in hand" unless
  the integration's credentials hold the line ``accepted=completed``;
- ``check`` leaves out what it does not know, and may not say which order a row is about: then it
  is asked about one order at a time;
- a code may come as ``pin`` or in ``replay_api``, where also words come. What is not
  certainly words there is kept as the PIN of a finished order: a hidden word is better than a
  code in the open;
- a product may be sold by quantity, in ``qty_values``; its price is then of one, and we order one;
- an error's number may come with any HTTP status; that our money is out has none of its own.
"""

import json
import logging
import re
import time
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext_noop

from orders.providers.base import ProviderAdapter, ProviderFailure, ProviderRequest, money
from orders.transport import looks_like_code

logger = logging.getLogger(__name__)
ACCEPTED = ("accept", "accepted")
STATUSES = {
    **dict.fromkeys(("success", "ok", "done", "complete", "completed"), "completed"),
    **dict.fromkeys(("reject", "rejected", "cancel", "canceled", "cancelled"), "cancelled"),
    **dict.fromkeys(("failed", "error"), "failed"),
    **dict.fromkeys(("wait", "pending", "processing", "queued", *ACCEPTED), "processing"),
}
# Numbers of errors: certainly nothing was placed; or nothing yet, but it may be tried again.
# Any other, such as 100 ("general"), may come after the order was placed.
REFUSING = {105, 106, 109, 110, 112, 113, 114, 120, 121, 122, 123}
LATER = {130, 429}
LOW_BALANCE_WORDS = ("balance", "insufficient funds", "bakiye", "رصيد")
# The whole message of error 100, which has no other number for it, where our money is out. A longer
# one that only speaks of money may tell of something that came after the purchase.
POOR = re.compile(
    r"(insufficient|not enough|low) (balance|funds|credit)"
    r"|(your )?(balance|credit) is (not enough|not sufficient|insufficient|too low)"
    r"|yetersiz bakiye|bakiye(niz)? yetersiz"
    r"|رصيد(ك)? غير كاف[ٍي]?"
)
GENERAL = 100
SHOWN = ("order_id", "order_uuid", "uuid", "status", "price")
NAMELESS = gettext_noop("the provider's answer does not say which order it is about")
ONE_BY_ONE_SECONDS = 10.0


class Adapter(ProviderAdapter):
    credential_names = ("api_token",)
    optional_values = {"accepted": ("processing", "completed")}
    default_mapping = {"playerId": "user_identifier"}
    package_id_example = "1234"
    allowed_paths = r"client/api/(newOrder/[0-9]+/params|check|profile|products)"
    low_balance_words = LOW_BALANCE_WORDS
    status_batch = 50
    has_price_list = True

    def package_parameters(self, provider_package_id: str) -> dict[str, str]:
        """Return the product's number, which is a part of the path."""
        if not re.fullmatch(r"[0-9]{1,20}", provider_package_id):
            raise ValueError("not a number")
        return {"product": provider_package_id}

    def order_request(
        self, creds: dict[str, Any], provider_package_id: str, payload: dict[str, Any]
    ) -> ProviderRequest:
        product = self.package_parameters(provider_package_id)["product"]
        return ProviderRequest(
            f"client/api/newOrder/{product}/params",
            {"qty": "1", **self.mapped(payload), "order_uuid": payload["referans"]},
            self._login(creds),
        )

    def read_order(self, creds: dict[str, Any], text: str, referans: str) -> dict[str, Any]:
        """``OK`` is accepted; an error is refused, refused for now, or unknown by its number."""
        answer = _object(text)
        row = answer.get("data")
        if answer.get("status") != "OK" or not isinstance(row, dict):
            return _error(answer, text)
        if _name(row) not in (None, referans):
            raise ProviderFailure(
                gettext_noop("the answer is about another order"), body=text, transport=False
            )
        return {
            "outcome": "accepted",
            "cost": money(str(row.get("price", ""))),
            "hidden": list(_codes(row)),
            "answer": _shown(row),
        }

    def status_request(self, creds: dict[str, Any], references: Sequence[str]) -> ProviderRequest:
        parameters = {"orders": f"[{','.join(references)}]", "uuid": "1"}
        return ProviderRequest("client/api/check", parameters, self._login(creds))

    def read_statuses(
        self, creds: dict[str, Any], text: str, references: Sequence[str]
    ) -> dict[str, dict[str, Any]]:
        """Rows are found by our reference; a single row to a single question needs none."""
        answer = _object(text)
        rows = answer.get("data")
        if answer.get("status") != "OK":
            return dict.fromkeys(references, _error(answer, text) | {"outcome": "no_answer"})
        rows = [
            row for row in (rows if isinstance(rows, list) else [rows]) if isinstance(row, dict)
        ]
        named = {_name(row): row for row in rows if _name(row) is not None}
        if rows and not named:
            if len(references) > 1 or len(rows) > 1:
                raise ProviderFailure(NAMELESS, body=text, transport=False)
            named = {references[0]: rows[0]}
        return {
            reference: self._read_row(creds, named[reference])
            for reference in references
            if reference in named
        }

    def fetch_status_many(
        self, creds: dict[str, Any], references: Sequence[str]
    ) -> dict[str, dict[str, Any]]:
        """Ask in one call; where the answer does not say what it is about, order by order."""
        answers = super().fetch_status_many(creds, references)
        if len(references) > 1 and all(one["reason"] == NAMELESS for one in answers.values()):
            end = time.monotonic() + ONE_BY_ONE_SECONDS
            for reference in references:
                answers[reference] = self.fetch_status(creds, reference)
                if answers[reference]["transport"] or time.monotonic() > end:
                    break
        return answers

    def balance_request(self, creds: dict[str, Any]) -> ProviderRequest:
        return ProviderRequest("client/api/profile", {}, self._login(creds))

    def read_balance(self, text: str) -> Decimal:
        """The profile has our money, as a text."""
        answer = _object(text)
        profile = answer["data"] if isinstance(answer.get("data"), dict) else answer
        balance = money(str(profile.get("balance", "")))
        if balance is None:
            raise ProviderFailure(gettext_noop("unknown answer"), body=text, transport=False)
        return balance

    def price_list_request(self, creds: dict[str, Any]) -> ProviderRequest:
        return ProviderRequest("client/api/products", {}, self._login(creds))

    def read_price_list(self, text: str) -> list[dict[str, Any] | None]:
        """The products come as a bare list, or as an answer's ``data``."""
        try:
            answer = json.loads(text)
        except (ValueError, RecursionError):
            answer = None
        rows = answer.get("data") if isinstance(answer, dict) else answer
        if isinstance(answer, dict) and answer.get("status") == "ERROR":
            raise ProviderFailure(_error(answer, text)["reason"], body=text, transport=False)
        if not isinstance(rows, list):
            known = isinstance(answer, dict)
            raise ProviderFailure(gettext_noop("unknown answer"), body=text, transport=not known)
        return [_listing(row) if isinstance(row, dict) else None for row in rows]

    def read_error(self, text: str) -> dict[str, Any] | None:
        """An error in the API's own words tells more than its HTTP status."""
        try:
            answer = _object(text)
        except ProviderFailure:
            return None
        if answer.get("status") != "ERROR":
            return None
        return _error(answer, text, words=False)

    def _login(self, creds: dict[str, Any]) -> dict[str, str]:
        return {"api-token": creds["api_token"], "Accept": "application/json"}

    def _read_row(self, creds: dict[str, Any], row: dict[str, Any]) -> dict[str, Any]:
        word = str(row.get("status", "")).strip().lower()
        status = STATUSES.get(word)
        if word in ACCEPTED:
            status = creds.get("accepted", "processing")
        if status is None:
            logger.warning("barakat answers with the unknown status %.20r", word)
        codes = list(_codes(row))
        undelivered = status in ("cancelled", "failed")
        words = [text for text in _replies(row) if undelivered or text not in codes]
        return {
            "outcome": "answered",
            "status": status or "processing",
            "pinCode": "\n".join(codes) if status == "completed" else "",
            "hidden": [] if undelivered else codes,
            "reason": " ".join(words),
            "answer": _shown(row),
        }


def _listing(row: dict[str, Any]) -> dict[str, Any]:
    quantities = row.get("qty_values")
    quantities = quantities if isinstance(quantities, dict) else {}
    return {
        "provider_package_id": str(row.get("id")),
        "name": " ".join(str(row[key]) for key in ("category_name", "name") if row.get(key)),
        "cost": row.get("price"),
        "extra": {
            "minimum": quantities.get("min"),
            "maximum": quantities.get("max"),
            "unavailable": "yes" if row.get("available") is False else "",
        },
    }


def _object(text: str) -> dict[str, Any]:
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        raise ProviderFailure(gettext_noop("unknown answer"), body=text) from None
    if not isinstance(answer, dict):
        raise ProviderFailure(gettext_noop("unknown answer"), body=text)
    return answer


def _error(answer: dict[str, Any], text: str, *, words: bool = True) -> dict[str, Any]:
    """Return what an error means for an order; raise ``ProviderFailure`` where it is none.

    Without ``words`` its number alone may say that it is refused.
    """
    if answer.get("status") != "ERROR":
        raise ProviderFailure(gettext_noop("unknown answer"), body=text, transport=False)
    code = str(answer.get("code", ""))
    number = int(code) if re.fullmatch(r"[0-9]{1,6}", code) else None
    reason = " ".join(filter(None, (code, str(answer.get("message") or ""))))
    refused = number in REFUSING or number in LATER or (words and _is_poor(number, answer))
    return {
        "outcome": "refused" if refused else "unknown",
        "retryable": number in LATER,
        "reason": reason or gettext_noop("unknown answer"),
    }


def _is_poor(number: int | None, answer: dict[str, Any]) -> bool:
    message = str(answer.get("message") or "").lower().replace("\u0307", "").strip(" .!")
    return number in (None, GENERAL) and POOR.fullmatch(message) is not None


def _name(row: dict[str, Any]) -> str | None:
    """Return the reference that a row says it is about, None where it says none."""
    name = row.get("order_uuid") or row.get("uuid")
    return str(name) if name else None


def _replies(row: dict[str, Any]) -> Iterator[str]:
    """Yield the texts of ``replay_api``, which is a list of texts, or of objects that hold some."""
    waiting = [row.get("replay_api")]
    while waiting:
        item = waiting.pop(0)
        if isinstance(item, dict):
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item
        elif item is not None and str(item).strip():
            yield str(item).strip()


def _codes(row: dict[str, Any]) -> Iterator[str]:
    """Yield what may be a PIN."""
    pin = str(row.get("pin") or "").strip()
    if pin:
        yield pin
    for text in _replies(row):
        if text != pin and not _is_of_words(text):
            yield text


def _is_of_words(text: str) -> bool:
    """Whether a text is certainly no PIN: some words, or one that tells a state."""
    words = re.findall(r"[\w-]+", text)
    plain = not any("-" in word or looks_like_code(word) for word in words)
    return plain and (len(words) > 1 or text.lower() in STATUSES)


def _shown(row: dict[str, Any]) -> str:
    """Return of a row what is certainly no secret."""
    kept = {name: row[name] for name in SHOWN if name in row}
    return json.dumps(kept, ensure_ascii=False, default=str)
