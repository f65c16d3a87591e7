from django.db import migrations

from reservations.models import natural_key

BATCH = 1000


def fill(apps, schema_editor):
    """Give existing seats their place in the natural order, and existing sales their payment."""
    Seat = apps.get_model("reservations", "Seat")
    Reservation = apps.get_model("reservations", "Reservation")
    Payment = apps.get_model("reservations", "Payment")
    seats = list(Seat.objects.only("seat_number"))
    for seat in seats:
        seat.natural_number = natural_key(seat.seat_number)
    Seat.objects.bulk_update(seats, ["natural_number"], batch_size=BATCH)
    # On the way there again sales have their payment already.
    for reservation in Reservation.objects.filter(payments=None).order_by("pk").iterator():
        sold = reservation.seats.order_by("row_position", "position", "natural_number")
        reservation.seat_numbers = ", ".join(sold.values_list("seat_number", flat=True))
        reservation.save(update_fields=["seat_numbers"])
        Payment.objects.create(
            at=reservation.created_at,
            reservation=reservation,
            kind="sale",
            amount=reservation.price,
            method=reservation.payment_method,
            cashier_id=reservation.cashier_id,
            cashier_name=reservation.cashier_name,
        )


class Migration(migrations.Migration):

    dependencies = [
        ("reservations", "0003_sales"),
    ]

    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
