"""Persian digits, letters and dates: how they are read, and how they are shown.

Stored are ASCII digits, Gregorian dates and the Persian ی and ک. People type whatever their
keyboard gives them: ``parse_number`` and ``parse_date`` read all of it, or refuse in words.
``backoffice.persian_admin`` puts this under Django's forms and pages.
"""

import datetime
import re
from decimal import Decimal

import jdatetime
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import mark_safe
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

MONTHS = (
    "فروردین",
    "اردیبهشت",
    "خرداد",
    "تیر",
    "مرداد",
    "شهریور",
    "مهر",
    "آبان",
    "آذر",
    "دی",
    "بهمن",
    "اسفند",
)
PERSIAN_DIGITS = "۰۱۲۳۴۵۶۷۸۹"
ARABIC_DIGITS = "٠١٢٣٤٥٦٧٨٩"
ZWNJ = "\u200c"

TO_ASCII = str.maketrans(PERSIAN_DIGITS + ARABIC_DIGITS, "0123456789" * 2)
TO_PERSIAN = str.maketrans("0123456789" + ARABIC_DIGITS, PERSIAN_DIGITS * 2)
STORED_LETTERS = str.maketrans({"ي": "ی", "ى": "ی", "ك": "ک", "\u200b": None, "\ufeff": None})
SOUGHT_LETTERS = str.maketrans(
    {"ي": "ی", "ى": "ی", "ئ": "ی", "ك": "ک", "ة": "ه", "ۀ": "ه", "أ": "ا", "إ": "ا", "ٱ": "ا"}
    | {"ؤ": "و", "ـ": None, "ٔ": None, "ٕ": None, "ٰ": None, "\u200b": None, ZWNJ: None}
    | {chr(harakat): None for harakat in range(0x064B, 0x0653)}
)
INVISIBLE = str.maketrans(dict.fromkeys("\u200b\u200e\u200f\u2066\u2067\u2068\u2069\u061c\ufeff"))
NUMBER = re.compile(r"[+-]?(?:[0-9]{1,3}(?:[,٬][0-9]{3})+|[0-9]+)(?:[.٫][0-9]+)?")
DATE = re.compile(r"([0-9]{4})([/-])([0-9]{1,2})\2([0-9]{1,2})")
CODE_WORD = re.compile(r"\W*(?:[0-9]{9,}|0[0-9]{3,})\W*|.*[A-Za-z].*", re.DOTALL)
MARKUP = re.compile(
    r"<(bdi|code|pre|script|style|textarea)\b.*?</\1>|<[^>]*>|&#?\w+;|[^\s<&]+", re.DOTALL
)


def is_persian():
    """Return whether the page at hand is written in Persian."""
    return (get_language() or "").startswith("fa")


# Letters and digits


def to_ascii_digits(text):
    """Return the text with Persian and Arabic digits as 0 to 9."""
    return text.translate(TO_ASCII)


def to_persian_digits(text):
    """Return the text with every digit as ۰ to ۹; for text without codes."""
    return str(text).translate(TO_PERSIAN)


def digits_shown(text):
    """Return a text with Persian digits on a Persian page; what looks like a code stays.

    That is a word with Latin letters, zeros in front, or more digits than an amount has without
    separators. In HTML, tags and marked codes stay too.
    """
    if not is_persian():
        return text
    shown = MARKUP.sub(_word_shown, text)
    return mark_safe(shown) if hasattr(text, "__html__") else shown  # noqa: S308 - was safe before


def _word_shown(match):
    word = match[0]
    if match[1] or word[0] in "<&" or CODE_WORD.fullmatch(word):
        return word
    return word.translate(TO_PERSIAN)


def normalise_for_storing(text):
    """Return the text with ی and ک for their Arabic twins, and without stray invisible signs."""
    text = text.translate(STORED_LETTERS)
    return re.sub(f"{ZWNJ}+", ZWNJ, text).strip().strip(ZWNJ).strip()


def normalise_for_search(text):
    """Return the text as it is compared: one form of each letter and digit, single spaces."""
    text = text.translate(SOUGHT_LETTERS).translate(TO_ASCII)
    return " ".join(text.split()).casefold()


def normalise_typed(text):
    """Return what a person typed as it is stored.

    Without a Persian letter it is a number, a date or a code, and gets ASCII digits; in a
    sentence the digits stay as they were typed.
    """
    text = normalise_for_storing(text)
    is_sentence = any(sign.isalpha() and not sign.isascii() for sign in text)
    return text if is_sentence else to_ascii_digits(text)


