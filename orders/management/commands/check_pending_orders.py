from django.core.management.base import BaseCommand

from orders import polling


class Command(BaseCommand):
    help = "Sends the orders that were never sent and checks those that are due."

    def handle(self, **options):
        done = polling.run_batch()
        self.stdout.write(f"Sent {done.sent} orders, checked {done.checked}.")
