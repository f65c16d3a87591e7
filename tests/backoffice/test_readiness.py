import socket
import sqlite3

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from backoffice import readiness
from backoffice.readiness import NotReady

pytestmark = pytest.mark.django_db


@pytest.fixture
def listener():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


def test_a_port_that_is_taken_is_told_with_the_way_out(listener):
    with pytest.raises(NotReady, match=f"Port {listener} on 127.0.0.1 is taken: .* PORT="):
        readiness.require_free_port("127.0.0.1", listener)


def test_a_port_that_somebody_just_left_is_free(listener):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    readiness.require_free_port("127.0.0.1", port)


def test_an_address_of_another_machine_is_refused():
    with pytest.raises(NotReady, match=r"can't listen on 192.0.2.1"):
        readiness.require_free_port("192.0.2.1", 8000)


def test_a_whole_database_passes():
    readiness.require_whole(connection)
    assert readiness.is_new(connection) is False
    assert readiness.unapplied(connection) == []


@pytest.fixture
def recorder():
    return MigrationRecorder(connection)


def test_a_table_that_its_migration_left_missing_makes_it_half_migrated():
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE backoffice_taskrun RENAME TO elsewhere")
    with pytest.raises(NotReady, match=r"half-migrated: .*missing: backoffice_taskrun"):
        readiness.require_whole(connection)


def test_a_table_without_the_record_of_its_migration_makes_it_half_migrated(recorder):
    recorder.record_unapplied("sessions", "0001_initial")
    with pytest.raises(NotReady, match=r"half-migrated: .*there too early: django_session"):
        readiness.require_whole(connection)


def test_a_migration_without_the_one_before_it_makes_it_half_migrated(recorder):
    recorder.record_unapplied("auth", "0001_initial")
    with pytest.raises(NotReady, match=r"half-migrated: .*auth.0001_initial"):
        readiness.require_whole(connection)


def test_a_migration_still_to_come_is_no_fault(recorder):
    recorder.record_unapplied("auth", "0012_alter_user_first_name_max_length")
    readiness.require_whole(connection)
    assert readiness.unapplied(connection) == ["auth.0012_alter_user_first_name_max_length"]


def test_a_database_of_a_newer_office_is_named_as_such(recorder):
    recorder.record_applied("inventory", "9999_next_year")
    with pytest.raises(NotReady, match=r"newer version.*inventory.9999_next_year"):
        readiness.require_whole(connection)


def test_migrations_of_a_package_that_is_gone_are_no_fault(recorder):
    recorder.record_applied("a_package_of_old", "0001_initial")
    readiness.require_whole(connection)


def test_a_database_without_an_administrator_was_never_finished(django_user_model):
    with pytest.raises(NotReady, match="was broken off"):
        readiness.require_finished_set_up(connection)
    django_user_model.objects.create_superuser("admin")
    readiness.require_finished_set_up(connection)


class Sqlite:
    """As much of a connection as is needed to look at a file."""

    vendor = "sqlite"

    def __init__(self, path):
        self.settings_dict = {"NAME": path}

    def ensure_connection(self):
        raise AssertionError("the file is looked at first")


def test_a_locked_sqlite_file_is_told_after_a_short_wait(tmp_path, monkeypatch):
    monkeypatch.setattr(readiness, "LOCK_WAIT_SECONDS", 0.1)
    writer = sqlite3.connect(tmp_path / "office.sqlite3", isolation_level=None)
    writer.execute("BEGIN EXCLUSIVE")
    with pytest.raises(NotReady, match=r"office.sqlite3 is locked"):
        readiness.require_database(Sqlite(tmp_path / "office.sqlite3"))
    writer.close()


def test_a_database_that_keeps_no_write_ahead_log_is_told():
    with pytest.raises(NotReady, match="write-ahead log"):
        readiness.require_database(Sqlite(":memory:"))


def test_a_file_that_is_no_database_is_told(tmp_path):
    (tmp_path / "office.sqlite3").write_text("Dear diary, this is no database at all. " * 50)
    with pytest.raises(NotReady, match="can't be used: file is not a database"):
        readiness.require_database(Sqlite(tmp_path / "office.sqlite3"))


def test_a_database_in_a_folder_that_is_missing_is_told(tmp_path):
    with pytest.raises(NotReady, match="can't be used: unable to open database file"):
        readiness.require_database(Sqlite(tmp_path / "missing" / "office.sqlite3"))


def test_of_errors_after_each_other_the_first_is_told():
    first = OSError("the table is there already")
    later = RuntimeError("no queries until the end of the block")
    later.__context__ = first

    assert readiness.first_cause(later) is first
    assert readiness.first_cause(first) is first
