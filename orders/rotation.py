"""Moving every stored secret to the first of the keys, so that an old key can be taken out.

The office may go on meanwhile: a value is replaced by an UPDATE that names its old ciphertext, so
that one written in between stays as it is. Who was broken off begins again; what has been moved is
passed over.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import models, transaction
from django.db.models.functions import Cast

from orders.encryption import EncryptedTextField, Undecryptable, is_of_first_key, reencrypt

BATCH = 500


@dataclass
class Counts:
    """What became of the values of one column."""

    column: str  # "orders.ProductOrder.pin_code"
    current: int = 0  # of the first key already
    old: int = 0  # of an older one; after a rotation those that it moved
    changed: int = 0  # written by somebody else in between, and left alone
    lost: list[int] = field(default_factory=list)  # keys of the rows that no key opens


def columns() -> Iterator[tuple[type[models.Model], str]]:
    """Yield model and name of every encrypted column there is."""
    for model in apps.get_models():
        for column in model._meta.local_concrete_fields:
            if isinstance(column, EncryptedTextField):
                yield model, column.attname


def rotate(*, dry_run: bool = False) -> list[Counts]:
    """Encrypt what is of an older key with the first one; return the counts of each column.

    With ``dry_run`` nothing is changed.
    """
    return [_rotate_column(model, name, dry_run) for model, name in columns()]


def _rotate_column(model: type[models.Model], name: str, dry_run: bool) -> Counts:
    counts = Counts(f"{model._meta.label}.{name}")
    ring = tuple(settings.ENCRYPTION_KEYS)
    last = None
    while batch := _batch(model, name, after=last):
        last = batch[-1][0]
        moved: list[tuple[Any, str, str]] = []
        for pk, stored in batch:
            if is_of_first_key(stored, ring):
                counts.current += 1
                continue
            try:
                moved.append((pk, stored, reencrypt(stored, ring)))
            except Undecryptable:
                counts.lost.append(pk)
        if dry_run:
            counts.old += len(moved)
            continue
        replaced = _replace(model, name, moved)
        counts.old += replaced
        counts.changed += len(moved) - replaced
    return counts


def _stored(model: type[models.Model], name: str) -> "models.QuerySet[Any]":
    """Return the rows of a model with a column's ciphertext as ``stored``."""
    # As another type, as the field's own gives the plain text.
    ciphertext = Cast(name, models.TextField())
    rows: models.QuerySet[Any] = model._base_manager.annotate(stored=ciphertext)
    return rows.order_by("pk").exclude(stored="")


def _batch(model: type[models.Model], name: str, *, after: Any) -> list[tuple[Any, str]]:
    rows = _stored(model, name).filter(stored__isnull=False)
    if after is not None:
        rows = rows.filter(pk__gt=after)
    return list(rows.values_list("pk", "stored")[:BATCH])


def _replace(model: type[models.Model], name: str, moved: list[tuple[Any, str, str]]) -> int:
    """Write new ciphertexts where the old ones still stand; return how many did."""
    replaced = 0
    with transaction.atomic():
        for pk, stored, new in moved:
            unchanged = model._base_manager.annotate(stored=Cast(name, models.TextField()))
            unchanged = unchanged.filter(pk=pk, stored=stored)
            replaced += unchanged.update(**{name: models.Value(new)})
    return replaced
