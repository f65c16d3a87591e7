"""Asking providers what became of the orders that are with them.

``next_check_at`` in the order is the truth: tasks and their arguments only wake this up. Due
orders are claimed in a batch, asked about over a few connections with no transaction open, and
settled one by one under their claim. "Still in progress" is no error; what could not be asked is
counted apart. Past the deadline one last look is taken, then the order has failed, for review.
"""

import logging
import time
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import DatabaseError, transaction
from django.db.models import F
from django.db.models.functions import Least
from django.utils.translation import gettext_noop

from backoffice.clock import database_now
from orders import dispatch, journal
from orders.claims import UNCLAIMED, claim_due
from orders.dispatch import held
from orders.encryption import Undecryptable, last_four
from orders.journal import OrderEvent
from orders.models import AT_PROVIDER, OrderAttempt, ProductOrder, ReviewReason, Status
from orders.providers import Misconfigured, ProviderBinding, get_provider_binding
from orders.providers.base import in_parallel
from orders.transport import CONNECTIONS
from orders.waking import awake, wake_for_next, wake_in

logger = logging.getLogger(__name__)
State = OrderAttempt.State
What = OrderEvent.What
BATCH = 2 * CONNECTIONS  # two calls after each other end well within a claim
SENDER_LOST = gettext_noop("the sender never came back")
RUN_SECONDS = 10  # no new round after that: one may last 75, a task of the cluster 90


@dataclass(frozen=True)
class Asking:
    """A claimed order, with what asking about it needs."""

    order: ProductOrder
    binding: ProviderBinding
    creds: dict[str, str]


@dataclass(frozen=True)
class Done:
    """What a run did: orders sent and orders asked about."""

    sent: int
    checked: int


def check_order(order_id, tenant_id):
    """Ask about one order if it is due and free; return its state, None where it was not asked."""
    rows = ProductOrder.objects.at_provider().filter(pk=order_id, tenant_id=tenant_id)
    if not _ask(claim_due(rows, 1)):
        return None
    wake_for_next()
    return ProductOrder.objects.values_list("external_status", flat=True).get(pk=order_id)


def run():
    """Send what was not sent, ask what is due, and have the loop wake for what comes next.

    Stops by itself after ``RUN_SECONDS``; the rest is then due at once. Returns ``Done``.
    """
    awake()
    end = time.monotonic() + RUN_SECONDS
    sent = checked = 0
    while time.monotonic() < end:
        batch_sent, batch_checked = _send_due(), _ask(claim_due(_asked(), BATCH))
        if not batch_sent and not batch_checked:
            break
        sent, checked = sent + batch_sent, checked + batch_checked
    wake_for_next()
    return Done(sent, checked)


def check_now(rows, *, by):
    """Have a queryset's open orders looked after at once; return how many."""
    with transaction.atomic():
        wanted = list(rows.open().order_by("pk").values_list("pk", "external_status"))
        chosen = ProductOrder.objects.open().filter(pk__in=[pk for pk, _status in wanted])
        changed = chosen.update(next_check_at=database_now())
        for pk, status in wanted:
            journal.record(pk, What.CHECK_WANTED, status=status, by=by)
        if changed:
            wake_in(0)
    return changed


def _asked():
    return ProductOrder.objects.at_provider()


def _send_due():
    due = ProductOrder.objects.pending().due().free().order_by("next_check_at", "pk")
    sendings = []
    for pk in due.values_list("pk", flat=True)[:CONNECTIONS]:
        try:
            sending = dispatch.begin(pk)
        except DatabaseError as problem:  # nothing was sent; the others go on
            logger.error("Order %s: %s", pk, type(problem).__name__)
            continue
        if sending:
            sendings.append(sending)
    for sending, answer in in_parallel(dispatch.call, sendings):
        try:
            dispatch.settle(sending, answer)
        except DatabaseError as problem:  # stays sent; asked about when its claim has run out
            logger.error("Order %s: %s", sending.order_id, type(problem).__name__)
    return len(sendings)


def _ask(orders):
    """Ask about claimed orders and settle each; one that can't be asked stops no other."""
    askings = []
    for order in orders:
        try:
            asking = _prepare(order)
        except (Misconfigured, Undecryptable) as problem:
            logger.error("Order %s can't be asked about: %s", order.pk, problem)
            settle(order, no_answer("misconfigured"), review=ReviewReason.MISCONFIGURED)
            continue
        if asking:
            askings.append(asking)
    for asking, answer in in_parallel(_call, askings):
        try:
            settle(asking.order, answer)
        except DatabaseError as problem:  # left under its claim, and due again after it
            logger.error("Order %s: %s", asking.order.pk, type(problem).__name__)
    return len(orders)


