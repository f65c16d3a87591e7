"""Which addresses a provider may have: a base URL is typed by staff and called by the server.

The check that counts is made on the connection itself, before anything is sent: a name that is
looked up twice may lead to two places.
"""

import ipaddress
import re
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

NAME = re.compile(r"[\w-]{1,63}(\.[\w-]{1,63})*\.?")  # what can be looked up at all


class ForbiddenAddress(Exception):
    """The provider's name leads to an address that may not be called; nothing was sent."""


def is_allowed(address):
    """Return whether an IP address may be called."""
    address = ipaddress.ip_address(address.split("%")[0])
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_global or settings.PROVIDER_PRIVATE_ADDRESSES


def validate_base_url(value):
    """Refuse what is no plain http(s) address, and a literal address that may not be called."""
    try:
        parts = urlsplit(value)
        host, _port = parts.hostname, parts.port
    except ValueError:
        host = None
    unusable = ValidationError(_("Enter an address that begins with http:// or https://."))
    if not host or parts.scheme not in ("http", "https"):
        raise unusable
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValidationError(_("The address may hold neither a password nor parameters."))
    try:
        allowed = is_allowed(host)
    except ValueError:  # a name; what it leads to is looked at on each connection
        if not NAME.fullmatch(host):
            raise unusable from None
        allowed = host != "localhost" or settings.PROVIDER_PRIVATE_ADDRESSES
    if not allowed:
        raise ValidationError(_("A provider may not have an address of the internal network."))


class _Guard:
    def _new_conn(self):
        connection = super()._new_conn()
        if not is_allowed(connection.getpeername()[0]):
            connection.close()
            raise ForbiddenAddress
        return connection


class _GuardedHTTPConnection(_Guard, HTTPConnection):
    pass


class _GuardedHTTPSConnection(_Guard, HTTPSConnection):
    pass


class _GuardedHTTPPool(HTTPConnectionPool):
    ConnectionCls = _GuardedHTTPConnection


class _GuardedHTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _GuardedHTTPSConnection


class GuardedTransport(HTTPAdapter):
    """A transport for requests that hangs up on addresses that may not be called."""

    def init_poolmanager(self, *args, **kwargs):
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {
            "http": _GuardedHTTPPool,
            "https": _GuardedHTTPSPool,
        }
