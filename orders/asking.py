"""One question to a provider about some of our references, and what it needs."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from orders import answers, limits
from orders.encryption import Undecryptable
from orders.models import ProviderIntegration
from orders.providers import Misconfigured, ProviderBinding, get_provider_binding
from orders.transport import CallInTransaction

logger = logging.getLogger(__name__)


class Asked(Protocol):
    """What is asked about: an order as it was claimed, or an attempt that was given up."""

    @property
    def provider_referans(self) -> str: ...


@dataclass(frozen=True)
class Question:
    """What one call asks an integration about, with what it needs."""

    integration_id: int
    orders: Sequence[Any]  # each of ``Asked``
    binding: ProviderBinding
    creds: dict[str, Any] = field(repr=False)


def account_of(integration_id: int) -> tuple[ProviderBinding | None, dict[str, Any]]:
    """Return the binding and the credentials of an integration; no binding if unusable."""
    integration = ProviderIntegration.objects.get(pk=integration_id)
    try:
        binding = get_provider_binding(integration.provider, integration)
        return binding, binding.to_credentials()
    except (Misconfigured, Undecryptable) as problem:
        logger.error("Integration %s can't be asked: %s", integration.code, problem)
        return None, {}


def batch_of(integration: ProviderIntegration) -> int:
    """Return about how many references one call asks."""
    try:
        adapter = get_provider_binding(integration.provider, integration).adapter
    except Misconfigured:
        return 1
    return adapter.status_batch


def ask(question: Question) -> dict[str, dict[str, Any]]:
    """Put a question; return answers by our references. Touches no database."""
    adapter, creds = question.binding.adapter, question.creds
    references = [order.provider_referans for order in question.orders]
    try:
        if adapter.status_batch == 1:
            return {reference: adapter.fetch_status(creds, reference) for reference in references}
        return adapter.fetch_status_many(creds, references)
    except CallInTransaction:
        raise
    except Exception as problem:
        logger.error("Integration %s: %s", question.integration_id, type(problem).__name__)
        return dict.fromkeys(references, answers.no_answer(type(problem).__name__))


def tell_limits(question: Question, found: dict[str, dict[str, Any]]) -> None:
    """Tell an integration's breaker how a question went."""
    transports = {answer["transport"] for answer in found.values()} - {None}
    if transports:
        limits.heard(question.integration_id, answered=False in transports)
