"""Reservations and payments in the admin: what was sold, and what became of it."""

from django.contrib import admin
from django.contrib.admin.options import IS_POPUP_VAR
from django.contrib.admin.views.main import SEARCH_VAR
from django.http import HttpResponseRedirect
from django.urls import reverse
from django.utils.formats import localize
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_lazy as _

from backoffice.imports import OfficeImportExportMixin
from backoffice.persian import code
from backoffice.site import ReadOnlyAdmin
from reservations import day_page, lookup
from reservations.forms import CustomerForm
from reservations.resources import PaymentResource, ReservationResource
from reservations.sale_pages import SalePages


class CancelledFilter(admin.SimpleListFilter):
    title = _("status")
    parameter_name = "state"

    def lookups(self, request, model_admin):
        return [("valid", _("Valid")), ("cancelled", _("Cancelled"))]

    def queryset(self, request, queryset):
        if self.value() is None:
            return queryset
        return queryset.filter(cancelled_at__isnull=self.value() != "cancelled")


class ReservationAdmin(SalePages, OfficeImportExportMixin, admin.ModelAdmin):
    form = CustomerForm
    resource_classes = [ReservationResource]
    import_export_change_list_template = "reservations/reservation_change_list.html"
    list_display = (
        "shown_reference",
        "event",
        "shown_seats",
        "customer",
        "shown_phone",
        "price",
        "payment_method",
        "cashier_name",
        "created_at",
    )
    list_filter = (CancelledFilter, "event", "payment_method", "created_at")
    list_select_related = ("event",)
    search_fields = ("reference", "customer", "phone")
    search_help_text = _("Reservation code, phone or customer; a whole code opens its reservation")
    sold = (
        "shown_reference",
        "event",
        "shown_seats",
        "price",
        "payment_method",
        "cashier_name",
        "created_at",
        "shown_payments",
    )
    cancelled = ("cancelled_at", "cancelled_by_name", "cancel_reason")
    readonly_fields = (*sold, *cancelled)

    def get_fields(self, request, obj=None):
        cancelled = self.cancelled if obj and obj.cancelled_at else ()
        return ("customer", "phone", *self.sold, *cancelled)

    def changelist_view(self, request, extra_context=None):
        """Open the reservation itself where its whole code was sought."""
        sought = request.GET.get(SEARCH_VAR, "")
        if sought and IS_POPUP_VAR not in request.GET and self.has_view_permission(request):
            found = lookup.by_code(sought)
            if found:
                address = reverse("admin:reservations_reservation_change", args=[found.pk])
                return HttpResponseRedirect(address)
        sees = {"sees_takings": day_page.is_open_to(request.user)}
        return super().changelist_view(request, sees | (extra_context or {}))

    def get_search_results(self, request, queryset, search_term):
        return lookup.find(queryset, search_term), False

    @admin.display(description=_("reservation code"), ordering="reference")
    def shown_reference(self, reservation):
        shown = code(reservation.reference)
        if not reservation.cancelled_at:
            return shown
        return format_html('<s>{}</s> <strong class="cancelled">{}</strong>', shown, _("Cancelled"))

    @admin.display(description=_("phone"), ordering="phone")
    def shown_phone(self, reservation):
        return code(reservation.phone)

    @admin.display(description=_("seats"), ordering="seat_numbers")
    def shown_seats(self, reservation):
        return code(reservation.seat_numbers)

    @admin.display(description=_("payments"))
    def shown_payments(self, reservation):
        rows = (
            (
                localize(row.at),
                row.get_kind_display(),
                localize(row.amount),
                row.get_method_display(),
                row.cashier_name,
            )
            for row in reservation.payments.order_by("pk")
        )
        return format_html_join("", "<div>{} · {} · {} · {} · <bdi>{}</bdi></div>", rows)

    def save_model(self, request, obj, form, change):
        # Whole, it would bring back what was cancelled or moved since the form read it.
        obj.save(update_fields=form.changed_data)

    def has_add_permission(self, request):
        return False  # a sale begins with a hold

    def has_delete_permission(self, request, obj=None):
        return False

    def has_import_permission(self, request):
        return False


class PaymentAdmin(day_page.DayPage, OfficeImportExportMixin, ReadOnlyAdmin):
    resource_classes = [PaymentResource]
    import_export_change_list_template = "reservations/payment_change_list.html"
    list_display = ("at", "shown_reservation", "kind", "amount", "method", "cashier_name")
    list_filter = ("kind", "method", "reservation__event", "at")
    list_select_related = ("reservation",)
    search_fields = ("reservation__reference", "cashier_name")
    fields = list_display

    @admin.display(description=_("reservation"), ordering="reservation__reference")
    def shown_reservation(self, payment):
        address = reverse("admin:reservations_reservation_change", args=[payment.reservation_id])
        return format_html('<a href="{}">{}</a>', address, code(payment.reservation.reference))

    def has_import_permission(self, request):
        return False
