"""Makes Django's own pages speak Persian; done once, when this module is imported.

``backoffice.admin`` imports it before any model is registered, because an admin class copies
these defaults when it is made. Models keep plain fields, and other packages' admins are served
as ours are.
"""

from functools import wraps

from django.contrib.admin import ModelAdmin
from django.contrib.admin.filters import FieldListFilter
from django.contrib.admin.options import FORMFIELD_FOR_DBFIELD_DEFAULTS
from django.contrib.admin.templatetags import admin_list
from django.db import models
from django.utils import formats
from django.utils.html import format_html
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _t

from backoffice import persian, persian_forms
from backoffice.persian import is_persian, to_ascii_digits, to_persian_digits
from backoffice.persian_filters import DateFilter

FORM_FIELDS = {
    models.DateTimeField: (persian_forms.DateTimeField, persian_forms.DateTimeInput),
    models.DateField: (persian_forms.DateField, persian_forms.DateInput),
    models.TimeField: (persian_forms.TimeField, persian_forms.TimeInput),
    models.IntegerField: (persian_forms.IntegerField, persian_forms.NumberInput),
    models.BigIntegerField: (persian_forms.IntegerField, persian_forms.NumberInput),
    models.DecimalField: (persian_forms.DecimalField, persian_forms.NumberInput),
    models.FloatField: (persian_forms.FloatField, persian_forms.NumberInput),
}


def year_and_month(value):
    year, month, _day = persian.to_jalali(value)
    return f"{persian.MONTHS[month - 1]} {to_persian_digits(year)}"


def month_and_day(value):
    _year, month, day = persian.to_jalali(value)
    return f"{to_persian_digits(day)} {persian.MONTHS[month - 1]}"


JALALI_FORMATS = {
    None: persian.jalali,
    "DATE_FORMAT": persian.jalali,
    "SHORT_DATE_FORMAT": persian.jalali,
    "DATETIME_FORMAT": persian.jalali_datetime,
    "SHORT_DATETIME_FORMAT": persian.jalali_datetime,
    "YEAR_MONTH_FORMAT": year_and_month,
    "MONTH_DAY_FORMAT": month_and_day,
}


def jalali_dates(date_format):
    """Wrap Django's display of dates: its named formats are Jalali on a Persian page.

    A format that is spelled out is left alone, since machines read those.
    """

    @wraps(date_format)
    def shown(value, format=None, use_l10n=None):
        show = JALALI_FORMATS.get(format)
        if show and use_l10n is not False and is_persian():
            return show(value)
        return date_format(value, format, use_l10n)

    return shown


def persian_times(time_format):
    """Wrap Django's display of times: Persian digits on a Persian page."""

    @wraps(time_format)
    def shown(value, format=None, use_l10n=None):
        text = time_format(value, format, use_l10n)
        named = format in (None, "TIME_FORMAT") and use_l10n is not False
        return to_persian_digits(text) if named and is_persian() else text

    return shown


def persian_numbers(number_format):
    """Wrap Django's display of numbers: Persian digits and signs on a Persian page."""

    @wraps(number_format)
    def shown(value, decimal_pos=None, use_l10n=None, force_grouping=False):
        text = number_format(value, decimal_pos, use_l10n, force_grouping)
        return persian.number_shown(text) if use_l10n is not False and is_persian() else text

    return shown


def found_in_any_digits(get_search_results):
    """Wrap the admin's search: codes are kept in ASCII digits, sentences as they were typed."""

    @wraps(get_search_results)
    def search(self, request, queryset, search_term):
        ascii_term = to_ascii_digits(search_term)
        persian_term = to_persian_digits(search_term)
        found, duplicates = get_search_results(self, request, queryset, ascii_term)
        if ascii_term == persian_term:
            return found, duplicates
        also, _duplicates = get_search_results(self, request, queryset, persian_term)
        either = models.Q(pk__in=found.values("pk")) | models.Q(pk__in=also.values("pk"))
        return queryset.filter(either), False

    return search


def spoken(boolean_icon):
    """Wrap the admin's sign for yes and no: what is read aloud for it is translated."""

    @wraps(boolean_icon)
    def icon(value):
        opened = mark_safe(boolean_icon(value).split(" alt=")[0])  # noqa: S308 - was safe whole
        words = {True: _t("Yes"), False: _t("No"), None: _t("Unknown")}
        return format_html('{} alt="{}">', opened, words[value])

    return icon


formats.date_format = jalali_dates(formats.date_format)
formats.time_format = persian_times(formats.time_format)
formats.number_format = persian_numbers(formats.number_format)
for model_field, (form_class, widget) in FORM_FIELDS.items():
    FORMFIELD_FOR_DBFIELD_DEFAULTS[model_field] = {"form_class": form_class, "widget": widget}
FieldListFilter.register(
    lambda field: isinstance(field, models.DateField), DateFilter, take_priority=True
)
ModelAdmin.get_search_results = found_in_any_digits(ModelAdmin.get_search_results)
admin_list._boolean_icon = spoken(admin_list._boolean_icon)
