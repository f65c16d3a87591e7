"""The pages of occupancy: of all events as a table and a file, and of one with its sales."""

import tablib
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Case, DateTimeField, F, Q, Value, When
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from backoffice.clock import database_now
from backoffice.import_files import CSV, XLSX
from backoffice.imports import JalaliDateTimeWidget
from reservations import occupancy, occupancy_charts
from reservations.models import Event
from reservations.occupancy import Occupancy

A_PAGE = 50
WHICH = {"upcoming": _("Upcoming"), "past": _("Past"), "all": _("All")}
FILES = {"xlsx": XLSX, "csv": CSV}
HEADINGS = (
    _("event"),
    _("code"),
    _("starts at"),
    _("seats"),
    _("Reserved"),
    _("On hold"),
    _("Blocked"),
    _("Available"),
    _("occupancy (percent)"),
)
MONEY = (_("worth of what is reserved"), _("worth of what is free"), _("received"))


class OccupancyPages:
    """Mixed into the admin of events."""

    import_export_change_list_template = "reservations/event_change_list.html"

    def get_urls(self):
        views = {
            "occupancy/": ("occupancy", self.occupancy_view),
            "<int:pk>/occupancy/": ("occupancy_one", self.event_occupancy_view),
        }
        own = [
            path(
                address,
                self.admin_site.admin_view(require_safe(view)),
                name=f"reservations_event_{name}",
            )
            for address, (name, view) in views.items()
        ]
        return [*own, *super().get_urls()]

    def get_changelist(self, request, **kwargs):
        return type("ChangeList", (WithOccupancy, super().get_changelist(request, **kwargs)), {})

    def get_list_display(self, request):
        shown = super().get_list_display(request)
        return (*shown, "shown_occupancy") if sees_seats(request.user) else shown

    def changelist_view(self, request, extra_context=None):
        sees = {"sees_occupancy": sees_seats(request.user)}
        return super().changelist_view(request, sees | (extra_context or {}))

    def render_change_form(self, request, context, *args, **kwargs):
        context["sees_occupancy"] = sees_seats(request.user)
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description=_("Occupancy"))
    def shown_occupancy(self, event):
        bar = occupancy_charts.bar(f"list-{event.pk}", event.occupancy)
        return render_to_string("reservations/occupancy_bar.html", {"bar": bar})

    def occupancy_view(self, request):
        """Show how full all events are, those to come first; or answer with that as a file."""
        self._check(request)
        which = request.GET.get("which", "upcoming")
        if which not in WHICH:
            raise Http404
        sees_money = request.user.has_perm("reservations.view_payment")
        may_export = self.has_export_permission(request)
        if "file" in request.GET:
            if not may_export or request.GET["file"] not in FILES:
                raise PermissionDenied
            return sheet(rows_of(events(which)), FILES[request.GET["file"]](), sees_money)
        page = Paginator(events(which), A_PAGE).get_page(request.GET.get("p"))
        rows = rows_of(page.object_list)
        total = sum((row["occupancy"] for row in rows), Occupancy())
        context = self.admin_site.each_context(request) | {
            "title": _t("Occupancy"),
            "opts": self.opts,
            "which": which,
            "choices": WHICH.items(),
            "page": page,
            "rows": rows,
            "sum": total,
            "sum_percent": occupancy_charts.percent_of(total),
            "sum_received": sum(row["event"].received or 0 for row in rows),
            "sees_money": sees_money,
            "may_export": may_export,
        }
        return TemplateResponse(request, "reservations/occupancy.html", context)

    def event_occupancy_view(self, request, pk):
        """Show how full an event is, and what was sold on which day."""
        self._check(request)
        event = get_object_or_404(Event.objects.annotate(received=occupancy.received()), pk=pk)
        sees_money = request.user.has_perm("reservations.view_payment")
        sales = occupancy.sales_by_day(event.pk)
        values = {day: row.net if sees_money else row.sales_count for day, row in sales.items()}
        [row] = rows_of([event])
        context = self.admin_site.each_context(request) | row
        context |= {
            "title": _t("Occupancy"),
            "opts": self.opts,
            "sales": sorted(sales.items(), reverse=True),
            "chart": occupancy_charts.days(values),
            "sees_money": sees_money,
        }
        return TemplateResponse(request, "reservations/event_occupancy.html", context)

    def _check(self, request):
        if not (self.has_view_permission(request) and sees_seats(request.user)):
            raise PermissionDenied


class WithOccupancy:
    """A list whose rows know how full they are, by one query."""

    def get_results(self, request):
        super().get_results(request)
        found = occupancy.of_events(event.pk for event in self.result_list)
        for event in self.result_list:
            event.occupancy = found[event.pk]


def sees_seats(user):
    return user.has_perm("reservations.view_seat")


def events(which):
    """Return the events that are wanted: those to come, the next first, then the latest past."""
    now = database_now()
    to_come = Case(When(starts_at__gte=now, then=F("starts_at")), output_field=DateTimeField())
    rows = Event.objects.annotate(
        is_past=Case(When(starts_at__lt=now, then=Value(True)), default=Value(False)),
        to_come=to_come,
        received=occupancy.received(),
    )
    if which != "all":
        rows = rows.filter(Q(starts_at__lt=now) if which == "past" else Q(starts_at__gte=now))
    return rows.order_by("is_past", "to_come", "-starts_at", "code")


def rows_of(found):
    """Return each event with its occupancy and its bar."""
    found = list(found)
    counted = occupancy.of_events(event.pk for event in found)
    return [
        {
            "event": event,
            "occupancy": counted[event.pk],
            "bar": occupancy_charts.bar(event.pk, counted[event.pk]),
        }
        for event in found
    ]


def sheet(rows, file_format, sees_money):
    """Return the table of occupancy as a file."""
    headings = [str(heading) for heading in (HEADINGS + MONEY if sees_money else HEADINGS)]
    dataset = tablib.Dataset(headers=headings)
    dataset.title = _t("Occupancy")
    for row in rows:
        event, counted = row["event"], row["occupancy"]
        numbers = (counted.total, counted.reserved, counted.held, counted.blocked, counted.free)
        money = (counted.reserved_worth, counted.free_worth, event.received or 0)
        starts_at = JalaliDateTimeWidget().render(event.starts_at)
        cells = [event.name, event.code, starts_at, *numbers, counted.percent]
        dataset.append([*cells, *(money if sees_money else ())])
    data = file_format.export_data(dataset)
    response = HttpResponse(data, content_type=file_format.get_content_type())
    name = f"occupancy.{file_format.get_extension()}"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
