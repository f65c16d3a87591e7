"""Form fields and widgets that read what people type in Persian, and show it back so.

On a Persian page dates are Jalali and digits Persian; on an English page dates are the browser's
own date input. What is typed is read alike in both.
"""

import datetime
from decimal import Decimal

from django import forms
from django.core.exceptions import ValidationError
from django.forms.utils import to_current_timezone
from django.utils.translation import gettext_lazy as _

from backoffice.persian import (
    is_persian,
    jalali_ascii,
    number_shown,
    parse_date,
    parse_number,
    to_ascii_digits,
    to_persian_digits,
)


class NumberInput(forms.TextInput):
    """A number in a text box: browsers drop Persian digits from their number inputs."""

    def __init__(self, attrs=None):
        attrs = {"class": "vIntegerField", "dir": "ltr", "inputmode": "decimal"} | (attrs or {})
        super().__init__({"autocomplete": "off"} | attrs)

    def format_value(self, value):
        try:
            number = parse_number(value)
        except ValidationError:
            return super().format_value(value)
        text = f"{number:f}"
        if not is_persian():
            return text
        # Isolates belong to sentences; in a box of its own the number needs none.
        return number_shown(text.replace(".", "٫")).strip("\u2066\u2069")


class TypedNumber:
    """Mixed into a number field: reads Persian and Arabic digits and their separators."""

    widget = NumberInput

    def to_python(self, value):
        if isinstance(value, str) and value.strip():
            value = f"{parse_number(value):f}"
        return super().to_python(value)


class IntegerField(TypedNumber, forms.IntegerField):
    pass


class DecimalField(TypedNumber, forms.DecimalField):
    def to_python(self, value):
        value = super().to_python(value)
        # The model's digits are counted as written, and 12.500 is no more precise than 12.5.
        if isinstance(value, Decimal) and value.as_tuple().exponent < 0:
            value = Decimal(f"{value:f}".rstrip("0").rstrip("."))
        return value


class FloatField(TypedNumber, forms.FloatField):
    pass


class DateInput(forms.DateInput):
    """A Jalali date with a calendar; on an English page the browser's own date input."""

    template_name = "backoffice/date_input.html"

    class Media:
        css = {"all": ["backoffice/date_picker.css"]}
        js = ["backoffice/date_picker.js"]

    def __init__(self, attrs=None):
        attrs = {"class": "jalali-date", "dir": "ltr", "autocomplete": "off"} | (attrs or {})
        super().__init__({"size": 11} | attrs, format="%Y-%m-%d")

    def format_value(self, value):
        if not value or not is_persian():
            return super().format_value(value)
        # A text is what was typed, shown again when the form is refused.
        return to_persian_digits(jalali_ascii(value) if isinstance(value, datetime.date) else value)

    def get_context(self, name, value, attrs):
        context = super().get_context(name, value, attrs)
        if is_persian():
            context["widget"]["attrs"].setdefault("placeholder", "۱۴۰۵/۰۹/۰۱")
        else:
            context["widget"]["type"] = "date"
        return context


class DateField(forms.DateField):
    widget = DateInput

    def to_python(self, value):
        return None if value in self.empty_values else parse_date(value)


class TimeInput(forms.TimeInput):
    def __init__(self, attrs=None):
        attrs = {"class": "clock-time", "dir": "ltr", "autocomplete": "off"} | (attrs or {})
        super().__init__({"size": 8, "inputmode": "numeric"} | attrs)

    def format_value(self, value):
        if isinstance(value, datetime.time):
            value = f"{value:%H:%M:%S}" if value.second else f"{value:%H:%M}"
        return to_persian_digits(value) if value and is_persian() else value

    def get_context(self, name, value, attrs):
        context = super().get_context(name, value, attrs)
        placeholder = to_persian_digits("14:05") if is_persian() else "14:05"
        context["widget"]["attrs"].setdefault("placeholder", placeholder)
        return context


class TimeField(forms.TimeField):
    widget = TimeInput

    def to_python(self, value):
        return super().to_python(to_ascii_digits(value) if isinstance(value, str) else value)


class DateTimeInput(forms.MultiWidget):
    supports_microseconds = False

    def __init__(self, attrs=None):
        day = DateInput({"aria-label": _("Date")})
        super().__init__([day, TimeInput({"aria-label": _("Time")})], attrs)

    def decompress(self, value):
        if not value:
            return [None, None]
        value = to_current_timezone(value)
        return [value.date(), value.time().replace(microsecond=0)]


class DateTimeField(forms.SplitDateTimeField):
    widget = DateTimeInput
    hidden_widget = forms.SplitHiddenDateTimeWidget

    def __init__(self, *, input_date_formats=None, input_time_formats=None, **kwargs):
        # Past Django's own constructor, which would put its Gregorian fields in.
        super(forms.SplitDateTimeField, self).__init__((DateField(), TimeField()), **kwargs)
