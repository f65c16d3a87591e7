"""What should not have happened to an order, opened by the machine and closed by a person."""

from collections.abc import Iterable

from django.contrib.auth.models import User
from django.db import models, transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from backoffice.audit import name_of
from backoffice.clock import database_now
from orders import journal
from orders.journal import TEXT_LENGTH, OrderEvent
from orders.states import ReviewReason

WORD_LENGTH = 300
SHORTEST_WORD = 3  # a dot is no word


class OrderIncident(models.Model):
    """A contradiction between what an order says and what became known later."""

    class Kind(models.TextChoices):
        LATE_SUCCESS = "late_success", _("delivered after it had failed")
        DELIVERED_TWICE = "delivered_twice", _("delivered twice")
        WENT_BACK = "went_back", _("its status went backwards")
        COST_ABOVE_PRICE = "cost_above_price", _("it cost more than its price")

    order = models.ForeignKey(
        "orders.ProductOrder", models.PROTECT, "incidents", verbose_name=_("order")
    )
    kind = models.CharField(_("kind"), max_length=20, choices=Kind)
    text = models.CharField(_("details"), max_length=TEXT_LENGTH, blank=True)
    opened_at = models.DateTimeField(_("opened at"), db_default=database_now(), editable=False)
    closed_at = models.DateTimeField(_("closed at"), null=True)
    closed_by_name = models.CharField(_("closed by"), max_length=150, blank=True)
    closing_word = models.CharField(_("closing word"), max_length=WORD_LENGTH, blank=True)

    class Meta:
        verbose_name = _("incident")
        verbose_name_plural = _("incidents")
        ordering = ["-pk"]
        default_permissions = ("view",)
        permissions = [("close_orderincident", _("Can close incidents"))]
        constraints = [
            models.UniqueConstraint(
                fields=["order", "kind"],
                name="incident_open_once",
                condition=Q(closed_at__isnull=True),
            ),
            models.CheckConstraint(
                condition=Q(
                    kind__in=["late_success", "delivered_twice", "went_back", "cost_above_price"]
                ),
                name="incident_kind_known",
            ),
        ]

    def __str__(self):
        return self.get_kind_display()


def open_incident(order_id, kind, text, *, status):
    """Open an incident of an order, in the caller's transaction; one that is open stays as it is.

    ``text`` comes masked. Returns whether it is new.
    """
    row = OrderIncident(order_id=order_id, kind=kind, text=text[:TEXT_LENGTH])
    before = OrderIncident.objects.filter(order_id=order_id, kind=kind, closed_at__isnull=True)
    if before.exists():
        return False
    OrderIncident.objects.bulk_create([row], ignore_conflicts=True)
    journal.record(order_id, OrderEvent.What.INCIDENT, status=status, text=kind)
    return True


class WordNeeded(Exception):
    """An incident is closed with a word on what came of it."""


def close(incidents: Iterable[OrderIncident], word: str, *, by: User) -> tuple[int, int]:
    """Close incidents for good; return (how many, how many somebody else had closed before).

    A word that says nothing raises ``WordNeeded``. Each is told in its order's journal. An order
    that was delivered late needs nobody any more, once that incident of it is closed.
    """
    word = " ".join(word.split())
    if len(word) < SHORTEST_WORD:
        raise WordNeeded
    closed = before = 0
    for incident in incidents:
        with transaction.atomic():
            still_open = OrderIncident.objects.filter(pk=incident.pk, closed_at__isnull=True)
            if still_open.update(
                closed_at=database_now(),
                closed_by_name=name_of(by)[:150],
                closing_word=word[:WORD_LENGTH],
            ):
                closed += 1
                _settle(incident, word, by)
            else:
                before += 1
    return closed, before


def _settle(incident: OrderIncident, word: str, by: User) -> None:
    what, order = OrderEvent.What.INCIDENT_END, incident.order
    if incident.kind == OrderIncident.Kind.LATE_SUCCESS:
        rows = type(order).objects.filter(pk=order.pk, review_reason=ReviewReason.LATE_SUCCESS)
        rows.update(review_reason="")
    journal.record(order.pk, what, status=order.external_status, text=word, by=by)
