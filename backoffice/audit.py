"""Who had what, and when: one append-only log of claims, for edit locks, seats and orders alike.

An event is written in the transaction of the change that it tells of. A refusal has to survive
the rollback of what was refused, so it is written after that, on the same connection: SQLite has
one writer, and a second connection would wait for the first for ever.

People are kept as id and name without a foreign key, so that the log outlives them. The database
refuses UPDATE and DELETE; ``prune`` is the one way past, and records itself.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, TypeAlias

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection, models
from django.db.models.functions import Cast
from django.utils import formats, translation
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from backoffice import append_only
from backoffice.clock import database_now

Known: TypeAlias = tuple[int | None, str]  # a person as the log keeps one: id and name
Person: TypeAlias = User | Known
Target: TypeAlias = models.Model | tuple[type[models.Model], object, str]


class LockEvent(models.Model):
    class Kind(models.TextChoices):
        EDIT = "edit", _("Edit lock")
        SEAT = "seat", _("Seat")
        ORDER = "order", _("Order")
        LOG = "log", _("Event log")

    class Action(models.TextChoices):
        TAKEN = "taken", pgettext_lazy("claim", "Taken")
        EXTENDED = "extended", pgettext_lazy("claim", "Extended")
        GIVEN_BACK = "given_back", pgettext_lazy("claim", "Given back")
        RAN_OUT = "ran_out", pgettext_lazy("claim", "Ran out")
        FORCED = "forced", pgettext_lazy("claim", "Ended by force")
        TAKEN_OVER = "taken_over", pgettext_lazy("claim", "Taken over")
        REQUESTED = "requested", pgettext_lazy("claim", "Requested")
        HANDED_OVER = "handed_over", pgettext_lazy("claim", "Handed over")
        DECLINED = "declined", pgettext_lazy("claim", "Declined")
        REFUSED = "refused", pgettext_lazy("claim", "Refused")
        CONFIRMED = "confirmed", pgettext_lazy("claim", "Confirmed")
        CANCELLED = "cancelled", pgettext_lazy("claim", "Cancelled")
        BLOCKED = "blocked", pgettext_lazy("claim", "Blocked")
        UNBLOCKED = "unblocked", pgettext_lazy("claim", "Unblocked")
        MOVED = "moved", pgettext_lazy("claim", "Moved")
        IMPORTED = "imported", pgettext_lazy("claim", "Imported")
        PRUNED = "pruned", pgettext_lazy("claim", "Pruned")

    class Source(models.TextChoices):
        PAGE = "page", _("Page")
        BULK = "bulk", _("Bulk action")
        API = "api", _("API")
        IMPORT = "import", _("Import")
        COMMAND = "command", _("Command")
        SCHEDULE = "schedule", _("Scheduled task")

    at = models.DateTimeField(_("time"), db_default=database_now(), editable=False)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    action = models.CharField(_("action"), max_length=12, choices=Action)
    source = models.CharField(_("source"), max_length=10, choices=Source)
    target_model = models.CharField(_("type"), max_length=80)
    target_id = models.CharField(_("number"), max_length=40)
    target_name = models.CharField(_("subject"), max_length=200)
    actor_id = models.BigIntegerField(_("id of who did it"), null=True)
    actor_name = models.CharField(_("by"), max_length=150, blank=True)
    holder_id = models.BigIntegerField(_("id of the holder"), null=True)
    holder_name = models.CharField(_("holder"), max_length=150, blank=True)
    held_since = models.DateTimeField(_("held since"), null=True)
    ended_at = models.DateTimeField(_("run out at"), null=True)
    reason = models.CharField(_("reason"), max_length=300, blank=True)

    is_append_only = True

    class Meta:
        verbose_name = _("lock event")
        verbose_name_plural = _("lock events")
        ordering = ["-pk"]
        default_permissions = ("view", "export")
        permissions = [
            ("release_edit_lock", _("Can end edit locks of others")),
            ("take_over_edit_lock", _("Can take over edit locks of others")),
        ]
        indexes = [
            models.Index(fields=["target_model", "target_id", "id"], name="lockevent_target"),
            models.Index(fields=["at"], name="lockevent_at"),
        ]

    def __str__(self) -> str:
        return f"{self.get_action_display()}: {self.target_name}"


BATCH = 500
# All but the key and the time, which are the database's.
COLUMNS = [field for field in LockEvent._meta.concrete_fields if field.name not in ("id", "at")]


def name_of(user: User | None) -> str:
    """Return how a person is called on pages and in the log; '' for nobody."""
    return (user.get_full_name() or user.get_username()) if user else ""


def event(
    kind: str,
    action: str,
    target: Target,
    *,
    source: str,
    by: Person | None = None,
    holder: Person | None = None,
    held_since: datetime | None = None,
    ended_at: datetime | None = None,
    reason: str = "",
) -> LockEvent:
    """Return an event that is not saved yet.

    ``target`` is a model instance, or (model class, primary key, name) where there is none at
    hand. ``by`` and ``holder`` are users, or (id, name).
    """
    if isinstance(target, models.Model):
        target = (type(target), target.pk, str(target))
    model, pk, name = target
    actor_id, actor_name = _person(by)
    holder_id, holder_name = _person(holder)
    return LockEvent(
        kind=kind,
        action=action,
        source=source,
        target_model=model._meta.label,
        target_id=str(pk)[:40],
        target_name=name[:200],
        actor_id=actor_id,
        actor_name=actor_name[:150],
        holder_id=holder_id,
        holder_name=holder_name[:150],
        held_since=held_since,
        ended_at=ended_at,
        reason=reason,
    )


def _person(who: Person | None) -> Known:
    if who is None or isinstance(who, tuple):
        return who or (None, "")
    return who.pk, name_of(who)


def record(*events: LockEvent) -> None:
    """Append events, in the caller's transaction where there is one."""
    # As SQL: every claim pays for it, and the columns are plain.
    row = f"({', '.join('%s' for _field in COLUMNS)})"
    for start in range(0, len(events), BATCH):
        some = events[start : start + BATCH]
        values = [_stored(getattr(event, field.attname)) for event in some for field in COLUMNS]
        with connection.cursor() as cursor:
            cursor.execute(f"{_insert(COLUMNS)} VALUES {', '.join(row for _event in some)}", values)


