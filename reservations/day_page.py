"""The page «Takings of a day»: what each cashier took in and gave back, by payment method."""

import datetime

import tablib
from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.template.response import TemplateResponse
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from backoffice.audit import name_of
from backoffice.import_files import XLSX
from backoffice.persian import jalali_ascii
from backoffice.persian_forms import DateField
from reservations import takings
from reservations.models import Reservation


class DayForm(forms.Form):
    date = DateField(label=_("Day"), required=False)


def is_open_to(user):
    """Return whether a person may see the takings of a day, at least the own ones."""
    return any(map(user.has_perm, ("reservations.view_payment", "reservations.hold_seat")))


class DayPage:
    """Mixed into the admin of payments."""

    def get_urls(self):
        view = self.admin_site.admin_view(require_safe(self.day_view))
        name = "reservations_payment_day"
        return [path("day/", view, name=name), *super().get_urls()]

    def day_view(self, request):
        """Show a day: of all cashiers, or to who may not see those, the own takings."""
        if not is_open_to(request.user):
            raise PermissionDenied
        sees_all = self.has_view_permission(request)
        form, today = DayForm(request.GET or None), timezone.localdate()
        day = None
        if not form.is_bound or form.is_valid():
            date = (form.is_bound and form.cleaned_data["date"]) or today
            day = takings.day(date, cashier_id=None if sees_all else request.user.pk)
            form = DayForm(initial={"date": date})
            if "xlsx" in request.GET:
                return self._sheet(request, day)
        context = self.admin_site.each_context(request) | {
            "title": _t("Takings of a day"),
            "opts": self.opts,
            "form": form,
            "day": day,
            "today": today,
            "sees_all": sees_all,
            "may_export": self.has_export_permission(request),
            "headings": HEADINGS,
            "own_name": name_of(request.user),
        }
        if day:
            one = datetime.timedelta(days=1)
            beside = {"previous": day.date - one, "shown": day.date, "next": day.date + one}
            context |= {name: jalali_ascii(date) for name, date in beside.items()}
            context |= {"sections": sections(day), "has_free": takings.FREE in day.by_method}
        return TemplateResponse(request, "reservations/day.html", context)

    def _sheet(self, request, day):
        if not self.has_export_permission(request):
            raise PermissionDenied
        dataset = tablib.Dataset(headers=[str(heading) for heading in HEADINGS])
        dataset.title = _t("Takings of a day")
        for part in sections(day):
            for label, row in part["rows"]:
                dataset.append([part["name"], label, *row])
        response = HttpResponse(XLSX().export_data(dataset), content_type=XLSX().get_content_type())
        name = f"takings-{jalali_ascii(day.date).replace('/', '-')}.xlsx"
        response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        return response


HEADINGS = (
    _("cashier"),
    _("payment method"),
    _("number of sales"),
    _("sales"),
    _("number of refunds"),
    _("refunds"),
    _("differences of moves"),
    _("net"),
)


def sections(day):
    """Return the table of the page and of its sheet: a part for each cashier, and one for all."""
    found = [section(cashier.name, cashier) for cashier in day.cashiers]
    if len(found) > 1:
        found.append(section(_t("All cashiers"), day) | {"is_all": True})
    return found


def section(name, takers):
    """Return the rows of somebody's takings by method, and their sum."""
    rows = [(Reservation.PaymentMethod(key).label, row) for key, row in takers.by_method.items()]
    rows.append((_t("Sum"), takers.money))
    return {"name": name, "rows": [(str(label), numbers(row)) for label, row in rows]}


def numbers(row):
    return (
        row.sales_count,
        row.sales,
        row.refunds_count,
        row.refunds,
        row.differences,
        row.net,
    )
