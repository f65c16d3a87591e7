"""Asking a colleague for a document: politely, with an answer or without.

    ask --> told (the holder's page learns of it by its next beat)
         --> handed over | declined | nobody answered within ANSWER_TIME

One request a document at a time. It is put to the holder's page of that moment: who takes the lock
after that was not asked. A hand-over gives the lock to the page that asked, by a ticket that only
this page knows.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from django.conf import settings
from django.contrib.auth.models import User
from django.db import IntegrityError, models, transaction
from django.db.models import Q
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from backoffice import audit, locks
from backoffice.audit import LockEvent
from backoffice.clock import database_now
from backoffice.editable import Lock, Table, beat_timeout, read

ANSWER_TIME = timedelta(seconds=30)
Action = LockEvent.Action


def is_open() -> Q:
    """Return the condition under which a request may still be answered: the holder was told of it
    lately, or not yet."""
    now = database_now()
    told = Q(told_at__gt=now - ANSWER_TIME)
    # A page that shows no sign of life for longer has no lock to hand over.
    untold = Q(told_at__isnull=True, asked_at__gt=now - beat_timeout())
    return (told | untold) & Q(answer="")


class RequestQuerySet(models.QuerySet["EditRequest"]):
    def of(self, model: Table, pk: object) -> Self:
        return self.filter(target_model=model._meta.label, target_id=str(pk))

    def open(self) -> Self:
        """Those that may still be answered."""
        return self.filter(is_open())


class EditRequest(models.Model):
    """The latest request for a document. Personal, short-lived: the event log keeps the story."""

    class Answer(models.TextChoices):
        NONE = "", _("no answer")
        HANDED_OVER = "handed_over", _("handed over")
        DECLINED = "declined", _("declined")

    target_model = models.CharField(_("type"), max_length=80)
    target_id = models.CharField(_("number"), max_length=40)
    holder_key = models.CharField(_("editing session key"), max_length=40)
    asker = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", verbose_name=_("asked by")
    )
    ticket = models.CharField(_("ticket"), max_length=40)  # a fingerprint, as of a token
    asked_at = models.DateTimeField(_("asked at"), db_default=database_now())
    told_at = models.DateTimeField(_("shown to the holder at"), null=True)
    answer = models.CharField(
        _("answer"), max_length=11, choices=Answer, blank=True, default=Answer.NONE
    )

    objects = RequestQuerySet.as_manager()

    class Meta:
        verbose_name = _("edit request")
        verbose_name_plural = _("edit requests")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["target_model", "target_id"], name="request_once")
        ]

    def __str__(self) -> str:
        return f"{self.target_model} {self.target_id}"


class AlreadyAsked(Exception):
    """Somebody else is waiting for an answer on this document."""

    def __init__(self, asker: str) -> None:
        super().__init__(_t("%(asker)s has asked for it already.") % {"asker": asker})


@dataclass(frozen=True)
class Pending:
    """A request as the holder's page shows it."""

    asker_name: str
    seconds_left: int


def ask(model: Table, pk: object, *, by: User) -> str:
    """Put a request to whoever holds the lock of a row now; return the ticket of the asking page.

    Raises ``Refused`` where nobody holds it (or the row is gone), ``AlreadyAsked`` while another
    request is open; one's own is put anew.
    """
    lock = read(model, pk)
    if lock is None:
        raise locks.Refused("gone")
    if not lock.live:
        raise locks.Refused("changed", lock)
    ticket = locks.new_token()
    values = {
        "holder_key": lock.key,
        "asker": by,
        "ticket": locks.fingerprint(ticket),
        "asked_at": database_now(),
        "told_at": None,
        "answer": "",
    }
    try:
        with transaction.atomic():
            rows = EditRequest.objects.of(model, pk)
            # No subquery: what waited for another asker judges the row again as it is then.
            in_the_way = is_open() & Q(holder_key=lock.key) & ~Q(asker=by)
            if rows.exclude(in_the_way).update(**values) == 0:
                EditRequest.objects.create(
                    target_model=model._meta.label, target_id=str(pk), **values
                )
            _record(Action.REQUESTED, model, lock, by=by)
    except IntegrityError:
        asker = EditRequest.objects.of(model, pk).select_related("asker").get().asker
        raise AlreadyAsked(audit.name_of(asker)) from None
    return ticket


def pending(model: Table, pk: object, *, token: str) -> Pending | None:
    """Return the open request to the page with this token, which is told of it now."""
    rows = EditRequest.objects.of(model, pk).filter(holder_key=locks.fingerprint(token)).open()
    request = rows.select_related("asker").first()
    lock = read(model, pk) if request else None
    if request is None or lock is None:
        return None
    if request.told_at is None:
        rows.filter(pk=request.pk, told_at__isnull=True).update(told_at=database_now())
    told = request.told_at or lock.read_at
    left = (told + ANSWER_TIME - lock.read_at).total_seconds()
    return Pending(audit.name_of(request.asker), max(0, round(left)))


def answer(model: Table, pk: object, *, token: str, by: User, hand_over: bool) -> bool:
    """Answer the open request to the page with this token; return False where there is none.

    Handing over gives the lock to the page that asked, and ends the token.
    """
    said = EditRequest.Answer.HANDED_OVER if hand_over else EditRequest.Answer.DECLINED
    rows = EditRequest.objects.of(model, pk).filter(holder_key=locks.fingerprint(token)).open()
    with transaction.atomic():
        request = rows.select_related("asker").first()
        lock = read(model, pk) if locks.holds(model, pk, token=token, by=by) else None
        if (
            request is None
            or lock is None
            or rows.filter(ticket=request.ticket).update(answer=said) != 1
        ):
            return False
        if not hand_over:
            _record(Action.DECLINED, model, lock, by=by, reason=audit.name_of(request.asker))
        elif not locks.hand_over(
            model, pk, token=token, by=by, to=request.asker, ticket=request.ticket
        ):
            transaction.set_rollback(True)
            return False
    return True


def state_of(model: Table, pk: object, *, ticket: str) -> str:
    """Return what became of the request of a page: ``waiting``, ``handed_over``, ``declined``,
    ``unanswered``; '' where this ticket is not, or no longer, one of a request."""
    mine = EditRequest.objects.of(model, pk).filter(ticket=locks.fingerprint(ticket))
    request = mine.first()
    if request is None:
        return ""
    # Whoever holds it by now may be another page, which was not asked.
    asked = model._default_manager.live().filter(pk=pk, editing_session_key=request.holder_key)
    waiting = mine.open().exists() and asked.exists()
    return request.answer or ("waiting" if waiting else "unanswered")


def purge() -> int:
    """Delete the requests that nobody waits on any more; return how many there were."""
    old = EditRequest.objects.filter(asked_at__lt=database_now() - timedelta(days=1))
    return old.delete()[0]


def _record(action: str, model: Table, lock: Lock, *, by: User, reason: str = "") -> None:
    audit.record(
        audit.event(
            LockEvent.Kind.EDIT,
            action,
            (model, lock.pk, lock.name),
            by=by,
            holder=(lock.holder_id, lock.holder_name),
            held_since=lock.started_at,
            reason=reason,
            source=LockEvent.Source.PAGE,
        )
    )
