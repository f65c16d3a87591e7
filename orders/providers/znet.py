"""znet: dealer API for PINs and direct top-ups ("ZNET YAZILIM API DÖKÜMANI").

Address: each dealer's own sub-domain. Authentication: ``kod`` and ``sifre`` in the query of every
GET, so that a whole address is a secret; besides, a fixed IP address per dealer.

Quirks:
- ``oyun`` is ``oyun_bilgi_id`` of the price list, not its ``id``; all of a list's values are texts;
- an empty body means unknown dealer, API switched off or wrong IP address: nothing is said;
- ``3|text`` to ``pin_ekle`` is a refused order, to ``pin_kontrol`` a failed question;
- a finished top-up has no PIN: ``" "`` and ``" - "`` are none;
- for a cancelled order the PIN's place may hold the reason;
- what a repeated ``referans`` does is not documented: it is never repeated.
"""

import json
import logging
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import unquote_plus

from django.utils.translation import gettext_noop

from orders.providers.base import ProviderAdapter, ProviderFailure, ProviderRequest, money

logger = logging.getLogger(__name__)
STATUSES = {"1": "processing", "2": "completed", "3": "cancelled"}
NO_PIN = ("", "-")


class Adapter(ProviderAdapter):
    credential_names = ("kod", "sifre")
    default_mapping = {"oyuncu_bilgi": "user_identifier", "musteri_tel": "extra_field"}
    package_id_example = "187:660"
    allowed_paths = r"servis/(pin_ekle|pin_kontrol|bakiye_kontrol|pin_listesi)\.php"
    low_balance_words = ("bakiye",)
    has_price_list = True

    def package_parameters(self, provider_package_id: str) -> dict[str, str]:
        """Return ``oyun`` and ``kupur`` of ``oyun_bilgi_id:kupur``."""
        match = re.fullmatch(r"([0-9]+):([0-9]+)", provider_package_id)
        if not match:
            raise ValueError("not oyun_bilgi_id:kupur")
        return {"oyun": match[1], "kupur": match[2]}

    def order_request(
        self, creds: dict[str, Any], provider_package_id: str, payload: dict[str, Any]
    ) -> ProviderRequest:
        return ProviderRequest(
            "servis/pin_ekle.php",
            {
                **self._login(creds),
                **self.package_parameters(provider_package_id),
                "referans": payload["referans"],
                **self.mapped(payload),
            },
        )

    def read_order(self, creds: dict[str, Any], text: str, referans: str) -> dict[str, Any]:
        """``OK|cost|balance`` is accepted, ``3|text`` refused, anything else unknown."""
        parts = _parts(text)
        if parts[0] == "OK":
            cost, balance = (*parts[1:3], "", "")[:2]
            return {"outcome": "accepted", "cost": money(cost), "balance": money(balance)}
        if parts[0] == "3" and len(parts) > 1:
            return {"outcome": "refused", "reason": _plain("|".join(parts[1:]))}
        raise _unknown(parts, text)

    def status_request(self, creds: dict[str, Any], references: Sequence[str]) -> ProviderRequest:
        [referans] = references
        return ProviderRequest(
            "servis/pin_kontrol.php", {**self._login(creds), "tahsilat_api_islem_id": referans}
        )

    def read_statuses(
        self, creds: dict[str, Any], text: str, references: Sequence[str]
    ) -> dict[str, dict[str, Any]]:
        """``OK|1/2/3|PIN|text`` is the order's state, anything else no answer about it."""
        [referans] = references
        return {referans: self._read_status(text)}

    def _read_status(self, text: str) -> dict[str, Any]:
        parts = _parts(text, 3)
        if parts[0] == "3" and len(parts) > 1:
            return {"outcome": "no_answer", "reason": _plain("|".join(parts[1:]))}
        if parts[0] != "OK" or len(parts) < 3:
            raise _unknown(parts, text)
        state, middle = parts[1:3]
        middle = "" if middle in NO_PIN else middle
        words = _plain(parts[3]) if len(parts) > 3 else ""
        status = STATUSES.get(state)
        if status is None:
            logger.warning("znet answers with the unknown state %.20r", state)
        return {
            "outcome": "answered",
            "status": status or "processing",
            "pinCode": middle if status == "completed" else "",
            # A PIN that came too early is a secret, too.
            "hidden": [middle] if status != "cancelled" else [],
            "reason": words or (_plain(middle) if status == "cancelled" else ""),
        }

    def balance_request(self, creds: dict[str, Any]) -> ProviderRequest:
        return ProviderRequest("servis/bakiye_kontrol.php", self._login(creds))

    def read_balance(self, text: str) -> Decimal:
        """``OK|balance``; a third field, seen but not documented, is our debt."""
        parts = _parts(text)
        balance = money(parts[1]) if parts[0] == "OK" and len(parts) > 1 else None
        if balance is None:
            raise _unknown(parts, text)
        return balance

    def price_list_request(self, creds: dict[str, Any]) -> ProviderRequest:
        return ProviderRequest("servis/pin_listesi.php", self._login(creds))

    def read_price_list(self, text: str) -> list[dict[str, Any] | None]:
        """``success`` with ``result``, else ``error`` says why; a row's ``id`` is of no use."""
        try:
            answer = json.loads(text)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            raise ProviderFailure(gettext_noop("unknown answer"), body=text)
        rows = answer.get("result")
        if answer.get("success") is not True or not isinstance(rows, list):
            words = _plain(str(answer.get("error") or "")) or gettext_noop("unknown answer")
            raise ProviderFailure(words, body=text, transport=False)
        return [_listing(row) if isinstance(row, dict) else None for row in rows]

    def _login(self, creds: dict[str, Any]) -> dict[str, str]:
        return {"kod": creds["kod"], "sifre": creds["sifre"]}


def _listing(row: dict[str, Any]) -> dict[str, Any]:
    name = " ".join(str(row[key]) for key in ("oyun_adi", "adi") if row.get(key))
    return {
        "provider_package_id": f"{row.get('oyun_bilgi_id')}:{row.get('kupur')}",
        "name": name,
        "cost": row.get("fiyat"),
        "extra": {"description": row.get("aciklama")},
    }


def _unknown(parts: list[str], text: str) -> ProviderFailure:
    """Return the failure for an answer without meaning; a number before the line is znet's own."""
    own = len(parts) > 1 and parts[0].isdigit()
    return ProviderFailure(gettext_noop("unknown answer"), body=text, transport=not own)


def _parts(text: str, most: int = -1) -> list[str]:
    """Return the fields of an answer as they came: a PIN may hold a sign that encodes another."""
    whole = text if "|" in text else _plain(text)
    return [part.strip() for part in whole.split("|", most)]


def _plain(text: str) -> str:
    """Return an explanation as text; some servers send it encoded as for an address."""
    return unquote_plus(text).strip() if re.search(r"%[0-9A-Fa-f]{2}", text) else text
