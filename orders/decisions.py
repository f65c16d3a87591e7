"""What people decided about orders that needed one: a log that nobody may change."""

from typing import Any

from django.contrib.auth.models import User
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from backoffice.audit import name_of
from backoffice.clock import database_now

REASON_LENGTH = 300


class OrderDecision(models.Model):
    """A decision that ended an order, or sent it once more. The office itself moves no money."""

    class Kind(models.TextChoices):
        SENT_ELSEWHERE = "sent_elsewhere", _("sent elsewhere")
        BY_HAND = "by_hand", _("delivered by hand")
        REFUNDED = "refunded", _("cancelled and refunded")

    order = models.ForeignKey(
        "orders.ProductOrder", models.PROTECT, "decisions", verbose_name=_("order")
    )
    kind = models.CharField(_("kind"), max_length=20, choices=Kind)
    amount = models.DecimalField(_("amount"), max_digits=14, decimal_places=2, null=True)
    integration = models.ForeignKey(
        "orders.ProviderIntegration",
        models.PROTECT,
        "+",
        null=True,
        verbose_name=_("chosen provider"),
    )
    reason = models.CharField(_("Reason"), max_length=REASON_LENGTH)
    # What the order was when it was decided on
    status = models.CharField(_("status before"), max_length=10)
    review_reason = models.CharField(_("for review"), max_length=20, blank=True)
    by_id = models.BigIntegerField(_("id of who did it"), null=True)
    by_name = models.CharField(_("by"), max_length=150, blank=True)
    at = models.DateTimeField(_("time"), db_default=database_now(), editable=False)

    is_append_only = True

    class Meta:
        verbose_name = _("decision")
        verbose_name_plural = _("decisions")
        ordering = ["-pk"]
        default_permissions = ("view", "export")
        indexes = [models.Index(fields=["at"], name="decision_at")]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="sent_elsewhere", integration__isnull=False, amount__isnull=True)
                | Q(kind="by_hand", integration__isnull=True, amount__isnull=True)
                | Q(
                    kind="refunded",
                    integration__isnull=True,
                    amount__isnull=False,  # of nothing a comparison is neither true nor false
                    amount__gte=0,
                ),
                name="decision_is_whole",
            ),
            models.CheckConstraint(condition=Q(reason__gt=""), name="decision_has_reason"),
        ]

    def __str__(self) -> str:
        return self.get_kind_display()


def record(order: Any, kind: str, reason: str, *, by: User, **more: Any) -> None:
    """Add a decision on an order, as that was before, in the caller's transaction."""
    OrderDecision.objects.create(
        order_id=order.pk,
        kind=kind,
        reason=reason[:REASON_LENGTH],
        status=order.external_status,
        review_reason=order.review_reason,
        by_id=by.pk,
        by_name=name_of(by)[:150],
        **more,
    )
