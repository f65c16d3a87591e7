from django.core.management.base import BaseCommand, CommandError

from orders import rotation


class Command(BaseCommand):
    help = (
        "Encrypts every stored secret with the first of ENCRYPTION_KEYS, while the office runs. "
        "Exit status 1 where an old key is still needed."
    )

    def add_arguments(self, parser):
        parser.add_argument(
            "--check", action="store_true", help="say how many need an old key; change nothing"
        )

    def handle(self, *, check, **options):
        found = rotation.rotate(dry_run=check)
        for counts in found:
            self.tell(counts, check)
        left = sum((counts.old if check else 0) + counts.changed for counts in found)
        lost = sum(len(counts.lost) for counts in found)
        if left or lost:
            raise CommandError(
                f"{left} values may still need an old key, {lost} are opened by none."
            )
        self.stdout.write("No value needs an old key.")

    def tell(self, counts, check):
        """Say what was counted in a column; of values that no key opens only whose they are."""
        done = "of an old key" if check else "encrypted anew"
        changed = f", {counts.changed} changed meanwhile" if counts.changed else ""
        self.stdout.write(
            f"{counts.column}: {counts.old} {done}, {counts.current} of the first key{changed}"
        )
        if counts.lost:
            ids = ", ".join(map(str, counts.lost))
            self.stderr.write(f"{counts.column}: no key opens that of id {ids}")
