"""Price lists are fetched from the providers, and what changed is written before it hurts.

    asked for (a person, the clock) --> the cluster --> claimed --> called --> written

The call is made outside any transaction; what it brought is written in one. A claim keeps two from
fetching one list at once: whose claim ran out and was taken by another writes nothing.
"""

import logging
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import F, OuterRef, Q, QuerySet, Subquery
from django.utils.translation import gettext_noop
from django_q.tasks import async_task

from backoffice.clock import database_now
from backoffice.clusters import MAIN
from orders import limits, providers
from orders.catalogue import PackageRouting, ProviderIntegration
from orders.encryption import Undecryptable
from orders.price_listings import PriceList, PriceListing, sought
from orders.providers import Misconfigured, get_provider_binding

logger = logging.getLogger(__name__)
TASK = "orders.tasks.fetch_price_list"
BUSY = timedelta(minutes=3)  # longer than a call and the writing of the longest list
LOST = timedelta(minutes=10)  # a task that has not come by then is not coming
BATCH = 500
UNUSABLE = gettext_noop("the integration's settings don't work")
LEFT_ALONE = gettext_noop("this provider is not called just now")


@dataclass(frozen=True)
class Fetched:
    """What became of a fetching: ``fetched`` with what changed, ``failed``, ``busy``, ``off``."""

    outcome: str
    new: int = 0
    changed: int = 0
    gone: int = 0
    skipped: int = 0


def offers_list(provider: str) -> bool:
    """Return whether a provider's adapter can fetch a price list."""
    try:
        return providers.get_adapter(provider).has_price_list
    except Misconfigured:
        return False


def with_list() -> QuerySet[ProviderIntegration]:
    """Return the active integrations whose provider has a price list."""
    names = [name for name in providers.names() if offers_list(name)]
    rows: QuerySet[ProviderIntegration] = ProviderIntegration.objects.all()
    return rows.filter(is_active=True, provider__in=names)


# Asked for


def want(integration_id: int) -> bool:
    """Have the cluster fetch a price list; return False where that is on its way already."""
    now = database_now()
    idle = Q(asked_at__isnull=True) | Q(tried_at__gte=F("asked_at")) | Q(asked_at__lte=now - LOST)
    with transaction.atomic():
        PriceList.objects.get_or_create(pk=integration_id)
        if PriceList.objects.filter(idle, pk=integration_id).update(asked_at=now) == 0:
            return False
        async_task(TASK, integration_id, cluster=MAIN)
    return True


def want_all() -> int:
    """Have all price lists fetched that there are; return how many."""
    return sum(want(pk) for pk in with_list().order_by("pk").values_list("pk", flat=True))


# Fetched


def fetch(integration_id: int) -> Fetched:
    """Fetch a price list and write what it says; return what became of it."""
    integration = with_list().filter(pk=integration_id).first()
    if integration is None:
        return Fetched("off")
    token = _claim(integration_id)
    if token is None:
        return Fetched("busy")
    answer = _ask(integration)
    if answer["outcome"] != "answered":
        return _failed(integration_id, token, answer["reason"])
    return _write(integration_id, token, answer)


def _claim(integration_id: int) -> str | None:
    """Claim the fetching of a list; return the token, None where somebody is busy with it."""
    now, token = database_now(), secrets.token_hex(16)
    PriceList.objects.get_or_create(pk=integration_id)
    free = Q(busy_until__isnull=True) | Q(busy_until__lte=now)
    rows = PriceList.objects.filter(free, pk=integration_id)
    return token if rows.update(busy_until=now + BUSY, claim_token=token) == 1 else None


def _ask(integration: ProviderIntegration) -> dict[str, Any]:
    """Return the provider's answer, or in its shape why it was not asked."""
    try:
        binding = get_provider_binding(integration.provider, integration)
        creds = binding.to_credentials()
    except (Misconfigured, Undecryptable) as problem:
        logger.error("Integration %s can't be asked: %s", integration.code, problem)
        return {"outcome": "no_answer", "reason": UNUSABLE}
    limit = limits.read([integration.pk])[integration.pk]
    # Orders come first: the one call that is tried after an outage is theirs.
    if limit.is_half_open or not limits.take(limit, 1, urgent=True):
        return {"outcome": "no_answer", "reason": LEFT_ALONE}
    return binding.adapter.fetch_price_list(creds)


def _ended() -> dict[str, Any]:
    return {"tried_at": database_now(), "busy_until": None, "claim_token": ""}


