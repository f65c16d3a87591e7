"""Sending an order to a provider, so that it is bought once.

1. ``begin``: one transaction turns ``pending`` into ``sent`` and writes the attempt with our
   reference; it is committed before anything leaves the house.
2. ``call``: the provider is asked, with no transaction open.
3. ``settle``: accepted; or definitely refused, then the order is ``pending`` again or has failed;
   or unknown, then it stays ``sent`` with a flag, and is asked about and never sent again.

Who dies between 1 and 3 leaves an attempt ``sending``; when the claim has run out, polling makes
it unknown.
"""

import logging
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django_q.tasks import async_task

from backoffice.clock import database_now
from orders import journal
from orders.claims import UNCLAIMED, new_claim
from orders.encryption import Undecryptable
from orders.journal import OrderEvent
from orders.models import OrderAttempt, ProductOrder, ReviewReason, Status
from orders.providers import Misconfigured, ProviderBinding, get_provider_binding
from orders.waking import wake_in

logger = logging.getLogger(__name__)
State = OrderAttempt.State
What = OrderEvent.What


@dataclass(frozen=True)
class Sending:
    """An attempt that is committed, with what its call needs."""

    order_id: int
    attempt_id: int
    token: str
    binding: ProviderBinding
    creds: dict[str, str]
    provider_package_id: str
    payload: dict[str, Any]


def try_auto_dispatch(order_id):
    """Send a pending order once; return the attempt's outcome, None where nothing was sent."""
    sending = begin(order_id)
    if sending is None:
        return None
    answer = call(sending)
    settle(sending, answer)
    return answer["outcome"]


def begin(order_id):
    """Commit that the order is being sent; return what the call needs.

    None where the order is not pending, somebody else is sending it, or it has no provider.
    """
    with transaction.atomic():
        rows = ProductOrder.objects.pending().free().annotate(now=database_now())
        order = rows.filter(pk=order_id).first()
        if order is None:
            return None
        prepared = _prepare(order)
        if prepared is None:
            return None
        routing, binding, creds, payload, request = prepared
        claim = new_claim()
        if not _take(order, routing.integration, payload["referans"], claim):
            return None
        attempt = OrderAttempt.objects.create(
            order=order,
            number=order.dispatches + 1,
            integration=routing.integration,
            provider=routing.integration.provider,
            referans=payload["referans"],
            request=request,
        )
        text = f"{routing.integration.code} {attempt.referans}"
        journal.record(order.pk, What.SENDING, status=Status.SENT, text=text)
    token = claim["claim_token"]
    package = routing.provider_package_id
    return Sending(order.pk, attempt.pk, token, binding, creds, package, payload)


def _take(order, integration, referans, claim):
    """Turn a pending order into a sent one; False where somebody else was faster."""
    rows = ProductOrder.objects.pending().free().filter(pk=order.pk, dispatches=order.dispatches)
    changed = rows.update(
        external_status=Status.SENT,
        sent_at=database_now(),
        integration=integration,
        provider_referans=referans,
        dispatches=order.dispatches + 1,
        next_check_at=claim["claimed_until"],
        review_reason="",
        **claim,
    )
    return changed == 1


def _prepare(order):
    """Return the routing to use and what its call needs, or keep the order back and say why."""
    routings, hopeless = routings_left(order)
    for routing in routings:
        # Seconds of the database's clock before our own numbers: a database that was restored
        # from a backup gives these numbers again, and the provider knows them already.
        referans = f"{int(order.now.timestamp())}{order.pk}{order.dispatches + 1:03d}"
        payload = {
            "referans": referans,
            "userIdentifier": order.user_identifier,
            "extraField": order.extra_field,
            "fieldMapping": routing.field_mapping,
        }
        try:
            binding = get_provider_binding(routing.integration.provider, routing.integration)
            creds = binding.to_credentials()
            request = binding.adapter.describe_order(creds, routing.provider_package_id, payload)
        except (Misconfigured, Undecryptable) as problem:
            logger.error("Integration %s can't be used: %s", routing.integration.code, problem)
            continue
        return routing, binding, creds, payload, request
    rows = ProductOrder.objects.pending().filter(pk=order.pk, dispatches=order.dispatches)
    if routings:
        _keep_back(rows, order.pk, ReviewReason.MISCONFIGURED)
    elif hopeless:
        _fail(rows, order.pk, ReviewReason.REFUSED)
    else:
        _keep_back(rows, order.pk, ReviewReason.NO_ROUTE)
    return None


