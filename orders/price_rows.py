"""What the rows of a provider's price list say, and which of them can be used.

Each is looked at by itself: a wrong one is left out and counted, and spoils no other.
"""

import re
from collections.abc import Callable, Iterable
from decimal import ROUND_UP, Decimal
from typing import Any

from django.utils.translation import gettext_noop

from orders.transport import ProviderFailure, present, redact, storable

MOST_LISTINGS = 20_000
NUMBER_LENGTH = 100
NAME_LENGTH = 200
EXTRA = ("description", "minimum", "maximum", "unavailable")
EXTRA_LENGTH = 300
SMALLEST = Decimal("0.000001")
AMOUNT = re.compile(r"[0-9]{1,10}(?:[.,][0-9]{1,20})?(?:[eE]-[0-9]{1,2})?")


def listing_rows(
    rows: Iterable[dict[str, Any] | None], is_number: Callable[[str], object] = str
) -> dict[str, Any]:
    """Return of an adapter's rows ``listings``, ``unread`` and ``skipped``.

    The listings have a number that ``is_number`` does not refuse by a ValueError, a name and a
    cost; of two with one number it is the dearer, so that no order goes out at a loss. ``unread``
    are the numbers that are there, with a row that can't be used; ``skipped`` counts what was left
    out. Raises ``ProviderFailure`` where there are more than anybody sells.
    """
    found: dict[str, dict[str, Any]] = {}
    unread, skipped = set(), 0
    for row in rows:
        number = _number(row, is_number)
        listing = _listing(number, row) if row and number else None
        known = found.get(number)
        if listing is None or known:
            skipped += 1
        if listing is None:
            unread |= {number} - {""}
        elif known is None or known["cost"] < listing["cost"]:
            found[number] = listing
        if len(found) + skipped > MOST_LISTINGS:
            raise ProviderFailure(gettext_noop("the price list is too long"), transport=False)
    return {
        "listings": list(found.values()),
        "unread": sorted(unread - found.keys()),
        "skipped": skipped,
    }


def nothing_asked(reason: str) -> dict[str, Any]:
    """Return the answer about the price list of a provider that has none."""
    known: dict[str, Any] = {"outcome": "not_offered", "reason": reason}
    known |= {
        "answer": "",
        "request": "",
        "retryAfter": None,
        "transport": False,
        "milliseconds": 0,
    }
    return known | listing_rows([])


def masked(rows: dict[str, Any], secrets: list[str]) -> dict[str, Any]:
    """Return rows as ``listing_rows`` makes them without secrets in their words."""
    words = "\n".join(text for row in rows["listings"] for text in _words(row))
    seen = present(words, secrets)  # almost never any: ten thousand rows are not gone through
    if not seen:
        return rows
    listings = [
        row
        | {
            "name": redact(row["name"], seen),
            "extra": {key: redact(text, seen) for key, text in row["extra"].items()},
        }
        for row in rows["listings"]
    ]
    return rows | {"listings": listings}


def _words(row: dict[str, Any]) -> list[str]:
    return [row["name"], *row["extra"].values()]


def _number(row: dict[str, Any] | None, is_number: Callable[[str], object]) -> str:
    """Return the number under which a row's package is ordered, '' where it has none."""
    number = row["provider_package_id"] if row else ""
    try:
        is_number(number)
    except ValueError:
        return ""
    return number if len(number) <= NUMBER_LENGTH else ""


def _listing(number: str, row: dict[str, Any]) -> dict[str, Any] | None:
    name, cost = _text(row["name"], NAME_LENGTH), _cost(row["cost"])
    if not name or cost is None:
        return None
    extra = {key: _text(row["extra"].get(key), EXTRA_LENGTH) for key in EXTRA}
    return {
        "provider_package_id": number,
        "name": name,
        "cost": cost,
        "extra": {key: text for key, text in extra.items() if text},
    }


def _text(value: Any, length: int) -> str:
    """Return what came as one line that can be stored; '' for what is no text and no number."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return " ".join(storable(str(value)).split())[:length]


def _cost(value: Any) -> Decimal | None:
    """Return an amount with a dot or a comma; None where it can't be read, or is nothing."""
    text = _text(value, EXTRA_LENGTH)
    if not AMOUNT.fullmatch(text):
        return None
    # Up: a guard that keeps orders from going out at a loss must not find them cheaper.
    cost = Decimal(text.replace(",", ".")).quantize(SMALLEST, ROUND_UP)
    return cost if cost else None
