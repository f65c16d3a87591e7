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
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import DatabaseError, transaction
from django.utils.translation import gettext_noop
from django_q.tasks import async_task

from backoffice.clock import database_now
from orders import incidents, journal, limits
from orders.calling import SHARE, keep_busy
from orders.claims import UNCLAIMED, new_claim, waiting_to_be_sent
from orders.encryption import Undecryptable
from orders.incidents import OrderIncident
from orders.journal import OrderEvent
from orders.models import OrderAttempt, PackageRouting, ProductOrder, ReviewReason, Status
from orders.providers import Misconfigured, ProviderBinding, get_provider_binding
from orders.waking import wake_in

logger = logging.getLogger(__name__)
State = OrderAttempt.State
What = OrderEvent.What
CLUSTER = "dispatch"  # sending has a cluster of its own, which checks can't keep busy
RUN_SECONDS = 20  # nothing is begun after that; a call lasts 25 at most, a task of the cluster 90
ROOM_SECONDS = 1  # until an order is looked at again that found no room at its provider
LEFT_ALONE = gettext_noop("the provider fails and is left alone for a while")
# Of a sending that was begun and came back before its call: the provider had just failed another.
NOT_CALLED = {
    "outcome": State.REFUSED,
    "retryable": True,
    "lowBalance": False,
    "transport": None,
    "cost": None,
    "balance": None,
    "reason": gettext_noop("not called"),
    "answer": "",
    "request": "",
    "milliseconds": None,
    "retryAfter": None,
}


@dataclass(frozen=True)
class Prepared:
    """The routing that an order may go now, with what its call needs."""

    routing: PackageRouting
    binding: ProviderBinding
    creds: dict[str, Any] = field(repr=False)
    payload: dict[str, Any]
    request: str


@dataclass(frozen=True)
class Sending:
    """An attempt that is committed: its order as it was before, its claim, what its call needs."""

    order: ProductOrder
    attempt_id: int
    token: str
    prepared: Prepared

    @property
    def order_id(self) -> int:
        return self.order.pk

    @property
    def integration_id(self) -> int:
        return self.prepared.routing.integration_id


def queue(order_id):
    """Have the cluster for it send an order, in the caller's transaction."""
    async_task("orders.tasks.dispatch_order", order_id, cluster=CLUSTER)


def try_auto_dispatch(order_id):
    """Send a pending order once; return the attempt's outcome, None where nothing was sent."""
    sending = begin(order_id)
    if sending is None:
        return None
    answer = call(sending)
    settle(sending, answer)
    return answer["outcome"]


def run(first=None):
    """Send an order, and all others that are pending and due; return the outcomes by their keys.

    One task looks after whatever waits, over many connections: a provider that hangs keeps its
    share of these busy, and not a worker of the cluster for each order.
    """
    outcomes = {}
    seen = set()

    def begin_all(calls):
        if first is not None and first not in seen:
            seen.add(first)
            return begin_safely(first, calls) + 1
        return begin_due(calls, seen)

    def settle_all(answered):
        for sending, answer in answered:
            outcomes[sending.order_id] = answer["outcome"] if answer else None
        settle_safely(answered)

    keep_busy(begin_all, settle_all, failed, RUN_SECONDS)
    return outcomes


def begin_due(calls, seen):
    """Begin to send what is pending and due; return how many orders were looked at.

    ``seen`` collects the orders that this run has looked at: each gets one chance in it.
    """
    wanted = waiting_to_be_sent(SHARE, but=seen)
    seen.update(wanted)
    for pk in wanted:
        begin_safely(pk, calls)
    return len(wanted)


def begin_safely(order_id, calls):
    """Begin to send one order over the calls of a run; return whether that was done."""
    try:
        sending = begin(order_id, room=calls.free)
    except DatabaseError as problem:  # nothing was sent; the others go on
        logger.error("Order %s: %s", order_id, type(problem).__name__)
        return False
    if sending:
        calls.begin(sending.integration_id, call, sending)
    return sending is not None


