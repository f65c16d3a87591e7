"""The whole life of an edit lock.

    free -- acquire --> live -- renew --> live -- release, leave --> free
                         |                 |
                         |                 +-- take_over, move, hand_over --> live, another page's
                         +-- no beat, no input, held too long, holder shut out --> free

Every step is one conditional UPDATE on the columns of the row itself, and its row count is the
answer. The database's clock decides. Each taking makes a new token; its page keeps it, the row
keeps only a hash, and whoever comes with another token changes nothing. A lock that ran out is
free at once: the next taker gets it in the same UPDATE, and ``clear_stale`` merely tidies up.
When a lock is live stands in ``backoffice.editable``.
"""

import hashlib
import secrets
from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, TypeGuard, cast

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection, models, transaction
from django.db.models import F
from django.db.models.functions import Coalesce, Greatest
from django.utils import translation
from django.utils.translation import gettext as _t

from backoffice import audit
from backoffice.audit import LockEvent
from backoffice.clock import database_now
from backoffice.editable import (
    GUARD_FIELDS,
    UNLOCKED,
    EditableModel,
    EditableQuerySet,
    Lock,
    Rows,
    Table,
    bump,
    read,
    read_all,
)

__all__ = [
    "GUARD_FIELDS",
    "UNLOCKED",
    "EditableModel",
    "EditableQuerySet",
    "Lock",
    "Refused",
    "read",
]

BATCH = 500
EDIT = LockEvent.Kind.EDIT
Action = LockEvent.Action


class Refused(Exception):
    """A claim was not given, with the reason in words for whoever asked.

    ``reason`` is one of ``held``, ``other_tab``, ``other_person``, ``changed``, ``gone``; ``lock``
    is the lock in the way, or None.
    """

    def __init__(self, reason: str, lock: Lock | None = None) -> None:
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
        if self.reason == "other_person":
            return _t("Somebody else opened this page; nothing was saved in your name.")
        if self.reason == "changed":
            return _t("This page is out of date: the document was changed after you opened it.")
        return _t("This document was deleted meanwhile.")


def fingerprint(token: str) -> str:
    """Return what the row keeps of a token: a token in a table would open the document to
    whoever can read or export the table. '' never matches a lock."""
    return hashlib.sha256(token.encode()).hexdigest()[:40] if token else "-"


def new_token() -> str:
    return secrets.token_urlsafe(24)


# Taking


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
    token = new_token()
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
            changes = _taken(by, token) | {"version": bump() if save else F("version")}
            if own and found.live:  # a reload is the same taking, and no fresh click
                changes["editing_started_at"] = F("editing_started_at")
                changes["editing_extended_at"] = F("editing_extended_at")
            if rows.update(**changes) == 1:
                break
            # Somebody was faster between reading and taking: look again who it was.
        if not (own and found.live):
            target = (model, pk, found.name)
            ended = [_ended(found, target, source)] if found.key else []
            taken = audit.event(EDIT, Action.TAKEN, target, by=by, holder=by, source=source)
            audit.record(*ended, taken)
    return token


def _taken(by: User, token: str) -> dict[str, Any]:
    now = database_now()
    return UNLOCKED | {
        "editing_by": by,
        "editing_started_at": now,
        "editing_session_key": fingerprint(token),
        "editing_last_seen_at": now,
        "editing_last_input_at": now,
        "editing_extended_at": now,
    }


def _is_own(lock: Lock, by: User, token: str) -> bool:
    # A tab keeps its token when another person logs in there: a token alone is nobody's claim.
    return lock.holder_id == by.pk and lock.key == fingerprint(token)


def _why_not(found: Lock, *, by: User, version: int, own: bool) -> Refused | None:
    if found.live and not own:
        return Refused("other_tab" if found.holder_id == by.pk else "held", found)
    if found.version != version:
        return Refused("changed", found)
    return None


# Keeping


def _mine(model: Table, pk: object, token: str, by: User) -> Rows:
    """Return the row where it is locked by this person's token, and live."""
    rows = model._default_manager.live()
    return rows.filter(pk=pk, editing_session_key=fingerprint(token), editing_by=by)


def renew(
    model: Table,
    pk: object,
    *,
    token: str,
    by: User,
    idle: timedelta | None = None,
    has_changes: bool | None = None,
    extend: bool = False,
) -> bool:
    """Note a sign of life; return False where the token's lock is no longer live.

    ``idle`` is how long ago its page saw the last input, ``has_changes`` whether something is
    unsaved there; ``extend`` is a fresh click, from which the longest hold counts anew.
    """
    now = database_now()
    changes: dict[str, Any] = {"editing_last_seen_at": now}
    if idle is not None:
        seen = now - max(idle, timedelta(0))
        changes["editing_last_input_at"] = Coalesce(
            Greatest(F("editing_last_input_at"), seen), seen
        )
    if has_changes is not None:
        changes["editing_has_changes"] = has_changes
    if extend:
        changes["editing_extended_at"] = changes["editing_last_input_at"] = now
    return _mine(model, pk, token, by).update(**changes) == 1


