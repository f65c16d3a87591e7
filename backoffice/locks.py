"""The whole life of an edit lock.

    free -- acquire --> live -- renew --> live -- release --> free
                         |                 |
                         |                 +-- take_over --> live, somebody else's
                         +-- no beat for the timeout, or the holder was deactivated --> free

Every step is one conditional UPDATE on the columns of the row itself, and its row count is the
answer. The database's clock decides. Each taking makes a new token; its page keeps it, the row
keeps only a hash, and whoever comes with another token changes nothing. A lock that ran out is
free at once: the next taker gets it in the same UPDATE, and ``clear_stale`` merely tidies up.
"""

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn, Self, TypeAlias, TypeGuard, TypeVar

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.db import connection, models, transaction
from django.db.models import Exists, F, OuterRef, Q, Value
from django.db.models.base import ModelBase
from django.db.models.functions import Coalesce
from django.utils import timezone, translation
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from backoffice import audit
from backoffice.audit import LockEvent
from backoffice.clock import database_now

# What a free row holds in the columns of the lock.
UNLOCKED = {
    "editing_by": None,
    "editing_started_at": None,
    "editing_session_key": "",
    "editing_last_seen_at": None,
}
# Written by this module alone: save(), import, copies and history leave them out.
GUARD_FIELDS = frozenset({*UNLOCKED, "version"})
BATCH = 500
EDIT = LockEvent.Kind.EDIT


class Refused(Exception):
    """A claim was not given, with the reason in words for whoever asked.

    ``reason`` is one of ``held``, ``other_tab``, ``changed``, ``gone``; ``lock`` is the lock in
    the way, or None.
    """

    def __init__(self, reason: str, lock: "Lock | None" = None) -> None:
        self.reason = reason
        self.lock = lock
        super().__init__(self.message)

    @property
    def message(self) -> str:
        if self.reason == "held":
            assert self.lock, "who is refused as held is told who holds it"
            return _t("%(holder)s is editing this document; nothing of yours was saved.") % {
                "holder": self.lock.holder_name
            }
        if self.reason == "other_tab":
            return _t("You have this document open in another tab; nothing was saved here.")
        if self.reason == "changed":
            return _t("This page is out of date: the document was changed after you opened it.")
        return _t("This document was deleted meanwhile.")


@dataclass(frozen=True)
class Lock:
    """A lock as it was read: whose, since when, last sign of life. It decides nothing."""

    pk: int
    name: str
    holder_id: int | None
    holder_name: str
    started_at: datetime | None
    last_seen_at: datetime | None
    key: str
    version: int
    live: bool


def sign_of_life() -> Coalesce:
    """Return the SQL expression for the last beat, or the start where no beat was kept."""
    never = Value(datetime(1970, 1, 1, tzinfo=UTC), output_field=models.DateTimeField())
    return Coalesce("editing_last_seen_at", "editing_started_at", never)


def is_free(timeout: timedelta | None = None) -> Q:
    """Return the condition under which a row may be taken; its opposite is a live lock."""
    timeout = timeout or timedelta(minutes=settings.EDIT_LOCK_TIMEOUT_MINUTES)
    # A subquery tied to the row, never a join: an UPDATE that waited for a row judges it again
    # as it is then, and what it had joined before would be out of date.
    active_holder = get_user_model().objects.filter(pk=OuterRef("editing_by_id"), is_active=True)
    return (
        Q(editing_by__isnull=True)
        | Q(_sign_of_life__lte=database_now() - timeout)
        | Q(~Exists(active_holder))
    )


Row = TypeVar("Row", bound="EditableModel", covariant=True)


