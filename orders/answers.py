"""What the answers about orders make of them.

Answers that came together are written together, in one transaction: the orders are locked and read
as they are now, and each UPDATE names the state and the claim that it rests on. An answer whose
claim has ended changes nothing: what a person decided during the call stands. A success that comes
after an order has failed is no change either, but an incident; its PIN is kept.
"""

import logging
import random
from collections import defaultdict
from datetime import timedelta

from django.conf import settings
from django.db import Error as DatabaseFault
from django.db import connection, transaction
from django.utils.translation import gettext_noop

from backoffice.clock import database_now
from orders import given_up, incidents, journal
from orders.claims import UNCLAIMED
from orders.encryption import last_four
from orders.incidents import OrderIncident
from orders.journal import OrderEvent
from orders.models import AT_PROVIDER, OrderAttempt, ProductOrder, ReviewReason, Status
from orders.states import DONE

logger = logging.getLogger(__name__)
State = OrderAttempt.State
What = OrderEvent.What
NEEDED = ("integration_id", "external_status", "outcome_unknown", "review_reason", "sent_at")
NEEDED += ("tries", "transport_errors", "claim_token")
UNWRITABLE = gettext_noop("the provider's answer can't be kept")
CONTRADICTED = (Status.FAILED, Status.CANCELLED)  # by a success


def settle_safely(pairs):
    """Settle (order, answer) pairs together; where that fails each alone, so one stops no other.

    What can't be written counts as no answer: the order is asked again, and ends at its deadline.
    """
    if _settled(pairs):
        return
    for order, answer in pairs:
        if not _settled([(order, answer)]) and not _settled([(order, no_answer(UNWRITABLE))]):
            logger.error("Order %s stays under its claim", order.pk)


def _settled(pairs):
    try:
        settle(pairs)
    except (DatabaseFault, ValueError) as problem:
        reconnect()
        keys = ", ".join(str(order.pk) for order, _answer in pairs)
        logger.error("Answers to orders %s: %s", keys, type(problem).__name__)
        return False
    return True


def reconnect():
    """After a fault of the database, have the next statement find a connection that works."""
    if not connection.in_atomic_block:
        connection.close_if_unusable_or_obsolete()


def no_answer(reason):
    """Return the answer of a call that could not be made, or whose answer is of no use."""
    return {
        "outcome": "no_answer",
        "status": "",
        "pinCode": "",
        "reason": reason,
        "answer": "",
        "retryAfter": None,
        "transport": None,
        "request": "",
        "milliseconds": None,
    }


def settle(pairs):
    """Write answers into the orders that are still under the claim they were asked with.

    ``pairs`` are the orders as they were claimed, with what ``fetch_status`` returned.
    """
    if not pairs:
        return
    with transaction.atomic():
        now, orders = _as_they_are([order.pk for order, _answer in pairs])
        changes, lines = [], []
        for asked, answer in pairs:
            order = orders[asked.pk]
            if order.claim_token != asked.claim_token:
                _too_late(order, answer)
                continue
            change = _change(order, answer, now)
            changes.append((order, change))
            lines.append(_line(order, answer, change.get("external_status", order.external_status)))
        _write(changes, now)
        _settle_attempts(pairs, orders)
        journal.record_all(lines)
        for order, change in changes:
            _follow_up(order, change)
        _follow_up_given_up(changes)


def _as_they_are(keys):
    """Lock orders; return the database's time and the orders by their keys."""
    rows = ProductOrder.objects.filter(pk__in=keys).order_by("pk").only(*NEEDED)
    rows = rows.annotate(now=database_now()).select_for_update()
    orders = {order.pk: order for order in rows}
    return next(iter(orders.values())).now, orders


def _change(order, answer, now):
    """Return what an answer makes of an order: the columns that change."""
    if order.external_status == Status.FAILED:
        return _late_look(order, answer, now)
    if answer["outcome"] != "answered":
        change = _not_answered(order, answer, now)
    elif answer["status"] in AT_PROVIDER:
        change = _still_open(order, answer, now)
    else:
        return _ended(answer, now)
    deadline = order.sent_at + timedelta(hours=settings.ORDER_DEADLINE_HOURS)
    if now >= deadline:
        return change | _timed_out(order, change, now)
    return change | {"next_check_at": min(change["next_check_at"], deadline)}  # for the last look


def _not_answered(order, answer, now):
    errors = order.transport_errors + 1
    misconfigured = answer["reason"] == ReviewReason.MISCONFIGURED
    return {
        "transport_errors": errors,
        "review_reason": ReviewReason.MISCONFIGURED if misconfigured else order.review_reason,
        "next_check_at": _after(now, _delay(errors), answer["retryAfter"]),
    }


def _still_open(order, answer, now):
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
        "next_check_at": _after(now, seconds, answer["retryAfter"]),
    }


def _ended(answer, now):
    return {
        "external_status": answer["status"],
        "outcome_unknown": False,
        "review_reason": "",
        "provider_message": answer["reason"],
        "transport_errors": 0,
        "completed_at": now if answer["status"] == Status.COMPLETED else None,
        "next_check_at": None,
        **pin_columns(answer),
    }


def _timed_out(order, change, now):
    unknown = change.get("outcome_unknown", order.outcome_unknown)
    return {
        "external_status": Status.FAILED,
        "outcome_unknown": False,
        "review_reason": ReviewReason.NEVER_KNOWN if unknown else ReviewReason.TIMEOUT,
        "next_check_at": _late_look_at(order, now),
    }


