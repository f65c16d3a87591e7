"""Events and seats in files. What a file says never touches who has a seat."""

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from import_export import fields

from backoffice.imports import LockAwareResource, OfficeResource
from reservations import layout
from reservations.models import Event, Payment, Reservation, Seat

LAYOUT = ("section", "row", "row_position", "position", "price", "accessible")


class EventResource(LockAwareResource):
    class Meta(LockAwareResource.Meta):
        model = Event
        import_id_fields = ("code",)
        fields = ("code", "name", "venue", "starts_at", "cut_off", "hold_seconds", "version")


class SeatResource(OfficeResource):
    """Keyed by event and seat number; a seat that is held or sold keeps its claim and its price."""

    class Meta(OfficeResource.Meta):
        model = Seat
        import_id_fields = ("event", "seat_number")
        fields = ("event", "seat_number", *LAYOUT, "status")

    def before_import(self, dataset, **kwargs):
        """Lock the seats of the file in key order, as holds and sales do.

        In the order of its rows the file could wait for somebody who waits for it.
        """
        super().before_import(dataset, **kwargs)
        keys = list(filter(None, map(self.key_of, dataset.dict)))
        rows = Seat.objects.filter(
            event__in={event.pk for event, _number in keys},
            seat_number__in={number for _event, number in keys},
        )
        self.prices = {seat.pk: seat.price for seat in layout.taken(rows)}

    def do_instance_save(self, instance, is_create):
        """Write the columns of the file alone: the others may have changed since they were read."""
        if is_create:
            instance.save(force_insert=True)
            return
        if self.prices.get(instance.pk, instance.price) != instance.price:
            text = _("The price stays, because somebody has the seat")
            raise ValidationError({"price": text})
        instance.save(update_fields=LAYOUT)


class PlanResource(OfficeResource):
    """The columns of a plan, whose seats are all of one event."""

    class Meta(OfficeResource.Meta):
        model = Seat
        import_id_fields = ("seat_number",)
        fields = ("seat_number", *LAYOUT)


class ReservationResource(OfficeResource):
    class Meta(OfficeResource.Meta):
        model = Reservation
        import_id_fields = ("reference",)
        fields = (
            "reference",
            "event",
            "seat_numbers",
            "customer",
            "phone",
            "price",
            "payment_method",
            "cashier_name",
            "created_at",
            "cancelled_at",
            "cancelled_by_name",
            "cancel_reason",
        )


class PaymentResource(OfficeResource):
    reservation = fields.Field("reservation__reference", _("reservation code"), readonly=True)

    class Meta(OfficeResource.Meta):
        model = Payment
        import_id_fields = ("at",)  # the library asks for a key; nothing is imported
        fields = ("at", "reservation", "kind", "amount", "method", "cashier_name")
