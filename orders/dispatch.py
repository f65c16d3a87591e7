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
import time
from dataclasses import dataclass, field
from datetime import timedelta

from django.conf import settings
from django.db import Error as DatabaseFault
from django.db import transaction
from django.utils.translation import gettext_noop
from django_q.tasks import async_task

from backoffice.clock import database_now
from backoffice.clusters import DISPATCH
from orders import given_up, incidents, journal, limits
from orders.answers import reconnect
from orders.batches import waiting_to_be_sent
from orders.calling import SHARE, keep_busy
from orders.claims import UNCLAIMED, new_claim
from orders.incidents import OrderIncident
from orders.journal import OrderEvent
from orders.models import OPEN, OrderAttempt, ProductOrder, ReviewReason, Status
from orders.routing import NoRoom, Prepared, choose, routings_left
from orders.transport import FORBIDDEN, CallInTransaction
from orders.waking import wake_in

logger = logging.getLogger(__name__)
State = OrderAttempt.State
What = OrderEvent.What
RUN_SECONDS = 20  # nothing is called after that; a call lasts 50 at most, a task of the cluster 90
ROOM_SECONDS = 1  # until it is looked again for room at a provider that had none
LEFT_ALONE = gettext_noop("the provider fails and is left alone for a while")
STOPPED = gettext_noop("calls to the provider were stopped by staff")
WAITS_FOR_PROVIDER = (LEFT_ALONE, STOPPED)
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


def seconds_of_this_host():
    """Return seconds that also pass while this host is suspended."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


@dataclass(frozen=True)
class Sending:
    """An attempt that is committed: its order as it was before, its claim, what its call needs."""

    order: ProductOrder
    attempt_id: int
    token: str
    prepared: Prepared
    begun: float = field(default_factory=seconds_of_this_host)

    @property
    def order_id(self) -> int:
        return self.order.pk

    @property
    def integration_id(self) -> int:
        return self.prepared.routing.integration_id


def queue(order_id):
    """Have the cluster for it send an order, in the caller's transaction."""
    async_task("orders.tasks.dispatch_order", order_id, cluster=DISPATCH)


def try_auto_dispatch(order_id):
    """Send a pending order once; return the attempt's outcome, None where nothing was sent."""
    try:
        sending = begin(order_id)
    except NoRoom:
        wake_in(ROOM_SECONDS)
        return None
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
    waiting = Waiting(first)

    def begin_all(calls):
        return waiting.begin(calls)

    def settle_all(answered):
        for sending, answer in answered:
            outcomes[sending.order_id] = answer["outcome"] if answer else None
        settle_safely(answered)

    keep_busy(begin_all, settle_all, failed, RUN_SECONDS)
    if waiting.found_no_room:
        wake_in(ROOM_SECONDS)
    return outcomes


class Waiting:
    """The pending orders of one run: each gets one chance in it, or more where there was no room.

    ``first`` is an order that comes before all others.
    """

    def __init__(self, first=None):
        self._first = first
        self._seen = set()
        self._full = {}  # a package, or an order that was tried -> until when it is passed over

    @property
    def found_no_room(self):
        return bool(self._full)

    def begin(self, calls):
        """Begin to send what is pending and due; return how many orders were looked at."""
        now = time.monotonic()
        self._full = {what: until for what, until in self._full.items() if until > now}
        looked_at = 0
        for pk in self._next():
            looked_at += self._begin(pk, calls, now)
        return looked_at

    def _next(self):
        if self._first is not None:
            first, self._first = self._first, None
            return [first]
        full = [pk for what, pk in self._full if what == "package"]
        retried = [pk for what, pk in self._full if what == "order"]
        return waiting_to_be_sent(SHARE, but=[*self._seen, *retried], full=full)

    def _begin(self, pk, calls, now):
        try:
            begin_safely(pk, calls)
        except NoRoom as nothing:
            # It keeps its place in line; so do those of its package that nobody was asked for yet.
            order = nothing.order
            what = ("order", pk) if order.dispatches else ("package", order.package_id)
            self._full[what] = now + ROOM_SECONDS
            return 0
        self._seen.add(pk)
        return 1