def holds(model: Table, pk: object, *, token: str, by: User) -> bool:
    """Return whether this person's token holds the lock of a row at this moment."""
    return _mine(model, pk, token, by).exists()


def look(model: Table, pk: object, *, by: User, token: str, version: int) -> Refused | None:
    """Return the refusal that a save would meet at this moment, or None; decides nothing.

    For a page that wants to name the reason before the form's own errors hide it.
    """
    found = read(model, pk)
    if found is None:
        return Refused("gone")
    own = found.live and _is_own(found, by, token)
    return _why_not(found, by=by, version=version, own=own)


# Saving


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
    now = database_now()
    mine = _mine(model, pk, token, by).filter(version=version)
    saved = mine.update(
        editing_last_seen_at=now,
        editing_last_input_at=now,
        editing_left_at=None,
        editing_has_changes=False,
        version=bump(),
    )
    if saved == 1:
        return token
    return _take(model, pk, by=by, version=version, own_token=token, source=source, save=True)


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
    left_out = {lock.pk: lock for lock in read_all(chosen.live().exclude(editing_by=by))}
    workable = chosen.exclude(pk__in=left_out)
    workable.update(version=bump())
    return workable, list(left_out.values())


# Giving back


def leave(model: Table, pk: object, *, token: str, by: User) -> bool:
    """Note that the page of a lock was left; return False where the token's lock is gone.

    The lock runs out after ``editable.GRACE``; a page that comes back before keeps it.
    """
    return _mine(model, pk, token, by).update(editing_left_at=database_now()) == 1


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
        if found is None or _mine(model, pk, token, by).update(**UNLOCKED) != 1:
            return False
        audit.record(_event(Action.GIVEN_BACK, found, (model, pk, found.name), source, by=by))
    return True


def release_all_of(holder: User, candidates: Iterable[type[models.Model]]) -> int:
    """Give back all that a person edits, as they log out; return how many there were."""
    return sum(
        _end(
            claims_of(table).filter(editing_by=holder),
            by=holder,
            source=LockEvent.Source.PAGE,
            action=Action.GIVEN_BACK,
        ).total()
        for table in lockable_tables(candidates)
    )


# Changing hands


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
    return _seize(model, found, Action.TAKEN_OVER, by, version, reason, source)


def move(model: Table, pk: object, *, by: User, version: int) -> str:
    """Take one's own lock from another tab; return the new token. Raises ``Refused``."""
    found = read(model, pk)
    if not (found and found.live and found.holder_id == by.pk):
        return acquire(model, pk, by=by, version=version)
    return _seize(model, found, Action.MOVED, by, version, "", LockEvent.Source.PAGE)


def _seize(
    model: Table, found: Lock, action: str, by: User, version: int, reason: str, source: str
) -> str:
    if found.version != version:
        raise Refused("changed", found)
    token = new_token()
    with transaction.atomic():
        row = model._default_manager.filter(
            pk=found.pk, version=version, editing_session_key=found.key, editing_by=found.holder_id
        )
        if row.update(**_taken(by, token)) == 1:
            target = (model, found.pk, found.name)
            audit.record(_event(action, found, target, source, by=by, reason=reason))
            return token
    # Somebody was faster between reading and taking: whoever holds it now, this click was not at
    # them; and where nobody does, it may be had without.
    return acquire(model, found.pk, by=by, version=version, source=source)


def hand_over(model: Table, pk: object, *, token: str, by: User, to: User, ticket: str) -> bool:
    """Give one's own live lock to a colleague, whose page takes it up with the ticket.

    Returns False where the token's lock is gone. ``ticket`` is the fingerprint of a token that
    only the colleague's page knows.
    """
    with transaction.atomic():
        found = read(model, pk)
        taken = _taken(to, "") | {"editing_session_key": ticket}
        if found is None or _mine(model, pk, token, by).update(**taken) != 1:
            return False
        target, source = (model, pk, found.name), LockEvent.Source.PAGE
        audit.record(
            _event(Action.HANDED_OVER, found, target, source, by=by, reason=audit.name_of(to)),
            audit.event(EDIT, Action.TAKEN, target, by=to, holder=to, source=source),
        )
    return True


# Ending


def clear_stale(
    model: Table, *, by: User | None = None, source: str = LockEvent.Source.SCHEDULE
) -> int:
    """End the locks of a model, or of all types of a table, that ran out; return how many.

    A row that somebody is writing at this moment is left to the next time.
    """
    return _end(claims_of(model).stale(), by=by, source=source, wait=False).total()