def settle_safely(answered):
    """Settle the sendings that were answered, each for itself; return how many."""
    for sending, answer in answered:
        try:
            settle(sending, answer or NOT_CALLED)
        except DatabaseError as problem:  # stays sent; asked about when its claim has run out
            logger.error("Order %s: %s", sending.order_id, type(problem).__name__)
    return len(answered)


def failed(answer):
    """Return whether the answer to a sending shows that its provider fails."""
    return answer["transport"]


def begin(order_id, *, room=lambda integration_id: 1):
    """Commit that the order is being sent; return what the call needs.

    None where the order is not pending, somebody else is sending it, or nobody can take it now.
    ``room`` tells how many more calls an integration may get.
    """
    with transaction.atomic():
        rows = ProductOrder.objects.pending().free().annotate(now=database_now())
        order = rows.select_related("package").filter(pk=order_id).first()
        if order is None:
            return None
        prepared = _prepare(order, room)
        if prepared is None:
            return None
        integration, referans = prepared.routing.integration, prepared.payload["referans"]
        claim = new_claim()
        if not _take(order, integration, referans, claim):
            return None
        attempt = OrderAttempt.objects.create(
            order=order,
            number=order.dispatches + 1,
            integration=integration,
            provider=integration.provider,
            referans=referans,
            request=prepared.request,
        )
        text = f"{integration.code} {attempt.referans}"
        journal.record(order.pk, What.SENDING, status=Status.SENT, text=text)
    return Sending(order, attempt.pk, claim["claim_token"], prepared)


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


def _prepare(order, room):
    """Return what sending needs by the first routing that can be used now.

    None where there is none: the order is then put off, kept back for a person, or has failed.
    """
    routings, hopeless = routings_left(order)
    known = limits.read([routing.integration_id for routing in routings])
    reasons, open_until = [], []
    for routing in routings:
        limit = known[routing.integration_id]
        if limit.is_open:
            open_until.append(limit.state.open_until)
            continue
        reason = _money(order, routing, limit)
        prepared = None if reason else _describe(order, routing)
        if prepared is None:
            reasons.append(reason or ReviewReason.MISCONFIGURED)
        elif room(routing.integration_id) and limits.take(limit, 1, urgent=True):
            return prepared
        else:  # the best provider has no room just now: no reason to pay another
            _put_off(order, order.now + timedelta(seconds=ROOM_SECONDS))
            return None
    if open_until:
        _put_off(order, min(filter(None, open_until)), LEFT_ALONE)
    elif not reasons and hopeless:
        _fail(_pending(order), order.pk, ReviewReason.REFUSED)
    else:
        _keep_back(_pending(order), order.pk, reasons[0] if reasons else ReviewReason.NO_ROUTE)
    return None


def _money(order, routing, limit):
    """Return why an order may not be sent there for money's sake, None where it may."""
    if limit.is_low:
        return ReviewReason.LOW_BALANCE
    if limits.costs_too_much(order.package, routing.integration, order.price):
        return ReviewReason.COST_ABOVE_PRICE
    return None


def _describe(order, routing):
    """Return what the call by a routing needs, None where it can't be used as it is set."""
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
        return None
    return Prepared(routing, binding, creds, payload, request)


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


def _pending(order):
    return ProductOrder.objects.pending().filter(pk=order.pk, dispatches=order.dispatches)


def _put_off(order, until, text=""):
    """Look at a pending order again at that time; it fails where that is past its deadline."""
    if order.created_at <= order.now - timedelta(hours=settings.ORDER_DEADLINE_HOURS):
        _fail(_pending(order), order.pk, ReviewReason.TIMEOUT, text)
    elif _pending(order).update(next_check_at=until, provider_message=text, review_reason="") == 1:
        if text:
            journal.record(order.pk, What.WAITING, status=Status.PENDING, text=text)
        wake_in((until - order.now).total_seconds())


def _keep_back(rows, order_id, reason):
    """Leave an order pending for a person, and look again now and then whether it can go."""
    later = database_now() + timedelta(seconds=settings.ORDER_SLOW_CHECK_SECONDS)
    if rows.update(review_reason=reason, next_check_at=later) == 1:
        journal.record(order_id, What.NO_ROUTE, status=Status.PENDING, text=reason)