def _failed(integration_id: int, token: str, reason: str) -> Fetched:
    rows = PriceList.objects.filter(pk=integration_id, claim_token=token)
    return Fetched("failed" if rows.update(problem=reason, **_ended()) else "busy")


# Written


def _write(integration_id: int, token: str, answer: dict[str, Any]) -> Fetched:
    """Write what a list says, in one transaction; nothing where another has the claim by now."""
    state = PriceList.objects.filter(pk=integration_id, claim_token=token)
    with transaction.atomic():
        if state.update(problem="", fetched_at=database_now(), **_ended()) == 0:
            return Fetched("busy")
        state = PriceList.objects.filter(pk=integration_id)
        now = state.get().tried_at
        assert now, "it was written just now"
        counts = _write_listings(integration_id, answer, now)
        state.update(**counts)
        remember_costs(PackageRouting.objects.filter(integration=integration_id))
    return Fetched("fetched", **counts)


def _write_listings(integration_id: int, answer: dict[str, Any], now: datetime) -> dict[str, int]:
    """Write the rows that are new or say something else; return the counts of what changed."""
    rows = PriceListing.objects.filter(integration=integration_id)
    known = {row.provider_package_id: row for row in rows.iterator()}
    written, changed = [], 0
    for item in answer["listings"]:
        row = known.get(item["provider_package_id"])
        if row is None or not row.says(item):
            written.append(_listing(integration_id, item, row, now))
            changed += row is not None and row.cost != item["cost"]
    PriceListing.objects.bulk_create(
        written,
        batch_size=BATCH,
        update_conflicts=True,
        unique_fields=["integration", "provider_package_id"],
        update_fields=[
            "name",
            "extra",
            "search_text",
            "cost",
            "previous_cost",
            "changed_at",
            "missing_since",
        ],
    )
    there = {item["provider_package_id"] for item in answer["listings"]} | set(answer["unread"])
    gone = [row.pk for row in known.values() if row.provider_package_id not in there]
    return {
        "new": sum(row.provider_package_id not in known for row in written),
        "changed": changed,
        "gone": _note_gone(rows, gone, now),
        "skipped": answer["skipped"],
    }


def _listing(
    integration_id: int, item: dict[str, Any], row: PriceListing | None, now: datetime
) -> PriceListing:
    """Return the row for what a list says, with what is known of it from before."""
    text = " ".join((item["provider_package_id"], item["name"], *item["extra"].values()))
    listing = PriceListing(
        integration_id=integration_id,
        search_text=sought(text),
        first_seen_at=now,
        last_seen_at=now,
        **item,
    )
    if row is not None and row.cost != listing.cost:
        listing.previous_cost, listing.changed_at = row.cost, now
    elif row is not None:
        listing.previous_cost, listing.changed_at = row.previous_cost, row.changed_at
    return listing


def _note_gone(rows: QuerySet[PriceListing], gone: list[int], now: datetime) -> int:
    """Note which rows the list has no more, and that the others were seen; return how many."""
    count = 0
    for start in range(0, len(gone), BATCH):
        chunk = rows.filter(pk__in=gone[start : start + BATCH], missing_since__isnull=True)
        count += chunk.update(missing_since=now)
    rows.filter(missing_since__isnull=True).update(last_seen_at=now)
    return count


# What packages cost by it


def remember_costs(routings: QuerySet[PackageRouting]) -> None:
    """Keep as the cost of packages what the price lists say of the numbers they are ordered by.

    The guard of sending looks at it: an order that would cost more than its price is kept back.
    """
    listed = PriceListing.objects.filter(
        integration=OuterRef("integration"),
        provider_package_id=OuterRef("provider_package_id"),
        missing_since__isnull=True,
    )
    found = routings.annotate(listed_cost=Subquery(listed.values("cost")[:1]))
    rows = found.filter(listed_cost__isnull=False).order_by("package", "integration")
    costs: dict[tuple[int, int], Decimal] = {}
    for package_id, account_id, cost in rows.values_list(
        "package_id", "integration_id", "listed_cost"
    ):
        costs[package_id, account_id] = cost
        if len(costs) == BATCH:
            limits.remember_costs(costs)
            costs = {}
    limits.remember_costs(costs)


def remember_costs_of(package_ids: Iterable[int]) -> None:
    """Keep what packages cost whose routings were changed."""
    keys = sorted(package_ids)
    for start in range(0, len(keys), BATCH):
        remember_costs(PackageRouting.objects.filter(package__in=keys[start : start + BATCH]))
