"""A table of a million documents, a thousand of them locked, in seconds.

The rows come from one INSERT ... SELECT, without foreign keys and with only those indexes that the
models declare; the rest is put back when the table is empty again.
"""

import math
from contextlib import contextmanager
from datetime import timedelta

from django.db import connection

from backoffice.clock import database_now
from backoffice.editable import UNLOCKED
from inventory.document_types import TYPES
from inventory.models import WarehouseDocument
from tests.inventory.factories import make_document

TABLE = WarehouseDocument._meta.db_table
LOCKED, STALE = 1_000, 500
# Of a stocktaking there is one document of a kind, so these two types have no crowd.
CROWDED = [model for model in TYPES if "stocktaking" not in model.TYPE]
DECLARED = [index.name for index in WarehouseDocument._meta.indexes]


def execute(statement, *parameters):
    """Run a statement; return its rows, or how many it changed."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else cursor.rowcount


@contextmanager
def light_table():
    """Let rows into the table of documents without what slows a million of them down."""
    back = _lighten()
    try:
        yield
    finally:
        if connection.vendor == "sqlite":
            execute(f"DELETE FROM {TABLE}")
            execute("PRAGMA foreign_keys = ON")
            execute("PRAGMA ignore_check_constraints = OFF")
        else:
            execute(f"TRUNCATE {TABLE} CASCADE")
            execute(f"ALTER TABLE {TABLE} RESET (autovacuum_enabled)")
        for statement in back:
            execute(statement)


def _lighten():
    """Drop indexes and foreign keys; return the statements that make them again."""
    if connection.vendor == "sqlite":
        execute("PRAGMA foreign_keys = OFF")
        execute("PRAGMA ignore_check_constraints = ON")
        indexes = execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = %s "
            "AND sql IS NOT NULL",
            TABLE,
        )
        keys = []
    else:
        # The planner is to do without figures, as in the first minute of a new table.
        execute(f"ALTER TABLE {TABLE} SET (autovacuum_enabled = off)")
        indexes = execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = %s AND indexname NOT IN "
            "(SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass)",
            TABLE,
            TABLE,
        )
        keys = execute(
            "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint "
            "WHERE conrelid = %s::regclass AND contype = 'f'",
            TABLE,
        )
    dropped = [(name, sql) for name, sql in indexes if name not in DECLARED]
    for name, _definition in keys:
        execute(f'ALTER TABLE {TABLE} DROP CONSTRAINT "{name}"')
    for name, _definition in dropped:
        execute(f'DROP INDEX "{name}"')
    return [
        *(f'ALTER TABLE {TABLE} ADD CONSTRAINT "{name}" {sql}' for name, sql in keys),
        *(sql for _name, sql in dropped),
    ]


def fill(count):
    """Add about that many free documents, of all types that come in crowds; return how many."""
    patterns = [make_document(model, lines=0).pk for model in CROWDED]
    columns = [
        field.column for field in WarehouseDocument._meta.concrete_fields if not field.primary_key
    ]
    values = {column: f"pattern.{column}" for column in columns}
    values["draft_number"] = "'M' || n.i || '-' || pattern.id"
    return execute(
        f"INSERT INTO {TABLE} ({', '.join(columns)}) "
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %s) "
        f"SELECT {', '.join(values.values())} FROM n CROSS JOIN {TABLE} AS pattern "
        f"WHERE pattern.id IN ({', '.join(map(str, patterns))})",
        count // len(CROWDED),
    )


def lock_some(holder, *, locked=LOCKED, stale=STALE):
    """Lock documents all over the table, half of them long ago; free all others."""
    first, last = execute(f"SELECT min(id), max(id) FROM {TABLE}")[0]
    step = (last - first) // locked
    while math.gcd(step, len(CROWDED)) > 1:  # else some types are never met: they take turns
        step -= 1
    pks = list(range(first, last, step))[:locked]
    table = WarehouseDocument.objects
    table.claimed().update(**UNLOCKED)
    for chosen, age in ((pks[:stale], timedelta(hours=1)), (pks[stale:], timedelta(0))):
        then = database_now() - age
        table.filter(pk__in=chosen).update(
            editing_by=holder,
            editing_session_key="x",
            editing_started_at=then,
            editing_last_seen_at=then,
            editing_last_input_at=then,
            editing_extended_at=then,
        )


@contextmanager
def without_indexes():
    """Do without the indexes that the models declare."""
    schema = (
        "SELECT sql FROM sqlite_master WHERE name = %s"
        if connection.vendor == "sqlite"
        else "SELECT indexdef FROM pg_indexes WHERE indexname = %s"
    )
    definitions = [execute(schema, name)[0][0] for name in DECLARED]
    for name in DECLARED:
        execute(f"DROP INDEX {name}")
    try:
        yield
    finally:
        for definition in definitions:
            execute(definition)
