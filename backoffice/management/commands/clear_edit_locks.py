"""Ends edit locks that a crash or a time-out left behind."""

import json
import sys
from datetime import timedelta

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from backoffice import locks
from backoffice.audit import LockEvent
from backoffice.editable import read_all


class Command(BaseCommand):
    help = "Clear edit locks that ran out. Exit status 1 where a model failed."

    def add_arguments(self, parser):
        parser.add_argument("--all", action="store_true", help="clear live locks as well")
        parser.add_argument(
            "--timeout",
            type=int,
            metavar="MINUTES",
            help="clear what showed no sign of life for that long, even if it is still live; "
            "without it, what ran out by the settings",
        )
        parser.add_argument(
            "--model", action="append", metavar="APP.MODEL", help="only these; may be repeated"
        )
        parser.add_argument("--user", metavar="NAME", help="only what this user edits")
        parser.add_argument("--dry-run", action="store_true", help="say it and change nothing")
        parser.add_argument("--json", action="store_true", help="answer with one JSON object")
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, *args, **options):
        self.options, self.failed = options, {}
        if options["timeout"] is not None and options["timeout"] <= 0:
            raise CommandError("--timeout takes a whole number of minutes above zero.")
        rows = self.rows_by_model()
        self.say(self.announcement())
        found = {}
        if options["dry_run"] or options["all"] or options["timeout"]:
            found = self.each(rows, lambda rows: read_all(rows.by_claims()))
        live = [(model, lock) for model in found for lock in found[model] if lock.live]
        self.tell_live(live)
        self.agree(live)
        if options["dry_run"]:
            counts = {model: len(found[model]) for model in found}
        else:
            counts = self.each(rows, self.clear)
        self.tell({model: count for model, count in counts.items() if count}, live)
        if self.failed:
            raise SystemExit(1)

    # What is to be ended

    def rows_by_model(self):
        holder = self.holder()
        rows = {model: self.doomed(locks.rows_of(model)) for model in self.models()}
        if holder is None:
            return rows
        return {model: rows[model].filter(editing_by=holder) for model in rows}

    def doomed(self, rows):
        if self.options["all"]:
            return rows.claimed()
        if self.options["timeout"]:
            return rows.silent(timedelta(minutes=self.options["timeout"]))
        return rows.stale()

    def models(self):
        lockable = locks.lockable_models(apps.get_models())
        if self.options["model"] is None:
            return lockable
        chosen = set()
        for name in self.options["model"]:
            # A table of several document types stands for all of these.
            named = [
                model
                for model in lockable
                if name.lower()
                in (model._meta.label_lower, model._meta.concrete_model._meta.label_lower)
            ]
            if not named:
                raise CommandError(f"{name} is no model with edit locks.")
            chosen.update(named)
        return [model for model in lockable if model in chosen]

    def holder(self):
        name = self.options["user"]
        if name is None:
            return None
        user = get_user_model().objects.filter(username=name).first()
        if user is None:
            raise CommandError(f"There is no user {name}.")
        return user

    # Ending it

    def each(self, rows, work):
        """Return what work(rows) returns, by model; a model that fails must not keep the others."""
        results = {}
        for model in rows:
            if model in self.failed:
                continue
            try:
                results[model] = work(rows[model])
            except Exception as problem:
                self.failed[model] = str(problem)
                self.stderr.write(f"Error clearing locks for {model.__name__}: {problem}")
        return results

    def clear(self, rows):
        options = self.options
        reason = "--all" if options["all"] else f"--timeout {options['timeout']}"
        return locks.force_release(rows, by=None, reason=reason, source=LockEvent.Source.COMMAND)

    def agree(self, live):
        """Ask whoever sits at a terminal before live locks are ended; never a script."""
        options = self.options
        asked = options["all"] and not (options["yes"] or options["dry_run"])
        if not (live and asked and sys.stdin.isatty()):
            return
        self.stderr.write(f"End {len(live)} live locks? [y/N] ", ending="")
        if input().strip().lower() not in ("y", "yes"):
            raise CommandError("Nothing was cleared.")

    # What is said

    def announcement(self):
        if self.options["all"]:
            return "⚠️  Clearing ALL edit locks..."
        minutes = self.options["timeout"] or settings.EDIT_LOCK_TIMEOUT_MINUTES
        return f"Clearing edit locks older than {minutes:g} minutes..."

    def tell_live(self, live):
        """Say whose live locks end, apart from the output that scripts read."""
        ends = "Would end" if self.options["dry_run"] else "Ending"
        for model, lock in live:
            since = timezone.localtime(lock.started_at).strftime("%Y-%m-%d %H:%M")
            self.stderr.write(
                f"{ends} the live lock of {lock.holder_name} on {model.__name__} {lock.pk}, "
                f"held since {since}"
            )

    def tell(self, counts, live):
        dry, total = self.options["dry_run"], sum(counts.values())
        if self.options["json"]:
            self.stdout.write(self.as_json(counts, live, total))
            return
        for model, count in counts.items():
            cleared = "Would clear" if dry else "Cleared"
            self.say(f"{cleared} {count} edit locks from {model.__name__}")
        if not total:
            self.say("No edit locks to clear.")
        else:
            self.say(f"\nTotal: {total} edit locks {'would be cleared' if dry else 'cleared'}.")

    def as_json(self, counts, live, total):
        return json.dumps(
            {
                "dry_run": self.options["dry_run"],
                "cleared": {model._meta.label: count for model, count in counts.items()},
                "total": total,
                "live": [
                    {
                        "model": model._meta.label,
                        "pk": lock.pk,
                        "holder": lock.holder_name,
                        "since": lock.started_at.isoformat(),
                    }
                    for model, lock in live
                ],
                "failed": {model._meta.label: text for model, text in self.failed.items()},
            },
            ensure_ascii=False,
        )

    def say(self, line):
        if not self.options["json"]:
            self.stdout.write(line)
