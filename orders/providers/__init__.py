"""The providers, a module each, found by its name; ``base`` is what they share."""

import importlib
import json
import pkgutil
from dataclasses import dataclass
from functools import cache
from typing import Any

from orders.providers.base import Misconfigured, ProviderAdapter


@cache
def names() -> list[str]:
    """Return the names of the providers: the modules of this folder."""
    return sorted(item.name for item in pkgutil.iter_modules(__path__) if item.name != "base")


@cache
def get_adapter(provider: str) -> ProviderAdapter:
    """Return the adapter of a provider; raise ``Misconfigured`` where no module has the name."""
    if provider not in names():
        raise Misconfigured(f"there is no provider {provider}")
    try:
        adapter: ProviderAdapter = importlib.import_module(f"{__name__}.{provider}").Adapter()
    except Exception as problem:  # one file that can't be loaded stops no other provider
        name = type(problem).__name__
        raise Misconfigured(f"the adapter {provider} can't be loaded: {name}") from problem
    return adapter


@dataclass(frozen=True)
class ProviderBinding:
    """An adapter and the account that it is used with."""

    adapter: ProviderAdapter
    integration: Any

    def to_credentials(self) -> dict[str, Any]:
        """Return the account's address, the hosts it may have, and its secrets.

        Raises ``Misconfigured`` where one lacks.
        """
        try:
            known = json.loads(self.integration.credentials or "{}")
        except ValueError:
            known = None
        if not isinstance(known, dict):
            raise Misconfigured("credentials can't be read")
        if not all(isinstance(value, str) for value in known.values()):
            raise Misconfigured("credentials that are no texts")
        missing = [name for name in self.adapter.credential_names if not known.get(name)]
        if missing:
            raise Misconfigured(f"credentials are missing: {', '.join(missing)}")
        return {
            **known,
            "base_url": self.integration.base_url,
            "allowed_hosts": self.integration.allowed_hosts.split(),
        }


def get_provider_binding(provider: str, integration: Any) -> ProviderBinding:
    """Return the binding of an integration to its provider's adapter."""
    return ProviderBinding(get_adapter(provider), integration)
