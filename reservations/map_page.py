"""The page of the live map, and the ways to it from the list and the page of an event."""

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from reservations import seatmap
from reservations.map_endpoints import ENDPOINTS
from reservations.models import Event, Reservation

REFRESH_SECONDS = 3


class SeatMapPage:
    """Mixed into the admin of events."""

    change_form_template = "reservations/event_change_form.html"

    def get_urls(self):
        page = self.admin_site.admin_view(require_safe(self.map_view))
        return [
            path("<int:pk>/map/", page, name="reservations_event_map"),
            *(
                path(f"<int:pk>/map/{address(name)}", view, name=f"reservations_event_map_{name}")
                for name, view in ENDPOINTS.items()
            ),
            *super().get_urls(),
        ]

    def map_view(self, request, pk):
        """Show the hall of an event; the state of its seats comes with the first refresh."""
        if not may_see_map(request):
            raise PermissionDenied
        event = get_object_or_404(Event, pk=pk)
        context = self.admin_site.each_context(request) | {
            "title": event.name,
            "opts": self.opts,
            "event": event,
            "plan": seatmap.plan(event.pk, request.user),
            "map_settings": settings_of(event, request.user),
        }
        return TemplateResponse(request, "reservations/seat_map.html", context)

    def get_list_display(self, request):
        shown = super().get_list_display(request)
        return (*shown, "shown_map") if may_see_map(request) else shown

    @admin.display(description=_("Seat map"))
    def shown_map(self, event):
        address = reverse("admin:reservations_event_map", args=[event.pk])
        return format_html('<a href="{}">{}</a>', address, _("Seat map"))

    def render_change_form(self, request, context, *args, **kwargs):
        context["sees_map"] = may_see_map(request)
        return super().render_change_form(request, context, *args, **kwargs)


def may_see_map(request):
    return request.user.has_perm("reservations.view_seat")


def address(name):
    return f"{name.replace('_', '-')}/"


def settings_of(event, user):
    """Return what the scripts of the map have to know of the office and of who sits there."""
    page = reverse("admin:reservations_event_map", args=[event.pk])
    return {
        "urls": {name: page + address(name) for name in ENDPOINTS},
        "permissions": {
            "hold": user.has_perm("reservations.hold_seat"),
            "change": user.has_perm("reservations.change_seat"),
            "clear": user.has_perm("reservations.release_expired_seat"),
        },
        "refresh_seconds": REFRESH_SECONDS,
        "payment_methods": Reservation.PaymentMethod.choices,
    }
