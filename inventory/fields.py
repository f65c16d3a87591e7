"""Columns that several tables of the warehouse have."""

from decimal import Decimal
from functools import reduce
from operator import and_

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from backoffice.persian import normalise_for_search

validate_code = RegexValidator(
    r"\A[A-Za-z0-9][A-Za-z0-9._/-]*\Z",
    _("A code consists of Latin letters, digits and the signs . _ / -"),
)


def validate_exact(value):
    """Refuse a number of more than fifteen significant digits: SQLite would round it."""
    if len(value.normalize().as_tuple().digits) > 15:
        raise ValidationError(_("At most 15 significant digits are kept."))


validate_not_negative = MinValueValidator(0)


def not_negative(*names):
    """Return the condition that each of the columns is empty or at least zero."""
    empty_or_more = (Q(**{f"{n}__isnull": True}) | Q(**{f"{n}__gte": 0}) for n in names)
    return reduce(and_, empty_or_more)


class CodeField(models.CharField):
    """What files and people know a row by: ASCII, never changed by the office."""

    def __init__(self, *args, max_length=30, **kwargs):
        super().__init__(*args, max_length=max_length, **kwargs)
        self.validators = [*self.validators, validate_code]

    def deconstruct(self):
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.CharField", args, kwargs


class QuantityField(models.DecimalField):
    """A quantity, exact on both databases: SQLite keeps fifteen significant digits."""

    def __init__(self, *args, **kwargs):
        kwargs |= {"max_digits": 15, "decimal_places": 6}
        super().__init__(*args, **kwargs)

    def deconstruct(self):
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.DecimalField", args, kwargs


class SearchTextField(models.TextField):
    """The words of other columns, normalised at every save, so that each spelling finds them."""

    def __init__(self, *args, sources=(), **kwargs):
        self.sources = sources
        kwargs |= {"editable": False, "blank": True, "default": ""}
        super().__init__(*args, **kwargs)

    def deconstruct(self):
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.TextField", args, kwargs

    def pre_save(self, model_instance, add):
        words = (str(getattr(model_instance, name) or "") for name in self.sources)
        text = normalise_for_search(" ".join(words))
        setattr(model_instance, self.attname, text)
        return text


def plain(value):
    """Return a quantity without the zeros at its end, never in powers of ten."""
    value = Decimal(value).normalize()
    return value.quantize(Decimal(1)) if value.as_tuple().exponent > 0 else value
