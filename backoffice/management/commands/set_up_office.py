from django.core.management.base import BaseCommand, CommandError

from backoffice import set_up
from backoffice.readiness import NotReady


class Command(BaseCommand):
    help = "Makes the database an office, or brings it up to date. Running it again is harmless."

    def handle(self, **options):
        try:
            set_up.set_up(tell=self.stdout.write)
        except NotReady as problem:
            raise CommandError(problem) from problem
