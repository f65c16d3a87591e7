from django.core.management.base import BaseCommand, CommandError

from backoffice import backup
from backoffice.readiness import NotReady


class Command(BaseCommand):
    help = "Writes the database, the secrets and the uploaded files into one file."

    def handle(self, **options):
        try:
            path = backup.back_up()
        except NotReady as problem:
            raise CommandError(problem) from problem
        self.stdout.write(f"Backup: {path} ({path.stat().st_size:,} bytes)")
