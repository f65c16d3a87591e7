import os
import socket
import sys
from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connections
from honcho.environ import parse_procfile

from backoffice import environment, processes, readiness, set_up
from backoffice.checks import longest_wait


class Command(BaseCommand):
    help = "Runs the whole office: sets up what is missing, then starts the Procfile's processes."

    def add_arguments(self, parser):
        parser.add_argument("--procfile", default="Procfile", help="default: Procfile")

    def handle(self, *, procfile, **options):
        try:
            readiness.require_free_port(settings.HOST, settings.PORT)
            set_up.set_up(tell=self.stdout.write)
            set_up.collect_static()
            commands = self.commands(procfile)
        except readiness.NotReady as problem:
            raise CommandError(problem) from problem
        connections.close_all()
        os.environ |= {
            "HOST": settings.HOST,
            "PORT": str(settings.PORT),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }
        office = processes.Office(
            commands,
            patience=longest_wait(settings.Q_CLUSTER),
            is_open=self.is_open,
            announce=lambda: self.stdout.write(f"The office is open: {settings.BASE_URL}/"),
            needed_to_the_end={"simulator"},
            cwd=settings.BASE_DIR,
        )
        sys.exit(office.run())

    def commands(self, procfile):
        """Return the lines of the Procfile that this office runs, their ports being free."""
        lines = parse_procfile((settings.BASE_DIR / procfile).read_text()).processes
        if environment.flag("SIMULATOR", False):  # the set-up may have remembered it just now
            readiness.require_free_port("127.0.0.1", settings.SIMULATOR_PORT, "SIMULATOR_PORT")
        else:
            del lines["simulator"]
        return lines

    def is_open(self):
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.HOST, settings.HOST)  # noqa: S104
        try:
            socket.create_connection((host, settings.PORT), timeout=1).close()
        except OSError:
            return False
        return True
