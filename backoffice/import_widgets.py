"""The cells of imported and exported files: what people may write in one, and what it becomes.

A widget's ``clean`` returns the value to store. It raises ``NotAllowed``, whose text names what
the cell may hold, or a ValidationError that says in a sentence what is wrong. ``render`` returns
what the file gets: numbers as numbers, everything else as text.
"""

import re
from datetime import date, datetime, time
from decimal import Decimal

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils import timezone, translation
from django.utils.formats import number_format
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from import_export import widgets

from backoffice import persian

CLOCK = re.compile(r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?")
LONGEST_NUMBER = 40


class NotAllowed(ValueError):
    """A cell was not accepted; the text says what it may hold."""


def text_of(value):
    """Return a cell as it is stored; '' for an empty one. A whole float is a code to people."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return persian.normalise_typed(str(value))


def comparable(value):
    """Return a heading or a choice reduced to what makes it the same to its reader."""
    return persian.normalise_for_search(text_of(value).replace(persian.ZWNJ, " "))


def in_all_languages(label):
    """Return a lazy label in each language of the office, reduced for comparing."""
    found = set()
    for language, _name in settings.LANGUAGES:
        with translation.override(language):
            found.add(comparable(label))
    return found


def listed(words):
    """Return words in quotation marks with commas between, for a sentence."""
    words = [_t("“%(word)s”") % {"word": word} for word in words]
    return ("، " if persian.is_persian() else ", ").join(words)


class TextWidget(widgets.Widget):
    def clean(self, value, row=None, **kwargs):
        if isinstance(value, date | time | bool):
            raise NotAllowed(self.allowed())
        return text_of(value)

    def allowed(self):
        return _t("a text")

    def render(self, value, obj=None, **kwargs):
        return "" if value is None else str(value)


class NumberWidget(widgets.Widget):
    """A decimal number, in the digits and signs of any keyboard."""

    def clean(self, value, row=None, **kwargs):
        if value is None or (isinstance(value, str) and not value.strip()):
            return None
        if len(str(value)) > LONGEST_NUMBER:
            raise NotAllowed(self.allowed())
        try:
            return persian.parse_number(value)
        except ValidationError as error:
            if error.code != "invalid":
                raise
            raise NotAllowed(self.allowed()) from None

    def allowed(self):
        example = number_format(Decimal("1234.5"), force_grouping=True)
        return _t("a number such as %(example)s") % {"example": example}

    def render(self, value, obj=None, **kwargs):
        if not isinstance(value, Decimal):
            return "" if value is None else value
        return int(value) if value == value.to_integral_value() else value.normalize()


class WholeNumberWidget(NumberWidget):
    def clean(self, value, row=None, **kwargs):
        number = super().clean(value, row, **kwargs)
        if number is None:
            return None
        if number.adjusted() >= LONGEST_NUMBER or number != number.to_integral_value():
            raise NotAllowed(self.allowed())
        return int(number)

    def allowed(self):
        return _t("a whole number such as %(example)s") % {"example": number_format(1234)}


class JalaliDateWidget(widgets.Widget):
    """A day: a date cell, or a text that is Jalali or Gregorian by its year."""

    def clean(self, value, row=None, **kwargs):
        if value is None or (isinstance(value, str) and not value.strip()):
            return None
        try:
            return persian.parse_date(value)
        except ValidationError as error:
            if error.code != "invalid":
                raise
            raise NotAllowed(self.allowed()) from None

    def allowed(self):
        return _t("a date such as %(example)s") % {"example": persian.isolated("1405/09/01")}

    def render(self, value, obj=None, **kwargs):
        return persian.jalali_ascii(value)


class JalaliDateTimeWidget(JalaliDateWidget):
    """An instant, as the clocks of the office show it."""

    def clean(self, value, row=None, **kwargs):
        if isinstance(value, datetime):
            return timezone.make_aware(value) if timezone.is_naive(value) else value
        if not isinstance(value, str) or ":" not in value:
            day, clock = super().clean(value, row, **kwargs), time()
            return day and timezone.make_aware(datetime.combine(day, clock))
        text, _space, clock = persian.to_ascii_digits(value).strip().rpartition(" ")
        day = super().clean(text or clock, row, **kwargs)
        return timezone.make_aware(datetime.combine(day, self._clock(clock)))

    def _clock(self, text):
        found = CLOCK.fullmatch(text)
        try:
            return time(*(int(part or 0) for part in found.groups()))
        except (AttributeError, ValueError):
            raise NotAllowed(self.allowed()) from None

    def allowed(self):
        example = persian.isolated("1405/09/01 14:05")
        return _t("a date and time such as %(example)s") % {"example": example}

    def render(self, value, obj=None, **kwargs):
        if value is None:
            return ""
        local = timezone.localtime(value)
        clock = f"{local:%H:%M:%S}" if local.second else f"{local:%H:%M}"
        return f"{persian.jalali_ascii(value)} {clock}"


class ChoiceWidget(widgets.Widget):
    """One of a field's choices, by its label in any language of the office or by its value."""

    def __init__(self, choices):
        super().__init__()
        self.choices = list(getattr(choices, "choices", choices))

    def clean(self, value, row=None, **kwargs):
        wanted = comparable(value)
        if not wanted:
            return ""
        for stored, label in self.choices:
            if wanted == comparable(stored) or wanted in in_all_languages(label):
                return stored
        raise NotAllowed(self.allowed())

    def allowed(self):
        return listed(label for stored, label in self.choices if stored != "")

    def render(self, value, obj=None, **kwargs):
        return "" if value is None else str(dict(self.choices).get(value, value))


class YesNoWidget(ChoiceWidget):
    """A yes or a no, also as the truth values of a sheet and as 1 and 0."""

    def __init__(self):
        super().__init__([(True, _("Yes")), (False, _("No"))])

    def clean(self, value, row=None, **kwargs):
        spelled = {"1": True, "0": False, "": None}
        text = comparable(value)
        return spelled[text] if text in spelled else super().clean(value, row, **kwargs)


class CodeKeyWidget(widgets.Widget):
    """A foreign key by the code of the row it points at; ``queryset`` narrows what may be named."""

    def __init__(self, model, field="code", queryset=None):
        super().__init__()
        self.model, self.field, self.queryset = model, field, queryset
        self.found = {}  # lives as long as one import: a resource copies its widgets

    def clean(self, value, row=None, **kwargs):
        code = persian.to_ascii_digits(text_of(value))
        if not code:
            return None
        if code not in self.found:
            self.found[code] = self.get_queryset().filter(**{self.field: code}).first()
        if self.found[code] is None:
            raise NotAllowed(self.allowed())
        return self.found[code]

    def get_queryset(self):
        """Return the rows that may be named."""
        return self.model._default_manager.all() if self.queryset is None else self.queryset.all()

    def allowed(self):
        return _t("the code of one of “%(models)s”") % {
            "models": self.model._meta.verbose_name_plural
        }

    def render(self, value, obj=None, **kwargs):
        return "" if value is None else str(getattr(value, self.field))
