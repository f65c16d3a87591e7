"""Ends edit locks that a crash or a time-out left behind."""

from datetime import timedelta

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError

from backoffice import locks
from backoffice.audit import LockEvent


class Command(BaseCommand):
    help = "Clear stale edit locks (older than 5 minutes)."

    def add_arguments(self, parser):
        parser.add_argument("--all", action="store_true", help="clear live locks as well")
        parser.add_argument(
            "--timeout", type=int, default=5, metavar="MINUTES", help="age of a stale lock"
        )

    def handle(self, *args, **options):
        if options["timeout"] <= 0:
            raise CommandError("--timeout takes a whole number of minutes above zero.")
        if options["all"]:
            self.stdout.write("⚠️  Clearing ALL edit locks...")
        else:
            self.stdout.write(f"Clearing edit locks older than {options['timeout']} minutes...")
        total, failed = 0, False
        for model in locks.lockable_models(apps.get_models()):
            try:
                count = self.clear(model, options)
            except Exception as problem:  # a model that fails must not keep the others locked
                failed = True
                self.stderr.write(f"Error clearing locks for {model.__name__}: {problem}")
                continue
            total += count
            if count:
                self.stdout.write(f"Cleared {count} edit locks from {model.__name__}")
        if total:
            self.stdout.write(f"\nTotal: {total} edit locks cleared.")
        else:
            self.stdout.write("No edit locks to clear.")
        if failed:
            raise SystemExit(1)

    def clear(self, model, options):
        source = LockEvent.Source.COMMAND
        if options["all"]:
            rows = model._default_manager.all()
            return locks.force_release(rows, by=None, reason="--all", source=source)
        timeout = timedelta(minutes=options["timeout"])
        return locks.clear_stale(model, timeout=timeout, source=source)
