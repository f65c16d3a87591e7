"""The page that compares purchases with a provider's balances, and its Excel file."""

import datetime
from collections.abc import Iterator

import tablib
from django import forms
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpResponse
from django.template.response import TemplateResponse
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from backoffice.import_files import XLSX
from backoffice.persian import digits_shown, jalali_ascii
from backoffice.persian_forms import DateField
from orders import reconciliation
from orders.models import ProviderIntegration


class DaysForm(forms.Form):
    first = DateField(label=_("From day"), required=False)
    last = DateField(label=_("to day"), required=False)
    integration = forms.ModelChoiceField(
        ProviderIntegration.objects.all(),
        label=_("integration"),
        required=False,
        empty_label=_("all"),
    )

    def clean(self):
        """Fill in the days that were left empty; refuse more of them than a page holds."""
        found = self.cleaned_data
        if self.errors:
            return found
        last = found["last"] or found["first"] or timezone.localdate()
        first = found["first"] or last
        if not 0 <= (last - first).days < reconciliation.MOST_DAYS:
            text = _t("Choose one to %(most)s days, the earlier one first.")
            raise ValidationError(digits_shown(text % {"most": reconciliation.MOST_DAYS}))
        return found | {"first": first, "last": last}


class ReconciliationPage:
    """Mixed into the admin of integrations."""

    def get_urls(self):
        view = self.admin_site.admin_view(require_safe(self.reconciliation_view))
        return [path("reconciliation/", view, name="orders_reconciliation"), *super().get_urls()]

    def reconciliation_view(self, request):
        """Show providers' days; of a single provider's single day all that was found."""
        if not request.user.has_perm("orders.view_reconciliation"):
            raise PermissionDenied
        may_export = request.user.has_perm("orders.export_reconciliation")
        form = DaysForm(request.GET)
        days, shown = [], {}
        if form.is_valid():
            shown = form.cleaned_data
            chosen = shown["integration"]
            days = list(reconciliation.days(shown["first"], shown["last"], chosen and chosen.pk))
            if "xlsx" in request.GET:
                if not may_export:
                    raise PermissionDenied
                return _workbook(days, shown)
            form = DaysForm(initial=shown)
        return TemplateResponse(
            request,
            "admin/orders/reconciliation.html",
            self.admin_site.each_context(request)
            | {
                "title": _t("Reconciliation with providers"),
                "opts": self.opts,
                "form": form,
                "days": [(day, _query(day.date, day.date, day.integration)) for day in days],
                "one": days[0] if _is_one(shown) and days else None,
                "asked": bool(shown),
                "same": _query(shown["first"], shown["last"], shown["integration"])
                if shown
                else "",
                "may_export": may_export,
            },
        )


def _is_one(shown):
    return bool(shown) and shown["first"] == shown["last"] and shown["integration"] is not None


def _query(first, last, integration):
    """Return the query of a page's address that shows some days."""
    chosen = integration.pk if integration else ""
    return f"first={jalali_ascii(first)}&last={jalali_ascii(last)}&integration={chosen}"


def _workbook(days, shown):
    sheets = []
    for title, headings, rows in _sheets(days):
        sheet = tablib.Dataset(headers=[str(heading) for heading in headings])
        sheet.title = str(title)
        for row in rows:
            sheet.append([_cell(value) for value in row])
        sheets.append(sheet)
    content = XLSX().export_data(*sheets)
    response = HttpResponse(content, content_type=XLSX().get_content_type())
    name = jalali_ascii(shown["first"]).replace("/", "-")
    response.headers["Content-Disposition"] = f'attachment; filename="reconciliation-{name}.xlsx"'
    return response


def _cell(value):
    """Return a value as a sheet takes it: an instant by the office's clocks, without its zone."""
    if isinstance(value, datetime.datetime):
        return timezone.make_naive(value)
    return value


def _sheets(days: list[reconciliation.Day]) -> Iterator[tuple[str, tuple, list[tuple]]]:
    """Yield (title, headings, rows) of all that is known of some days."""
    yield (
        _t("Summary"),
        (
            *(_("Day"), _("integration"), _("accepted calls"), _("their cost")),
            *(_("opening balance"), _("closing balance"), _("movement"), _("difference")),
        ),
        [
            (
                *(jalali_ascii(day.date), day.integration.code, day.purchases, day.cost),
                *(day.opening, day.closing, day.movement, day.difference),
            )
            for day in days
        ],
    )
    yield (
        _t("Gaps"),
        (
            *(_("integration"), _("amount"), _("after the purchase at"), _("our reference")),
            *(_("before the purchase at"), _("our reference"), _("may explain it")),
        ),
        [
            (
                *(day.integration.code, gap.amount, gap.after.at, gap.after.referans),
                *(gap.before.at, gap.before.referans),
                " ".join(attempt.referans for attempt in gap.candidates),
            )
            for day in days
            for gap in day.gaps
        ],
    )
    yield (
        _t("Accepted without end"),
        (_("integration"), _("answered"), _("our reference"), *ORDER_HEADINGS, _("cost")),
        [
            (
                *(day.integration.code, attempt.answered_at, attempt.referans),
                *_order(attempt.order),
                attempt.cost,
            )
            for day in days
            for attempt in day.without_end
        ],
    )
    yield (
        _t("Ends without purchase"),
        (_("integration"), _("provider reference"), *ORDER_HEADINGS),
        [
            (day.integration.code, order.provider_referans, *_order(order))
            for day in days
            for order in day.without_attempt
        ],
    )
    yield (
        _t("Within two minutes"),
        (_("integration"), *ORDER_HEADINGS, _("second order"), _("created at")),
        [
            (day.integration.code, *_order(one), str(two.public_id), two.created_at)
            for day in days
            for one, two in day.twins
        ],
    )


ORDER_HEADINGS = (_("order number"), _("user identifier"), _("package"), _("provider status"))


def _order(order):
    return (
        str(order.public_id),
        order.user_identifier,
        order.package.name,
        order.get_external_status_display(),
    )
