"""What the first page of the admin counts: claims, figures, and the health of the cluster."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Value
from django.urls import reverse
from django.utils.functional import Promise

from backoffice import health
from backoffice.claims import FIGURES, KINDS, ClaimKind, Figure


@dataclass(frozen=True)
class Number:
    """How many there are, and the address of the list that shows just these."""

    label: str | Promise
    count: int
    url: str
    alarming: bool = False


@dataclass(frozen=True)
class ClaimRow:
    """A kind of claim with what is held now and what ran out."""

    label: str | Promise
    live: Number
    stale: Number

    @property
    def quiet(self) -> bool:
        return not (self.live.count or self.stale.count)


def contents(user, app_label=None) -> dict[str, Any]:
    """Return what a user may see of the first page, or of one app's part of it."""

    def shown(item):
        owner = item.view_permission.split(".")[0]
        return app_label in (None, owner) and user.has_perm(item.view_permission)

    sees_schedules = user.has_perm("backoffice.view_taskschedule")
    claims = count_claims([kind for kind in KINDS.values() if shown(kind)])
    return {
        "busy": [row for row in claims if not row.quiet],
        "quiet": [row for row in claims if row.quiet],
        "figures": [count_figure(figure) for figure in FIGURES.values() if shown(figure)],
        "clusters": health.cluster_states() if app_label is None else [],
        "tasks": health.task_states() if app_label is None and sees_schedules else [],
        "sees_schedules": app_label is None and sees_schedules,
    }


def count_figure(figure: Figure) -> Number:
    """Return the number of a figure; it alarms above zero, where it may alarm at all."""
    count = figure.count()
    url = reverse("admin:index") + figure.url
    return Number(figure.label, count, url, figure.alarming and count > 0)


def count_claims(kinds: list[ClaimKind]) -> list[ClaimRow]:
    """Return the rows of these kinds of claim, all counted in one query."""
    counted = [
        kind.rows()
        .order_by()
        .annotate(place=Value(place))
        .values("place", "claim_live")
        .annotate(rows=Count("pk"))
        .values_list("place", "claim_live", "rows")
        for place, kind in enumerate(kinds)
    ]
    found = counted[0].union(*counted[1:], all=True) if counted else []
    counts = {(place, live): rows for place, live, rows in found}
    start = reverse("admin:index")
    return [
        ClaimRow(
            kind.label,
            Number(kind.label, counts.get((number, True), 0), start + kind.live_url),
            Number(kind.label, counts.get((number, False), 0), start + kind.stale_url),
        )
        for number, kind in enumerate(kinds)
    ]