def _late_look(order, answer, now):
    """An order that failed by time was looked at once more."""
    if answer["outcome"] == "answered" and answer["status"] == Status.COMPLETED:
        return {
            "review_reason": ReviewReason.LATE_SUCCESS,
            "provider_message": answer["reason"],
            "next_check_at": None,
            **pin_columns(answer),
        }
    if answer["outcome"] == "answered" and answer["status"] not in AT_PROVIDER:
        return {"provider_message": answer["reason"], "next_check_at": None}
    return {"next_check_at": _late_look_at(order, now)}


def _late_look_at(order, now):
    at = now + timedelta(hours=settings.ORDER_LATE_LOOK_HOURS)
    end = order.sent_at + timedelta(hours=settings.ORDER_LATE_LOOKS_END_HOURS)
    return at if at <= end else None


def pin_columns(answer):
    return {"pin_code": answer["pinCode"], "pin_last_four": last_four(answer["pinCode"])}


def _delay(count):
    delays = settings.ORDER_CHECK_DELAYS
    return delays[min(count, len(delays)) - 1]


def _after(now, seconds, retry_after):
    """Return when an order is asked about again: a little earlier by chance, but as was asked for.

    Orders that came in together are so not asked about together for ever.
    """
    seconds *= 1 - settings.ORDER_CHECK_JITTER * random.random()  # noqa: S311 - no secret
    return now + timedelta(seconds=max(seconds, retry_after or 0))


def _line(order, answer, status):
    what = What.CHECKED if answer["outcome"] == "answered" else What.NO_ANSWER
    return journal.line(
        order.pk,
        What.LATE_LOOK if order.external_status == Status.FAILED else what,
        status=status,
        text=answer["answer"] or answer["reason"],
        request=answer["request"],
        milliseconds=answer["milliseconds"],
    )


def _write(changes, now):
    """Write the changes of locked orders, in one statement for those that change the same columns.

    Not by ``bulk_update``, whose CASE over all rows takes longer than the provider.
    """
    alike = defaultdict(list)
    for order, change in changes:
        alike[tuple(change)].append((order, change))
    meta = ProductOrder._meta
    for names, group in alike.items():
        fields = [meta.get_field(name) for name in (*names, "last_sync_at", *UNCLAIMED)]
        columns = ", ".join(f'"{field.column}" = %s' for field in fields)
        rows = [
            [
                *(
                    field.get_db_prep_save(value, connection)
                    for field, value in zip(
                        fields, (*change.values(), now, *UNCLAIMED.values()), strict=True
                    )
                ),
                order.pk,
                order.claim_token,
                order.external_status,
            ]
            for order, change in group
        ]
        statement = (
            f'UPDATE "{meta.db_table}" SET {columns} '  # noqa: S608 - names of our own columns
            'WHERE "id" = %s AND "claim_token" = %s AND "external_status" = %s'
        )
        with connection.cursor() as cursor:
            cursor.executemany(statement, rows)
            assert cursor.rowcount == len(rows), "a locked order changed"


def _settle_attempts(pairs, orders):
    """Of what was answered the attempt is no more unknown: it was accepted."""
    found = [
        asked.pk
        for asked, answer in pairs
        if answer["outcome"] == "answered" and orders[asked.pk].outcome_unknown
    ]
    if found:
        unknown = OrderAttempt.objects.filter(order__in=found, state=State.UNKNOWN)
        unknown.update(state=State.ACCEPTED)


def _follow_up(order, change):
    """Tell what came of an order beside the answer itself."""
    if change.get("external_status") == Status.FAILED and change["review_reason"]:
        reason = change["review_reason"]
        journal.record(order.pk, What.GIVEN_UP, status=Status.FAILED, text=reason)
    if change.get("review_reason") == ReviewReason.LATE_SUCCESS:
        needs_decision(order.pk, change["provider_message"], order.external_status)


def _follow_up_given_up(changes):
    """Tell of orders that ended while an attempt of theirs had delivered that was given up."""
    ended = {
        order: change
        for order, change in changes
        if change.get("external_status", order.external_status) not in AT_PROVIDER
    }
    before = given_up.delivered(order.pk for order in ended) if ended else {}
    for order, change in ended.items():
        if order.pk not in before:
            continue
        status = change.get("external_status", order.external_status)
        late = change.get("review_reason") == ReviewReason.LATE_SUCCESS
        if late or status == Status.COMPLETED:
            open_twice(order.pk, before[order.pk], status)
        else:
            needs_decision(order.pk, before[order.pk].reason, status)


def open_twice(order_id, attempt, status):
    """Open the incident of an order that was delivered by two attempts."""
    kind = OrderIncident.Kind.DELIVERED_TWICE
    incidents.open_incident(order_id, kind, attempt.referans, status=status)


def needs_decision(order_id, text, status):
    """Have a person look at an order that ended otherwise than its provider delivered it."""
    rows = ProductOrder.objects.filter(pk=order_id, external_status=status)
    rows.update(review_reason=ReviewReason.LATE_SUCCESS)
    kind = OrderIncident.Kind.LATE_SUCCESS
    incidents.open_incident(order_id, kind, text, status=status)


def _too_late(order, answer):
    """Keep what an answer proves whose claim has ended, where the order was decided otherwise."""
    if answer["outcome"] != "answered":
        return
    if order.external_status in DONE and answer["status"] in CONTRADICTED:
        kind = OrderIncident.Kind.WENT_BACK
        incidents.open_incident(order.pk, kind, answer["reason"], status=order.external_status)
    if answer["status"] != Status.COMPLETED or order.external_status not in CONTRADICTED:
        return  # still open: the next one to ask gets the same answer
    rows = ProductOrder.objects.filter(pk=order.pk, external_status=order.external_status)
    rows.filter(pin_code="").update(**pin_columns(answer))
    rows.update(next_check_at=None)
    needs_decision(order.pk, answer["reason"], order.external_status)
