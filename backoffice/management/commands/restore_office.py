from django.core.management.base import BaseCommand, CommandError

from backoffice import backup
from backoffice.readiness import NotReady


class Command(BaseCommand):
    help = "Puts a backup in the place of an empty office."

    def add_arguments(self, parser):
        parser.add_argument("file", help="a file that backup_office wrote")
        parser.add_argument(
            "--replace", action="store_true", help="back up what is there, then remove it"
        )

    def handle(self, *, file, replace, **options):
        try:
            before = backup.restore(file, replace=replace)
        except NotReady as problem:
            raise CommandError(problem) from problem
        if before:
            self.stdout.write(f"What was there is in {before}")
        self.stdout.write(f"Restored from {file}")
