"""Our money at the providers: read anew where orders wait for it.

Each answer to an order tells the balance, so nobody asks for it while orders flow. Where it was low
nothing is sent, and nothing would tell that it was paid in.
"""

import logging

from backoffice.clock import database_now
from orders import limits
from orders.calling import Calls
from orders.encryption import Undecryptable
from orders.models import ProductOrder, ProviderIntegration, ReviewReason
from orders.providers import Misconfigured, get_provider_binding
from orders.waking import wake_in

logger = logging.getLogger(__name__)


def refresh():
    """Ask for our balance where orders wait for money, and have them sent where it has grown.

    Returns how many orders go on.
    """
    waiting = ProductOrder.objects.pending().filter(review_reason=ReviewReason.LOW_BALANCE)
    packages = waiting.values("package")
    poor = ProviderIntegration.objects.filter(is_active=True, routings__package__in=packages)
    known = limits.read(poor.values_list("pk", flat=True).distinct())
    grown = [pk for pk, answer in _ask(known) if _has_grown(known[pk], answer)]
    able = waiting.filter(package__routings__integration__in=grown)
    count = (
        ProductOrder.objects.pending()
        .filter(pk__in=able.values("pk"))
        .update(next_check_at=database_now())
    )
    if count:
        wake_in(0)
    return count


def _ask(known):
    """Ask for our balance at all integrations side by side; yield (key, answer)."""
    with Calls(lambda answer: answer["transport"]) as calls:
        for pk, limit in sorted(known.items()):
            binding = _binding(pk)
            if binding and limits.take(limit, 1):
                calls.begin(pk, _fetch, binding)
        while calls:
            for binding, answer in calls.answered():
                yield binding.integration.pk, answer


def _binding(integration_id):
    integration = ProviderIntegration.objects.get(pk=integration_id)
    try:
        binding = get_provider_binding(integration.provider, integration)
        binding.to_credentials()
    except (Misconfigured, Undecryptable) as problem:
        logger.error("Integration %s can't be asked: %s", integration.code, problem)
        return None
    return binding


def _fetch(binding):
    return binding.adapter.fetch_balance(binding.to_credentials())


def _has_grown(limit, answer):
    """Keep what was answered about our money; return whether it is more than before, and enough."""
    limits.heard(limit.integration.pk, answered=not answer["transport"])
    if answer["outcome"] != "answered" or answer["balance"] is None:
        return False
    before, mark = limit.state.balance, limit.integration.low_balance
    limits.remember_balance(limit.integration.pk, answer["balance"])
    return (before is None or answer["balance"] > before) and answer["balance"] >= (mark or 0)
