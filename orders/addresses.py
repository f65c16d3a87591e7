"""Which addresses a provider may have: a base URL is typed by staff and called by the server.

What a name leads to is looked at as each connection is made (``orders.connections``); here are the
rules, and what can be told from the text alone.
"""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

NAME = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")  # what can be looked up at all
NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")  # as its last part makes a name an IPv4 address
PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*/?")
DEFAULT_PORTS = {"http": 80, "https": 443}
TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")  # IPv4 addresses as an IPv6 network sees them


@dataclass(frozen=True)
class Origin:
    """Where a base URL leads: how, to whom, and below which path."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def default_port(self) -> int:
        return DEFAULT_PORTS[self.scheme]

    @property
    def shown_host(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def url(self) -> str:
        port = "" if self.port == self.default_port else f":{self.port}"
        return f"{self.scheme}://{self.shown_host}{port}{self.path}"

    def is_among(self, hosts: Iterable[str]) -> bool:
        """Return whether the host is in a list; an item with a port allows that port alone."""
        return any(
            host == self.host and port in (None, self.port) for host, port in map(host_of, hosts)
        )


@lru_cache(1000)
def origin_of(base_url: str) -> Origin:
    """Return where a base URL leads; raise ValueError for what is no plain http(s) address."""
    parts = urlsplit(base_url)
    plain = not parts.query and not parts.fragment and PATH.fullmatch(parts.path)
    if parts.scheme not in DEFAULT_PORTS or not plain:
        raise ValueError("not a plain address")
    host, port = host_of(parts.netloc)
    return Origin(parts.scheme, host, port or DEFAULT_PORTS[parts.scheme], parts.path.rstrip("/"))


@lru_cache(1000)
def host_of(text: str) -> tuple[str, int | None]:
    """Return the host and the port of ``host`` or ``host:port``; raise ValueError for other texts.

    Upper case, and the dot that a full name may end in, make no other host.
    """
    parts = urlsplit(f"//{text}")
    host, port = (parts.hostname or "").removesuffix("."), parts.port
    if "@" in text or parts.netloc != text or port == 0:
        raise ValueError("not a host")
    try:
        return str(ipaddress.ip_address(host)), port
    except ValueError:
        if not NAME.fullmatch(host):
            raise
    return host, port


def is_allowed(text: str) -> bool:
    """Return whether an IP address may be called."""
    if settings.PROVIDER_PRIVATE_ADDRESSES:
        return True
    address = ipaddress.ip_address(text.split("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        address = _within(address) or address
    return address.is_global and not address.is_multicast


def _within(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address that an IPv6 address stands for, None where it stands for itself."""
    if address in TRANSLATED:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


def validate_base_url(value: str) -> None:
    """Refuse what is no plain http(s) address, and a literal address that may not be called."""
    try:
        parts = urlsplit(value)
    except ValueError:
        parts = urlsplit("")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValidationError(_("The address may hold neither a password nor parameters."))
    try:
        host = origin_of(value).host
    except ValueError:
        raise ValidationError(_("Enter an address that begins with http:// or https://.")) from None
    if not _may_lead_outside(host):
        raise ValidationError(_("A provider may not have an address of the internal network."))


def _may_lead_outside(host: str) -> bool:
    try:
        return is_allowed(host)
    except ValueError:  # a name; what it leads to is looked at on each connection
        internal = host.endswith("localhost") or NUMBER.fullmatch(host.rsplit(".", 1)[-1])
        return not internal or settings.PROVIDER_PRIVATE_ADDRESSES


def validate_allowed_hosts(value: str) -> None:
    """Refuse a list in which anything is no ``host`` or ``host:port``."""
    for item in value.split():
        try:
            host_of(item)
        except ValueError:
            raise ValidationError(
                _("“%(item)s” is no host: write names like provider.example or host:8080."),
                params={"item": item},
            ) from None
