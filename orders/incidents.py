"""What should not have happened to an order, opened by the machine and closed by a person."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from backoffice.clock import database_now
from orders import journal
from orders.journal import TEXT_LENGTH, OrderEvent


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
    closing_word = models.CharField(_("closing word"), max_length=300, blank=True)

    class Meta:
        verbose_name = _("incident")
        verbose_name_plural = _("incidents")
        ordering = ["-pk"]
        default_permissions = ("view",)
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