def call(sending):
    """Place the order at its provider; return the answer. Touches no database."""
    prepared = sending.prepared
    package = prepared.routing.provider_package_id
    return prepared.binding.adapter.place_order(prepared.creds, package, prepared.payload)


def settle(sending, answer):
    """Write what the call brought: the attempt in any case, the order if the claim still holds.

    Without the claim the order is left to whoever has it; the attempt's state tells polling.
    """
    refused = answer["outcome"] == State.REFUSED
    unreached = refused and (answer["retryable"] or answer["lowBalance"])
    with transaction.atomic():
        # Locked before its attempt, as whoever asks about it does.
        order = ProductOrder.objects.select_for_update().defer("pin_code").get(pk=sending.order_id)
        settled = OrderAttempt.objects.filter(
            pk=sending.attempt_id, state__in=OrderAttempt.UNSETTLED
        ).update(
            state=answer["outcome"],
            may_retry=unreached,
            answer=answer["answer"],
            reason=answer["reason"],
            cost=answer["cost"],
            balance=answer["balance"],
            answered_at=database_now(),
        )
        if not settled:
            return
        _learn(sending, answer)
        if order.claim_token != sending.token:
            return
        if refused:
            review = ReviewReason.LOW_BALANCE if answer["lowBalance"] else ""
            refuse(order, answer, unreached, review=review)
        else:
            _await(order, answer)


def _learn(sending, answer):
    """Keep what an answer tells about the provider: whether it works, our money, its cost."""
    integration, order = sending.prepared.routing.integration, sending.order
    if answer["transport"] is not None:
        limits.heard(integration.pk, answered=not answer["transport"])
    limits.remember_balance(integration.pk, answer["balance"])
    limits.remember_cost(order.package_id, integration.pk, answer["cost"])
    cost = answer["cost"]
    if cost is not None and limits.is_above(cost, integration, order.price):
        kind = OrderIncident.Kind.COST_ABOVE_PRICE
        incidents.open_incident(order.pk, kind, f"{cost} > {order.price}", status=Status.SENT)


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
        _tell(order, what, Status.SENT, answer)
        wake_in(seconds)


def _tell(order, what, status, answer):
    journal.record_all(
        [
            journal.line(
                order.pk,
                what,
                status=status,
                text=answer["answer"] or answer["reason"],
                request=answer["request"],
                milliseconds=answer["milliseconds"],
            )
        ]
    )


def held(order):
    """Return the order's row as long as it is in the state and under the claim it was read with."""
    return ProductOrder.objects.filter(
        pk=order.pk, claim_token=order.claim_token, external_status=order.external_status
    )


def refuse(order, answer, unreached, *, review=""):
    """Take an order back that is certainly not at the provider: to the next one, or to its end.

    ``unreached`` where the same provider may be tried again, after a pause.
    """
    reason = answer["reason"]
    routings, _hopeless = routings_left(order)
    rows = held(order)
    if not routings:
        _fail(rows, order.pk, ReviewReason.REFUSED, reason)
        return
    tried = order.attempts.filter(integration=routings[0].integration).count()
    seconds = _pause(tried, answer["retryAfter"], review) if tried else 0
    deadline = timedelta(hours=settings.ORDER_DEADLINE_HOURS)
    if tried and rows.filter(created_at__lte=database_now() - deadline).exists():
        _fail(rows, order.pk, ReviewReason.TIMEOUT, reason)
        return
    changed = rows.update(
        external_status=Status.PENDING,
        sent_at=None,
        integration=None,
        provider_referans="",
        outcome_unknown=False,
        review_reason=review if tried else "",
        provider_message=reason,
        next_check_at=database_now() + timedelta(seconds=seconds),
        **UNCLAIMED,
    )
    if changed == 1:
        what = What.UNREACHED if unreached else What.REFUSED
        _tell(order, what, Status.PENDING, answer)
        if seconds:
            wake_in(seconds)
        else:
            queue(order.pk)


def _pause(tried, retry_after, review):
    if review:
        return settings.ORDER_SLOW_CHECK_SECONDS
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
