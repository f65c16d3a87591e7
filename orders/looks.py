"""Looking at attempts beside their orders: those that were given up, and those of ended orders.

``next_look_at`` of the attempt is the truth, as ``next_check_at`` is of an order. Each is put off
by the UPDATE that takes it, so that nobody else asks meanwhile and who dies loses nothing.
What a look finds is written under the order's lock: twice the same changes nothing.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.db import Error as DatabaseFault
from django.db import transaction

from backoffice.clock import database_now
from orders import answers, given_up, incidents, journal, limits
from orders.asking import Question, account_of, ask, batch_of, tell_limits
from orders.calling import Calls
from orders.incidents import OrderIncident
from orders.journal import OrderEvent
from orders.models import OPEN, OrderAttempt, ProductOrder, Status
from orders.states import DONE, OrderQuerySet

logger = logging.getLogger(__name__)
State = OrderAttempt.State
AT_ONCE = 500  # in one run; the rest stays due


class Look(NamedTuple):
    """An attempt that is asked about."""

    pk: int
    order_id: int
    integration_id: int
    provider_referans: str


def wanted(orders: Iterable[int]) -> set[int]:
    """Have the attempts beside some orders looked at now; return the orders that have such.

    Those are what was given up, and what was bought of an order that has ended.
    """
    ended = OrderAttempt.objects.exclude(order__external_status__in=OPEN)
    rows = OrderAttempt.objects.filter(state=State.GIVEN_UP, delivered_at__isnull=True)
    rows = (rows | ended.filter(state=State.ACCEPTED)).filter(order__in=list(orders))
    found = dict(rows.values_list("pk", "order_id"))
    OrderAttempt.objects.filter(pk__in=found).update(next_look_at=database_now())
    return set(found.values())


def run() -> int:
    """Look at what is due; return how many attempts were asked about."""
    asked = 0
    with Calls(_failed) as calls:
        for question in _questions(_take()):
            calls.begin(question.integration_id, ask, question)
        while calls:
            for question, found in calls.answered():
                if found is None:
                    continue  # it was put off, and comes again
                tell_limits(question, found)
                for look in question.orders:
                    _settle_safely(look, found[look.provider_referans])
                    asked += 1
    return asked


def _failed(found: dict[str, dict[str, Any]]) -> bool:
    return all(answer["transport"] for answer in found.values())


def _take() -> list[Look]:
    """Put off the attempts that are due, and return them."""
    due = OrderAttempt.objects.filter(next_look_at__lte=database_now())
    rows = due.order_by("next_look_at").values_list("pk", "order_id", "integration_id", "referans")
    later = database_now() + timedelta(seconds=settings.ORDER_CLAIM_SECONDS)
    found = [Look(*row) for row in rows[:AT_ONCE]]
    return [look for look in found if due.filter(pk=look.pk).update(next_look_at=later) == 1]


def _questions(found: list[Look]) -> Iterator[Question]:
    """Yield what to call for these looks now: a provider that is left alone is asked later."""
    of_integration: defaultdict[int, list[Look]] = defaultdict(list)
    for look in found:
        of_integration[look.integration_id].append(look)
    known = limits.read(of_integration)
    for integration_id, asked in of_integration.items():
        binding, creds = account_of(integration_id)
        if binding is None:
            continue
        size = batch_of(binding.integration)
        calls = limits.take(known[integration_id], -(-len(asked) // size))
        for start in range(0, calls * size, size):
            if asked[start : start + size]:
                yield Question(integration_id, asked[start : start + size], binding, creds)


def _settle_safely(look: Look, answer: dict[str, Any]) -> None:
    try:
        settle(look, answer)
    except (DatabaseFault, ValueError) as problem:  # it was put off, and comes again
        answers.reconnect()
        logger.error("Attempt %s: %s", look.pk, type(problem).__name__)


def settle(look: Look, answer: dict[str, Any]) -> None:
    """Write what a look at an attempt brought: to the attempt, and what follows for its order."""
    with transaction.atomic():
        rows = ProductOrder.objects.filter(pk=look.order_id)
        order = rows.select_for_update(of=("self",)).defer("pin_code").get()
        attempt = OrderAttempt.objects.annotate(now=database_now()).get(pk=look.pk)
        if attempt.state == State.GIVEN_UP and attempt.delivered_at is None:
            _settle_given_up(order, attempt, answer)
        elif attempt.state == State.ACCEPTED and order.external_status not in OPEN:
            _settle_ended(order, attempt, answer)
        else:
            OrderAttempt.objects.filter(pk=attempt.pk).update(next_look_at=None)


def _settle_given_up(order: ProductOrder, attempt: Any, answer: dict[str, Any]) -> None:
    answered = answer["outcome"] == "answered"
    if answered and answer["status"] == Status.COMPLETED:
        _delivered(order, attempt, answer)
        return
    at = attempt.now + timedelta(hours=settings.ORDER_LATE_LOOK_HOURS)
    end = attempt.started_at + timedelta(hours=settings.ORDER_LATE_LOOKS_END_HOURS)
    cancelled = answered and answer["status"] in answers.CONTRADICTED
    later = None if cancelled or at > end else at
    changed = {"reason": answer["reason"], "answer": answer["answer"]} if cancelled else {}
    OrderAttempt.objects.filter(pk=attempt.pk).update(next_look_at=later, **changed)
    _tell(order, order.external_status, answer)


def _delivered(order: ProductOrder, attempt: OrderAttempt, answer: dict[str, Any]) -> None:
    """Keep what was delivered by an attempt that was given up: for the order, if it has need."""
    given_up.keep(attempt, answer["pinCode"])
    pending: OrderQuerySet[ProductOrder] = ProductOrder.objects.pending()
    if given_up.adopt(pending, attempt, text=answer["answer"]):
        return
    _tell(order, order.external_status, answer)
    if order.external_status in DONE:
        answers.open_twice(order.pk, attempt, order.external_status)
    elif order.external_status in OPEN:  # with another provider; it may yet be delivered twice
        kind = OrderIncident.Kind.LATE_SUCCESS
        incidents.open_incident(order.pk, kind, answer["reason"], status=order.external_status)
    else:
        answers.needs_decision(order.pk, answer["reason"], order.external_status)


def _settle_ended(order: ProductOrder, attempt: OrderAttempt, answer: dict[str, Any]) -> None:
    """Compare what a provider says of an order that has ended with what it said before."""
    OrderAttempt.objects.filter(pk=attempt.pk).update(next_look_at=None)
    status = order.external_status
    _tell(order, status, answer)
    if answer["outcome"] != "answered" or attempt.referans != order.provider_referans:
        return
    if status in DONE and answer["status"] != Status.COMPLETED:
        kind = OrderIncident.Kind.WENT_BACK
        text = answer["reason"] or answer["status"]
        incidents.open_incident(order.pk, kind, text, status=status)
    elif status in answers.CONTRADICTED and answer["status"] == Status.COMPLETED:
        rows = ProductOrder.objects.filter(pk=order.pk, pin_code="")
        rows.update(**answers.pin_columns(answer))
        answers.needs_decision(order.pk, answer["reason"], status)


def _tell(order: ProductOrder, status: str, answer: dict[str, Any]) -> None:
    journal.record_all(
        [
            journal.line(
                order.pk,
                OrderEvent.What.LATE_LOOK,
                status=status,
                text=answer["answer"] or answer["reason"],
                request=answer["request"],
                milliseconds=answer["milliseconds"],
            )
        ]
    )
