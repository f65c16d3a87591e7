"""Why the office can't start: each function returns nothing, or raises a sentence for people."""

import contextlib
import errno
import socket
import sqlite3
from pathlib import Path

from django.contrib.auth import get_user_model
from django.core import checks
from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.exceptions import InconsistentMigrationHistory
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations import CreateModel

LOCK_WAIT_SECONDS = 5


class NotReady(Exception):
    """The office can't start; the message is one sentence that says what to do."""


def require_free_port(host: str, port: int, name: str = "PORT") -> None:
    """Refuse an address on which somebody else listens, or which is none of this machine."""
    try:
        family, kind, *_rest, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as problem:
        if problem.errno == errno.EADDRINUSE:
            raise NotReady(
                f"Port {port} on {host} is taken: end what listens there, "
                f"or choose another with {name}={port + 1}."
            ) from problem
        reason = problem.strerror or problem
        raise NotReady(f"The office can't listen on {host}, port {port}: {reason}.") from problem


def require_database(connection: BaseDatabaseWrapper) -> None:
    """Refuse a database that can't be reached, is locked, or is not one."""
    if connection.vendor == "sqlite":
        _require_sqlite(connection.settings_dict["NAME"])
    try:
        connection.ensure_connection()
    except DatabaseError as problem:
        reason = str(problem).strip().splitlines()[0]
        raise NotReady(f"The database can't be reached: {reason}.") from problem


def _require_sqlite(path: Path | str) -> None:
    # Not over Django's connection: that waits six times as long, for its own PRAGMAs too.
    try:
        probe = sqlite3.connect(path, timeout=LOCK_WAIT_SECONDS, isolation_level=None)
        probe.execute("BEGIN IMMEDIATE")
        probe.execute("ROLLBACK")
        mode = probe.execute("PRAGMA journal_mode=WAL").fetchone()[0]
        probe.close()
    except sqlite3.Error as problem:
        if "locked" in str(problem):
            raise NotReady(
                f"The database {path} is locked: end the program that is writing to it."
            ) from problem
        raise NotReady(f"The database {path} can't be used: {problem}.") from problem
    if mode != "wal":
        raise NotReady(f"The place of {path} can't keep a write-ahead log: choose a local disk.")


def is_new(connection: BaseDatabaseWrapper) -> bool:
    """Return whether a database has no table at all."""
    return not connection.introspection.table_names()


def require_whole(connection: BaseDatabaseWrapper) -> None:
    """Refuse a database that is half-migrated, or was migrated by a newer office."""
    loader = MigrationLoader(connection)
    applied = set(loader.applied_migrations)
    try:
        loader.check_consistent_history(connection)
    except InconsistentMigrationHistory as problem:
        raise NotReady(f"The database is half-migrated: {_RESTORE} ({problem})") from problem
    known = set(loader.disk_migrations)
    known |= {old for migration in loader.disk_migrations.values() for old in migration.replaces}
    unknown = sorted(
        f"{app}.{name}" for app, name in applied - known if app in loader.migrated_apps
    )
    if unknown:
        raise NotReady(
            "The database was made by a newer version of the office, install that one: "
            f"this one does not know {', '.join(unknown)}."
        )
    faults = _tables_out_of_step(connection, loader, applied)
    if faults:
        raise NotReady(f"The database is half-migrated: {_RESTORE} ({faults})")


_RESTORE = "restore a backup, or remove it when nothing in it is needed"


def _tables_out_of_step(
    connection: BaseDatabaseWrapper, loader: MigrationLoader, applied: set[tuple[str, str]]
) -> str:
    """Return in words which tables contradict the record of migrations, '' when none does."""
    present = set(connection.introspection.table_names())
    leaves = [node for node in loader.graph.nodes if node in applied]
    state = loader.project_state(leaves)
    expected = {
        model.options.get("db_table") or f"{app}_{name}"
        for (app, name), model in state.models.items()
        if not model.options.get("proxy") and model.options.get("managed", True)
    }
    early = {
        operation.options.get("db_table") or f"{app}_{operation.name.lower()}"
        for (app, _name), migration in loader.disk_migrations.items()
        if (app, _name) not in applied
        for operation in migration.operations
        if isinstance(operation, CreateModel)
        and not operation.options.get("proxy")
        and operation.options.get("managed", True)
    } - expected
    faults = {"missing": expected - present, "there too early": early & present}
    words = [f"{what}: {', '.join(sorted(names))}" for what, names in faults.items() if names]
    return "; ".join(words)


def unapplied(connection: BaseDatabaseWrapper) -> list[str]:
    """Return the migrations that the database still needs, as ``app.name``."""
    loader = MigrationLoader(connection)
    return sorted(
        f"{app}.{name}"
        for app, name in loader.graph.nodes
        if (app, name) not in loader.applied_migrations
    )


def require_finished_set_up(connection: BaseDatabaseWrapper) -> None:
    """Refuse a database whose first set-up was broken off: that ends with an administrator."""
    users = get_user_model()
    if users._meta.db_table in connection.introspection.table_names():
        with contextlib.suppress(DatabaseError):  # a table of accounts without its last columns
            if users.objects.filter(is_superuser=True).exists():
                return
    raise NotReady(
        "The first set-up of this database was broken off: remove the database, "
        "or keep it as it is with `manage.py migrate` and `manage.py createsuperuser`."
    )


def require_sound_rows() -> None:
    """Refuse a database whose rows an app can't work with, as its own checks tell."""
    for fault in checks.run_checks(tags=[checks.Tags.database], databases=["default"]):
        if fault.is_serious():
            raise NotReady(" ".join(filter(None, (fault.msg, fault.hint))))


def first_cause(problem: BaseException) -> BaseException:
    """Return the error that came first: those after it only tell that there was one."""
    while problem.__context__ is not None:
        problem = problem.__context__
    return problem
