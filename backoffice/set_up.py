"""From a database to an office: tables, roles, schedules, the first administrator, the demo.

``set_up`` may be run at every start; a second run changes nothing. What belongs to the first run
alone is done for a database without any table, and its last step is the administrator: a database
without one was broken off halfway and never counts as an office.
"""

import contextlib
import fcntl
import hashlib
import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.db import DatabaseError, connection

from backoffice import environment, readiness
from backoffice.readiness import NotReady
from backoffice.roles import ensure_roles
from backoffice.schedules import ensure_schedules

DEMO_LOADERS = ("load_inventory_demo", "load_reservations_demo", "load_orders_demo")
# Role: (user name, first name, last name)
DEMO_STAFF = {
    "انباردار": ("storekeeper", "مریم", "احمدی"),
    "مدیر انبار": ("warehouse_manager", "رضا", "کریمی"),
    "گیشه": ("box_office", "زهرا", "محمدی"),
    "میز سفارش": ("order_desk", "علی", "رضایی"),
    "سرپرست": ("supervisor", "فاطمه", "حسینی"),
    "حسابرس": ("auditor", "حسین", "موسوی"),
}
DEMO_PASSWORDS = settings.VAR_DIR / "demo-passwords.txt"
ADMINISTRATOR = "admin"


def set_up(*, tell: Callable[[str], object] = print) -> None:
    """Make the database an office, or bring it up to date; raise ``NotReady`` where it can't be.

    ``tell`` is called with each line for whoever waits.
    """
    with _alone():
        readiness.require_database(connection)
        if readiness.is_new(connection):
            _first_time(tell)
            return
        readiness.require_finished_set_up(connection)
        readiness.require_whole(connection)
        waiting = readiness.unapplied(connection)
        if waiting:
            tell(f"Bringing the database up to date: {', '.join(waiting)}")
        _build()
        readiness.require_sound_rows()


def _build() -> None:
    try:
        call_command("migrate", verbosity=0, interactive=False)
    except DatabaseError as problem:
        first = readiness.first_cause(problem)
        raise NotReady(f"A migration failed, the last backup may be needed: {first}") from problem
    ensure_roles()
    ensure_schedules()


def _first_time(tell: Callable[[str], object]) -> None:
    tell("Setting up a new office; this happens once.")
    demo = connection.vendor == "sqlite" if settings.DEMO is None else settings.DEMO
    try:
        _build()
        if demo:
            load_demo(tell)
        environment.remember("SIMULATOR", "yes" if demo else "no")
        if demo:  # the demo's orders are at this address
            environment.remember("SIMULATOR_PORT", str(settings.SIMULATOR_PORT))
        password = secrets.token_urlsafe(12)
        get_user_model().objects.create_superuser(ADMINISTRATOR, password=password)
    except BaseException:
        if connection.vendor == "sqlite":
            remove_sqlite()  # so that the next start is a first one again
        raise
    tell(f"Administrator: {ADMINISTRATOR}   password: {password}")
    tell(f"It is shown this once; `manage.py changepassword {ADMINISTRATOR}` sets another.")


def remove_sqlite() -> None:
    """Remove the SQLite database, with the files beside it that would spoil a next one."""
    connection.close()
    for suffix in ("", "-wal", "-shm"):
        Path(f"{connection.settings_dict['NAME']}{suffix}").unlink(missing_ok=True)


def load_demo(tell: Callable[[str], object]) -> None:
    """Fill a new office with the demo: an account for each role, then each app's own data."""
    make_demo_staff()
    tell(f"Accounts of the demo office and their passwords: {DEMO_PASSWORDS}")
    for name in DEMO_LOADERS:
        # A process of its own, as the settings for the provider simulator differ from ours.
        done = subprocess.run(  # noqa: S603 - our own command
            [sys.executable, str(settings.BASE_DIR / "manage.py"), name],
            env=os.environ | {"SIMULATOR": "yes"},
        )
        if done.returncode:
            raise NotReady(f"The demo office could not be loaded: {name} failed.")


def make_demo_staff() -> None:
    """Make one member of staff for each role; their passwords go into a file and nowhere else."""
    lines = []
    for role, (username, first_name, last_name) in DEMO_STAFF.items():
        password = secrets.token_urlsafe(9)
        user = get_user_model().objects.create_user(
            username,
            password=password,
            first_name=first_name,
            last_name=last_name,
            is_staff=True,
        )
        user.groups.add(Group.objects.get(name=role))
        lines.append(f"{username}\t{password}\t{role}\n")
    descriptor = os.open(DEMO_PASSWORDS, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.writelines(lines)


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Keep a second start on this machine out until the set-up is done."""
    with (settings.VAR_DIR / "set-up.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as problem:
            raise NotReady("The office is being set up already, by another start.") from problem
        yield


def collect_static() -> bool:
    """Collect and compress the static files, unless none changed; return whether it was done."""
    digest = hashlib.sha256()
    for finder in get_finders():
        for path, storage in finder.list([]):
            status = os.stat(storage.path(path))
            digest.update(f"{path} {status.st_size} {status.st_mtime_ns}\n".encode())
    mark = settings.VAR_DIR / "static.digest"
    with contextlib.suppress(FileNotFoundError):
        if mark.read_text() == digest.hexdigest() and settings.STATIC_ROOT.exists():
            return False
    call_command("collectstatic", verbosity=0, interactive=False, clear=True)
    mark.write_text(digest.hexdigest())
    return True