def code(value):
    """Return a code, phone number or reference as it is: ASCII, left to right."""
    if value in (None, ""):
        return "-"
    return format_html('<bdi dir="ltr" class="code">{}</bdi>', value)


# Numbers


def parse_number(value):
    """Return the Decimal that was typed, in whichever digits and separators; refuse the rest.

    Takes a text or the number from a cell of a sheet. A slash is refused, not guessed: it is a
    decimal sign to some and part of a date to others.
    """
    text = repr(value) if isinstance(value, float) else str(value)
    text = to_ascii_digits(text.translate(INVISIBLE)).strip().replace("\u2212", "-")
    if re.fullmatch(r"[+-]?[0-9]+/[0-9]+", text):
        raise ValidationError(
            _("A slash is not accepted in a number: write decimals as in 123.5."), code="slash"
        )
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        number = Decimal(text)
        if number.is_finite():
            return number
    if not NUMBER.fullmatch(text):
        raise ValidationError(_("Enter a number."), code="invalid")
    return Decimal(re.sub("[,٬]", "", text).replace("٫", "."))


def number_shown(text):
    """Return a formatted number for a Persian page: its digits, and no zeros at its end."""
    if "٫" in text:
        text = text.rstrip("0").rstrip("٫")
    return isolated(text) if text.startswith("-") else to_persian_digits(text)


def isolated(text):
    """Return the text in Persian digits, kept left to right among Persian words."""
    return f"\u2066{to_persian_digits(text)}\u2069"


# Dates


def parse_date(value):
    """Return the date that was typed: Jalali from 1300 to 1499, Gregorian from 1900 to 2100.

    Takes a text or the date from a cell of a sheet; refuses in words what is no day.
    """
    if isinstance(value, datetime.datetime):
        return value.date()
    if isinstance(value, datetime.date):
        return value
    match = DATE.fullmatch(to_ascii_digits(str(value).translate(INVISIBLE)).strip())
    if not match:
        raise ValidationError(_("Enter a date such as 1405/09/01."), code="invalid")
    year, month, day = int(match[1]), int(match[3]), int(match[4])
    if 1900 <= year <= 2100:
        make = datetime.date
    elif 1300 <= year <= 1499:
        make = gregorian
    else:
        raise ValidationError(
            _("The year is from 1300 to 1499 (Jalali) or from 1900 to 2100 (Gregorian)."),
            code="year",
        )
    try:
        return make(year, month, day)
    except ValueError:
        raise ValidationError(*_no_such_day(year, month, day)) from None


def _no_such_day(year, month, day):
    if year < 1500 and (month, day) == (12, 30):
        message = _("The year %(year)s is not a leap year; Esfand has 29 days.")
        return message, "leap", {"year": digits_shown(str(year))}
    return _("There is no such day in the calendar."), "day"


def gregorian(year, month, day):
    """Return the date of a Jalali day; raise ValueError where there is none."""
    return jdatetime.date(year, month, day).togregorian()


def to_jalali(value):
    """Return the Jalali (year, month, day) of a date, or of an instant as Tehran sees it."""
    day = jdatetime.date.fromgregorian(date=_local(value))
    return day.year, day.month, day.day


def _local(value):
    aware = isinstance(value, datetime.datetime) and timezone.is_aware(value)
    return timezone.localtime(value) if aware else value


def jalali_ascii(value):
    """Return a date for a file or an input: 1405/09/01; '' for None."""
    return "{:04}/{:02}/{:02}".format(*to_jalali(value)) if value else ""


def jalali(value):
    """Return a date for a table: ۱۴۰۵/۰۹/۰۱; '-' for None."""
    return isolated(jalali_ascii(value)) if value else "-"


def jalali_datetime(value):
    """Return an instant for a table, as Tehran sees it: ۱۴۰۵/۰۹/۰۱ ۱۴:۰۵; '-' for None."""
    return isolated(f"{jalali_ascii(value)} {_local(value):%H:%M}") if value else "-"


def jalali_words(value):
    """Return a date or an instant for a sentence: ۱ آذر ۱۴۰۵، ساعت ۱۴:۰۵; '-' for None."""
    if not value:
        return "-"
    year, month, day = to_jalali(value)
    text = f"{day} {MONTHS[month - 1]} {year}"
    if isinstance(value, datetime.datetime):
        text += f"، ساعت {_local(value):%H:%M}"
    return to_persian_digits(text)
