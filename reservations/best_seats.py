"""The best seats for a party: which they are, and holding them.

In this order: side by side in one row, leaving no single free seat alone beside them; side by side
all the same; near one another. Then those near the middle of their row and of the front third.
Accessible seats are kept for those who ask; who does gets one, and as few more as can be.
"""

import heapq
import random
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import NamedTuple

from django.contrib.auth.models import User
from django.db.models import BooleanField, ExpressionWrapper

from reservations import holds
from reservations.models import Event, Seat, is_free
from reservations.refusals import Refused

ROW = 1.5  # how much worse a row off is than a seat off
# How much worse than the best, in seats off, a choice may be: at each try somebody was faster.
TRIES = (1.0, 4.0, 12.0)
BASES = 8  # around which seats near one another are looked for


class Place(NamedTuple):
    """A seat as the choice sees it."""

    pk: int
    section: str
    row: str
    row_position: int
    position: int
    accessible: bool
    free: bool


class Choice(NamedTuple):
    seats: list[int]
    adjacent: bool


class Block(NamedTuple):
    """Seats side by side; the less, the better."""

    alone: int  # single seats that it leaves
    accessible: int
    cost: float
    seats: list[int]


def take(
    event: Event, count: int, *, by: User, accessible: bool = False, source: str = holds.PAGE
) -> tuple[uuid.UUID, Choice]:
    """Hold the best seats for one person; return the ``hold_id`` and the choice.

    Raises ``Refused`` where there are not enough, where others were faster each time, and where
    ``holds.hold`` refuses for another reason than the seats themselves.
    """
    for spread in TRIES:
        places = places_of(event)
        choice = choose(places, count, accessible=accessible, spread=spread)
        if choice is None:
            found = any(place.free and place.accessible for place in places)
            raise Refused("few" if found or not accessible else "no_accessible")
        try:
            return holds.hold(event, choice.seats, by=by, source=source), choice
        except Refused as refused:
            if refused.reason not in ("in_the_way", "gone", "busy"):
                raise
    raise Refused("busy")


def places_of(event: Event) -> list[Place]:
    free = ExpressionWrapper(is_free(), output_field=BooleanField())
    rows = Seat.objects.filter(event=event).order_by().annotate(free=free)
    return [Place(*row) for row in rows.values_list(*Place._fields)]


def choose(
    places: Iterable[Place], count: int, *, accessible: bool = False, spread: float = 0
) -> Choice | None:
    """Return the best seats for a party, None where there are not enough.

    One at random of those that are nearly as good, and have no seat in common: so a crowd that
    asks at one moment spreads.
    """
    hall = Hall(places, accessible=accessible)
    blocks = list(hall.blocks(count))
    if blocks:
        return Choice(random.choice(_equals(blocks, spread)).seats, adjacent=True)  # noqa: S311
    groups = sorted(hall.groups(count))
    if not groups:
        return None
    good = [seats for cost, seats in groups if cost <= groups[0][0] + spread]
    return Choice(random.choice(good), adjacent=False)  # noqa: S311 - no secret


def _equals(blocks: list[Block], spread: float) -> list[Block]:
    """Return the best block, and those nearly as good that share no seat with a better one."""
    best = min(blocks)
    worst = (best.alone, best.accessible, best.cost + spread)
    found, used = [], set[int]()
    for block in sorted(block for block in blocks if block[:3] <= worst):
        if used.isdisjoint(block.seats):
            found.append(block)
            used.update(block.seats)
    return found


class Hall:
    """Where seats are, and which of them a party may have."""

    def __init__(self, places: Iterable[Place], *, accessible: bool) -> None:
        self.accessible = accessible
        self.rows: dict[tuple[str, str, int], list[Place]] = defaultdict(list)
        across: dict[int, list[int]] = defaultdict(list)
        for place in places:
            self.rows[place.section, place.row, place.row_position].append(place)
            across[place.row_position].append(place.position)
        front_third = (len(across) - 1) / 3
        self.middles = {row: (min(row_) + max(row_)) / 2 for row, row_ in across.items()}
        self.depths = {row: abs(n - front_third) * ROW for n, row in enumerate(sorted(across))}

    def cost(self, row_position: int, position: float) -> float:
        """Return how far from the best place of the hall one is, in seats."""
        return abs(position - self.middles[row_position]) + self.depths[row_position]

    def stretches(self) -> Iterator[list[Place]]:
        """Yield the seats that the party may have, those side by side together."""
        for row in self.rows.values():
            stretch: list[Place] = []
            for place in sorted(row, key=lambda place: place.position):
                if stretch and place.position != stretch[-1].position + 1:
                    yield stretch
                    stretch = []
                if place.free and (self.accessible or not place.accessible):
                    stretch.append(place)
                elif stretch:
                    yield stretch
                    stretch = []
            if stretch:
                yield stretch

    def blocks(self, count: int) -> Iterator[Block]:
        """Yield all blocks of so many seats side by side."""
        for stretch in self.stretches():
            special = [place.accessible for place in stretch]
            before = list(accumulate(special, initial=0))
            for start in range(len(stretch) - count + 1):
                end = start + count
                asked_for = before[end] - before[start]
                if self.accessible and not asked_for:
                    continue
                left, right = special[max(start - 2, 0) : start][::-1], special[end : end + 2]
                middle = stretch[start].position + (count - 1) / 2
                cost = self.cost(stretch[start].row_position, middle)
                seats = [place.pk for place in stretch[start:end]]
                alone = _is_alone(left) + _is_alone(right)
                yield Block(alone, asked_for, cost, seats)

    def groups(self, count: int) -> Iterator[tuple[float, list[int]]]:
        """Yield some groups of so many seats near one another, each with how far they are apart."""
        longest = sorted(
            self.stretches(),
            key=lambda one: (-len(one), self.cost(one[0].row_position, one[0].position)),
        )
        everywhere = [place for stretch in longest for place in stretch]
        if len(everywhere) < count:
            return
        bases = [stretch[0] for stretch in longest]
        if self.accessible:
            bases = [place for place in everywhere if place.accessible]
        for base in bases[:BASES]:
            near = heapq.nsmallest(
                count, ((_distance(base, place), place.pk) for place in everywhere)
            )
            yield sum(distance for distance, _pk in near), [pk for _distance, pk in near]


def _is_alone(beside: list[bool]) -> bool:
    """Return whether one seat stays alone at this side of a block.

    ``beside`` tells of the one or two free seats next to it whether they are accessible; those
    are not for whoever wants to sit beside them.
    """
    return bool(beside) and not beside[0] and (len(beside) < 2 or beside[1])


def _distance(base: Place, place: Place) -> float:
    if place.pk == base.pk:
        return -1  # the base itself, before seats that stand on the same place
    aside = abs(place.position - base.position)
    behind = abs(place.row_position - base.row_position)
    return aside + 2 * ROW * behind + 20 * (place.section != base.section) + 4 * place.accessible
