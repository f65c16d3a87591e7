"""Calls to a provider stopped by a person, and let go again.

While they are stopped nothing is sent there and nothing is asked, but for the last looks at orders
past their deadline; orders go to their package's next provider, or wait. Letting them go again also
ends the pause that the breaker made. What is under way just then is not called back.
"""

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F, Q

from backoffice.audit import name_of
from backoffice.clock import database_now
from orders import integration_events
from orders.dispatch import WAITS_FOR_PROVIDER
from orders.incidents import SHORTEST_WORD
from orders.integration_events import REASON_LENGTH, IntegrationEvent
from orders.limits import AS_USUAL, NOT_STOPPED, IntegrationState
from orders.models import ProductOrder
from orders.states import OrderQuerySet
from orders.waking import wake_in


class ReasonNeeded(Exception):
    """Calls are stopped with a reason, which orders and people who wait are told."""


def stop(integration_id: int, *, seen: int, reason: str, by: User) -> bool:
    """Stop calls to an integration; False where its switch is not as a person ``seen`` it.

    A reason that says nothing raises ``ReasonNeeded``.
    """
    reason = " ".join(reason.split())[:REASON_LENGTH]
    if len(reason) < SHORTEST_WORD:
        raise ReasonNeeded
    rows = IntegrationState.objects.filter(pk=integration_id, switched=seen)
    with transaction.atomic():
        changed = rows.filter(stopped_at__isnull=True).update(
            stopped_at=database_now(),
            stopped_by_name=name_of(by)[:150],
            stop_reason=reason,
            switched=F("switched") + 1,
        )
        if changed == 1:
            what = IntegrationEvent.What.STOPPED
            integration_events.record(integration_id, what, by=by, reason=reason)
    return changed == 1


def resume(integration_id: int, *, seen: int, by: User) -> bool:
    """Let calls to an integration go again, at once, and have what waits for it sent.

    False where its switch is not as a person ``seen`` it, or calls go already.
    """
    shut = Q(stopped_at__isnull=False) | Q(open_until__isnull=False)
    rows = IntegrationState.objects.filter(shut, pk=integration_id, switched=seen)
    with transaction.atomic():
        changed = rows.update(**AS_USUAL, **NOT_STOPPED, switched=F("switched") + 1)
        if changed == 1:
            integration_events.record(integration_id, IntegrationEvent.What.RESUMED, by=by)
    if changed == 1:
        # In a transaction of its own: whoever puts an order off locks that before the state.
        with transaction.atomic():
            waiting(integration_id).update(next_check_at=database_now())
            wake_in(0)
    return changed == 1


def waiting(integration_id: int) -> OrderQuerySet[ProductOrder]:
    """Return the pending orders that wait as their provider is left alone, and could go there."""
    ways = {"package__routings__integration": integration_id, "package__routings__is_active": True}
    orders: OrderQuerySet[ProductOrder] = ProductOrder.objects.pending()
    found = orders.filter(provider_message__in=WAITS_FOR_PROVIDER, **ways)
    return ProductOrder.objects.filter(pk__in=found.values("pk"))
