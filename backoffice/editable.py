"""A row that one person at a time edits: its columns, and when its lock is live.

One predicate, ``is_free``, decides for everybody: the taker, the save, the lists, the lock desk and
the cleaner. A lock is live until the earliest of

    last beat + EDIT_LOCK_TIMEOUT_MINUTES       the page is gone, or its network
    last input + EDIT_LOCK_IDLE_MINUTES + 1     the page is open, and nobody is at it
    taking, or fresh click + EDIT_LOCK_MAXIMUM_HOURS
    leaving the page + GRACE                    so that a reload does not lose the lock

or until its holder is deactivated or deleted, in whichever way.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self, TypeAlias, TypeVar

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import models
from django.db.models import Exists, F, OuterRef, Q, Value
from django.db.models.base import ModelBase
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from backoffice import audit
from backoffice.clock import database_now

# What a free row holds in the columns of the lock.
UNLOCKED = {
    "editing_by": None,
    "editing_started_at": None,
    "editing_session_key": "",
    "editing_last_seen_at": None,
    "editing_last_input_at": None,
    "editing_extended_at": None,
    "editing_left_at": None,
    "editing_has_changes": False,
}
# Written by ``backoffice.locks`` alone: save(), import, copies and history leave them out.
GUARD_FIELDS = frozenset({*UNLOCKED, "version"})
GRACE = timedelta(seconds=5)
# The holder's page gives an idle lock back itself; this long after, it is taken for gone.
IDLE_MARGIN = timedelta(minutes=1)


def beat_timeout() -> timedelta:
    return timedelta(minutes=settings.EDIT_LOCK_TIMEOUT_MINUTES)


def idle_timeout() -> timedelta:
    return timedelta(minutes=settings.EDIT_LOCK_IDLE_MINUTES) + IDLE_MARGIN


def longest_hold() -> timedelta:
    return timedelta(hours=settings.EDIT_LOCK_MAXIMUM_HOURS)


@dataclass(frozen=True)
class Lock:
    """A lock as it was read: whose, since when, last signs of life. It decides nothing."""

    model: "Table"
    pk: int
    name: str
    holder_id: int | None
    holder_name: str
    started_at: datetime | None
    last_seen_at: datetime | None
    last_input_at: datetime | None
    extended_at: datetime | None
    left_at: datetime | None
    has_changes: bool
    key: str
    version: int
    live: bool
    read_at: datetime  # by the database's clock

    @property
    def hold_ends_at(self) -> datetime | None:
        """When the longest hold is over, however busy its holder is."""
        return self.extended_at and self.extended_at + longest_hold()

    @property
    def ends_at(self) -> datetime | None:
        """When the lock runs out, or did; None where the row says nothing of it."""
        seen = self.last_seen_at or self.started_at
        ends = (
            seen and seen + beat_timeout(),
            self.last_input_at and self.last_input_at + idle_timeout(),
            self.hold_ends_at,
            self.left_at and self.left_at + GRACE,
        )
        return min((end for end in ends if end), default=None)

    @property
    def idle_for(self) -> timedelta:
        """How long nobody has typed."""
        since = self.last_input_at or self.last_seen_at or self.started_at
        return self.read_at - since if since else timedelta(0)


def sign_of_life() -> Coalesce:
    """Return the SQL expression for the last beat, or the start where no beat was kept."""
    never = Value(datetime(1970, 1, 1, tzinfo=UTC), output_field=models.DateTimeField())
    return Coalesce("editing_last_seen_at", "editing_started_at", never)


def is_free() -> Q:
    """Return the condition under which a row may be taken; its opposite is a live lock.

    The queryset needs ``sign_of_life`` under the alias ``_sign_of_life``.
    """
    now = database_now()
    # A subquery tied to the row, never a join: an UPDATE that waited for a row judges it again
    # as it is then, and what it had joined before would be out of date.
    active_holder = get_user_model().objects.filter(pk=OuterRef("editing_by_id"), is_active=True)
    return (
        Q(editing_by__isnull=True)
        | Q(_sign_of_life__lte=now - beat_timeout())
        | Q(editing_last_input_at__lte=now - idle_timeout())
        | Q(editing_extended_at__lte=now - longest_hold())
        | Q(editing_left_at__lte=now - GRACE)
        | Q(~Exists(active_holder))
    )


def lock_is_live() -> models.Case:
    """Return the SQL expression that is true for a row whose lock is live."""
    return models.Case(
        models.When(is_free(), then=False), default=True, output_field=models.BooleanField()
    )


Row = TypeVar("Row", bound="EditableModel", covariant=True)


class EditableQuerySet(models.QuerySet[Row]):
    def claimed(self) -> Self:
        """Rows with a holder, live or not: the size of the partial index, not of the table."""
        return self.filter(editing_by__isnull=False)

    def by_claims(self) -> Self:
        """The claimed ones of these rows, looked up from the small index of what is claimed.

        Their own conditions, a document type or a search, would lead over the whole table.
        """
        claimed = type(self)(self.model).claimed().order_by("editing_last_seen_at")
        return claimed.filter(Exists(self.filter(pk=OuterRef("pk"))))

    def free(self) -> Self:
        return self.alias(_sign_of_life=sign_of_life()).filter(is_free())

    def live(self) -> Self:
        return self.claimed().alias(_sign_of_life=sign_of_life()).filter(~is_free())

    def stale(self) -> Self:
        return self.claimed().free()

    def silent(self, time: timedelta) -> Self:
        """Claimed rows without a beat for that long, whatever the settings call run out."""
        silent = Q(_sign_of_life__lte=database_now() - time)
        return self.claimed().alias(_sign_of_life=sign_of_life()).filter(silent)

    def with_lock(self) -> Self:
        """Rows that tell of their lock, for ``lock_of``: the holder in the same query."""
        now = models.ExpressionWrapper(database_now(), output_field=models.DateTimeField())
        rows = self.alias(_sign_of_life=sign_of_life())
        rows = rows.annotate(lock_is_live=lock_is_live(), lock_read_at=now)
        return rows.select_related("editing_by")


def moment(label: Any) -> "models.DateTimeField[Any, Any]":
    return models.DateTimeField(label, null=True, blank=True, editable=False)


class EditableModel(models.Model):
    """A row that one person at a time may edit. Its admin needs ``EditLockAdminMixin``."""

    editing_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        db_index=False,
        verbose_name=_("being edited by"),
    )
    editing_started_at = moment(_("editing started"))
    editing_session_key = models.CharField(
        _("editing session key"), max_length=40, blank=True, default="", editable=False
    )
    editing_last_seen_at = moment(_("editor's last activity"))
    editing_last_input_at = moment(_("editor's last input"))
    editing_extended_at = moment(_("editing taken or extended"))
    editing_left_at = moment(_("page left"))
    editing_has_changes = models.BooleanField(
        _("editor has unsaved changes"), default=False, db_default=False, editable=False
    )
    version = models.PositiveIntegerField(_("version"), default=1, editable=False)

    objects = EditableQuerySet.as_manager()

    class Meta:
        abstract = True
        indexes = [
            models.Index(
                fields=["editing_last_seen_at"],
                name="%(class)s_claimed",
                condition=Q(editing_by__isnull=False),
            )
        ]

    def save(
        self,
        *args: Any,
        force_insert: bool | tuple[ModelBase, ...] = False,
        update_fields: Iterable[str] | None = None,
        **kwargs: Any,
    ) -> None:
        """Save everything but the guard's columns, as loaded they may be another's by now.

        A new row, a copy too, starts unlocked; it never overwrites a row that exists.
        """
        if self._state.adding:
            for name, empty in UNLOCKED.items():
                setattr(self, name, empty)
            self.version = 1
            return super().save(*args, force_insert=True, **kwargs)
        loaded = {
            field.attname for field in self._meta.concrete_fields
        } - self.get_deferred_fields()
        if update_fields is None:
            update_fields = [
                field.name
                for field in self._meta.concrete_fields
                if field.attname in loaded and not field.primary_key and not field.generated
            ]
        written = [name for name in update_fields if name not in GUARD_FIELDS]
        return super().save(*args, force_insert=force_insert, update_fields=written, **kwargs)

    def known_as(self) -> "Table":
        """Return the model under which this row is reported: of several types of a table, its."""
        return type(self)


Rows: TypeAlias = EditableQuerySet[EditableModel]
Table: TypeAlias = type[EditableModel]


def read(model: Table, pk: object) -> Lock | None:
    """Return the lock of a row as it is now, free or not; None where the row is gone."""
    return next(iter(read_all(model._default_manager.filter(pk=pk))), None)


def read_all(rows: Rows) -> list[Lock]:
    """Return the locks of the rows of a queryset as they are now, free or not."""
    return [lock_of(row) for row in rows.with_lock()]


def lock_of(row: Any) -> Lock:
    """Return the lock of a row that came ``with_lock``."""
    return Lock(
        model=row.known_as(),
        pk=row.pk,
        name=str(row),
        holder_id=row.editing_by_id,
        holder_name=audit.name_of(row.editing_by),
        started_at=row.editing_started_at,
        last_seen_at=row.editing_last_seen_at,
        last_input_at=row.editing_last_input_at,
        extended_at=row.editing_extended_at,
        left_at=row.editing_left_at,
        has_changes=row.editing_has_changes,
        key=row.editing_session_key,
        version=row.version,
        live=row.lock_is_live,
        read_at=row.lock_read_at,
    )


def bump() -> CombinedExpression:
    """Return the SQL expression for the next version of a row."""
    return F("version") + 1
