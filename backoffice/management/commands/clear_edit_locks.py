"""Ends edit locks that a crash or a time-out left behind."""

import json
import sys
from collections import Counter
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
        self.holder = self.chosen_user()
        chosen = self.chosen_tables()
        self.say(self.announcement())
        found = []
        if options["dry_run"] or options["all"] or options["timeout"]:
            found = [lock for locks_found in self.each(chosen, read_all) for lock in locks_found]
        live = [lock for lock in found if lock.live]
        self.tell_live(live)
        self.agree(live)
        counts = Counter(lock.model for lock in found)
        if not options["dry_run"]:
            counts = sum(self.each(chosen, self.clear), Counter())
        self.tell({model: counts[model] for model in self.lockable if counts[model]}, live)
        if self.failed:
            raise SystemExit(1)

    # What is to be ended

    def chosen_tables(self):
        """Return the document types to look at, by table."""
        tables = locks.lockable_tables(apps.get_models())
        self.lockable = [model for types in tables.values() for model in types]
        if self.options["model"] is None:
            return tables
        names = {name.lower(): name for name in self.options["model"]}
        known = {model._meta.label_lower for model in (*tables, *self.lockable)}
        for unknown in names.keys() - known:
            raise CommandError(f"{names[unknown]} is no model with edit locks.")
        return {
            table: types
            if table._meta.label_lower in names  # the table of several types stands for all
            else [model for model in types if model._meta.label_lower in names]
            for table, types in tables.items()
        }

    def doomed(self, model):
        claims = locks.claims_of(model)
        if self.holder:
            claims = claims.filter(editing_by=self.holder)
        if self.options["all"]:
            return claims
        if self.options["timeout"]:
            return claims.silent(timedelta(minutes=self.options["timeout"]))
        return claims.stale()

    def chosen_user(self):
        name = self.options["user"]
        if name is None:
            return None
        user = get_user_model().objects.filter(username=name).first()
        if user is None:
            raise CommandError(f"There is no user {name}.")
        return user

    # Ending it

    def each(self, chosen, work):
        """Return what work(claims) gives, table by table, and type by type where that fails."""
        every = locks.lockable_tables(apps.get_models())
        results = []
        for table, types in chosen.items():
            if types == every[table]:
                try:
                    results.append(work(self.doomed(table)))
                    continue
                except Exception as problem:
                    if types == [table]:
                        self.fail(table, problem)
                        continue
            for model in types:
                try:
                    results.append(work(self.doomed(model)))
                except Exception as problem:
                    self.fail(model, problem)
        return results

    def fail(self, model, problem):
        if model not in self.failed:  # it may fail when looked at, and again when ended
            self.stderr.write(f"Error clearing locks for {model.__name__}: {problem}")
        self.failed[model] = str(problem)

    def clear(self, claims):
        options = self.options
        reason = "--all" if options["all"] else f"--timeout {options['timeout']}"
        return locks.end(claims, by=None, reason=reason, source=LockEvent.Source.COMMAND)

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
        for lock in live:
            since = timezone.localtime(lock.started_at).strftime("%Y-%m-%d %H:%M")
            self.stderr.write(
                f"{ends} the live lock of {lock.holder_name} on {lock.model.__name__} {lock.pk}, "
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
                        "model": lock.model._meta.label,
                        "pk": lock.pk,
                        "holder": lock.holder_name,
                        "since": lock.started_at.isoformat(),
                    }
                    for lock in live
                ],
                "failed": {model._meta.label: text for model, text in self.failed.items()},
            },
            ensure_ascii=False,
        )

    def say(self, line):
        if not self.options["json"]:
            self.stdout.write(line)
