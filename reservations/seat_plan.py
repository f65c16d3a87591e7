"""Bringing the seats of an event in line with the plan of a file.

``compare`` tells what would happen, ``apply`` does it: what was shown, and of that only what is
still so under locked rows. Nothing that a file says touches who has a seat: a seat that is held
or reserved keeps its price, and one that is held, reserved or blocked is never removed.
"""

import re
from collections.abc import Iterable, Iterator
from copy import copy
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django.conf import settings
from django.contrib.auth.models import User
from django.utils import translation
from django.utils.translation import gettext as _t

from backoffice import audit
from backoffice.audit import LockEvent
from backoffice.persian import digits_shown, to_ascii_digits
from reservations import holds, layout
from reservations.models import TAKEN, Event, Seat, natural_key
from reservations.plan_files import Plan, Told
from reservations.refusals import in_words, is_free

IMPORT = LockEvent.Source.IMPORT
BATCH = 200  # each row is sought among the others of its statement
# A13 is the thirteenth of row A, 12-7 the seventh of row 12; within what the columns take.
PLACE = re.compile(r"(.{0,10}?)[\s\-–_/.]*(?<![0-9])([0-9]{1,4})")


class Step(NamedTuple):
    """One thing that a file does to a seat: add it, remove it, or set one of its columns."""

    number: str
    kind: str  # "add", "remove" or "set"
    column: str = ""
    old: str = ""
    new: str = ""


@dataclass
class Change:
    """What a file changes in a seat: of each column, what it was and what it becomes."""

    seat: Seat
    columns: dict[str, tuple[Any, Any]] = field(default_factory=dict)


@dataclass
class Difference:
    """What an event's seats are, against what a file says they should be."""

    seats: dict[str, Seat]  # those that there are, by number
    added: list[Seat] = field(default_factory=list)
    changed: list[Change] = field(default_factory=list)
    unchanged: int = 0
    keeps_price: list[Change] = field(default_factory=list)  # somebody has the seat at the old one
    removed: list[Seat] = field(default_factory=list)
    kept: list[Seat] = field(default_factory=list)  # not in the file, and not to be removed
    others: int = 0  # not in the file, which does not remove
    no_place: list[tuple[int, str]] = field(default_factory=list)  # row of the file, seat number

    def steps(self) -> set[Step]:
        """Return all that would be done, one thing at a time."""
        return {
            *(Step(seat.seat_number, "add") for seat in self.added),
            *(
                Step(change.seat.seat_number, "set", column, str(old), str(new))
                for change in self.changed
                for column, (old, new) in change.columns.items()
            ),
            *(Step(seat.seat_number, "remove") for seat in self.removed),
        }

    def result(self) -> list[Seat]:
        """Return the seats that there would be, each where it would stand."""
        gone = {seat.seat_number for seat in self.removed}
        stay = [copy(seat) for number, seat in self.seats.items() if number not in gone]
        changes = {change.seat.seat_number: change.columns for change in self.changed}
        for seat in stay:
            for name, (_old, new) in changes.get(seat.seat_number, {}).items():
                setattr(seat, name, new)
        return in_order([*stay, *self.added])


@dataclass
class Outcome:
    """What a file did, and in words what it did not, though it was shown or would be by now."""

    added: int
    changed: int
    removed: int
    left: list[str]


def compare(event: Event, plan: Plan, *, removes: bool, lock: bool = False) -> Difference:
    """Return what a plan means for the seats of an event; ``lock`` keeps others from these."""
    rows = Seat.objects.with_state().filter(event=event).select_related("reservation")
    if lock:
        rows = rows.order_by("pk").select_for_update(of=("self",))
    found = Difference({seat.seat_number: seat for seat in rows})
    for seat in found.seats.values():
        seat.event = event
    for number, told in plan.seats.items():
        if number in found.seats:
            _compare(found, found.seats[number], told)
    _add(found, event, {n: told for n, told in plan.seats.items() if n not in found.seats})
    for seat in in_order(found.seats.values()):
        if seat.seat_number in plan.seats:
            continue
        if not removes:
            found.others += 1
        elif is_free(seat):
            found.removed.append(seat)
        else:
            found.kept.append(seat)
    return found


def in_order(seats: Iterable[Seat]) -> list[Seat]:
    """Return seats as people count them: A2 before A10."""
    return sorted(seats, key=lambda seat: natural_key(seat.seat_number))


def _compare(found: Difference, seat: Seat, told: Told) -> None:
    columns = {
        name: (getattr(seat, name), value)
        for name, value in told.values.items()
        if getattr(seat, name) != value
    }
    if "price" in columns and seat.state in TAKEN:
        found.keeps_price.append(Change(seat, {"price": columns.pop("price")}))
    if columns:
        found.changed.append(Change(seat, columns))
    else:
        found.unchanged += 1


