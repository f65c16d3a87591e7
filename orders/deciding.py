"""What people decided on the screen of held orders, carried out order by order.

Each order is decided on in its own transaction, and has its own result: one that is left alone, or
can't be written, stops no other.
"""

import logging
from dataclasses import dataclass, field
from decimal import Decimal

from django.contrib.auth.models import User
from django.db import Error as DatabaseFault
from django.utils.formats import number_format
from django.utils.translation import gettext as _t

from orders import desk, settling
from orders.answers import reconnect
from orders.models import ProductOrder, ProviderIntegration

logger = logging.getLogger(__name__)
# What each decision takes
PERMISSIONS = {
    settling.CHECK: "orders.check_productorder",
    settling.SEND_ELSEWHERE: "orders.resend_productorder",
    settling.DELIVER: "orders.deliver_productorder",
    settling.REFUND: "orders.refund_productorder",
    settling.CLOSE: "orders.close_orderincident",
}


@dataclass(frozen=True)
class Typed:
    """What a person typed for an order, and the version of it that the page showed."""

    order_id: int
    seen: str
    reason: str = ""
    integration_id: int | None = None
    pin: str = field(default="", repr=False)
    amount: Decimal | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of a decision on an order: that it was done, or why not."""

    order_id: int
    player: str
    done: bool
    text: str


def carry_out(choice: str, typed: list[Typed], *, by: User) -> list[Outcome]:
    """Carry a decision out for each of some orders; return the outcomes in the same order."""
    keys = [item.order_id for item in typed]
    known = ProductOrder.objects.filter(pk__in=keys)
    players = dict(known.values_list("pk", "user_identifier"))
    found = [item for item in typed if item.order_id in players]
    if choice == settling.CHECK:
        told = _check(keys, by)
    else:
        told = {item.order_id: _decide(choice, item, by) for item in found}
    return [Outcome(item.order_id, players[item.order_id], *told[item.order_id]) for item in found]


def _check(keys: list[int], by: User) -> dict[int, tuple[bool, str]]:
    checked = desk.check_status(ProductOrder.objects.filter(pk__in=keys), by=by)
    wanted = {order.pk: (True, _t("is being asked about")) for order in checked.wanted}
    return wanted | {order.pk: (False, why) for order, why in checked.left}


def _decide(choice: str, typed: Typed, by: User) -> tuple[bool, str]:
    """Return whether a decision was carried out, and what is told of it."""
    try:
        return True, _DECISIONS[choice](typed, by)
    except settling.LeftAlone as refusal:
        return False, str(refusal)
    except DatabaseFault as problem:
        reconnect()
        logger.error("Order %s: %s", typed.order_id, type(problem).__name__)
        return False, _t("it could not be written; try again")


def _send_elsewhere(typed: Typed, by: User) -> str:
    settling.send_elsewhere(
        typed.order_id,
        seen=typed.seen,
        integration_id=typed.integration_id,
        reason=typed.reason,
        by=by,
    )
    integration = ProviderIntegration.objects.get(pk=typed.integration_id)
    return _t("is sent to %(integration)s") % {"integration": integration}


def _deliver(typed: Typed, by: User) -> str:
    settling.deliver(typed.order_id, seen=typed.seen, reason=typed.reason, pin=typed.pin, by=by)
    return _t("its delivery by hand is registered")


def _refund(typed: Typed, by: User) -> str:
    if typed.amount is None:
        raise settling.LeftAlone(_t("say in a number how much is given back"))
    settling.refund(
        typed.order_id, seen=typed.seen, amount=typed.amount, reason=typed.reason, by=by
    )
    amount = {"amount": number_format(typed.amount)}
    return _t("is cancelled, and a refund of %(amount)s is registered") % amount


def _close(typed: Typed, by: User) -> str:
    settling.close_incidents(typed.order_id, seen=typed.seen, word=typed.reason, by=by)
    return _t("its incidents are closed")


_DECISIONS = {
    settling.SEND_ELSEWHERE: _send_elsewhere,
    settling.DELIVER: _deliver,
    settling.REFUND: _refund,
    settling.CLOSE: _close,
}
