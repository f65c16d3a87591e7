from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import BooleanField, Case, DateTimeField, F, Value, When
from django.db.models.functions import Concat
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from backoffice import claims
from backoffice.admin import EditLockAdminMixin, edit_lock_kind
from backoffice.imports import OfficeImportExportMixin
from backoffice.persian import code, digits_shown
from reservations import actions, holds, layout
from reservations.admin_sales import PaymentAdmin, ReservationAdmin
from reservations.forms import SeatForm
from reservations.life_page import SeatLife
from reservations.map_page import SeatMapPage
from reservations.models import TAKEN, Event, Payment, Reservation, Seat, State, is_live
from reservations.occupancy_pages import OccupancyPages
from reservations.plan_pages import PlanPages
from reservations.resources import EventResource, SeatResource


class StateFilter(admin.SimpleListFilter):
    title = _("status")
    parameter_name = "state"

    def lookups(self, request, model_admin):
        return [*State.choices, ("mine", _("held by me"))]

    def queryset(self, request, queryset):
        if self.value() == "mine":
            return queryset.live().filter(locked_by=request.user)
        return queryset.filter(state=self.value()) if self.value() in State.values else queryset


@admin.register(Event)
class EventAdmin(
    EditLockAdminMixin,
    SeatMapPage,
    PlanPages,
    OccupancyPages,
    OfficeImportExportMixin,
    admin.ModelAdmin,
):
    resource_classes = [EventResource]
    list_display = ("name", "shown_code", "venue", "starts_at", "cut_off")
    list_filter = ("starts_at",)
    search_fields = ("name", "code", "venue")
    fields = ("code", "name", "venue", "starts_at", "cut_off", "hold_seconds")

    @admin.display(description=_("code"), ordering="code")
    def shown_code(self, event):
        return code(event.code)


class SeatGuard:
    """Who may do what with seats; and a page writes its own columns, and deletes only free ones."""

    def has_hold_permission(self, request):
        return request.user.has_perm("reservations.hold_seat")

    def has_release_permission(self, request):
        return request.user.has_perm("reservations.release_seat")

    def has_clear_permission(self, request):
        return request.user.has_perm("reservations.release_expired_seat")

    def has_delete_permission(self, request, obj=None):
        taken = getattr(obj, "state", None) in TAKEN
        return super().has_delete_permission(request, obj) and not taken

    def save_model(self, request, obj, form, change):
        obj.save(update_fields=form.changed_data if change else None)

    def delete_model(self, request, obj):
        self.delete_queryset(request, Seat.objects.filter(pk=obj.pk))

    def delete_queryset(self, request, queryset):
        wanted = [seat.pk for seat in queryset]
        if layout.remove(Seat.objects.filter(pk__in=wanted), by=request.user) != len(wanted):
            raise PermissionDenied  # somebody took one after the page that asked was shown

    def get_actions(self, request):
        found = super().get_actions(request)
        if "delete_selected" in found:
            _function, *told = found["delete_selected"]
            found["delete_selected"] = (actions.delete_all_or_none, *told)
        return found


@admin.register(Seat)
class SeatAdmin(SeatGuard, SeatLife, OfficeImportExportMixin, admin.ModelAdmin):
    form = SeatForm
    resource_classes = [SeatResource]
    list_display = (
        "shown_number",
        "shown_state",
        "locked_by_name",
        "shown_time_left",
        "locked_until",
        "event",
        "section",
        "row",
        "price",
        "accessible",
    )
    list_filter = (StateFilter, "event", "section", "row")
    list_select_related = ("event", "reservation")
    list_per_page = 100
    search_fields = ("seat_number", "reservation__reference")
    layout_fields = ("section", "row", "row_position", "position", "price", "accessible")
    claim_fields = (
        "shown_state",
        "locked_by_name",
        "locked_until",
        "held_since",
        "reservation",
        "block_reason",
    )
    actions = (
        actions.hold_seats,
        actions.extend_holds,
        actions.give_back,
        actions.reserve,
        actions.release_lock,
        actions.clear_run_out,
        actions.block,
        actions.unblock,
    )

    def get_queryset(self, request):
        return super().get_queryset(request).with_state()

    def get_fields(self, request, obj=None):
        return ("event", "seat_number", *self.layout_fields, *(self.claim_fields if obj else ()))

    def get_readonly_fields(self, request, obj=None):
        return ("event", "seat_number", *self.claim_fields) if obj else ()

    @admin.display(description=_("seat number"), ordering="natural_number")
    def shown_number(self, seat):
        return code(seat.seat_number)

    @admin.display(description=_("status"), ordering="state")
    def shown_state(self, seat):
        if seat.reservation:
            return format_html("{} ({})", seat.state_label, code(seat.reservation.reference))
        return seat.state_label

    @admin.display(description=_("time left"), ordering="time_left")
    def shown_time_left(self, seat):
        if seat.time_left is None:
            return "-"
        minutes, seconds = divmod(int(seat.time_left.total_seconds()), 60)
        return digits_shown(f"{minutes}:{seconds:02}")


admin.site.register(Reservation, ReservationAdmin)
admin.site.register(Payment, PaymentAdmin)


def seat_holds():
    """Return the seats that are held, as the lock desk reads claims."""
    return Seat.objects.filter(status=Seat.Status.LOCKED).annotate(
        claim_name=Concat("seat_number", Value(" · "), "event__name"),
        claim_holder_id=F("locked_by_id"),
        claim_holder=F("locked_by_name"),
        claim_since=F("held_since"),
        claim_seen=claims.unknown(DateTimeField()),
        claim_input=claims.unknown(DateTimeField()),
        claim_until=F("locked_until"),
        claim_live=Case(When(is_live(), then=True), default=False),
        claim_unsaved=claims.unknown(BooleanField()),
    )


claims.register(edit_lock_kind(Event, F("name")))
claims.register(
    claims.ClaimKind(
        name="seat",
        label=_("Seat holds"),
        model=Seat,
        rows=seat_holds,
        release=lambda rows, **how: len(holds.force_release(rows, **how)),
        permission="reservations.release_seat",
        clear_permission="reservations.release_expired_seat",
        view_permission="reservations.view_seat",
        live_url=f"reservations/seat/?state={State.LOCKED}",
        stale_url=f"reservations/seat/?state={State.RUN_OUT}",
    )
)
