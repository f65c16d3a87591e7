"""The office in one file: its database, its secrets, its uploaded files.

The secrets belong in it: without them the encrypted columns of the database are lost. So the file
is as secret as they are, and only its owner may read it.
"""

import os
import shutil
import sqlite3
import subprocess
import tarfile
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from django.conf import settings
from django.db import connection
from psycopg.conninfo import make_conninfo

from backoffice import environment, readiness
from backoffice.readiness import NotReady
from backoffice.set_up import remove_sqlite

BACKUPS = settings.VAR_DIR / "backups"
DUMPS = {"sqlite": "database.sqlite3", "postgresql": "database.dump"}
SECRETS = "secrets.env"
REMEMBERED = "office.env"
MEDIA = "media/"


def back_up() -> Path:
    """Write a backup, while the office runs; return its path. A broken-off one leaves no file."""
    BACKUPS.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = BACKUPS / f"office-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.tar.gz"
    with tempfile.TemporaryDirectory(dir=BACKUPS, prefix="unfinished-") as name:
        folder = Path(name)
        dump = folder / DUMPS[connection.vendor]
        {"sqlite": _dump_sqlite, "postgresql": _dump_postgresql}[connection.vendor](dump)
        names = environment.SECRET_NAMES
        _write(folder / SECRETS, {name: environment.secret(name) for name in names})
        _write(folder / REMEMBERED, environment.read_file(environment.REMEMBERED_FILE))
        unfinished = folder / path.name
        os.close(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        with tarfile.open(unfinished, "w:gz", compresslevel=6) as archive:
            for file in (dump, folder / SECRETS, folder / REMEMBERED):
                archive.add(file, file.name)
            if settings.MEDIA_ROOT.is_dir():
                archive.add(settings.MEDIA_ROOT, MEDIA.rstrip("/"))
        unfinished.rename(path)
    return path


def _write(path: Path, values: dict[str, str]) -> None:
    path.touch(mode=0o600)
    path.write_text("".join(f"{name}={value}\n" for name, value in values.items()))


def _dump_sqlite(path: Path) -> None:
    source = sqlite3.connect(connection.settings_dict["NAME"], timeout=30)
    target = sqlite3.connect(path)
    source.backup(target)
    verdict = target.execute("PRAGMA quick_check").fetchone()[0]
    target.close()
    source.close()
    if verdict != "ok":
        raise NotReady(f"The database is damaged, there is no new backup: {verdict}.")


def _dump_postgresql(path: Path) -> None:
    _run_postgresql("pg_dump", "--format=custom", f"--file={path}")


def _run_postgresql(program: str, *arguments: str) -> None:
    """Run a program of PostgreSQL on the office's database; the password stays off its line."""
    database = connection.settings_dict
    # Not the address of the open connection: that names options of the driver's own libpq.
    address = make_conninfo(
        dbname=database["NAME"],
        user=database["USER"] or None,
        host=database["HOST"] or None,
        port=database["PORT"] or None,
        **database["OPTIONS"],
    )
    password = {"PGPASSWORD": database["PASSWORD"]} if database["PASSWORD"] else {}
    done = subprocess.run(  # noqa: S603 - our own arguments
        [find_program(program), *arguments, f"--dbname={address}"],
        env=os.environ | password,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise NotReady(f"{program} failed: {done.stderr.strip().splitlines()[-1]}.")


def find_program(name: str) -> str:
    """Return the path of a program of PostgreSQL, of the newest version where there are several."""
    versions = Path("/usr/lib/postgresql").glob(f"*/bin/{name}")
    newest = max(versions, key=lambda path: int(path.parts[-3]), default=None)
    found = newest or shutil.which(name)
    if found is None:
        raise NotReady(f"{name} is not on this machine: apt install postgresql-client.")
    return str(found)


def restore(path: str, *, replace: bool = False) -> Path | None:
    """Put a backup in the place of an empty database; return what was there, backed up, or None.

    Refuses a database that holds anything, unless ``replace`` is given: then it is backed up
    first. The secrets that were here are kept beside as ``secrets.env.before-restore``.
    """
    readiness.require_free_port(settings.HOST, settings.PORT)
    readiness.require_database(connection)
    before = None
    with _opened(path) as archive:
        _require_fitting(archive, path)
        if not readiness.is_new(connection):
            if not replace:
                raise NotReady(
                    "The database is not empty: restore into an empty one, or say REPLACE=yes "
                    "(--replace), which backs up what is there and removes it."
                )
            before = back_up()
            _empty()
        _restore_secrets(archive)
        with tempfile.TemporaryDirectory(dir=settings.VAR_DIR) as folder:
            dump = Path(folder) / DUMPS[connection.vendor]
            _extract(archive, dump.name, dump)
            {"sqlite": _load_sqlite, "postgresql": _load_postgresql}[connection.vendor](dump)
        _restore_media(archive)
    return before


def _opened(path: str) -> tarfile.TarFile:
    try:
        return tarfile.open(path, "r:gz")
    except (OSError, tarfile.TarError, EOFError) as problem:
        raise NotReady(f"{path} is no backup that can be read: {problem}.") from problem


def _require_fitting(archive: tarfile.TarFile, path: str) -> None:
    try:
        names = set(archive.getnames())
    except (OSError, tarfile.TarError, EOFError) as problem:
        raise NotReady(f"{path} is damaged: {problem}.") from problem
    if SECRETS not in names or not names & set(DUMPS.values()):
        raise NotReady(f"{path} is no backup of an office.")
    if DUMPS[connection.vendor] not in names:
        raise NotReady(f"{path} was made from another kind of database than {connection.vendor}.")
    for name, value in _read(archive, SECRETS).items():
        if environment.lookup(name) not in (None, value):
            raise NotReady(f"{name} is set in the environment and differs from the backup's.")


def _read(archive: tarfile.TarFile, name: str) -> dict[str, str]:
    with _content(archive, name) as file:
        lines = file.read().decode().splitlines()
    return dict(line.split("=", 1) for line in lines)


def _restore_secrets(archive: tarfile.TarFile) -> None:
    known = environment.read_file(environment.SECRETS_FILE)
    restored = _read(archive, SECRETS)
    if known and known != restored:
        environment.SECRETS_FILE.rename(f"{environment.SECRETS_FILE}.before-restore")
    _write(environment.SECRETS_FILE, restored)
    _write(environment.REMEMBERED_FILE, _read(archive, REMEMBERED))


def _extract(archive: tarfile.TarFile, name: str | tarfile.TarInfo, path: Path) -> None:
    with path.open("wb") as file, _content(archive, name) as content:
        shutil.copyfileobj(content, file)


def _content(archive: tarfile.TarFile, name: str | tarfile.TarInfo) -> IO[bytes]:
    content = archive.extractfile(name)
    assert content is not None, f"{name} is a file"
    return content


def _empty() -> None:
    if connection.vendor == "sqlite":
        remove_sqlite()
    else:
        with connection.cursor() as cursor:
            cursor.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")


def _load_sqlite(dump: Path) -> None:
    remove_sqlite()
    dump.replace(connection.settings_dict["NAME"])


def _load_postgresql(dump: Path) -> None:
    _run_postgresql(
        "pg_restore", "--no-owner", "--no-privileges", "--single-transaction", str(dump)
    )


def _restore_media(archive: tarfile.TarFile) -> None:
    for member in archive.getmembers():
        inside = Path(member.name).relative_to(MEDIA) if member.name.startswith(MEDIA) else None
        if member.isfile() and inside and ".." not in inside.parts:
            target = settings.MEDIA_ROOT / inside
            target.parent.mkdir(parents=True, exist_ok=True)
            _extract(archive, member, target)