def _prepare(order):
    """Return what asking needs; None where the attempt shows that there is nothing to ask."""
    with transaction.atomic():
        attempt = order.attempts.get(referans=order.provider_referans, number=order.dispatches)
        if attempt.state == State.REFUSED:
            # Its sender wrote that, and had lost the claim by then.
            dispatch.refuse(order, attempt.reason, attempt.may_retry)
            return None
        if attempt.state == State.SENDING:
            _lose(order, attempt)
    binding = get_provider_binding(order.integration.provider, order.integration)
    return Asking(order, binding, binding.to_credentials())


def _lose(order, attempt):
    """Note that a sender never came back: the order may or may not be at the provider."""
    lost = OrderAttempt.objects.filter(pk=attempt.pk, state=State.SENDING)
    if lost.update(state=State.UNKNOWN, reason=SENDER_LOST) == 1:
        held(order).update(outcome_unknown=True, review_reason=ReviewReason.UNKNOWN)
        journal.record(order.pk, What.UNKNOWN, status=order.external_status, text=SENDER_LOST)


def _call(asking):
    return asking.binding.adapter.fetch_status(asking.creds, asking.order.provider_referans)


def no_answer(reason):
    """Return the answer of a call that could not be made."""
    return {
        "outcome": "no_answer",
        "status": "",
        "pinCode": "",
        "reason": reason,
        "answer": "",
        "retryAfter": None,
    }


def settle(order, answer, *, review=""):
    """Write an answer into the order, if it is still under the claim it was asked with."""
    answered = answer["outcome"] == "answered"
    text = answer["answer"] or answer["reason"]
    with transaction.atomic():
        if not answered:
            changes, what = _not_answered(order, answer, review), What.NO_ANSWER
        elif answer["status"] in AT_PROVIDER:
            changes, what = _still_open(order, answer), What.CHECKED
        else:
            changes, what = _ended(answer), What.CHECKED
        if changes["external_status"] in AT_PROVIDER and _is_overdue(order):
            changes |= _timed_out()
        if held(order).update(last_sync_at=database_now(), **changes, **UNCLAIMED) != 1:
            return  # ended by staff meanwhile; the next one to ask gets the same answer
        if answered:
            order.attempts.filter(number=order.dispatches, state=State.UNKNOWN).update(
                state=State.ACCEPTED
            )
        journal.record(order.pk, what, status=changes["external_status"], text=text)
        if changes["external_status"] == Status.FAILED and changes["review_reason"]:
            reason = changes["review_reason"]
            journal.record(order.pk, What.GIVEN_UP, status=Status.FAILED, text=reason)


def _not_answered(order, answer, review):
    errors = order.transport_errors + 1
    return {
        "external_status": order.external_status,
        "transport_errors": F("transport_errors") + 1,
        "review_reason": review or F("review_reason"),  # may be newer than the order as read
        "next_check_at": _after(_delay(errors), answer["retryAfter"]),
    }


def _still_open(order, answer):
    tries = order.tries + 1
    slow = tries >= settings.ORDER_QUICK_TRIES
    seconds = settings.ORDER_SLOW_CHECK_SECONDS if slow else _delay(tries)
    return {
        "external_status": Status.PROCESSING,
        "outcome_unknown": False,
        "review_reason": "",
        "provider_message": answer["reason"],
        "tries": tries,
        "transport_errors": 0,
        "next_check_at": _after(seconds, answer["retryAfter"]),
    }


def _ended(answer):
    done = answer["status"] == Status.COMPLETED
    return {
        "external_status": answer["status"],
        "outcome_unknown": False,
        "review_reason": "",
        "provider_message": answer["reason"],
        "transport_errors": 0,
        "pin_code": answer["pinCode"],
        "pin_last_four": last_four(answer["pinCode"]),
        "completed_at": database_now() if done else None,
        "next_check_at": None,
    }


def _timed_out():
    return {
        "external_status": Status.FAILED,
        "outcome_unknown": False,
        "review_reason": ReviewReason.TIMEOUT,
        "next_check_at": None,
    }


def _is_overdue(order):
    deadline = timedelta(hours=settings.ORDER_DEADLINE_HOURS)
    return ProductOrder.objects.filter(pk=order.pk, sent_at__lte=database_now() - deadline).exists()


def _delay(count):
    delays = settings.ORDER_CHECK_DELAYS
    return delays[min(count, len(delays)) - 1]


def _after(seconds, retry_after):
    """Return when an order is asked about again: not beyond its deadline, for the last look."""
    at = database_now() + timedelta(seconds=max(seconds, retry_after or 0))
    return Least(at, F("sent_at") + timedelta(hours=settings.ORDER_DEADLINE_HOURS))
