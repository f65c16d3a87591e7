"""Runs pieces of Python in processes of their own, on the database of the test."""

import os
import subprocess
import sys
import textwrap

from django.conf import settings
from django.db import connection

PRELUDE = """
import sys, time, uuid
import django
django.setup()
from django.contrib.auth import get_user_model
from django.db import connection
from reservations import holds, sales
from reservations.models import Event, Seat
from reservations.refusals import Refused
from tests.reservations import stopping
person = get_user_model().objects.get
event = Event.objects.get
def ready():
    connection.close()
    print("ready", flush=True)
    sys.stdin.readline()
"""


def environment():
    """Return what a process of the office needs to work on the database of the test."""
    values = connection.settings_dict
    address = "postgres://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format(**values)
    if connection.vendor == "sqlite":
        address = f"sqlite:///{values['NAME']}"
    return os.environ | {
        "DATABASE_URL": address,
        "DJANGO_SETTINGS_MODULE": "backoffice.settings",
    }


def start(script, *arguments):
    """Start a program; it has the office's modules at hand, and what it prints is piped."""
    return subprocess.Popen(
        [sys.executable, "-c", PRELUDE + textwrap.dedent(script), *map(str, arguments)],
        cwd=settings.BASE_DIR,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(program):
    """Return what a program prints to its end, which is a good one."""
    said, problems = program.communicate(timeout=60)
    assert program.returncode == 0, problems
    return said


def run(script, *arguments):
    return finish(start(script, *arguments))


def run_together(script, count):
    """Run a program that says ``ready()`` several times at the same moment; return all outputs."""
    started = [start(script, number) for number in range(count)]
    for program in started:
        assert program.stdout.readline() == "ready\n", program.communicate()
    for program in started:
        program.stdin.write("go\n")
        program.stdin.flush()
    return [finish(program) for program in started]
