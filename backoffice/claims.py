"""What an app's ``admin.py`` registers with the office, so that the office knows no app.

A kind of claim (edit locks, seats, orders) comes with its rows and the way to end them; a figure
is a number on the first page that links to its filtered list.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import Field, Model, QuerySet, Value
from django.db.models.functions import Cast, Coalesce, Concat, NullIf, Trim
from django.utils.functional import Promise

# What each row of a kind tells of its claim; the lock desk reads all kinds in one query.
COLUMNS = (
    "claim_name",  # what is claimed, as staff call it
    "claim_holder_id",  # the holder's account, or null
    "claim_holder",  # the holder's name
    "claim_since",
    "claim_seen",  # the last sign of life, or null where a claim gives none
    "claim_input",  # the last input, or null where none is told
    "claim_until",
    "claim_live",
    "claim_unsaved",  # whether something is unsaved, or null where that is not known
)


@dataclass(frozen=True)
class ClaimKind:
    """A kind of claim.

    ``rows()`` returns what is claimed now, live or run out, annotated with ``COLUMNS``.
    ``release(rows, by=user, reason=text)`` ends those of such rows, and returns how many.
    """

    name: str  # "edit:inventory.ReceiptPermanent", "seat", "order"
    label: str | Promise  # what staff call it, lazily translated
    model: type[Model]  # what is claimed
    rows: Callable[[], QuerySet[Model]]
    release: Callable[..., int]
    permission: str  # "app.codename" that ending a live one takes
    clear_permission: str  # the same of one that ran out
    view_permission: str
    live_url: str  # address of the filtered list, relative to the admin index
    stale_url: str

    @property
    def app_label(self) -> str:
        return self.view_permission.partition(".")[0]

    def live(self) -> QuerySet[Model]:
        return self.rows().filter(claim_live=True)

    def stale(self) -> QuerySet[Model]:
        return self.rows().filter(claim_live=False)


@dataclass(frozen=True)
class Figure:
    """A number for the first page: ``count()`` rows, shown to whoever may see the list."""

    name: str
    label: str | Promise
    count: Callable[[], int]
    view_permission: str
    url: str  # relative to the admin index
    alarming: bool = False  # above zero somebody has to act


KINDS: dict[str, ClaimKind] = {}
FIGURES: dict[str, Figure] = {}


def register(item: ClaimKind | Figure) -> None:
    """Add a kind of claim or a figure; a second one of the same name is a mistake."""
    registry: dict[str, Any] = KINDS if isinstance(item, ClaimKind) else FIGURES
    if item.name in registry:
        raise ValueError(f"{item.name} is registered already")
    registry[item.name] = item


def unknown(field: "Field[Any, Any]") -> Cast:
    """Return the SQL expression of a column that a kind of claim knows nothing of.

    A bare NULL has no type, and rows of several kinds are read together.
    """
    return Cast(Value(None), field)


def name_of(account: str) -> Coalesce:
    """Return the SQL expression of a person's name, as ``audit.name_of`` tells it."""
    first_and_last = Concat(f"{account}__first_name", Value(" "), f"{account}__last_name")
    return Coalesce(NullIf(Trim(first_and_last), Value("")), f"{account}__username")