def force_release(
    rows: Rows, *, by: User | None, reason: str, source: str = LockEvent.Source.BULK
) -> int:
    """End the locks of a queryset, live or not; return how many were ended."""
    return end(rows.by_claims(), by=by, reason=reason, source=source).total()


def end(claims: Rows, *, by: User | None, reason: str, source: str) -> Counter[Table]:
    """End locks that ``claims_of`` gave, live or not; return how many of each model."""
    return _end(claims, by=by, reason=reason, source=source)


def _end(
    claims: Rows,
    *,
    by: User | None,
    source: str,
    reason: str = "",
    action: str = Action.FORCED,
    wait: bool = True,
) -> Counter[Table]:
    table: Rows = EditableQuerySet(claims.model)
    skip = not wait and connection.features.has_select_for_update_skip_locked
    total, left = Counter[Table](), set[object]()
    while keys := set(claims.exclude(pk__in=left).values_list("pk", flat=True)[:BATCH]):
        with transaction.atomic():
            mine = table.filter(pk__in=keys).order_by("pk").select_for_update(skip_locked=skip)
            held = list(mine.values_list("pk", flat=True))
            found = read_all(claims.filter(pk__in=held))  # as they are now that they are held
            ended = {lock.pk for lock in found}
            table.filter(pk__in=ended).update(**UNLOCKED)
            targets = [(lock.model, lock.pk, lock.name) for lock in found]
            audit.record(
                *(
                    _event(action, lock, target, source, by=by, reason=reason)
                    if lock.live
                    else _ended(lock, target, source)
                    for lock, target in zip(found, targets, strict=True)
                )
            )
        total.update(lock.model for lock in found)
        left |= keys - ended
        if len(keys) < BATCH:
            break
    return total


# The record


def _event(
    action: str,
    lock: Lock,
    target: audit.Target,
    source: str,
    *,
    by: User | None,
    reason: str = "",
) -> LockEvent:
    return audit.event(
        EDIT,
        action,
        target,
        by=by,
        holder=(lock.holder_id, lock.holder_name),
        held_since=lock.started_at,
        reason=reason,
        source=source,
    )


def _ended(lock: Lock, target: audit.Target, source: str) -> LockEvent:
    """Return the event of a lock that ended by itself: its page was left, or it ran out."""
    action = Action.GIVEN_BACK if lock.left_at else Action.RAN_OUT
    event = _event(action, lock, target, source, by=None)
    # Earlier where its holder was shut out; since when, no row tells.
    event.ended_at = lock.ends_at and min(lock.ends_at, lock.read_at)
    return event


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
            Action.REFUSED,
            (model, pk, lock.name if lock else str(pk)),
            by=by,
            holder=(lock.holder_id, lock.holder_name) if lock and lock.live else None,
            reason=reason[:300],
            source=source,
        )
    )


def last_ending(model: Table, pk: object, *, holder: User) -> LockEvent | None:
    """Return how the latest lock of this person on a row ended; None where no record tells."""
    endings = (
        Action.TAKEN_OVER,
        Action.MOVED,
        Action.HANDED_OVER,
        Action.FORCED,
        Action.RAN_OUT,
        Action.GIVEN_BACK,
    )
    of_row = LockEvent.objects.filter(target_model=model._meta.label, target_id=str(pk))
    return of_row.filter(action__in=endings, holder_id=holder.pk).order_by("-pk").first()


# The models


def lockable_models(candidates: Iterable[type[models.Model]]) -> list[Table]:
    """Return the models that carry an edit lock, each table's rows under one model only.

    Known by their fields. A table with proxies is reported under these; unmanaged models and
    the tables of a history are left out.
    """
    return [model for types in lockable_tables(candidates).values() for model in types]


def lockable_tables(candidates: Iterable[type[models.Model]]) -> dict[Table, list[Table]]:
    """Return the models of the tables with edit locks, each with those it is reported under."""
    tables: dict[Table, list[Table]] = {}
    for model in filter(_is_lockable, candidates):
        table = cast(Table, model._meta.concrete_model)
        types = tables.setdefault(table, [])
        if model._meta.proxy:
            types.append(model)
    return {table: types or [table] for table, types in tables.items()}


def claims_of(model: Table) -> Rows:
    """Return the claimed rows of a lockable model, looked up from the small index of these.

    Of a proxy they are those of its manager; of a table all, also what its manager hides.
    """
    if model._meta.proxy:
        return model._default_manager.all().by_claims()
    return EditableQuerySet(model).claimed().order_by("editing_last_seen_at")


def _is_lockable(model: type[models.Model]) -> TypeGuard[Table]:
    fields = {"editing_by", "editing_started_at"}
    return (
        model._meta.managed
        and not hasattr(model, "history_type")
        and fields <= {field.name for field in model._meta.get_fields()}
    )
