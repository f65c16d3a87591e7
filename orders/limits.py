"""What may be asked of an integration now: its breaker, its rate, its money.

One row of the database per integration holds for all processes of all hosts. Machines alone write
it, so it is no part of the integration's own row, which people edit under a lock.

The breaker opens after some calls in a row without a usable answer. While it is open the provider
is left alone; then one call is tried, whose answer closes it and whose failure opens it for longer.
The rate is kept by the time of the next call ("generic cell rate algorithm"): each call moves it on
by its interval, and who finds it too far ahead waits.

A person may stop the calls as well (``orders/stopping.py``); only a person lets these go again.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_UP, Decimal

from django.conf import settings
from django.db import models, transaction
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from backoffice.clock import database_now
from orders import integration_events
from orders.catalogue import Package, ProviderCost, ProviderIntegration
from orders.integration_events import IntegrationEvent


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

    # By a person, until a person lets calls go again
    stopped_at = models.DateTimeField(_("stopped at"), null=True)
    stopped_by_name = models.CharField(_("stopped by"), max_length=150, blank=True)
    stop_reason = models.CharField(
        _("reason"), max_length=integration_events.REASON_LENGTH, blank=True
    )
    # How often people did that: a page that saw another number is out of date.
    switched = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name = _("state of an integration")
        verbose_name_plural = _("states of integrations")
        ordering = ["integration__code"]
        default_permissions = ("view",)
        constraints = [
            models.CheckConstraint(
                condition=Q(stopped_at__isnull=True, stopped_by_name="", stop_reason="")
                | Q(stopped_at__isnull=False, stop_reason__gt=""),
                name="integration_stop_is_whole",
            )
        ]

    def __str__(self) -> str:
        return str(self.integration)


PROBE_SECONDS = 60.0  # longer than any call: whose probe was killed is not waited for
BURST_SECONDS = 0.25
# What the breaker's columns are while calls go, and those of a stop by hand
AS_USUAL = {"failures": 0, "opened_times": 0, "open_until": None, "probe_until": None}
NOT_STOPPED = {"stopped_at": None, "stopped_by_name": "", "stop_reason": ""}
URGENT_SECONDS = 3.0  # a sending may go so far ahead of what the checks have used up


@dataclass(frozen=True)
class Limit:
    """An integration's limits as they were read, by the database's clock."""

    integration: ProviderIntegration
    state: IntegrationState
    now: datetime

    @property
    def is_stopped(self) -> bool:
        """Whether a person stopped the calls."""
        return self.state.stopped_at is not None

    @property
    def is_open(self) -> bool:
        """Whether it is left alone: stopped, or as its calls failed."""
        until = self.state.open_until
        return self.is_stopped or (until is not None and until > self.now)

    @property
    def is_half_open(self) -> bool:
        return self.state.open_until is not None and not self.is_open

    @property
    def is_paced(self) -> bool:
        """Whether each call has to be asked for: by a rate, or as nobody knows if it works."""
        return self.is_half_open or self.integration.calls_per_second is not None

    @property
    def is_low(self) -> bool:
        """Whether our money there is below the mark; not where it was never heard of."""
        mark = self.integration.low_balance
        return None not in (mark, self.state.balance) and self.state.balance < mark


def read(integration_ids: Iterable[int] | None = None) -> dict[int, Limit]:
    """Return the limits of integrations by their keys, of all where none are named."""
    rows = ProviderIntegration.objects.select_related("state").annotate(now=database_now())
    rows = rows.only(
        "code", "provider", "calls_per_second", "low_balance", "exchange_rate", "state"
    )
    wanted = rows if integration_ids is None else rows.filter(pk__in=integration_ids)
    found = list(wanted)
    missing = [row for row in found if not hasattr(row, "state")]
    if missing:
        new = [IntegrationState(integration=row) for row in missing]
        IntegrationState.objects.bulk_create(new, ignore_conflicts=True)
        found = list(wanted.all())
    return {row.pk: Limit(row, row.state, row.now) for row in found}


def take(limit: Limit, wanted: int, *, urgent: bool = False) -> int:
    """Return how many calls may begin now, at most so many, and count them for everybody."""
    if limit.is_open or wanted < 1:
        return 0
    if limit.is_half_open:
        return _take_probe(limit)
    if limit.integration.calls_per_second is None:
        return wanted
    return _take_calls(limit, wanted, URGENT_SECONDS if urgent else 0)


def _take_probe(limit: Limit) -> int:
    now = database_now()
    free = Q(probe_until__isnull=True) | Q(probe_until__lte=now)
    rows = IntegrationState.objects.filter(free, pk=limit.state.pk, open_until__lte=now)
    rows = rows.filter(stopped_at__isnull=True)
    return rows.update(probe_until=now + timedelta(seconds=PROBE_SECONDS))


def _take_calls(limit: Limit, wanted: int, ahead: float) -> int:
    interval = 1 / float(limit.integration.calls_per_second or 1)
    begins = max(limit.state.next_call_at or limit.now, limit.now)
    left = (limit.now - begins).total_seconds() + max(BURST_SECONDS, interval) + ahead
    count = min(wanted, int(left / interval + 1e-6))
    if count < 1:
        return 0
    unchanged = Q(next_call_at=limit.state.next_call_at)
    if limit.state.next_call_at is None:
        unchanged = Q(next_call_at__isnull=True)
    rows = IntegrationState.objects.filter(unchanged, pk=limit.state.pk, stopped_at__isnull=True)
    # Zero where somebody else was faster: the next round reads again.
    return count * rows.update(next_call_at=begins + timedelta(seconds=count * interval))


def heard(integration_id: int, *, answered: bool, failures: int = 1) -> None:
    """Note how calls to an integration went: one ``answered``, or so many failed."""
    rows = IntegrationState.objects.filter(pk=integration_id)
    if not answered:
        with transaction.atomic():
            rows.update(failures=F("failures") + failures)
            _open(rows)
    elif rows.filter(Q(failures__gt=0) | Q(open_until__isnull=False)).exists():
        with transaction.atomic():
            if rows.filter(open_until__isnull=False).update(**AS_USUAL):
                integration_events.record(integration_id, IntegrationEvent.What.ANSWERED)
            rows.filter(failures__gt=0).update(**AS_USUAL)


def _open(rows: "models.QuerySet[IntegrationState]") -> None:
    """Open the breaker where enough has failed; what began before that opens it no second time."""
    now = database_now()
    closed = Q(open_until__isnull=True) | Q(open_until__lte=now)
    failed = rows.filter(closed, failures__gte=settings.PROVIDER_BREAKER_FAILURES)
    state = failed.first()
    if state is None:
        return
    pauses = settings.PROVIDER_BREAKER_SECONDS
    pause = pauses[min(state.opened_times, len(pauses) - 1)]
    opened = failed.filter(opened_times=state.opened_times).update(
        open_until=now + timedelta(seconds=pause),
        opened_times=F("opened_times") + 1,
        probe_until=None,
    )
    if opened and state.opened_times == 0:
        integration_events.record(state.pk, IntegrationEvent.What.FAILED)


def are_left_alone(integration_ids: Iterable[int]) -> bool:
    """Return whether all of these are left alone still, and stay so until the transaction ends."""
    keys = set(integration_ids)
    shut = Q(stopped_at__isnull=False) | Q(open_until__gt=database_now())
    rows = IntegrationState.objects.filter(shut, pk__in=keys).order_by("pk")
    return len(rows.select_for_update(of=("self",)).values_list("pk")) == len(keys)


def remember_balance(integration_id: int, balance: Decimal | None) -> None:
    """Keep what an answer says is left of our money."""
    if balance is not None:
        rows = IntegrationState.objects.filter(pk=integration_id)
        rows.update(balance=balance, balance_at=database_now())


def remember_cost(package_id: int, integration_id: int, cost: Decimal | None) -> None:
    """Keep what a package cost."""
    if cost is not None:
        ProviderCost.objects.update_or_create(
            package_id=package_id,
            integration_id=integration_id,
            defaults={"cost": cost, "at": database_now()},
        )


def remember_costs(costs: Mapping[tuple[int, int], Decimal]) -> None:
    """Keep what many packages cost, by (package, integration), where it is news."""
    found = ProviderCost.objects.filter(package__in={package for package, _account in costs})
    known = {(row.package_id, row.integration_id): row.cost for row in found}
    # Up: the guard must not find a package cheaper than it is.
    kept = {key: cost.quantize(Decimal("0.01"), ROUND_UP) for key, cost in costs.items()}
    rows = [
        ProviderCost(package_id=key[0], integration_id=key[1], cost=cost, at=database_now())
        for key, cost in sorted(kept.items())
        if known.get(key) != cost
    ]
    ProviderCost.objects.bulk_create(
        rows,
        update_conflicts=True,
        update_fields=["cost", "at"],
        unique_fields=["package", "integration"],
    )


def costs_too_much(package: Package, integration: ProviderIntegration, price: Decimal) -> bool:
    """Return whether the last known cost of a package is above a price."""
    known = ProviderCost.objects.filter(package=package, integration=integration).first()
    return known is not None and is_above(known.cost, integration, price)


def is_above(cost: Decimal, integration: ProviderIntegration, price: Decimal) -> bool:
    """Return whether a cost in the provider's money is above a price in ours."""
    return in_our_money(cost, integration) > price


def in_our_money(cost: Decimal, integration: ProviderIntegration) -> Decimal:
    """Return a cost in the provider's money as prices tell it."""
    return cost * integration.exchange_rate
