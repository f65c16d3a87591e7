"""Asking providers what became of the orders that are with them.

``next_check_at`` in the order is the truth: tasks and their arguments only wake this up. Due
orders are claimed in batches, fairly, asked about over many connections with no transaction open,
and settled together, each under its claim. "Still in progress" is no error; what could not be
asked is counted apart. Past the deadline one last look is taken, then the order has failed, for
review; for some days it is still looked at, as its provider may deliver late.
"""

import logging
import time
from collections import defaultdict
from dataclasses import dataclass

from django.db import transaction
from django.utils.translation import gettext_noop

from backoffice.clock import database_now
from orders import answers, balances, dispatch, journal, limits, looks
from orders.asking import Question, account_of, ask, batch_of, tell_limits
from orders.batches import claim_due, claim_fairly
from orders.calling import keep_busy
from orders.claims import UNCLAIMED, give_back
from orders.dispatch import Sending, held
from orders.journal import OrderEvent
from orders.models import OrderAttempt, ProductOrder, ReviewReason, Status
from orders.waking import (
    awake,
    enter,
    leave,
    wake_all_lanes,
    wake_for_next,
    wake_in,
    wake_when_free,
)

logger = logging.getLogger(__name__)
State = OrderAttempt.State
What = OrderEvent.What
SENDER_LOST = gettext_noop("the sender never came back")
MANY = 8  # claimed in one round: more than one lane is worth waking
LOOK_SECONDS = 0.5  # between two looks at limits and pending orders
RUN_SECONDS = 20  # nothing is called after that; a call lasts 50 at most, a task of the cluster 90


@dataclass
class Done:
    """What a run did: orders sent and orders asked about."""

    sent: int = 0
    checked: int = 0


def check_order(order_id, tenant_id):
    """Ask about one order if it is due and free; return its state, None where it was not asked."""
    rows = ProductOrder.objects.asked().filter(pk=order_id, tenant_id=tenant_id)
    integration_id = rows.due().free().values_list("integration_id", flat=True).first()
    if integration_id is None:
        return None
    if not limits.take(limits.read([integration_id])[integration_id], 1):
        return None
    orders = claim_due(rows, 1)
    for question in _questions(orders, {}):
        _settle([(question, ask(question))])
    wake_for_next()
    return ProductOrder.objects.values_list("external_status", flat=True).get(pk=order_id)


def run(lane=None):
    """Send what was not sent, ask what is due, and have the loop wake for what comes next.

    In a numbered lane it does nothing while that lane is busy, and wakes the others where there is
    more to do than it can. Begins nothing after ``RUN_SECONDS``; the rest is then due at once.
    Returns ``Done``.
    """
    entered = None
    if lane is not None:
        awake(lane)
        entered = enter(lane)
        if entered is None:
            wake_when_free(lane)
            return Done()
    done = Done()
    try:
        _look_after(done, wakes_others=lane is not None)
    finally:
        if entered:
            leave(lane, entered)
        wake_for_next(idle=not done.sent and not done.checked)
    return done


def run_batch():
    """Do all that there is to do for orders, whatever was lost of the queue; return ``Done``."""
    end = time.monotonic() + RUN_SECONDS  # after a longer run this task might be cut off
    done = run()
    if time.monotonic() < end and balances.refresh() and time.monotonic() < end:
        more = run()
        done = Done(done.sent + more.sent, done.checked + more.checked)
    if time.monotonic() < end:
        looks.run()
    return done


def _look_after(done, *, wakes_others):
    looking = _Run(done, wakes_others)
    keep_busy(looking.begin, looking.settle, failed, RUN_SECONDS)
    if looking.waiting.found_no_room:
        wake_in(dispatch.ROOM_SECONDS)


class _Run:
    """What a run remembers from one look at the orders to the next."""

    def __init__(self, done, wakes_others):
        self.wakes_others = wakes_others
        self.done = done
        self.waiting = dispatch.Waiting()
        self.accounts = {}
        self.limits = {}
        self.looked_at = 0.0

    def begin(self, calls):
        """Begin what is due, as far as there is room; return how many orders that were."""
        looked_after = 0
        if self._is_time():
            looked_after = self.waiting.begin(calls)
            self.limits = limits.read()  # after that, which may have used up a rate
        claimed = self._claim(calls)
        for question in _questions(claimed, self.accounts):
            calls.begin(question.integration_id, ask, question)
        if self.wakes_others and len(claimed) >= MANY:
            wake_all_lanes()
            self.wakes_others = False
        return looked_after + len(claimed)

    def _is_time(self):
        """Whether to look at the limits again, and for orders that wait to be sent."""
        now = time.monotonic()
        paced = any(limit.is_paced for limit in self.limits.values())
        if now < self.looked_at + (0 if paced else LOOK_SECONDS):
            return False
        self.looked_at = now
        return True

    def _claim(self, calls):
        def allowed(integration_id):
            limit, room = self.limits[integration_id], calls.room(integration_id)
            if not limit.is_open:
                room = limits.take(limit, room)
            return room * batch_of(limit.integration)

        last_looks = {pk for pk, limit in self.limits.items() if limit.is_open}
        with_room = [pk for pk in self.limits if calls.room(pk)]
        return claim_fairly(with_room, allowed, last_looks=last_looks)

    def settle(self, answered):
        sendings = [pair for pair in answered if isinstance(pair[0], Sending)]
        questions = [pair for pair in answered if isinstance(pair[0], Question)]
        self.done.sent += dispatch.settle_safely(sendings)
        self.done.checked += _settle(questions)


