from itertools import cycle
from pathlib import Path

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError

import reservations
from backoffice.audit import LockEvent
from backoffice.import_files import format_of
from reservations import holds, layout, sales
from reservations.models import Event
from reservations.resources import EventResource, SeatResource

FILES = Path(reservations.__file__).parent / "demo"
COMMAND = LockEvent.Source.COMMAND
BLOCKED = {
    "concert-yalda": {"جای دوربین": "D1 D2 D21 D22", "دید محدود": "L1 L26"},
    "play-simorgh": {"صندلی شکسته": "F7", "میز نور و صدا": "M13 M14 M15 M16"},
}
# Customer, phone, payment method, seats
SOLD = {
    "concert-yalda": (
        ("سارا احمدی", "09120000101", "card", "A8 A9"),
        ("نیما رستگار", "09120000102", "card", "B9 B10 B11 B12"),
        ("مینا صادقی", "09350000103", "cash", "C10 C11"),
        ("کاوه فرهادی", "09350000104", "transfer", "E10 E11 E12 E13 E14 E15"),
        ("لیلا نوری", "", "cash", "G12"),
        ("", "", "cash", "H11 H12 H13"),
        ("بهرام یزدانی", "09120000106", "card", "K1 K3"),
        ("دفتر فرهنگی مهر", "02100000107", "free", "A1 A2 A3"),
    ),
    "play-simorgh": (
        ("الهام شریفی", "09120000108", "card", "A10 A11"),
        ("پیمان قاسمی", "09190000109", "card", "C11 C12 C13"),
        ("", "", "cash", "E12"),
        ("نرگس توکلی", "09190000110", "cash", "G12 G13 G14 G15"),
    ),
}
# What became of some of them: cancelled for a reason, moved from seats to seats.
CANCELLED = {"concert-yalda": {"بهرام یزدانی": "تغییر برنامهٔ مشتری"}}
MOVED = {"play-simorgh": {"الهام شریفی": ("A10 A11", "A12 A13")}}
# Left on hold: they run out a few minutes after the office was started.
HELD = {
    "concert-yalda": ("F11 F12 F13 F14", "H1 H2", "N12 N13"),
    "play-simorgh": ("B10 B11 B12", "D11 D12"),
}


class Command(BaseCommand):
    help = "Fill a new office with two events, their seats, sales and holds."

    def handle(self, **options):
        if Event.objects.exists():
            raise CommandError("There are events already; the demo belongs into a new office.")
        import_file(EventResource, "events.csv")
        import_file(SeatResource, "concert_seats.csv")
        import_file(SeatResource, "play_seats.xlsx")
        staff = box_office()
        if not staff:
            self.stdout.write("Nobody may hold seats, so none is sold or held.")
        for event in Event.objects.all() if staff else ():
            populate(event, cycle(staff))
        self.stdout.write(f"Loaded {Event.objects.count()} events with their seats.")


def import_file(resource_class, name):
    """Import a file of the demo, as the page for it would."""
    content = (FILES / name).read_bytes()
    dataset = format_of(content)().create_dataset(content)
    result = resource_class().import_data(dataset, use_transactions=True, user=None)
    if result.has_errors() or result.has_validation_errors():
        problems = [row.error for row in result.invalid_rows] or result.base_errors
        raise CommandError(f"{name} was refused: {problems}")


def box_office():
    """Return the staff who may hold seats, always in the same order; administrators do not."""
    staff = get_user_model().objects.filter(is_active=True, is_superuser=False).order_by("pk")
    return [user for user in staff if user.has_perm("reservations.hold_seat")]


def populate(event, staff):
    """Block, sell and hold seats, by the functions behind the buttons of the box office."""
    pks = dict(event.seats.values_list("seat_number", "pk"))

    def seats(numbers):
        return [pks[number] for number in numbers.split()]

    for reason, numbers in BLOCKED[event.code].items():
        rows = event.seats.filter(pk__in=seats(numbers))
        layout.block(rows, by=next(staff), reason=reason, source=COMMAND)
    for customer, phone, method, numbers in SOLD[event.code]:
        by = next(staff)
        hold_id = holds.hold(event, seats(numbers), by=by, source=COMMAND)
        answers = {"customer": customer, "phone": phone, "payment_method": method}
        sold = holds.confirm(hold_id, seats(numbers), by=by, source=COMMAND, **answers)
        if reason := CANCELLED.get(event.code, {}).get(customer):
            sales.cancel(sold.pk, by=by, reason=reason, source=COMMAND)
        if move := MOVED.get(event.code, {}).get(customer):
            sales.move(sold.pk, *map(seats, move), by=by, source=COMMAND)
    for numbers in HELD[event.code]:
        holds.hold(event, seats(numbers), by=next(staff), source=COMMAND)
