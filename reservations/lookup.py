"""How a reservation is found again: by its code, a phone number or the customer's name.

However these were typed or said: in either case, with spaces and dashes, with the country's code
or without, in one form of a Persian letter or another.
"""

import re

from django.db.models import F, Q, QuerySet, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Replace

from backoffice.persian import (
    ZWNJ,
    normalise_for_search,
    to_ascii_digits,
    to_persian_digits,
)
from reservations.models import Reservation

SEPARATORS = re.compile(r"[\s\-–_/.()·]+")
NUMBER = re.compile(r"\+?[0-9]{3,}")
PREFIX = re.compile(r"^(?:(?:\+|00)98|98(?=[0-9]{10}$)|0)")  # of the country, or of a city
# Signs that names are stored with in more than one way; ي and ك are stored as ی and ک.
SIGNS_OF_NAMES = (
    *((ZWNJ, ""), ("أ", "ا"), ("إ", "ا"), ("ؤ", "و"), ("ئ", "ی"), ("ة", "ه"), ("ۀ", "ه")),
    ("\N{ARABIC HAMZA ABOVE}", ""),
)
SIGNS_OF_PHONES = ((" ", ""), ("-", ""), ("(", ""), (")", ""))


def by_code(term: str) -> Reservation | None:
    """Return the reservation whose whole code was typed, or None."""
    return Reservation.objects.filter(reference=_compact(term).upper()).first()


def find(reservations: QuerySet[Reservation], term: str) -> QuerySet[Reservation]:
    """Return those of the reservations that a search for ``term`` means."""
    code = _compact(term)
    if not code:
        return reservations
    reservations = reservations.alias(
        _phone=_without(SIGNS_OF_PHONES, "phone"), _name=_without(SIGNS_OF_NAMES, "customer")
    )
    sought = Q(reference__icontains=code) | _named(term)
    if NUMBER.fullmatch(code):
        sought |= Q(_phone__contains=PREFIX.sub("", code))
    return reservations.filter(sought)


def _compact(term: str) -> str:
    return SEPARATORS.sub("", to_ascii_digits(term).replace("\0", ""))


def _named(term: str) -> Q:
    """Return the condition that all words are in the name; its digits are stored as typed."""
    named = Q()
    for word in normalise_for_search(term.replace("\0", "")).split():
        named &= Q(_name__icontains=word) | Q(_name__icontains=to_persian_digits(word))
    return named


def _without(signs: tuple[tuple[str, str], ...], column: str) -> Combinable:
    found: Combinable = F(column)
    for sign, plain in signs:
        found = Replace(found, Value(sign), Value(plain))
    return found
