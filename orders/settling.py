"""What a person decides about an order that needs one, and how that is carried out.

Each decision takes the order's claim, and is refused in words where somebody else has it, where the
order is not any more as the person saw it, or where it does not apply. What was sent before and may
count is given up by it, and still looked at (``orders/given_up.py``). The office moves no money: a
refund is registered, not paid.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import (
    Aggregate,
    Case,
    Count,
    Max,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
    When,
)
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _t

from backoffice.audit import LockEvent, name_of
from backoffice.clock import database_now
from orders import decisions, dispatch, given_up, incidents, journal
from orders.claims import UNCLAIMED, Orders, new_claim, record_run_out
from orders.encryption import Undecryptable, last_four
from orders.journal import OrderEvent
from orders.models import (
    OPEN,
    OrderAttempt,
    OrderDecision,
    OrderIncident,
    ProductOrder,
    ReviewReason,
    Status,
)
from orders.states import DONE
from orders.transport import redact, redact_codes, storable

CHECK, SEND_ELSEWHERE, DELIVER = "check", "send_elsewhere", "deliver"
REFUND, CLOSE = "refund", "close"
LONGEST_PIN = 500
SHORTEST_REASON = incidents.SHORTEST_WORD
# What a page was shown of an order, and a decision rests on
SEEN = (
    "external_status",
    "outcome_unknown",
    "review_reason",
    "dispatches",
    "chosen_id",
    "has_pin",
    "kept_attempts",
    "last_decision",
    "open_incidents",
    "last_incident",
)


class LeftAlone(Exception):
    """Nothing was done to an order; the text says why, and what to do, in the reader's language."""


def with_version(rows: "QuerySet[ProductOrder]") -> "QuerySet[ProductOrder]":
    """Return a queryset of orders with what ``version`` and ``choices`` need, without PINs."""
    unclosed = OrderIncident.objects.filter(order=OuterRef("pk"), closed_at__isnull=True)
    decided = OrderDecision.objects.filter(order=OuterRef("pk"))
    attempts = OrderAttempt.objects.filter(order=OuterRef("pk"))
    return rows.annotate(
        has_pin=Case(When(pin_code="", then=False), default=True),
        kept_attempts=_of_each(attempts.filter(delivered_at__isnull=False), Count("pk")),
        given_up=_of_each(attempts.filter(state=OrderAttempt.State.GIVEN_UP), Count("pk")),
        bought=_of_each(attempts.filter(state=OrderAttempt.State.ACCEPTED), Count("pk")),
        last_decision=_of_each(decided, Max("pk")),
        open_incidents=_of_each(unclosed, Count("pk")),
        last_incident=_of_each(unclosed, Max("pk")),
    ).defer("pin_code")


def _of_each(rows: "QuerySet[Any]", figure: Aggregate) -> Coalesce:
    """Return the SQL of a figure of an order's rows; 0 where it has none."""
    grouped = rows.order_by().values("order").annotate(figure=figure).values("figure")
    return Coalesce(Subquery(grouped), Value(0))


def version(order: Any) -> str:
    """Return a short digest of what a decision on an order rests on, read by ``with_version``."""
    seen = "|".join(str(getattr(order, name)) for name in SEEN)
    return hashlib.sha256(f"{order.pk}|{seen}".encode()).hexdigest()[:16]


def choices(order: Any) -> set[str]:
    """Return what may be decided about an order that was read by ``with_version``."""
    found = {CLOSE} if order.open_incidents else set()
    is_open = order.external_status in OPEN
    if is_open or order.given_up > order.kept_attempts or order.bought or _may_be_late(order):
        found.add(CHECK)
    if order.external_status in DONE or not (order.review_reason or order.kept_attempts):
        return found
    delivered = order.review_reason == ReviewReason.LATE_SUCCESS or order.kept_attempts
    return found | ({DELIVER, REFUND} if delivered else {DELIVER, REFUND, SEND_ELSEWHERE})


def _may_be_late(order: Any) -> bool:
    return order.external_status == Status.FAILED and order.next_check_at is not None


def send_elsewhere(
    order_id: int, *, seen: str, integration_id: int | None, reason: str, by: User
) -> None:
    """Have an order sent once more, to the provider that a person chose.

    It is the only second sending there is: what was sent before may be delivered, too. Raises
    ``LeftAlone``.
    """
    reason = _reason(reason)
    with _taken(order_id, SEND_ELSEWHERE, seen, by) as order:
        ways = order.package.routings.filter(is_active=True, integration__is_active=True)
        way = ways.filter(integration=integration_id).select_related("integration").first()
        if way is None:
            raise LeftAlone(_t("choose a provider that delivers this package"))
        _give_up(order)
        _end(
            order,
            external_status=Status.PENDING,
            sent_at=None,
            integration=None,
            provider_referans="",
            next_check_at=database_now(),
            tries=0,
            transport_errors=0,
            chosen=way.integration,
            resent_at=database_now(),
        )
        reason = _masked(order, reason)
        kind = OrderDecision.Kind.SENT_ELSEWHERE
        decisions.record(order, kind, reason, by=by, integration=way.integration)
        _tell(order, OrderEvent.What.RESENT, Status.PENDING, reason, by)
        dispatch.queue(order.pk)


