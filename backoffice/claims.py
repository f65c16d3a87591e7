"""What an app's ``admin.py`` registers with the office, so that the office knows no app.

A kind of claim (edit locks, seats, orders) comes with its rows and the way to end them; a figure
is a number on the first page that links to its filtered list.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import Model, QuerySet
from django.utils.functional import Promise


@dataclass(frozen=True)
class ClaimKind:
    """A kind of claim. ``release(rows, by=user, reason=text)`` returns how many it ended."""

    name: str  # "edit:inventory.ReceiptPermanent", "seat", "order"
    label: str | Promise  # what staff call it, lazily translated
    live: Callable[[], QuerySet[Model]]
    stale: Callable[[], QuerySet[Model]]
    release: Callable[..., int]
    permission: str  # "app.codename" that ending a live one takes
    view_permission: str
    live_url: str  # address of the filtered list, relative to the admin index
    stale_url: str


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
