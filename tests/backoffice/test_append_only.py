"""The log against UPDATE and DELETE, through the ORM and in bare SQL, on either database."""

import pytest
from django.db import Error, connection, models, transaction

from backoffice import append_only, checks
from backoffice.audit import LockEvent
from tests.backoffice.factories import make_event

TABLE = "backoffice_lockevent"


@pytest.fixture
def event(db):
    return make_event("A13")


WAYS = {
    "save": lambda event: event.save(),
    "update": lambda event: LockEvent.objects.update(reason="another"),
    "delete one": lambda event: event.delete(),
    "delete all": lambda event: LockEvent.objects.all().delete(),
    "UPDATE": lambda event: run(f"UPDATE {TABLE} SET reason = 'another'"),
    "DELETE": lambda event: run(f"DELETE FROM {TABLE}"),
}


def run(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)


@pytest.mark.parametrize("way", WAYS)
def test_an_event_can_be_neither_changed_nor_deleted(event, way):
    event.reason = "another"

    with pytest.raises(Error, match="append-only"), transaction.atomic():
        WAYS[way](event)

    assert list(LockEvent.objects.values_list("target_name", "reason")) == [("A13", "")]


@pytest.mark.parametrize("way", WAYS)
def test_without_its_triggers_the_table_would_take_all_of_it(event, way):
    event.reason = "another"
    append_only.unprotect(TABLE)

    WAYS[way](event)

    assert not LockEvent.objects.filter(reason="").exists()


def test_a_protected_table_says_so(db):
    assert append_only.is_protected(TABLE)

    append_only.unprotect(TABLE)

    assert not append_only.is_protected(TABLE)


def test_a_check_of_the_database_misses_the_triggers(db):
    before = checks.check_append_only(databases=["default"])

    append_only.unprotect(TABLE)

    assert before == []
    assert [fault.id for fault in checks.check_append_only(databases=["default"])] == [
        "backoffice.W002"
    ]
    assert checks.check_append_only() == []


def test_protecting_twice_is_protecting_once(event):
    append_only.protect(TABLE)

    assert append_only.is_protected(TABLE)
    with pytest.raises(Error, match="append-only"), transaction.atomic():
        event.delete()


def test_an_opened_table_is_closed_afterwards(event):
    with append_only.opened(TABLE):
        LockEvent.objects.all().delete()
    make_event("A14")

    with pytest.raises(Error, match="append-only"), transaction.atomic():
        LockEvent.objects.all().delete()
    assert LockEvent.objects.get().target_name == "A14"


def test_an_opening_that_fails_leaves_the_table_closed_and_whole(event):
    with pytest.raises(ZeroDivisionError), append_only.opened(TABLE):
        LockEvent.objects.all().delete()
        raise ZeroDivisionError

    assert append_only.is_protected(TABLE)
    assert LockEvent.objects.get() == event


def test_a_migration_that_rebuilds_the_table_on_sqlite_has_to_protect_it_again(transactional_db):
    if connection.vendor != "sqlite":
        pytest.skip("only SQLite rebuilds a table, and drops its triggers with it")
    reason = models.CharField("reason", max_length=301, blank=True)
    reason.set_attributes_from_name("reason")

    with connection.schema_editor() as editor:
        editor.alter_field(LockEvent, LockEvent._meta.get_field("reason"), reason)
    lost = not append_only.is_protected(TABLE)
    append_only.protect(TABLE)

    assert lost
    assert append_only.is_protected(TABLE)
