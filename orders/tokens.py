"""The keys with which a tenant's shop speaks to the office; only their digests are kept."""

import hashlib
import secrets
import uuid
from datetime import timedelta

from django.contrib.auth.models import User
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from backoffice.audit import name_of
from backoffice.clock import database_now
from orders.catalogue import Tenant

PREFIX = "shop_"  # by it a key is known where it was left lying about
RANDOM_BYTES = 32
USED_EVERY = timedelta(minutes=1)


class TenantToken(models.Model):
    """A key of a tenant's shop. Whoever has it orders in the tenant's name until it is revoked."""

    tenant = models.ForeignKey(Tenant, models.PROTECT, "tokens", verbose_name=_("tenant"))
    name = models.CharField(_("name"), max_length=100)
    # SHA-256 is enough for a key of 256 random bits: there is nothing to guess.
    # Of the page on which it was made: a page that is sent twice makes one key.
    page = models.UUIDField(null=True, unique=True, editable=False)
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


def issue(
    tenant: Tenant, name: str, *, by: User, page: uuid.UUID | None = None
) -> tuple[TenantToken, str]:
    """Make a key for a tenant; return its row and its plain text, which is kept nowhere.

    ``page`` is the number of the page that asks for it; a second time it is an ``IntegrityError``.
    """
    plain = PREFIX + secrets.token_urlsafe(RANDOM_BYTES)
    token = TenantToken.objects.create(
        tenant=tenant,
        name=name,
        page=page,
        digest=digest_of(plain),
        last_four=plain[-4:],
        created_by_name=name_of(by)[:150],
    )
    return token, plain


def revoke(token: TenantToken, *, by: User) -> bool:
    """End a key for good; return False where somebody else did before."""
    live = TenantToken.objects.filter(pk=token.pk, revoked_at__isnull=True)
    return live.update(revoked_at=database_now(), revoked_by_name=name_of(by)[:150]) == 1


def holder_of(plain: str) -> TenantToken | None:
    """Return the live key of an active tenant that this is, None where it is none.

    Looked up by its digest, so that how long it takes tells nothing of the keys that exist. That
    it was used is written down once a minute.
    """
    live = TenantToken.objects.filter(revoked_at__isnull=True, tenant__is_active=True)
    rows = live.filter(digest=digest_of(plain)).annotate(read_at=database_now())
    token = rows.select_related("tenant").first()
    if token is None:
        return None
    before = token.last_used_at
    if before is None or before <= token.read_at - USED_EVERY:
        known = TenantToken.objects.filter(pk=token.pk, last_used_at=before)
        known.update(last_used_at=database_now())
    return token


def digest_of(plain: str) -> str:
    return hashlib.sha256(plain.encode()).hexdigest()
