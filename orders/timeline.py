"""All that happened to an order, the newest first: its journal, and the claims that people ended.

Claims are no part of the journal, as they are logged with those on documents and seats.
"""

from dataclasses import dataclass
from datetime import datetime

from backoffice.audit import LockEvent
from orders.models import OrderEvent, ProductOrder

ACTIONS = (LockEvent.Action.FORCED, LockEvent.Action.RAN_OUT)


@dataclass(frozen=True)
class Step:
    """Something that happened, once or several times in a row without a difference."""

    at: datetime
    last_at: datetime
    times: int
    what: str  # of OrderEvent.What, or an action of the log of claims
    label: str
    status: str = ""  # of the order, afterwards
    text: str = ""  # words of ours, of a person or of the provider
    request: str = ""
    milliseconds: int | None = None
    by: str = ""
    holder: str = ""  # whose claim was ended


def of(order: ProductOrder) -> list[Step]:
    """Return the steps of an order's life, the newest first."""
    journal = [_of_journal(line) for line in OrderEvent.objects.filter(order=order)]
    claims = LockEvent.objects.filter(
        target_model=order._meta.label,
        target_id=str(order.pk),
        kind=LockEvent.Kind.ORDER,
        action__in=ACTIONS,
    )
    steps = [*journal, *(_of_claim(event) for event in claims)]
    # Lines of one moment stay as they were written, the later one above.
    ordered = sorted(enumerate(steps), key=lambda pair: (pair[1].last_at, pair[0]), reverse=True)
    return [step for _number, step in ordered]


def _of_journal(line: OrderEvent) -> Step:
    return Step(
        at=line.at,
        last_at=line.last_at,
        times=line.times,
        what=line.what,
        label=line.get_what_display(),
        status=line.status,
        text=line.text,
        request=line.request,
        milliseconds=line.milliseconds,
        by=line.by_name,
    )


def _of_claim(event: LockEvent) -> Step:
    return Step(
        at=event.at,
        last_at=event.at,
        times=1,
        what=event.action,
        label=event.get_action_display(),
        text=event.reason,
        by=event.actor_name,
        holder=event.holder_name,
    )