def _add(found: Difference, event: Event, new: dict[str, Told]) -> None:
    """Put the seats that there are not yet into a difference, each with its place."""
    for number, told in new.items():
        values = told.values | _place(number, told.values)
        if "position" not in values:
            found.no_place.append((told.row, number))
        found.added.append(Seat(event=event, **values))
    known = {seat.row: seat.row_position for seat in in_order(found.seats.values())}
    known |= {
        told.values["row"]: told.values["row_position"]
        for told in new.values()
        if {"row", "row_position"} <= told.values.keys()
    }
    names = sorted({seat.row for seat in found.added} | known.keys(), key=natural_key)
    ranks = {name: rank for rank, name in enumerate(names, 1)} | known
    for seat in found.added:
        if "row_position" not in new[seat.seat_number].values:
            seat.row_position = ranks[seat.row]
    found.added = in_order(found.added)


def _place(number: str, told: dict[str, Any]) -> dict[str, Any]:
    """Return what a seat's number says of its place, where the file says nothing of that."""
    match = PLACE.fullmatch(to_ascii_digits(number))
    if "position" in told or match is None:
        return {}
    return {"row": match[1], "position": int(match[2])} | {
        name: told[name] for name in ("row",) if name in told
    }


# Doing it


def apply(
    event: Event, plan: Plan, shown: set[Step], *, removes: bool, by: User, file: str
) -> Outcome:
    """Do what was shown of a plan, all that is still so; record it where anything was.

    Raises ``Refused`` where others keep the seats busy.
    """
    with holds.attempt(event, by, IMPORT):
        Event.objects.select_for_update(no_key=True).get(pk=event.pk)  # one file at a time
        now = compare(event, plan, removes=removes, lock=True)
        steps = now.steps() & shown
        outcome = Outcome(
            added=_do_add(now, steps),
            changed=_do_change(now, steps),
            removed=_do_remove(now, steps, by),
            left=list(_left_in_words(now, now.steps() ^ shown)),
        )
        if steps:
            told = _in_words(outcome, file)
            audit.record(audit.event("seat", "imported", event, source=IMPORT, by=by, reason=told))
    return outcome


def _do_add(now: Difference, steps: set[Step]) -> int:
    new = [seat for seat in now.added if Step(seat.seat_number, "add") in steps]
    return len(Seat.objects.bulk_create(new))


def _do_change(now: Difference, steps: set[Step]) -> int:
    columns: dict[str, set[str]] = {}
    for step in steps:
        if step.kind == "set":
            columns.setdefault(step.number, set()).add(step.column)
    seats = []
    for change in now.changed:
        for name in columns.get(change.seat.seat_number, ()):
            setattr(change.seat, name, change.columns[name][1])
            seats.append(change.seat)
    wanted = sorted(set().union(*columns.values()))
    if seats:
        Seat.objects.bulk_update(set(seats), wanted, batch_size=BATCH)
    return len(columns)


def _do_remove(now: Difference, steps: set[Step], by: User) -> int:
    pks = [seat.pk for seat in now.removed if Step(seat.seat_number, "remove") in steps]
    return layout.remove(Seat.objects.free().filter(pk__in=pks), by=by, source=IMPORT)


def _left_in_words(now: Difference, steps: set[Step]) -> Iterator[str]:
    """Say of each seat of which something was shown and is not so, or is so and was not shown."""
    added = {step.number for step in steps if step.kind == "add"}
    claimed = {step.number for step in steps if step.kind == "remove" or step.column == "price"}
    for number in sorted({step.number for step in steps}, key=natural_key):
        seat = now.seats.get(number)
        values = {"seat": number}
        if seat is None:
            yield _t("Seat %(seat)s was removed meanwhile.") % values
        elif number in added:
            yield _t("Seat %(seat)s was made meanwhile, and stays as it is.") % values
        elif number in claimed and not is_free(seat):
            yield _t("Left as it is: %(what)s") % {"what": in_words(seat)}
        else:
            yield _t("Seat %(seat)s was changed meanwhile, and stays as it is.") % values


def _in_words(outcome: Outcome, file: str) -> str:
    with translation.override(settings.LANGUAGE_CODE):  # staff read it, whoever brought the file
        counts = _t("%(added)s added, %(changed)s changed, %(removed)s removed") % {
            name: digits_shown(str(getattr(outcome, name)))
            for name in ("added", "changed", "removed")
        }
    return f"{counts} · {file}"[:300]