def _insert(fields: "Iterable[models.Field[Any, Any]]") -> str:
    quote = connection.ops.quote_name
    names = ", ".join(quote(field.attname) for field in fields)
    return f"INSERT INTO {quote(LockEvent._meta.db_table)} ({names})"


def _stored(value: Any) -> Any:
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    return value


def record_rows(rows: models.QuerySet[Any], **columns: Any) -> int:
    """Append an event for each row of a queryset, in one statement; return how many.

    ``columns`` are values, or SQL expressions over the row, for every column but the time.
    """
    known = {field.name: field for field in COLUMNS}
    fields = [known[name] for name in columns]
    told = {
        f"event_{field.name}": Cast(value, field)  # a bare NULL has no type
        for field, value in zip(fields, map(_expression, columns.values()), strict=True)
    }
    sql, params = rows.order_by().annotate(**told).values_list(*told).query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(f"{_insert(fields)} {sql}", params)
        return int(cursor.rowcount)


def _expression(value: Any) -> Any:
    return value if hasattr(value, "resolve_expression") else models.Value(value)


def prune(
    before: datetime, *, by: Person | None = None, source: str = LockEvent.Source.COMMAND
) -> int:
    """Delete the events older than an instant and record that; return how many went."""
    table = LockEvent._meta.db_table
    with append_only.opened(table):
        count = LockEvent.objects.filter(at__lt=before)._raw_delete("default")
        with translation.override(settings.LANGUAGE_CODE):  # staff read it, whoever pruned
            reason = _t("%(count)s events before %(date)s") % {
                "count": count,
                "date": formats.date_format(before, "SHORT_DATE_FORMAT"),
            }
        record(event("log", "pruned", (LockEvent, "", reason), by=by, source=source, reason=reason))
    return count
