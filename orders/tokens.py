"""The keys with which a tenant's shop speaks to the office; only their digests are kept."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from backoffice.clock import database_now
from orders.catalogue import Tenant


class TenantToken(models.Model):
    """A key of a tenant's shop. Whoever has it orders in the tenant's name until it is revoked."""

    tenant = models.ForeignKey(Tenant, models.PROTECT, "tokens", verbose_name=_("tenant"))
    name = models.CharField(_("name"), max_length=100)
    # SHA-256 is enough for a key of 256 random bits: there is nothing to guess.
    digest = models.CharField(max_length=64, unique=True, editable=False)
    last_four = models.CharField(_("last four"), max_length=4, editable=False)
    created_at = models.DateTimeField(_("created at"), db_default=database_now(), editable=False)
    created_by_name = models.CharField(_("created by"), max_length=150, blank=True, editable=False)
    revoked_at = models.DateTimeField(_("revoked at"), null=True, editable=False)
    revoked_by_name = models.CharField(_("revoked by"), max_length=150, blank=True, editable=False)
    last_used_at = models.DateTimeField(_("last used"), null=True, editable=False)

    class Meta:
        verbose_name = _("shop's key")
        verbose_name_plural = _("shops' keys")
        ordering = ["-pk"]
        default_permissions = ("add", "change", "view")
        constraints = [
            models.CheckConstraint(
                condition=Q(revoked_at__isnull=False) | Q(revoked_by_name=""),
                name="token_revoked_is_whole",
            )
        ]

    def __str__(self) -> str:
        return self.name
