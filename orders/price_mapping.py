"""Packages are mapped to what a provider sells, by search: nobody types its numbers."""

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Max, QuerySet

from backoffice import locks
from orders import prices
from orders.catalogue import Package, PackageRouting
from orders.price_listings import PriceListing

SUGGESTED = 20


class MappedAlready(Exception):
    """The package is ordered at this integration under another number, which is not replaced."""

    def __init__(self, number: str) -> None:
        super().__init__(number)
        self.number = number


def suggest(integration_id: int, term: str) -> QuerySet[PriceListing]:
    """Return the first of an integration's listings that match a term."""
    rows = PriceListing.objects.listed().filter(integration=integration_id)
    return rows.matching(term).select_related("integration")[:SUGGESTED]


def connect(
    listing: PriceListing, package: Package, *, by: User, replace: bool = False
) -> tuple[PackageRouting, str]:
    """Have a package ordered by a listing's number; return (routing, the number before or '').

    A first routing to the integration comes after those that the package has. Raises
    ``MappedAlready`` where another number would be lost and is not to be replaced, and
    ``locks.Refused`` while somebody edits the package, in another tab of one's own too.
    """
    routings = PackageRouting.objects.filter(package=package)
    number = listing.provider_package_id
    known = routings.filter(integration=listing.integration_id, provider_package_id=number).first()
    if known:
        return known, number
    with transaction.atomic():
        _hold(package, by)
        routing = routings.filter(integration=listing.integration_id).first()
        before = routing.provider_package_id if routing else ""
        if before not in ("", number) and not replace:
            raise MappedAlready(before)
        if routing is None:
            last = routings.aggregate(last=Max("priority"))["last"] or 0
            routing = PackageRouting(
                package=package, integration=listing.integration, priority=last + 1
            )
        routing.provider_package_id = number
        routing.full_clean()
        routing.save()
        prices.remember_costs_of([package.pk])
    return routing, before


def _hold(package: Package, by: User) -> None:
    """Keep a package from being taken until the commit; raise ``Refused`` where somebody has it."""
    # Nobody's own lock is passed over: the page it belongs to would be out of date.
    workable, held = locks.split(Package.objects.filter(pk=package.pk), by=None)
    if held:
        own = held[0].holder_id == by.pk
        raise locks.Refused("other_tab" if own else "held", held[0])
    if not workable.exists():
        raise locks.Refused("gone")