def routings_left(order):
    """Return (routings that may still be used, the best first; how many refused for good).

    The untried come first, by priority; then those that were not reached, the least tried first.
    """
    attempts = list(order.attempts.values_list("integration_id", "may_retry"))
    refused = {integration for integration, may_retry in attempts if not may_retry}
    tried = Counter(integration for integration, _may_retry in attempts)
    routings = order.package.routings.filter(is_active=True, integration__is_active=True)
    left = [
        routing
        for routing in routings.select_related("integration").defer("integration__credentials")
        if routing.integration_id not in refused
    ]
    left.sort(key=lambda routing: (tried[routing.integration_id], routing.priority))
    return left, len(refused)


def _keep_back(rows, order_id, reason):
    """Leave an order pending for a person, and look again now and then whether it can go."""
    later = database_now() + timedelta(seconds=settings.ORDER_SLOW_CHECK_SECONDS)
    if rows.update(review_reason=reason, next_check_at=later) == 1:
        journal.record(order_id, What.NO_ROUTE, status=Status.PENDING, text=reason)


def call(sending):
    """Place the order at its provider; return the answer. Touches no database."""
    return sending.binding.adapter.place_order(
        sending.creds, sending.provider_package_id, sending.payload
    )


def settle(sending, answer):
    """Write what the call brought: the attempt in any case, the order if the claim still holds.

    Without the claim the order is left to whoever has it; the attempt's state tells polling.
    """
    with transaction.atomic():
        settled = OrderAttempt.objects.filter(
            pk=sending.attempt_id, state__in=OrderAttempt.UNSETTLED
        ).update(
            state=answer["outcome"],
            may_retry=answer["outcome"] == State.REFUSED and answer["retryable"],
            answer=answer["answer"],
            reason=answer["reason"],
            cost=answer["cost"],
            balance=answer["balance"],
            answered_at=database_now(),
        )
        if not settled:
            return
        order = ProductOrder.objects.filter(pk=sending.order_id, claim_token=sending.token).first()
        if order is None:
            return
        if answer["outcome"] == State.REFUSED:
            unreached = answer["retryable"]
            refuse(order, answer["reason"], unreached, retry_after=answer["retryAfter"])
        else:
            _await(order, answer)


def _await(order, answer):
    unknown = answer["outcome"] == State.UNKNOWN
    seconds = settings.ORDER_CHECK_DELAYS[0] if unknown else settings.ORDER_FIRST_CHECK_SECONDS
    changed = held(order).update(
        outcome_unknown=unknown,
        provider_message=answer["reason"],
        review_reason=ReviewReason.UNKNOWN if unknown else "",
        next_check_at=database_now() + timedelta(seconds=seconds),
        **UNCLAIMED,
    )
    if changed == 1:
        what = What.UNKNOWN if unknown else What.ACCEPTED
        journal.record(order.pk, what, status=Status.SENT, text=answer["reason"])
        wake_in(seconds)


def held(order):
    """Return the order's row as long as it is in the state and under the claim it was read with."""
    return ProductOrder.objects.filter(
        pk=order.pk, claim_token=order.claim_token, external_status=order.external_status
    )


def refuse(order, reason, unreached, *, retry_after=None):
    """Take an order back that is certainly not at the provider: to the next one, or to its end."""
    what = What.UNREACHED if unreached else What.REFUSED
    routings, _hopeless = routings_left(order)
    rows = held(order)
    if not routings:
        _fail(rows, order.pk, ReviewReason.REFUSED, reason)
        return
    tried = order.attempts.filter(integration=routings[0].integration).count()
    seconds = _pause(tried, retry_after) if tried else 0
    deadline = timedelta(hours=settings.ORDER_DEADLINE_HOURS)
    if tried and rows.filter(created_at__lte=database_now() - deadline).exists():
        _fail(rows, order.pk, ReviewReason.TIMEOUT, reason)
        return
    changed = rows.update(
        external_status=Status.PENDING,
        sent_at=None,
        provider_referans="",
        outcome_unknown=False,
        review_reason="",
        provider_message=reason,
        next_check_at=database_now() + timedelta(seconds=seconds),
        **UNCLAIMED,
    )
    if changed == 1:
        journal.record(order.pk, what, status=Status.PENDING, text=reason)
        if seconds:
            wake_in(seconds)
        else:
            async_task("orders.tasks.dispatch_order", order.pk)


def _pause(tried, retry_after):
    delays = settings.ORDER_CHECK_DELAYS
    return max(delays[min(tried, len(delays)) - 1], retry_after or 0)


def _fail(rows, order_id, review_reason, text=""):
    changed = rows.update(
        external_status=Status.FAILED,
        outcome_unknown=False,
        next_check_at=None,
        review_reason=review_reason,
        provider_message=text,
        **UNCLAIMED,
    )
    if changed == 1:
        journal.record(order_id, What.GIVEN_UP, status=Status.FAILED, text=text or review_reason)
