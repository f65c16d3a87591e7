"""What costs look like on pages: in two moneys, with the margin, marked above the price."""

from decimal import Decimal

from django.utils.formats import localize, number_format
from django.utils.html import format_html
from django.utils.translation import gettext as _t

from backoffice.persian import digits_shown
from orders.limits import is_above

CENT = Decimal("0.01")


def amount(cost):
    """Return a provider's cost with as many digits as it has."""
    return localize(cost.normalize() if cost % 1 else cost.quantize(Decimal(1)))


def ours(cost, integration):
    """Return a provider's cost in the money of the prices."""
    return localize((cost * integration.exchange_rate).quantize(CENT))


def margin(cost, integration, price):
    """Return what a sale leaves, in our money; marked where the cost is above the price."""
    left = localize((price - cost * integration.exchange_rate).quantize(CENT))
    if not is_above(cost, integration, price):
        return left
    told = _t("above the price")
    return format_html('{} <strong class="order-mark">{}</strong>', left, told)


def per_cent(change):
    """Return by how much a cost changed, its direction by a sign and in words; '-' for nothing."""
    if not change:
        return "-"
    sign, words = ("↑", _t("dearer")) if change > 0 else ("↓", _t("cheaper"))
    return format_html("{}\u066a {} {}", number_format(abs(change), 1), sign, words)


def more(extra):
    """Return in words what else a price list says of a row; '' where it is nothing."""
    words = {
        "unavailable": _t("not to be had just now"),
        "minimum": _t("at least %(count)s"),
        "maximum": _t("at most %(count)s"),
        "description": "%(count)s",
    }
    told = [text % {"count": extra[key]} for key, text in words.items() if extra.get(key)]
    return digits_shown(" · ".join(told))
