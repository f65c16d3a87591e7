"""Ends what staff chose at the lock desk, of every kind, each as its page showed it.

A claim is told from the next one on the same thing by its holder and its start; what changed hands
since it was shown is left alone.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.contrib.auth.models import User
from django.db import transaction

from backoffice.claims import KINDS, ClaimKind
from backoffice.lock_desk import Claim, Claims, Taking, kinds_seen_by

BATCH = 500  # rows that are held against others at a time


@dataclass
class Chosen:
    """Claims that somebody chose on a page, by what may be done with each as it is now."""

    live: list[Claim] = field(default_factory=list)
    stale: list[Claim] = field(default_factory=list)
    # Left alone
    spared: list[Claim] = field(default_factory=list)  # live, and only what ran out is wanted
    forbidden: list[Claim] = field(default_factory=list)
    taken_again: list[Claim] = field(default_factory=list)  # the claim that was shown is over
    gone: list[Taking] = field(default_factory=list)  # nobody's any more

    def sort_in(self, claim: Claim, shown: Taking, by: User) -> None:
        if claim.taking != shown:
            self.taken_again.append(claim)
        elif not claim.may_be_ended_by(by):
            self.forbidden.append(claim)
        else:
            (self.live if claim.live else self.stale).append(claim)

    def spare_live(self) -> None:
        """Leave alone what is live."""
        self.spared += self.live
        self.live = []

    def add_left_alone(self, other: "Chosen") -> None:
        self.spared += other.spared
        self.forbidden += other.forbidden
        self.taken_again += other.taken_again
        self.gone += other.gone


def look_up(takings: Iterable[Taking], *, by: User) -> Chosen:
    """Return what became of claims that a page showed, of the kinds that the person may see."""
    shown: dict[ClaimKind, dict[int, Taking]] = defaultdict(dict)
    for taking in takings:
        shown[KINDS[taking.kind]][taking.pk] = taking
    rows = {
        kind: kind.rows().filter(pk__in=list(shown[kind]))
        for kind in kinds_seen_by(by)
        if kind in shown
    }
    chosen = Chosen()
    for claim in Claims(rows)[:]:
        chosen.sort_in(claim, shown[claim.kind].pop(claim.pk), by)
    chosen.gone = [taking for kind in rows for taking in shown[kind].values()]
    return chosen


@dataclass
class Ended:
    """What an ending did: what it ended of each kind, and what it left alone."""

    claims: dict[ClaimKind, list[Claim]] = field(default_factory=lambda: defaultdict(list))
    left: Chosen = field(default_factory=Chosen)


def end(takings: Iterable[Taking], *, by: User, reason: str) -> Ended:
    """End the claims that a page showed; without a reason only those that ran out.

    Each is judged again while its row is held against others: what changed hands since it was
    shown, or is not this person's to end, is left alone.
    """
    of_kind: dict[ClaimKind, list[Taking]] = defaultdict(list)
    for taking in sorted(set(takings), key=lambda taking: taking.pk):
        of_kind[KINDS[taking.kind]].append(taking)
    ended = Ended()
    for kind in filter(of_kind.__contains__, KINDS.values()):
        some = of_kind[kind]
        for start in range(0, len(some), BATCH):
            _end(kind, some[start : start + BATCH], ended, by, reason)
    return ended


def _end(kind: ClaimKind, takings: list[Taking], ended: Ended, by: User, reason: str) -> None:
    pks = [taking.pk for taking in takings]
    with transaction.atomic():
        held = kind.model._base_manager.filter(pk__in=pks).order_by("pk").select_for_update()
        list(held.values_list("pk", flat=True))
        chosen = look_up(takings, by=by)
        if not reason:
            chosen.spare_live()
        to_end = chosen.live + chosen.stale
        if to_end:
            rows = kind.rows().filter(pk__in=[claim.pk for claim in to_end])
            kind.release(rows, by=by, reason=reason)
            ended.claims[kind] += to_end
    ended.left.add_left_alone(chosen)


def names_of(takings: Iterable[Taking]) -> list[str]:
    """Return what staff call the things of these takings; those that still exist."""
    of_kind: dict[ClaimKind, list[int]] = defaultdict(list)
    for taking in takings:
        of_kind[KINDS[taking.kind]].append(taking.pk)
    return [
        str(row)
        for kind, pks in of_kind.items()
        for row in kind.model._base_manager.filter(pk__in=pks)
    ]
