from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from orders.simulator import SCENARIOS, Simulator, Store


class Command(BaseCommand):
    help = (
        "Runs a provider to practise on, which speaks the protocols of all adapters. "
        "POST /simulator/switch?scenario=NAME makes all orders "
        f"behave alike ({', '.join(SCENARIOS)}; empty ends it), /simulator/counts tells what it "
        "was asked."
    )
    requires_system_checks = []

    def add_arguments(self, parser):
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=settings.SIMULATOR_PORT)
        parser.add_argument("--database", type=Path, default=settings.VAR_DIR / "simulator.sqlite3")
        parser.add_argument(
            "--finish-seconds", type=float, default=settings.SIMULATOR_FINISH_SECONDS
        )
        parser.add_argument("--slow-seconds", type=float, default=3.0)
        parser.add_argument(
            "--answer-milliseconds", type=float, default=0.0, help="what every answer takes"
        )

    def handle(self, *, host, port, database, answer_milliseconds, **options):
        seconds = {name: options[name] for name in ("finish_seconds", "slow_seconds")}
        store = Store(database, **seconds)
        try:
            server = Simulator(
                store, host=host, port=port, answer_seconds=answer_milliseconds / 1000
            )
        except OSError as problem:
            raise CommandError(f"Can't listen on {host}:{port}: {problem.strerror}.") from problem
        self.stdout.write(f"Provider simulator at {server.url}")
        self.stdout.flush()
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            server.server_close()
