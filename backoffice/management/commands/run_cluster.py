import sys

from django.core.management import call_command
from django.core.management.base import BaseCommand

from backoffice import processes


class Command(BaseCommand):
    help = "Runs the task queue's cluster so that it can be stopped in any way, by anybody."

    def handle(self, **options):
        sys.exit(processes.lead(lambda: call_command("qcluster")))