def begin_safely(order_id, calls):
    """Begin to send one order over the calls of a run; raise ``NoRoom`` where it has to wait."""
    try:
        sending = begin(order_id, room=calls.free)
    except (DatabaseFault, ValueError) as problem:  # nothing was sent; the others go on
        reconnect()
        logger.error("Order %s: %s", order_id, type(problem).__name__)
        return
    if sending:
        calls.begin(sending.integration_id, call, sending)


def settle_safely(answered):
    """Settle the sendings that were answered, each for itself; return how many."""
    for sending, answer in answered:
        try:
            settle(sending, answer or NOT_CALLED)
        except (DatabaseFault, ValueError) as problem:
            # Stays sent; asked about when its claim has run out.
            reconnect()
            logger.error("Order %s: %s", sending.order_id, type(problem).__name__)
    return len(answered)


def failed(answer):
    """Return whether the answer to a sending shows that its provider fails."""
    return answer["transport"]


def begin(order_id, *, room=lambda integration_id: 1):
    """Commit that the order is being sent; return what the call needs.

    None where the order is not pending, somebody else is sending it, or nobody can take it now:
    it is then put off, kept back for a person, or has failed. Raises ``NoRoom``. ``room`` tells
    how many more calls an integration may get.
    """
    with transaction.atomic():
        rows = ProductOrder.objects.pending().free().annotate(now=database_now())
        order = rows.select_related("package").filter(pk=order_id).first()
        if order is None:
            return None
        since = order.resent_at or order.created_at
        if since <= order.now - timedelta(hours=settings.ORDER_DEADLINE_HOURS):
            text = order.provider_message or order.review_reason  # what stood against it last
            _fail(_pending(order), order.pk, ReviewReason.NEVER_SENT, text)
            return None
        choice = choose(order, room)
        prepared = choice.prepared
        if prepared is None:
            _leave_pending(order, choice)
            return None
        integration, referans = prepared.routing.integration, prepared.payload["referans"]
        claim = new_claim()
        if not _take(order, integration, referans, claim):
            transaction.set_rollback(True)  # the call that was counted is not made
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
    changed = (
        _pending(order)
        .free()
        .update(
            external_status=Status.SENT,
            sent_at=database_now(),
            integration=integration,
            provider_referans=referans,
            dispatches=order.dispatches + 1,
            next_check_at=claim["claimed_until"],
            review_reason="",
            **claim,
        )
    )
    return changed == 1


def _pending(order):
    """Return a pending order's row while nobody has sent it, or chosen a provider for it."""
    return ProductOrder.objects.pending().filter(
        pk=order.pk, dispatches=order.dispatches, chosen=order.chosen_id
    )


def _leave_pending(order, choice):
    """Write what stands against sending an order now, and when to look again; or that it failed."""
    if choice.left_alone:
        _put_off(order, choice)
    elif choice.hopeless:
        _fail(_pending(order), order.pk, ReviewReason.REFUSED)
    else:
        _keep_back(_pending(order), order.pk, choice.reason)


def _put_off(order, choice):
    """Leave an order pending until its provider is called again, as nobody knows when that is."""
    later = order.now + timedelta(seconds=settings.ORDER_SLOW_CHECK_SECONDS)
    until, text = choice.open_until or later, LEFT_ALONE if choice.open_until else STOPPED
    changed = _pending(order).update(next_check_at=until, provider_message=text, review_reason="")
    if changed == 1:
        journal.record(order.pk, What.WAITING, status=Status.PENDING, text=text)
        wake_in((until - order.now).total_seconds())
    if not limits.are_left_alone(choice.left_alone):
        transaction.set_rollback(True)  # whoever let calls go again did not find it waiting


def _keep_back(rows, order_id, reason):
    """Leave an order pending for a person, and look again now and then whether it can go."""
    later = database_now() + timedelta(seconds=settings.ORDER_SLOW_CHECK_SECONDS)
    if rows.update(review_reason=reason, next_check_at=later) == 1:
        journal.record(order_id, What.NO_ROUTE, status=Status.PENDING, text=reason)


