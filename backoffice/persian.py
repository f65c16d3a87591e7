"""Persian digits, letters and dates: in, out, and on screen."""

from django.utils.html import format_html


def code(value):
    """Return a code, phone number or reference as it is: ASCII, left to right."""
    if value in (None, ""):
        return "-"
    return format_html('<bdi dir="ltr" class="code">{}</bdi>', value)
