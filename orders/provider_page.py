"""What the page of a provider says of its figures: charts, rows of a table, numbers in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.urls import reverse
from django.utils import formats
from django.utils.timezone import localtime
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from backoffice.persian import digits_shown
from orders import provider_health as health
from orders.charts import Chart, Series, line_chart, nice_top
from orders.models import Status
from orders.provider_health import Figures

HOURS, DAYS = "hours", "days"
SPANS = {HOURS: _("last 24 hours"), DAYS: _("last 30 days")}
MOST, HALF = 0.95, 0.5
HOURS_APART, DAYS_APART = 6, 7  # between two times at the edge of a chart


@dataclass(frozen=True)
class Row:
    """The figures of an hour or a day, in words."""

    when: str
    figures: Figures
    outcomes: list[int]
    rate: str
    half: str
    most: str


def bounds_of(span: str, now: datetime) -> list[datetime]:
    """Return the bounds of the hours or days that a page is asked for."""
    return health.last_days(now) if span == DAYS else health.last_hours(now)


def row(figures: Figures, span: str) -> Row:
    names = (health.DELIVERED, health.FAILED, health.REFUSED, health.UNKNOWN, health.OPEN)
    return Row(
        when=when(figures.begins, figures.ends, span),
        figures=figures,
        outcomes=[figures.count(name) for name in names],
        rate=percent(figures.success_rate),
        half=seconds(figures.answered_within(HALF)),
        most=seconds(figures.answered_within(MOST)),
    )


def when(begins: datetime, ends: datetime, span: str) -> str:
    """Return how a page calls an hour or a day."""
    if span == DAYS:
        return formats.date_format(localtime(begins), "SHORT_DATE_FORMAT")
    return _t("%(begins)s to %(ends)s") % {"begins": hour(begins), "ends": hour(ends)}


def hour(moment: datetime) -> str:
    return str(digits_shown(f"{localtime(moment):%H:%M}"))


def percent(share: float | None) -> str:
    """Return a share as pages show it, with a tenth where it has one; '-' for None."""
    if share is None:
        return "-"
    tenths = int(share * 1000)  # never up: 100 is all of them
    return _t("%(number)s%%") % {"number": _number(tenths / 10)}


def seconds(milliseconds: int | None) -> str:
    """Return a time as pages show it, in seconds; '-' for None."""
    if milliseconds is None:
        return "-"
    return _t("%(number)s seconds") % {"number": _number(milliseconds / 1000)}


def _number(value: float) -> str:
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return str(formats.number_format(Decimal(text)))


def success_chart(parts: Sequence[Figures], span: str) -> Chart | None:
    """Return the chart of the success rate; None where no order has ended."""
    told = _t("%(when)s: %(rate)s, %(delivered)s of %(ended)s")
    words = [
        told
        % {
            "when": when(part.begins, part.ends, span),
            "rate": percent(part.success_rate),
            "delivered": formats.number_format(part.count(health.DELIVERED)),
            "ended": formats.number_format(part.ended),
        }
        for part in parts
    ]
    label = _t("success rate")
    levels = [(share, percent(share)) for share in (0, 0.5, 1)]
    line = Series(label, [part.success_rate for part in parts], words)
    return line_chart("success", label, [line], levels=levels, times=_times(parts, span))


def answer_chart(parts: Sequence[Figures], span: str) -> Chart | None:
    """Return the chart of the answer time; None where nothing was answered."""
    lines = [
        Series(
            label,
            [part.answered_within(share) for part in parts],
            [
                f"{when(part.begins, part.ends, span)}: {seconds(part.answered_within(share))}"
                for part in parts
            ],
        )
        for share, label in ((HALF, half_label()), (MOST, most_label()))
    ]
    highest = max((value or 0 for line in lines for value in line.values), default=0)
    top = round(nice_top(max(highest, health.STEP)))
    levels = [(value, seconds(value)) for value in (0, top // 2, top)]
    title = _t("answer time of sendings")
    return line_chart("answers", title, lines, levels=levels, times=_times(parts, span))


def half_label() -> str:
    return _t("half of the answers within")


def most_label() -> str:
    return _t("ninety-five percent of the answers within")


def _times(parts: Sequence[Figures], span: str) -> list[tuple[int, str]]:
    """Return the times that stand below a chart: every sixth hour, or every seventh day."""
    begins = [localtime(part.begins) for part in parts]
    if span == DAYS:
        return [
            (place, formats.date_format(begin, "MONTH_DAY_FORMAT"))
            for place, begin in enumerate(begins)
            if place % DAYS_APART == 0
        ]
    return [
        (place, hour(begin)) for place, begin in enumerate(begins) if begin.hour % HOURS_APART == 0
    ]


def open_rows(integration_id: int, found: health.Open) -> list[tuple[str, int, str]]:
    """Return (label, how many, the address of the list that shows them, if any)."""
    listed = reverse("admin:orders_productorder_changelist")
    mine = f"{listed}?integration__id__exact={integration_id}"
    rows: list[tuple[Any, int, str]] = [
        (Status(state).label, count, f"{mine}&external_status__exact={state}")
        for state, count in found.states.items()
    ]
    rows += [
        (_t("outcome unknown"), found.unknown, f"{mine}&outcome_unknown__exact=1"),
        (_t("to be looked at now"), found.due, ""),
        (_t("overdue"), found.overdue, f"{mine}&attention=overdue"),
        (_t("waiting until it is called again"), found.waiting, ""),
    ]
    return rows
