"""What may be asked of an integration now: its breaker, its rate, its money.

One row of the database per integration holds for all processes of all hosts. Machines alone write
it, so it is no part of the integration's own row, which people edit under a lock.
"""

from django.db import models
from django.utils.translation import gettext_lazy as _

from orders.catalogue import ProviderIntegration


class IntegrationState(models.Model):
    """How an integration is just now."""

    integration = models.OneToOneField(
        ProviderIntegration,
        models.CASCADE,
        primary_key=True,
        related_name="state",
        verbose_name=_("integration"),
    )
    failures = models.PositiveIntegerField(_("failures in a row"), default=0)
    opened_times = models.PositiveIntegerField(_("openings in a row"), default=0)
    open_until = models.DateTimeField(_("not called until"), null=True)
    probe_until = models.DateTimeField(_("one call is tried until"), null=True)
    next_call_at = models.DateTimeField(_("next call"), null=True)
    balance = models.DecimalField(_("balance"), max_digits=16, decimal_places=2, null=True)
    balance_at = models.DateTimeField(_("balance read at"), null=True)

    class Meta:
        verbose_name = _("state of an integration")
        verbose_name_plural = _("states of integrations")
        ordering = ["integration__code"]
        default_permissions = ("view",)

    def __str__(self):
        return str(self.integration)
