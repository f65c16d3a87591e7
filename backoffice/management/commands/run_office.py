import json
import os
import signal
import sys
from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connections
from honcho.environ import parse_procfile

from backoffice import environment, readiness, set_up
from backoffice.clusters import configured, longest_wait

SOMEWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where to look for the open office


class Command(BaseCommand):
    help = "Runs the whole office: sets up what is missing, then starts the Procfile's processes."

    def add_arguments(self, parser):
        parser.add_argument("--procfile", default="Procfile", help="default: Procfile")

    def handle(self, *, procfile, **options):
        # An interrupted set-up tidies up behind it.
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
        try:
            readiness.require_free_port(settings.HOST, settings.PORT)
            set_up.set_up(tell=self.tell)
            set_up.collect_static()
            commands = self.commands(procfile)
        except readiness.NotReady as problem:
            raise CommandError(problem) from problem
        except KeyboardInterrupt:
            sys.exit(128 + signal.SIGINT)
        connections.close_all()
        plan = {
            "commands": commands,
            "patience": max(map(longest_wait, configured().values())),
            "host": SOMEWHERE.get(settings.HOST, settings.HOST),
            "port": settings.PORT,
            "greeting": f"The office is open: {settings.BASE_URL}/ (Ctrl-C closes it)",
            "needed_to_the_end": ["simulator"],
        }
        surroundings = os.environ | {
            "HOST": settings.HOST,
            "PORT": str(settings.PORT),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }
        os.chdir(settings.BASE_DIR)
        # From here on this process only watches over others: without Django in a tenth of the room.
        program = [sys.executable, "-m", "backoffice.processes", json.dumps(plan)]
        os.execve(sys.executable, program, surroundings)  # noqa: S606 - our own program

    def tell(self, line):
        self.stdout.write(line)
        self.stdout.flush()

    def commands(self, procfile):
        """Return the lines of the Procfile that this office runs, their ports being free."""
        lines = parse_procfile((settings.BASE_DIR / procfile).read_text()).processes
        if environment.flag("SIMULATOR", False):  # the set-up may have remembered it just now
            readiness.require_free_port("127.0.0.1", settings.SIMULATOR_PORT, "SIMULATOR_PORT")
        else:
            del lines["simulator"]
        return dict(lines)
