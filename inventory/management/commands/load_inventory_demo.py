from django.core.management.base import BaseCommand, CommandError

from inventory import demo_office


class Command(BaseCommand):
    help = "Load the demo warehouse into a database that has no items."

    def handle(self, **options):
        try:
            loaded = demo_office.load()
        except (demo_office.NotEmpty, demo_office.Refused) as problem:
            raise CommandError(str(problem)) from problem
        for name, rows in loaded:
            self.stdout.write(f"{rows:>5} rows of {name}")
