"""A backup opens the office with its keys beside it; its database alone tells no secret."""

import sqlite3
import subprocess
import tarfile
from contextlib import closing

import pytest

from orders.simulator import Znet
from tests.orders import hunt


def opened(path):
    """Return what is in a backup; a dump of PostgreSQL is compressed, and told in full."""
    with tarfile.open(path) as archive:
        files = {name: archive.extractfile(name).read() for name in archive.getnames()}
    if "database.dump" in files:
        command = ["pg_restore", "--file=-"]
        told = subprocess.run(command, input=files["database.dump"], capture_output=True)
        files["database.dump"] = told.stdout
    return files


@pytest.mark.processes
def test_a_backup_of_the_office_holds_no_secret_in_the_open(make_office, demo_office):
    office = make_office(copy_of=demo_office)
    with closing(sqlite3.connect(office.folder / "simulator.sqlite3")) as simulator:
        pins = simulator.execute("SELECT pin FROM purchases WHERE pin LIKE '%-%'").fetchall()
    secrets = Znet.credentials | {f"pin {number}": pin for number, (pin,) in enumerate(pins)}
    assert len(pins) > 5
    assert office.manage("backup_office").returncode == 0
    [path] = (office.folder / "backups").iterdir()
    files = opened(path)
    database = next(text for name, text in files.items() if name.startswith("database"))
    assert b"orders_productorder" in database
    assert b"fernet$" in database
    del secrets["kod"]  # "demo" is a word of the office
    assert hunt.found_in(database, secrets) == set()
