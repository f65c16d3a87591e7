"""What the providers sell at which cost, as their price lists said last."""

import unicodedata
from datetime import timedelta
from decimal import Decimal
from typing import Any, Self

from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Round
from django.utils.translation import gettext_lazy as _

from backoffice.clock import database_now
from backoffice.persian import normalise_for_search
from orders.catalogue import PackageRouting, ProviderIntegration
from orders.price_rows import NAME_LENGTH, NUMBER_LENGTH

NEWS = timedelta(days=7)  # for so long a changed cost is news
SMALLEST = 6  # digits behind the point


def sought(text: str) -> str:
    """Return a text as listings are compared with it: one form of each letter, marks left out.

    Providers write Turkish, staff type it with whatever keyboard: of İ, I, ı and i it makes i.
    """
    plain = unicodedata.normalize("NFKD", normalise_for_search(text.replace("\0", "")))
    return "".join(sign for sign in plain if not unicodedata.combining(sign)).replace("ı", "i")


class PriceListingQuerySet(models.QuerySet["PriceListing"]):
    def listed(self) -> Self:
        return self.filter(missing_since__isnull=True)

    def gone(self) -> Self:
        """Those that the list had once, and has no more."""
        return self.filter(missing_since__isnull=False)

    def mapped(self) -> Self:
        """Those that a package is ordered by."""
        return self.filter(Exists(routings_of_row()))

    def unmapped(self) -> Self:
        return self.filter(~Exists(routings_of_row()))

    def changed(self) -> Self:
        """Those whose cost changed lately."""
        return self.filter(changed_at__gt=database_now() - NEWS)

    def news(self) -> Self:
        """Those of them that a package is ordered by."""
        return self.mapped().changed()

    def above_price(self) -> Self:
        """Those that cost more than a package is sold for that may be ordered by them."""
        # SQLite counts in binary fractions, in which 0.1 × 3 is above 0.3.
        ours = Round(F("cost") * F("integration__exchange_rate"), precision=SMALLEST)
        sold = routings_of_row().filter(
            is_active=True, package__is_active=True, package__price__lt=OuterRef("ours")
        )
        return self.listed().alias(ours=ours).filter(Exists(sold))

    def matching(self, term: str) -> Self:
        """Those that hold each word of a term in their name, number or description."""
        rows = self
        for word in sought(term).split():
            rows = rows.filter(search_text__contains=word)
        return rows


def routings_of_row() -> "models.QuerySet[PackageRouting]":
    """Return the routings that order by the number of the listing around this subquery."""
    return PackageRouting.objects.filter(
        integration=OuterRef("integration"), provider_package_id=OuterRef("provider_package_id")
    )


class PriceListing(models.Model):
    """A row of a provider's price list. Machines alone write it."""

    integration = models.ForeignKey(
        ProviderIntegration, models.CASCADE, "price_listings", verbose_name=_("integration")
    )
    provider_package_id = models.CharField(
        _("provider's number of the package"), max_length=NUMBER_LENGTH
    )
    name = models.CharField(_("name at the provider"), max_length=NAME_LENGTH)
    extra = models.JSONField(_("more"), default=dict)
    search_text = models.TextField(editable=False)
    cost = models.DecimalField(_("cost"), max_digits=16, decimal_places=SMALLEST)
    previous_cost = models.DecimalField(
        _("cost before"), max_digits=16, decimal_places=SMALLEST, null=True
    )
    changed_at = models.DateTimeField(_("cost changed"), null=True, db_index=True)
    first_seen_at = models.DateTimeField(_("first seen"))
    last_seen_at = models.DateTimeField(_("last seen"))
    missing_since = models.DateTimeField(_("not in the list since"), null=True)

    objects = PriceListingQuerySet.as_manager()

    class Meta:
        verbose_name = _("row of a price list")
        verbose_name_plural = _("price lists")
        ordering = ["integration__code", "name", "pk"]
        default_permissions = ("view",)
        permissions = [("fetch_pricelisting", _("Can fetch price lists"))]
        constraints = [
            models.UniqueConstraint(
                fields=["integration", "provider_package_id"], name="price_listing_one"
            ),
            models.CheckConstraint(condition=Q(cost__gt=0), name="price_listing_cost_positive"),
        ]

    def __str__(self) -> str:
        return self.name

    def says(self, row: dict[str, Any]) -> bool:
        """Return whether this is what a row of the list says, too."""
        return self.missing_since is None and all(
            getattr(self, name) == row[name] for name in ("name", "cost", "extra")
        )

    def change(self) -> Decimal | None:
        """Return by how many per cent the cost changed last; None where it never did."""
        if self.previous_cost is None:
            return None
        return ((self.cost / self.previous_cost - 1) * 100).quantize(Decimal("0.1"))


class PriceList(models.Model):
    """How the fetching of an integration's price list went last, and who is busy with it."""

    integration = models.OneToOneField(
        ProviderIntegration,
        models.CASCADE,
        primary_key=True,
        related_name="price_list",
        verbose_name=_("integration"),
    )
    asked_at = models.DateTimeField(null=True)  # for, by a person or the clock
    busy_until = models.DateTimeField(null=True)
    claim_token = models.CharField(max_length=32, blank=True)
    tried_at = models.DateTimeField(null=True)
    fetched_at = models.DateTimeField(null=True)
    problem = models.CharField(max_length=300, blank=True)  # why the last try brought nothing
    # What the last list brought
    new = models.PositiveIntegerField(default=0)
    changed = models.PositiveIntegerField(default=0)
    gone = models.PositiveIntegerField(default=0)
    skipped = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name = _("state of a price list")
        verbose_name_plural = _("states of price lists")
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.integration)

    @property
    def is_awaited(self) -> bool:
        """Whether it was asked for, and has not come yet."""
        return self.asked_at is not None and not (self.tried_at and self.tried_at >= self.asked_at)
