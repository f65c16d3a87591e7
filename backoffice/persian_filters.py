"""The list filter of every date: Jalali months and years, and from one day to another."""

import datetime

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import formats, timezone
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from backoffice.persian import (
    MONTHS,
    gregorian,
    is_persian,
    parse_date,
    to_jalali,
    to_persian_digits,
)
from backoffice.persian_forms import DateInput


def month_bounds(day):
    """Return the first day of a date's Jalali month, and the first of the next."""
    year, month, _day = to_jalali(day)
    following = (year, month + 1, 1) if month < 12 else (year + 1, 1, 1)
    return gregorian(year, month, 1), gregorian(*following)


def year_bounds(day):
    """Return the first day of a date's Jalali year, and the first of the next."""
    year = to_jalali(day)[0]
    return gregorian(year, 1, 1), gregorian(year + 1, 1, 1)


class DateFilter(admin.DateFieldListFilter):
    """Django's filter with Jalali months and years, and a range that people type.

    A day that cannot be read filters nothing; its reason stands under the input.
    """

    template = "admin/date_filter.html"

    def __init__(self, field, request, params, model, model_admin, field_path):
        self.from_name, self.to_name = f"{field_path}__from", f"{field_path}__to"
        super().__init__(field, request, params, model, model_admin, field_path)
        self.lookup_val = bool(self.used_parameters)  # the theme marks the filter as active
        self.typed, self.days, self.errors = {}, {}, {}
        for name in (self.from_name, self.to_name):
            self._read(name)
        if is_persian():
            self._use_jalali_links()

    def _read(self, name):
        self.typed[name] = text = self.used_parameters.pop(name, [""])[-1]
        try:
            self.days[name] = parse_date(text) if text else None
        except ValidationError as error:
            self.days[name], self.errors[name] = None, error.messages[0]

    def _use_jalali_links(self):
        today = timezone.localdate()
        year, month, _day = to_jalali(today)
        titles = {"month": MONTHS[month - 1], "year": to_persian_digits(year)}
        self.links = (
            *self.links[:3],
            (_t("This month (%(month)s)") % titles, self._span(*month_bounds(today))),
            (_t("This year (%(year)s)") % titles, self._span(*year_bounds(today))),
            *self.links[5:],
        )

    def _span(self, first, end):
        """Return the lookups from the start of one day to the start of another."""
        bounds = {self.lookup_kwarg_since: first, self.lookup_kwarg_until: end}
        if isinstance(self.field, models.DateTimeField):
            bounds = {
                name: timezone.make_aware(datetime.datetime.combine(day, datetime.time()))
                for name, day in bounds.items()
                if day
            }
        return {name: value for name, value in bounds.items() if value}

    def expected_parameters(self):
        return [*super().expected_parameters(), self.from_name, self.to_name]

    def queryset(self, request, queryset):
        last = self.days[self.to_name]
        end = last + datetime.timedelta(days=1) if last else None
        queryset = queryset.filter(**self._span(self.days[self.from_name], end))
        return super().queryset(request, queryset)

    def choices(self, changelist):
        yield from super().choices(changelist)
        first, last = self.days[self.from_name], self.days[self.to_name]
        if first or last:
            yield {
                "selected": True,
                "query_string": changelist.get_query_string(),
                "display": _t("From %(first)s to %(last)s")
                % {
                    "first": formats.date_format(first) if first else "…",
                    "last": formats.date_format(last) if last else "…",
                },
            }

    def inputs(self):
        """Yield label, input and error of both ends of the range."""
        labels = {self.from_name: _("From day"), self.to_name: _("To day")}
        for name, label in labels.items():
            value = self.days[name] or self.typed[name]
            attrs = {"id": f"filter-{name}", "aria-label": f"{self.title}: {label}"}
            yield label, DateInput().render(name, value, attrs), self.errors.get(name)

    def other_parameters(self):
        """Return what else the list is filtered and sorted by, to be kept by the form."""
        own = {*self.expected_parameters(), "p", "e"}
        lists = self.request.GET.lists()
        return [(name, value) for name, values in lists if name not in own for value in values]
