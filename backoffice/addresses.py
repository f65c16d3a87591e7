"""Whose address a request comes from, for the lock after wrong passwords."""

import ipaddress

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str | None:
    """Return the address of whoever asks.

    Behind ``PROXIES`` proxies that is the one that the outermost of them wrote, counted from the
    end: what stands before it was written by the client, who may write anything.
    """
    if settings.PROXIES:
        written = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
        if len(written) >= settings.PROXIES:
            candidate = written[-settings.PROXIES].strip()
            try:
                return str(ipaddress.ip_address(candidate))
            except ValueError:
                pass
    return request.META.get("REMOTE_ADDR") or None