def deliver(order_id: int, *, seen: str, reason: str, pin: str = "", by: User) -> None:
    """Register that an order was delivered by hand: with a PIN for it, or without one.

    What its provider delivered too late is used where no PIN is typed. Raises ``LeftAlone``.
    """
    reason, pin = _reason(reason), _pin(pin)
    with _taken(order_id, DELIVER, seen, by) as order:
        unused = order.attempts.filter(delivered_at__isnull=False).exclude(pin_code="")
        if pin and (order.has_pin or unused.exists()):
            raise LeftAlone(_t("the provider delivered a PIN; leave the field empty to use it"))
        masked = _masked(order, reason, pin)
        kept = given_up.delivered([order.pk]).get(order.pk)
        _give_up(order)
        if kept and not pin and not order.has_pin:
            given_up.adopt(_mine(order), kept, text=masked, by=by)
        else:
            new_pin = {"pin_code": pin, "pin_last_four": last_four(pin)} if pin else {}
            _end(
                order,
                external_status=Status.COMPLETED,
                completed_at=database_now(),
                next_check_at=None,
                **new_pin,
            )
            _tell(order, OrderEvent.What.BY_HAND, Status.COMPLETED, masked, by)
        decisions.record(order, OrderDecision.Kind.BY_HAND, masked, by=by)
        _close_late_success(order, masked, by)


def refund(order_id: int, *, seen: str, amount: Decimal, reason: str, by: User) -> None:
    """Cancel an order, and register that so much of its price is given back.

    All that was given back of an order is never more than its price. Raises ``LeftAlone``.
    """
    reason = _reason(reason)
    with _taken(order_id, REFUND, seen, by) as order:
        before = order.decisions.aggregate(sum=Sum("amount"))["sum"] or 0
        if not 0 <= amount <= order.price - before:
            raise LeftAlone(_t("the amount has to be between zero and what is left of the price"))
        _give_up(order)
        _end(order, external_status=Status.CANCELLED, next_check_at=None)
        reason = _masked(order, reason)
        decisions.record(order, OrderDecision.Kind.REFUNDED, reason, by=by, amount=amount)
        _tell(order, OrderEvent.What.REFUNDED, Status.CANCELLED, reason, by)
        _close_late_success(order, reason, by)


def close_incidents(order_id: int, *, seen: str, word: str, by: User) -> None:
    """Close all incidents of an order with a word on what came of them. Raises ``LeftAlone``."""
    word = _reason(word)
    with _taken(order_id, CLOSE, seen, by) as order:
        unclosed = order.incidents.filter(closed_at__isnull=True).select_related("order")
        incidents.close(unclosed.defer("order__pin_code"), _masked(order, word), by=by)
        _mine(order).update(**UNCLAIMED)


@contextmanager
def _taken(order_id: int, choice: str, seen: str, by: User) -> Iterator[Any]:
    """Take an order's claim for a decision, in one transaction with it; raise ``LeftAlone``."""
    with transaction.atomic():
        rows = ProductOrder.objects.filter(pk=order_id)
        before = rows.stale().only("claimed_until", "claimed_at", "claimed_by").first()
        claim = {**new_claim(), "claimed_by": name_of(by)[:150]}
        if rows.free().update(**claim) == 0:
            raise LeftAlone(_t("it is being sent or asked about just now; try again in a minute"))
        if before:
            record_run_out([before], source=LockEvent.Source.PAGE, by=by)
        order = with_version(rows.select_related("package")).get()
        if version(order) != seen:
            raise LeftAlone(_t("it has changed meanwhile; look at it again"))
        if choice not in choices(order):
            raise LeftAlone(_t("this can't be done with it as it is now"))
        yield order


def _mine(order: Any) -> Orders:
    return ProductOrder.objects.filter(pk=order.pk, claim_token=order.claim_token)


def _give_up(order: Any) -> None:
    """Give up what was sent of an order, but for what is known to be delivered."""
    if order.review_reason != ReviewReason.LATE_SUCCESS or order.kept_attempts:
        given_up.give_up(order)


def _end(order: Any, **columns: Any) -> None:
    """Write what was decided, and give the claim back."""
    ended = {"outcome_unknown": False, "review_reason": "", **columns, **UNCLAIMED}
    changed = _mine(order).update(**ended)
    assert changed == 1, "a claim was lost within its transaction"


def _reason(text: str) -> str:
    text = " ".join(storable(text).split())
    if len(text) < SHORTEST_REASON:
        raise LeftAlone(_t("say why"))
    return text


def _pin(text: str) -> str:
    text = storable(text).strip()
    if len(text) > LONGEST_PIN:
        raise LeftAlone(_t("this PIN is too long"))
    return text


def _masked(order: Any, reason: str, *pins: str) -> str:
    """Return a reason without PINs, as somebody may write one down there."""
    own = ProductOrder.objects.filter(pk=order.pk).values_list("pin_code", flat=True)
    kept = OrderAttempt.objects.filter(order=order.pk).values_list("pin_code", flat=True)
    try:
        return redact(reason, [*pins, *own, *kept])
    except Undecryptable:  # nobody knows them, so whatever may be one
        return redact_codes(redact(reason, pins))


def _tell(order: Any, what: str, status: str, text: str, by: User) -> None:
    journal.record(order.pk, what, status=status, text=text, by=by)


def _close_late_success(order: Any, word: str, by: User) -> None:
    kind = OrderIncident.Kind.LATE_SUCCESS
    rows = OrderIncident.objects.filter(Q(order=order.pk, kind=kind, closed_at__isnull=True))
    incidents.close(rows.select_related("order").defer("order__pin_code"), word, by=by)
