"""All that is claimed now, of every kind, looked up in one query. Nothing is decided here."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User
from django.db.models import (
    BigIntegerField,
    Count,
    DateTimeField,
    ExpressionWrapper,
    Q,
    QuerySet,
    Value,
)
from django.urls import reverse

from backoffice.claims import COLUMNS, KINDS, ClaimKind
from backoffice.clock import database_now
from backoffice.lock_words import BUSY
from backoffice.persian import to_ascii_digits, to_persian_digits

LARGEST_KEY = BigIntegerField.MAX_BIGINT  # what is more, no database takes as a parameter
ORDERS = {
    "name": "claim_name",
    "kind": "claim_place",
    "holder": "claim_holder",
    "since": "claim_since",
    "until": "claim_until",
}


@dataclass(frozen=True)
class Taking:
    """What tells a claim from the next one on the same thing."""

    kind: str
    pk: int
    holder_id: int | None
    since: datetime | None

    def __str__(self) -> str:
        since = self.since.isoformat() if self.since else ""
        return f"{self.kind}|{self.pk}|{self.holder_id or ''}|{since}"

    @classmethod
    def read(cls, text: str) -> "Taking":
        """Return the taking that a page named; raise ValueError for anything else."""
        kind, pk, holder_id, since = text.split("|")
        if kind not in KINDS or not 0 < int(pk) <= LARGEST_KEY:
            raise ValueError(f"{text} is no claim")
        return cls(
            kind,
            int(pk),
            int(holder_id) if holder_id else None,
            datetime.fromisoformat(since) if since else None,
        )


@dataclass(frozen=True)
class Claim:
    """A claim as it was read. It decides nothing."""

    kind: ClaimKind
    pk: int
    name: str
    holder_id: int | None
    holder: str
    since: datetime | None
    seen: datetime | None
    input: datetime | None
    until: datetime | None
    live: bool
    unsaved: bool | None
    read_at: datetime  # by the database's clock

    @property
    def taking(self) -> Taking:
        return Taking(self.kind.name, self.pk, self.holder_id, self.since)

    @property
    def state(self) -> str:
        """``live``, ``idle`` or ``stale``."""
        if not self.live:
            return "stale"
        return "idle" if self.input and self.read_at - self.input >= BUSY else "live"

    @property
    def url(self) -> str:
        opts = self.kind.model._meta
        return reverse(f"admin:{opts.app_label}_{opts.model_name}_change", args=[self.pk])

    @property
    def target(self) -> str:
        """By what the event log knows the thing that is claimed."""
        return f"{self.kind.model._meta.label}:{self.pk}"

    def may_be_ended_by(self, user: User) -> bool:
        """Return whether a person may end the claim as it was read, live or run out."""
        permissions = (
            [self.kind.permission]
            if self.live
            else [self.kind.permission, self.kind.clear_permission]
        )
        return any(user.has_perm(permission) for permission in permissions)


def kinds_seen_by(user: User) -> list[ClaimKind]:
    """Return the kinds of claims that a person may see, in the order of their registration."""
    return [kind for kind in KINDS.values() if user.has_perm(kind.view_permission)]


# Looking up


@dataclass(frozen=True)
class Wanted:
    """Which claims a page is to show, and in which order; what is empty narrows nothing."""

    app: str = ""
    kind: str = ""
    holder: str = ""
    state: str = ""  # live, stale
    words: str = ""
    order: str = ""  # of ORDERS, with "-" before it for the opposite

    def takes(self, kind: ClaimKind) -> bool:
        return self.app in ("", kind.app_label) and self.kind in ("", kind.name)

    def of(self, kind: ClaimKind) -> QuerySet:
        """Return the wanted rows of a kind."""
        rows = kind.rows()
        if self.state:
            # What is neither finds nothing, as does every value that no claim has.
            rows = rows.filter(claim_live={"live": True, "stale": False}.get(self.state))
        if self.holder:
            rows = rows.filter(claim_holder=self.holder)
        for word in self.words.split():
            found = Q()
            # Numbers and codes are kept in ASCII digits, names in those that were typed.
            for typed in (to_ascii_digits(word), to_persian_digits(word)):
                found |= Q(claim_name__icontains=typed) | Q(claim_holder__icontains=typed)
            rows = rows.filter(found)
        return rows

    @property
    def ordering(self) -> list[str]:
        """The columns to sort by: at first who is still at it, the longest before the others."""
        column = ORDERS.get(self.order.removeprefix("-"))
        if column is None:
            return ["-claim_live", "claim_since"]
        return [f"-{column}" if self.order.startswith("-") else column]


class Claims:
    """The claims of some kinds, read as slices in one query for all kinds; for a paginator."""

    def __init__(self, rows: dict[ClaimKind, QuerySet], ordering: Iterable[str] = ()) -> None:
        self.kinds = list(rows)
        columns = ("claim_place", "pk", *COLUMNS, "claim_read_at")
        branches = [
            rows[kind]
            .order_by()
            .annotate(
                claim_place=Value(place),
                claim_read_at=ExpressionWrapper(database_now(), DateTimeField()),
            )
            .values_list(*columns)
            for place, kind in enumerate(self.kinds)
        ]
        self.rows = branches and branches[0].union(*branches[1:], all=True).order_by(
            *ordering, "claim_place", "pk"
        )

    def count(self) -> int:
        return self.rows.count() if self.kinds else 0

    __len__ = count

    def __getitem__(self, some: slice) -> list[Claim]:
        found = self.rows[some] if self.kinds else []
        return [Claim(self.kinds[place], *told) for place, *told in found]


def claims(kinds: Iterable[ClaimKind], wanted: Wanted) -> Claims:
    """Return the wanted claims of these kinds."""
    return Claims({kind: wanted.of(kind) for kind in kinds if wanted.takes(kind)}, wanted.ordering)


@dataclass(frozen=True)
class Tally:
    """How many claims of a kind somebody has, live or not."""

    kind: ClaimKind
    holder: str
    live: bool
    count: int


def tallies(kinds: list[ClaimKind]) -> list[Tally]:
    """Return what there is to choose from, counted in one query."""
    branches = [
        kind.rows()
        .order_by()
        .annotate(claim_place=Value(place))
        .values("claim_place", "claim_holder", "claim_live")
        .annotate(claims=Count("pk"))
        .values_list("claim_place", "claim_holder", "claim_live", "claims")
        for place, kind in enumerate(kinds)
    ]
    found = branches[0].union(*branches[1:], all=True) if branches else []
    return [Tally(kinds[place], *told) for place, *told in found]