def _settle(answered):
    """Settle the questions that were answered, and give back what came back unasked."""
    pairs = []
    for question, found in answered:
        if found is None:
            give_back(question.orders)
        else:
            pairs += [(order, found[order.provider_referans]) for order in question.orders]
            tell_limits(question, found)
    answers.settle_safely(pairs)
    return len(pairs)


def failed(result):
    """Return whether a call shows that its provider fails: a sending's answer, or a question's."""
    found = [result] if "transport" in result else result.values()
    return all(answer["transport"] for answer in found)


def check_now(rows, *, by):
    """Have a queryset's orders asked about at once, where there is still something to ask.

    Returns how many.
    """
    with transaction.atomic():
        wanted = list(rows.askable().order_by("pk").values_list("pk", "external_status"))
        chosen = ProductOrder.objects.askable().filter(pk__in=[pk for pk, _status in wanted])
        changed = chosen.update(next_check_at=database_now())
        for pk, status in wanted:
            journal.record(pk, What.CHECK_WANTED, status=status, by=by)
        if changed:
            wake_in(0)
    return changed


def _questions(orders, accounts):
    """Return what to call for claimed orders; one that can't be asked about stops no other.

    ``accounts`` keeps the credentials of integrations for a run.
    """
    of_integration = defaultdict(list)
    for order in _still_to_ask(orders):
        of_integration[order.integration_id].append(order)
    questions = []
    for integration_id, asked in of_integration.items():
        account = accounts.get(integration_id)
        if account is None:
            account = accounts[integration_id] = account_of(integration_id)
        binding, creds = account
        if binding is None:
            unusable = answers.no_answer(ReviewReason.MISCONFIGURED)
            answers.settle_safely([(order, unusable) for order in asked])
            continue
        size = binding.adapter.status_batch
        questions += [
            Question(integration_id, asked[start : start + size], binding, creds)
            for start in range(0, len(asked), size)
        ]
    return questions


def _still_to_ask(orders):
    """Return the claimed orders without those whose sender knew that they are not there.

    A sender that had lost the claim when the answer came wrote it into the attempt alone.
    """
    states = OrderAttempt.objects.filter(order__in=[order.pk for order in orders])
    states = states.exclude(state=State.ACCEPTED).order_by("number")
    current = {attempt.order_id: attempt for attempt in states}
    asked = []
    for order in orders:
        attempt = current.get(order.pk)
        if attempt is None or attempt.number != order.dispatches:
            asked.append(order)
        elif attempt.state == State.REFUSED:
            _take_back(order, attempt)
        else:
            _flag_unknown(order, attempt)
            asked.append(order)
    return asked


def _take_back(claimed, attempt):
    """Treat an order as refused: its sender wrote that, and had lost the claim by then."""
    rows = ProductOrder.objects.filter(pk=claimed.pk, claim_token=claimed.claim_token)
    if claimed.external_status == Status.FAILED:  # it is not there, and is no more looked for
        rows.filter(external_status=Status.FAILED).update(next_check_at=None, **UNCLAIMED)
        return
    with transaction.atomic():
        order = rows.defer("pin_code").first()
        if order:
            dispatch.refuse(order, answers.no_answer(attempt.reason), attempt.may_retry)


def _flag_unknown(order, attempt):
    """Note that the order may or may not be at the provider: its sender did not learn it."""
    with transaction.atomic():
        flagged = held(order).filter(outcome_unknown=False, external_status=Status.SENT)
        if flagged.update(outcome_unknown=True, review_reason=ReviewReason.UNKNOWN) == 0:
            return
        lost = OrderAttempt.objects.filter(pk=attempt.pk, state=State.SENDING)
        lost.update(state=State.UNKNOWN, reason=SENDER_LOST)
        text = attempt.reason or SENDER_LOST
        journal.record(order.pk, What.UNKNOWN, status=order.external_status, text=text)
