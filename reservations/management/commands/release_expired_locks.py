from django.core.management.base import BaseCommand

from backoffice.audit import LockEvent
from reservations import holds


class Command(BaseCommand):
    help = "Free seats whose hold ran out, and say which."

    def handle(self, **options):
        released = holds.release_expired(source=LockEvent.Source.COMMAND)
        for seat in released:
            self.stdout.write(
                f"✅ Released lock on Seat {seat.seat_number} "
                f"(Event: {seat.event_name}, was locked by {seat.holder})"
            )
        if released:
            self.stdout.write(f"\n✅ Total locks released: {len(released)}")
        else:
            self.stdout.write("✅ No expired locks to release")
