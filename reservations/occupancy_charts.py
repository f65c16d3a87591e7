"""Charts as shapes with their places, for templates to draw as SVG; each says in words what it is.

A chart is read without colours: each part has a pattern of its own, and its number stands beside.
"""

from datetime import date, timedelta

from django.utils.formats import number_format
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from backoffice.persian import digits_shown, jalali_words

PARTS = (
    ("reserved", _("Reserved")),
    ("held", _("On hold")),
    ("blocked", _("Blocked")),
    ("free", _("Available")),
)
MOST_DAYS = 62
HEIGHT, WIDTH = 100, 1000


def bar(key, occupancy):
    """Return the parts of an event's bar, in hundredths of its length, with their words."""
    parts, x = [], 0
    for name, label in PARTS:
        count = getattr(occupancy, name)
        width = round(100 * count / occupancy.total, 3) if occupancy.total else 0
        end = round(x + width, 3)
        part = {"name": name, "label": label, "count": count, "x": x, "end": end, "width": width}
        parts.append(part)
        x = end
    words = " · ".join(f"{part['label']}: {number_format(part['count'])}" for part in parts)
    return {"key": key, "parts": parts, "percent": percent_of(occupancy), "words": words}


def percent_of(occupancy):
    """Return how full an event is as pages show it; '-' where nothing is for sale."""
    if occupancy.percent is None:
        return "-"
    return _t("%(number)s%%") % {"number": number_format(occupancy.percent)}


def days(values):
    """Return the columns of a chart of days, the last ones where there are too many.

    ``values`` has a number for each day that has one. What is below nothing hangs from the line.
    """
    if not values:
        return None
    last = max(values)
    first = max(min(values), last - timedelta(days=MOST_DAYS - 1))
    shown = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    top = max(0, *(values.get(day, 0) for day in shown), 0)
    bottom = min(0, *(values.get(day, 0) for day in shown), 0)
    scale = HEIGHT / ((top - bottom) or 1)
    step = WIDTH / len(shown)
    columns = []
    for place, day in enumerate(shown):
        value = values.get(day, 0)
        columns.append(
            {
                "x": round(place * step + step * 0.1, 2),
                "width": round(min(step * 0.8, 60), 2),
                "y": round((top - max(value, 0)) * scale, 2),
                "height": round(abs(value) * scale, 2),
                "is_below": value < 0,
                "words": f"{day_in_words(day)}: {number_format(value)}",
            }
        )
    return {
        "columns": columns,
        "line": round(top * scale, 2),
        "top": top,
        "first": first,
        "last": last,
        "is_cut": first > min(values),
    }


def day_in_words(day: date):
    return digits_shown(jalali_words(day))
