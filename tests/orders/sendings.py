"""Sendings of the past, of every outcome, without a provider."""

from datetime import timedelta

from django.utils import timezone

from orders.models import OrderAttempt, ProductOrder
from tests.orders.factories import make_order, make_package

STATES = {"completed": "accepted", "delivered": "accepted", "failed": "accepted"}


def make_sending(integration, became="completed", *, minutes=0, **columns):
    """A sending that began some minutes ago, and what became of it.

    That is a final state of its order, ``open``, or a state of the attempt alone.
    """
    at = timezone.now() - timedelta(minutes=minutes)
    order = make_order(make_package(integration))
    state = STATES.get(became, "accepted" if became == "open" else became)
    attempt = OrderAttempt.objects.create(
        order=order,
        number=1,
        integration=integration,
        provider=integration.provider,
        referans=f"r{order.pk}",
        state=state,
        request="GET",
        started_at=at,
        **columns,
    )
    at_provider = {"integration": integration, "provider_referans": attempt.referans}
    change = {"external_status": "sent", "sent_at": at, **at_provider}
    if became in STATES:
        done = at if became != "failed" else None
        change |= {"external_status": became, "completed_at": done, "next_check_at": None}
    if became == "unknown":
        change |= {"outcome_unknown": True, "review_reason": "unknown"}
    if became not in ("refused", "given_up"):
        ProductOrder.objects.filter(pk=order.pk).update(**change)
    return attempt
