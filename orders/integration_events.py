"""When calls to a provider were stopped and went on, by people or by the breaker: a log.

Nobody may change it. Of an outage that the breaker noticed it holds the beginning and the end, not
each call that was tried in between.
"""

from django.contrib.auth.models import User
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from backoffice.audit import name_of
from backoffice.clock import database_now

REASON_LENGTH = 300


class IntegrationEvent(models.Model):
    """People are kept as id and name without a foreign key: the log outlives accounts."""

    class What(models.TextChoices):
        STOPPED = "stopped", pgettext_lazy("provider", "Stopped by staff")
        RESUMED = "resumed", pgettext_lazy("provider", "Resumed by staff")
        FAILED = "failed", pgettext_lazy("provider", "It fails and is left alone")
        ANSWERED = "answered", pgettext_lazy("provider", "It answers again")

    integration = models.ForeignKey(
        "orders.ProviderIntegration", models.PROTECT, "events", verbose_name=_("integration")
    )
    what = models.CharField(pgettext_lazy("journal", "event"), max_length=10, choices=What)
    reason = models.CharField(_("reason"), max_length=REASON_LENGTH, blank=True)
    by_id = models.BigIntegerField(_("id of who did it"), null=True)
    by_name = models.CharField(_("by"), max_length=150, blank=True)
    at = models.DateTimeField(_("time"), db_default=database_now(), editable=False)

    is_append_only = True

    class Meta:
        verbose_name = _("integration event")
        verbose_name_plural = _("integration events")
        ordering = ["-pk"]
        default_permissions = ()
        constraints = [
            models.CheckConstraint(
                condition=~Q(what="stopped") | Q(reason__gt=""),
                name="integration_event_stop_has_reason",
            )
        ]

    def __str__(self) -> str:
        return self.get_what_display()


def record(integration_id: int, what: str, *, by: User | None = None, reason: str = "") -> None:
    """Add a line to the log of an integration, in the caller's transaction."""
    IntegrationEvent.objects.create(
        integration_id=integration_id,
        what=what,
        reason=reason[:REASON_LENGTH],
        by_id=by.pk if by else None,
        by_name=name_of(by)[:150],
    )
