"""What must be true of the seats at any instant, asked of the database after whatever was done.

``broken`` returns a sentence for each thing that is not so. It judges by the rows and the log
alone, with a replay of its own, and calls nothing of the code that it judges.
"""

from collections import Counter, defaultdict
from datetime import timedelta

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db.models import Sum

from backoffice.audit import LockEvent
from reservations.models import Reservation, Seat

# From each state, what may happen to a seat, and what it is then.
STEPS = {
    "free": {"taken": "held", "confirmed": "reserved", "blocked": "blocked"},
    "held": {
        "extended": "held",
        "given_back": "free",
        "ran_out": "free",
        "forced": "free",
        "confirmed": "reserved",
    },
    "reserved": {"cancelled": "free", "moved": "free"},
    "blocked": {"unblocked": "free"},
}
BY_HOLDER = {"extended", "given_back", "confirmed"}


def check(event=None):
    """Fail with all that is not so."""
    found = broken(event)
    assert not found, "\n".join(found)


def broken(event=None):
    """Return a sentence for each invariant that does not hold, of one event or of all."""
    rows, sales = Seat.objects.all(), Reservation.objects.all()
    log = LockEvent.objects.filter(kind="seat", target_model="reservations.Seat")
    if event:
        rows, sales = rows.filter(event=event), sales.filter(event=event)
        log = log.filter(target_id__in=list(map(str, rows.values_list("pk", flat=True))))
    seats = list(rows.select_related("event"))
    return [
        *one_owner(seats),
        *whole_holds(seats),
        *bounded(seats),
        *under_the_cap(seats, live=set(rows.live().values_list("pk", flat=True))),
        *sold_once(seats, sales),
        *log_tells_the_table(seats, log),
    ]


def state_of(seat):
    """Return what a row says that its seat is; each seat is one of four, and only one."""
    if seat.blocked:
        return "blocked"
    return {"available": "free", "locked": "held", "reserved": "reserved"}[seat.status]


def one_owner(seats):
    """I1, I6: the columns of one state, and of no other."""
    columns = ("locked_until", "held_since", "hold_id")
    for seat in seats:
        state = state_of(seat)
        of_a_hold = [getattr(seat, name) is not None for name in columns]
        of_a_hold.append(bool(seat.locked_by_name))
        if set(of_a_hold) != {state == "held"} or (seat.locked_by_id and state != "held"):
            yield f"{seat} is {state} and has {of_a_hold} of a hold"
        if (seat.reservation_id is not None) != (state == "reserved"):
            yield f"{seat} is {state} and has reservation {seat.reservation_id}"
        if seat.blocked and seat.status != "available":
            yield f"{seat} is blocked and {seat.status}"


def whole_holds(seats):
    """I5, I7: one hold has one holder, one beginning, one end and one event."""
    holds = defaultdict(set)
    for seat in seats:
        if seat.hold_id:
            span = (seat.held_since, seat.locked_until)
            holds[seat.hold_id].add((seat.event_id, seat.locked_by_id, seat.locked_by_name, *span))
    for hold_id, owners in holds.items():
        if len(owners) > 1:
            yield f"hold {hold_id} is several: {owners}"


def bounded(seats):
    """I9: a hold ends after its beginning, within the longest life and by the cut-off."""
    longest = timedelta(seconds=settings.SEAT_HOLD_MAXIMUM_SECONDS)
    for seat in seats:
        if seat.status != "locked":
            continue
        end = seat.held_since + longest
        if seat.event.cut_off:
            end = min(end, seat.event.cut_off)
        if not seat.held_since <= seat.locked_until <= end:
            yield f"{seat} is held from {seat.held_since} to {seat.locked_until}, beyond {end}"


def under_the_cap(seats, live):
    """I8: nobody has more live holds of an event than one may."""
    held = Counter((seat.event, seat.locked_by_id) for seat in seats if seat.pk in live)
    for (event, person), count in held.items():
        if person and count > settings.SEAT_HOLDS_PER_USER:
            yield f"person {person} holds {count} seats of {event}"


def sold_once(seats, sales):
    """I6: sold seats and valid reservations belong together, and so does the money."""
    of_sale = defaultdict(list)
    for seat in seats:
        of_sale[seat.reservation_id].append(seat)
    for sale in sales.annotate(paid=Sum("payments__amount")):
        sold = of_sale[sale.pk]
        numbers = sorted(seat.seat_number for seat in sold)
        if sale.cancelled_at:
            if sold:
                yield f"{sale} is cancelled and has {numbers}"
        elif not sold or sorted(sale.seat_numbers.split(", ")) != numbers:
            yield f"{sale} says {sale.seat_numbers!r} and has {numbers}"
        if {seat.event_id for seat in sold} - {sale.event_id}:
            yield f"{sale} has seats of another event"
        due = 0 if sale.cancelled_at else sale.price
        if sale.paid != due:
            yield f"{sale} is worth {due}, and {sale.paid} was paid"


def log_tells_the_table(seats, log):
    """I10, I4, I1: played back, the log gives the rows; nobody takes what another still has."""
    told, problems = replay(log)
    yield from problems
    accounts = set(get_user_model().objects.values_list("pk", flat=True))
    for seat in seats:
        state, owner, name = told.get(str(seat.pk), ("free", None, ""))
        row = (state_of(seat), seat.locked_by_id, seat.locked_by_name)
        if row != (state, owner if owner in accounts else None, name):
            yield f"{seat} is {row}; by the log {(state, owner, name)}"


def replay(log):
    """Return {seat: (state, holder's id, holder's name)} by the log, and what can't have been."""
    told, problems = {}, []
    for event in log.exclude(action__in=("refused", "imported")).order_by("pk"):
        state, owner, name = told.get(event.target_id, ("free", None, ""))
        after = STEPS[state].get(event.action)
        # An account that is gone leaves its name alone.
        whose = (event.holder_id or owner, event.holder_name)
        by_another = state == "held" and (
            whose != (owner, name) or (event.action in BY_HOLDER and event.actor_id != owner)
        )
        if after is None or by_another:
            problems.append(
                f"event {event.pk}: {event.target_name}, {state} with {name or 'nobody'}, "
                f"was {event.action} by {event.actor_name or 'the office'}"
            )
        if event.action == "ran_out" and event.ended_at > event.at:
            problems.append(
                f"event {event.pk}: {event.target_name} ran out at {event.ended_at}, "
                f"and was taken from {event.holder_name} at {event.at}"
            )
        if event.action == "taken":
            owner, name = event.actor_id, event.actor_name
        elif after != "held":
            owner, name = None, ""
        told[event.target_id] = (after or state, owner, name)
    return told, problems