def call(sending):
    """Place the order at its provider; return the answer. Touches no database.

    Whoever slept over its claim does not call any more: others may have decided about the order.
    """
    longest = settings.PROVIDER_CONNECT_SECONDS + settings.PROVIDER_READ_SECONDS
    if seconds_of_this_host() > sending.begun + settings.ORDER_CLAIM_SECONDS - longest:
        return NOT_CALLED
    prepared = sending.prepared
    package = prepared.routing.provider_package_id
    try:
        return prepared.binding.adapter.place_order(prepared.creds, package, prepared.payload)
    except CallInTransaction:
        raise
    except Exception as problem:  # it may be placed by now
        logger.error("Order %s: %s", sending.order_id, type(problem).__name__)
        reason = type(problem).__name__
        return {**NOT_CALLED, "outcome": State.UNKNOWN, "retryable": False, "reason": reason}


def settle(sending, answer):
    """Write what the call brought: the attempt in any case, the order if the claim still holds.

    Without the claim the order is left to whoever has it; the attempt's state tells polling.
    """
    refused = answer["outcome"] == State.REFUSED
    unreached = refused and (answer["retryable"] or answer["lowBalance"])
    with transaction.atomic():
        # Locked before its attempt, as whoever asks about it does.
        order = ProductOrder.objects.select_for_update().defer("pin_code").get(pk=sending.order_id)
        told = {
            "answer": answer["answer"],
            "reason": answer["reason"],
            "cost": answer["cost"],
            "balance": answer["balance"],
            "answered_at": database_now(),
            "milliseconds": answer["milliseconds"] if answer["transport"] is False else None,
        }
        attempt = OrderAttempt.objects.filter(pk=sending.attempt_id)
        settled = attempt.filter(state__in=OrderAttempt.UNSETTLED).update(
            state=answer["outcome"], may_retry=unreached, **told
        )
        if not settled:
            if given_up.told(attempt, refused=refused, **told):
                _learn(sending, answer)
            return
        _learn(sending, answer)
        if order.claim_token != sending.token:
            _too_late(order, answer)
            return
        if refused:
            refuse(order, answer, unreached, review=_why_for_review(answer))
        else:
            _await(order, answer)


def _too_late(order, answer):
    """Note that an order that has ended meanwhile is at its provider: it may yet be delivered."""
    if order.external_status in OPEN or answer["outcome"] == State.REFUSED:
        return  # whoever asks about it next learns the same
    failed = ProductOrder.objects.filter(pk=order.pk, external_status=Status.FAILED)
    failed.update(next_check_at=database_now())
    _tell(order, What.ACCEPTED, order.external_status, answer)


def _why_for_review(answer):
    if answer["lowBalance"]:
        return ReviewReason.LOW_BALANCE
    return ReviewReason.MISCONFIGURED if answer["reason"] == FORBIDDEN else ""


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
        text = f"{limits.in_our_money(cost, integration):.2f} > {order.price}"
        incidents.open_incident(order.pk, kind, text, status=Status.SENT)


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
    """Return the order's row while it is with the provider, as it was read: its state, its claim.

    An order that has ended is none of these: neither its sender nor a late look opens it again.
    """
    return ProductOrder.objects.at_provider().filter(
        pk=order.pk, claim_token=order.claim_token, external_status=order.external_status
    )


def refuse(order, answer, unreached, *, review=""):
    """Take an order back that is certainly not at the provider: to the next one, or to its end.

    ``unreached`` where the same provider may be tried again, after a pause.
    """
    reason = answer["reason"]
    rows = held(order)
    kept = given_up.delivered([order.pk]).get(order.pk)
    if kept and given_up.adopt(rows, kept, text=reason):
        return
    routings, _hopeless = routings_left(order)
    if not routings:
        _fail(rows, order.pk, ReviewReason.REFUSED, reason)
        return
    tried = order.attempts.filter(integration=routings[0].integration).count()
    seconds = _pause(tried, answer["retryAfter"], review) if tried else 0
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
        answered = not unreached or review == ReviewReason.LOW_BALANCE
        what = What.REFUSED if answered else What.UNREACHED
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