class EditableQuerySet(models.QuerySet[Row]):
    def claimed(self) -> Self:
        """Rows with a holder, live or not: the size of the partial index, not of the table."""
        return self.filter(editing_by__isnull=False)

    def free(self, timeout: timedelta | None = None) -> Self:
        return self.alias(_sign_of_life=sign_of_life()).filter(is_free(timeout))

    def live(self, timeout: timedelta | None = None) -> Self:
        return self.claimed().alias(_sign_of_life=sign_of_life()).filter(~is_free(timeout))

    def stale(self, timeout: timedelta | None = None) -> Self:
        return self.claimed().free(timeout)


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
    editing_started_at = models.DateTimeField(
        _("editing started"), null=True, blank=True, editable=False
    )
    editing_session_key = models.CharField(
        _("editing session key"), max_length=40, blank=True, default="", editable=False
    )
    editing_last_seen_at = models.DateTimeField(
        _("editor's last activity"), null=True, blank=True, editable=False
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


Rows: TypeAlias = EditableQuerySet[EditableModel]
Table: TypeAlias = type[EditableModel]


def fingerprint(token: str) -> str:
    """Return what the row keeps of a token: a token in a table would open the document to
    whoever can read or export the table. '' never matches a lock."""
    return hashlib.sha256(token.encode()).hexdigest()[:40] if token else "-"


def read(model: Table, pk: object) -> Lock | None:
    """Return the lock of a row as it is now, free or not; None where the row is gone."""
    return next(iter(_read(model._default_manager.filter(pk=pk))), None)


def _read(rows: Rows) -> list[Lock]:
    rows = rows.alias(_sign_of_life=sign_of_life()).annotate(
        lock_is_live=models.Case(models.When(is_free(), then=False), default=True)
    )
    return [
        Lock(
            pk=row.pk,
            name=str(row),
            holder_id=row.editing_by_id,
            holder_name=audit.name_of(row.editing_by),
            started_at=row.editing_started_at,
            last_seen_at=row.editing_last_seen_at,
            key=row.editing_session_key,
            version=row.version,
            live=row.lock_is_live,
        )
        for row in rows.select_related("editing_by")
    ]


def acquire(
    model: Table,
    pk: object,
    *,
    by: User,
    version: int,
    own_token: str = "",
    source: str = LockEvent.Source.PAGE,
) -> str:
    """Take the lock of a row that is free, or one's own by its token; return the new token.

    ``version`` is the one that the page was loaded with. Raises ``Refused``.
    """
    return _take(model, pk, by=by, version=version, own_token=own_token, source=source)


def renew(model: Table, pk: object, *, token: str) -> bool:
    """Note a sign of life; return False where the token's lock is no longer live."""
    mine = model._default_manager.live().filter(pk=pk, editing_session_key=fingerprint(token))
    return mine.update(editing_last_seen_at=database_now()) == 1


def look(model: Table, pk: object, *, by: User, token: str, version: int) -> Refused | None:
    """Return the refusal that a save would meet at this moment, or None; decides nothing.

    For a page that wants to name the reason before the form's own errors hide it.
    """
    found = read(model, pk)
    if found is None:
        return Refused("gone")
    own = found.live and _is_own(found, by, token)
    return _why_not(found, by=by, version=version, own=own)


def _is_own(lock: Lock, by: User, token: str) -> bool:
    # A tab keeps its token when another person logs in there: a token alone is nobody's claim.
    return lock.holder_id == by.pk and lock.key == fingerprint(token)


def held(rows: Rows) -> list[Lock]:
    """Return the live locks among the rows of a queryset."""
    return _read(rows.model._default_manager.live().filter(pk__in=rows.claimed().values("pk")))


def require(
    model: Table,
    pk: object,
    *,
    by: User,
    token: str,
    version: int,
    source: str = LockEvent.Source.PAGE,
) -> str:
    """Let a save through, inside its own transaction, and count the version up.

    Lets through: the lock is live and the token's; or it is free, then it is taken again
    silently. Either way the row must be unchanged since ``version``. Returns the token that holds
    the lock now, raises ``Refused`` otherwise; who refuses a save then calls ``record_refusal``
    after the rollback.
    """
    assert connection.in_atomic_block, "a save is let through inside its own transaction"
    same = model._default_manager.filter(pk=pk, version=version)
    mine = same.live().filter(editing_session_key=fingerprint(token), editing_by=by)
    if mine.update(editing_last_seen_at=database_now(), version=F("version") + 1) == 1:
        return token
    return _take(model, pk, by=by, version=version, own_token=token, source=source, save=True)


def _take(
    model: Table,
    pk: object,
    *,
    by: User,
    version: int,
    own_token: str,
    source: str,
    save: bool = False,
) -> str:
    token = secrets.token_urlsafe(24)
    with transaction.atomic():
        while True:
            found = read(model, pk)
            if found is None:
                raise Refused("gone")
            own = _is_own(found, by, own_token)
            refusal = _why_not(found, by=by, version=version, own=own)
            if refusal:
                raise refusal
            rows = model._default_manager.filter(
                pk=pk, version=version, editing_session_key=found.key
            )
            if not own:
                rows = rows.free()
            now = database_now()
            changes = {
                "editing_by": by,
                "editing_started_at": found.started_at if own and found.live else now,
                "editing_session_key": fingerprint(token),
                "editing_last_seen_at": now,
                "version": F("version") + 1 if save else F("version"),
            }
            if rows.update(**changes) == 1:
                break
            # Somebody was faster between reading and taking: look again who it was.
        if not (own and found.live):
            target = (model, pk, found.name)
            ended = [_ran_out(found, target, source)] if found.holder_id is not None else []
            taken = audit.event(EDIT, "taken", target, by=by, holder=by, source=source)
            audit.record(*ended, taken)
    return token


def _why_not(found: Lock, *, by: User, version: int, own: bool) -> Refused | None:
    if found.live and not own:
        return Refused("other_tab" if found.holder_id == by.pk else "held", found)
    if found.version != version:
        return Refused("changed", found)
    return None


def _ran_out(found: Lock, target: audit.Target, source: str) -> LockEvent:
    seen = found.last_seen_at or found.started_at
    ended = seen and seen + timedelta(minutes=settings.EDIT_LOCK_TIMEOUT_MINUTES)
    return audit.event(
        EDIT,
        "ran_out",
        target,
        source=source,
        holder=(found.holder_id, found.holder_name),
        held_since=found.started_at,
        # Earlier where its holder was shut out; since when, no row tells.
        ended_at=ended and min(ended, timezone.now()),
    )


def release(
    model: Table,
    pk: object,
    *,
    token: str,
    by: User,
    source: str = LockEvent.Source.PAGE,
) -> bool:
    """Give one's own live lock back; return False where the token's lock is gone."""
    with transaction.atomic():
        found = read(model, pk)
        mine = model._default_manager.live().filter(
            pk=pk, editing_session_key=fingerprint(token), editing_by=by
        )
        if found is None or mine.update(**UNLOCKED) != 1:
            return False
        audit.record(
            audit.event(
                EDIT,
                "given_back",
                (model, pk, found.name),
                by=by,
                holder=by,
                held_since=found.started_at,
                source=source,
            )
        )
    return True


def take_over(
    model: Table,
    pk: object,
    *,
    by: User,
    version: int,
    reason: str,
    source: str = LockEvent.Source.PAGE,
) -> str:
    """Take a lock whoever holds it; return the new token. The caller asks for the permission.

    A lock that is free is simply acquired. Raises ``Refused`` for an outdated page.
    """
    found = read(model, pk)
    if not (found and found.live):
        return acquire(model, pk, by=by, version=version, source=source)
    if found.version != version:
        raise Refused("changed", found)
    token = secrets.token_urlsafe(24)
    with transaction.atomic():
        now = database_now()
        row = model._default_manager.filter(
            pk=pk, version=version, editing_session_key=found.key, editing_by=found.holder_id
        )
        changed = row.update(
            editing_by=by,
            editing_started_at=now,
            editing_session_key=fingerprint(token),
            editing_last_seen_at=now,
        )
        if changed == 1:
            audit.record(
                audit.event(
                    EDIT,
                    "taken_over",
                    (model, pk, found.name),
                    by=by,
                    holder=(found.holder_id, found.holder_name),
                    held_since=found.started_at,
                    reason=reason,
                    source=source,
                )
            )
    # The holder changed between reading and taking: whoever it is now, this click was not at him.
    return token if changed == 1 else _refuse_now(model, pk, by)


def _refuse_now(model: Table, pk: object, by: User) -> NoReturn:
    found = read(model, pk)
    if found is None:
        raise Refused("gone")
    refusal = _why_not(found, by=by, version=found.version, own=False)
    raise refusal or Refused("changed", found)


def split(rows: Rows, *, by: User | None) -> tuple[Rows, list[Lock]]:
    """Hold a queryset's free rows, and those that ``by`` edits, against takers until the commit.

    For bulk work, inside its transaction: returns (rows to work on, locks of the rows to leave
    out). Each row's version is counted up, so that pages opened before are out of date.
    """
    assert connection.in_atomic_block, "rows are held until the transaction ends"
    model = rows.model
    # A queryset of the admin may join other tables, which are not to be locked: hence by key.
    locked = model._default_manager.filter(pk__in=rows.values("pk")).order_by("pk")
    wanted = list(locked.select_for_update().values_list("pk", flat=True))
    chosen = model._default_manager.filter(pk__in=wanted)
    held = {lock.pk: lock for lock in _read(chosen.live().exclude(editing_by=by))}
    workable = chosen.exclude(pk__in=held)
    workable.update(version=F("version") + 1)
    return workable, list(held.values())


def clear_stale(
    model: Table,
    *,
    timeout: timedelta | None = None,
    by: User | None = None,
    source: str = LockEvent.Source.SCHEDULE,
) -> int:
    """End the locks of a model that show no sign of life; return how many were ended.

    With a ``timeout`` shorter than the lease it ends live locks too, and records those as forced.
    """
    return _end(model._default_manager.stale(timeout), by=by, source=source, reason="")


def force_release(
    rows: Rows, *, by: User | None, reason: str, source: str = LockEvent.Source.BULK
) -> int:
    """End the locks of a queryset, live or not; return how many were ended."""
    return _end(rows.claimed(), by=by, source=source, reason=reason)


def _end(rows: Rows, *, by: User | None, source: str, reason: str) -> int:
    table = rows.model._default_manager
    skip = connection.features.has_select_for_update_skip_locked
    total = 0
    while True:
        with transaction.atomic():
            batch = table.filter(pk__in=rows.order_by("pk").values("pk")[:BATCH]).order_by("pk")
            pks = list(batch.select_for_update(skip_locked=skip).values_list("pk", flat=True))
            chosen = rows.filter(pk__in=pks)
            found = _read(chosen)
            ended = table.filter(pk__in=[lock.pk for lock in found]).update(**UNLOCKED)
            audit.record(*(_ending(rows.model, lock, by, source, reason) for lock in found))
        total += ended
        if len(pks) < BATCH:
            return total


def _ending(model: Table, lock: Lock, by: User | None, source: str, reason: str) -> LockEvent:
    target = (model, lock.pk, lock.name)
    if not lock.live:
        return _ran_out(lock, target, source)
    return audit.event(
        EDIT,
        "forced",
        target,
        by=by,
        holder=(lock.holder_id, lock.holder_name),
        held_since=lock.started_at,
        reason=reason,
        source=source,
    )


def record_refusal(
    model: Table,
    pk: object,
    refused: Refused,
    *,
    by: User | None,
    source: str = LockEvent.Source.PAGE,
) -> None:
    """Record that somebody was refused; called after the rollback of what was refused."""
    lock = refused.lock
    with translation.override(settings.LANGUAGE_CODE):  # staff read it, whoever was refused
        reason = refused.message
    audit.record(
        audit.event(
            EDIT,
            "refused",
            (model, pk, lock.name if lock else str(pk)),
            by=by,
            holder=(lock.holder_id, lock.holder_name) if lock and lock.live else None,
            reason=reason[:300],
            source=source,
        )
    )


def lockable_models(candidates: Iterable[type[models.Model]]) -> list[Table]:
    """Return the models that carry an edit lock, each table's rows under one model only.

    Known by their fields. A table with proxies is reported under these; unmanaged models and
    the tables of a history are left out.
    """
    found = [model for model in candidates if _is_lockable(model)]
    with_proxies = {model._meta.concrete_model for model in found if model._meta.proxy}
    return [model for model in found if model not in with_proxies]


def _is_lockable(model: type[models.Model]) -> TypeGuard[Table]:
    fields = {"editing_by", "editing_started_at"}
    return (
        model._meta.managed
        and not hasattr(model, "history_type")
        and fields <= {field.name for field in model._meta.get_fields()}
    )
