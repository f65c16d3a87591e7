"""How the lock desk tells times: from now, back and ahead."""

from datetime import timedelta

from django import template
from django.utils.timesince import timesince
from django.utils.translation import gettext as _t

from backoffice import lock_words
from backoffice.persian import digits_shown

register = template.Library()


@register.filter
def ago(moment, now):
    """Return how long ago an instant was; '' for None."""
    return lock_words.ago(moment, now) if moment else ""


@register.filter
def span(moment, now):
    """Return how much time lies between two instants, in its largest unit; '-' for None."""
    if moment is None:
        return "-"
    first, last = sorted([moment, now])
    if last - first < timedelta(minutes=1):
        return _t("less than a minute")
    return digits_shown(timesince(first, last, depth=1))
