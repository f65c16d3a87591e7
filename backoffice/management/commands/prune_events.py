from datetime import datetime, time

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, no_translations
from django.utils import timezone

from backoffice import audit
from backoffice.persian import parse_date


class Command(BaseCommand):
    help = "Delete the events of the claims' log before a date; the deletion is recorded there."

    def add_arguments(self, parser):
        parser.add_argument(
            "--before",
            required=True,
            metavar="DATE",
            help="first day to keep, Jalali (1405/01/01) or Gregorian (2026-03-21)",
        )

    @no_translations
    def handle(self, before, **options):
        try:
            day = parse_date(before)
        except ValidationError as problem:
            raise CommandError(f"--before {before}: {' '.join(problem.messages)}") from None
        midnight = timezone.make_aware(datetime.combine(day, time.min))
        self.stdout.write(f"Deleted {audit.prune(midnight)} events before {day}.")
