"""Tables that nobody may change: rows come in, and no UPDATE or DELETE gets past the database.

The model says ``is_append_only``, a migration calls ``protect``; ``opened`` is the one way past,
for a pruning that records itself. SQLite drops the triggers without a word when a later migration
rebuilds the table, so such a migration has to call ``protect`` again; ``is_protected`` is what the
check after it asks.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.apps import apps
from django.db import connection, transaction

POSTGRESQL_FUNCTION = """
CREATE OR REPLACE FUNCTION backoffice_append_only() RETURNS trigger AS $$
BEGIN
    IF current_setting('backoffice.opened', true) = TG_TABLE_NAME THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END $$ LANGUAGE plpgsql
"""


def tables() -> list[str]:
    """Return the tables that have to be protected."""
    return [
        model._meta.db_table
        for model in apps.get_models()
        if getattr(model, "is_append_only", False)
    ]


def protect(table: str) -> None:
    """Create the triggers of a table where they are missing."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(POSTGRESQL_FUNCTION)
            cursor.execute(f'DROP TRIGGER IF EXISTS {table}_append_only ON "{table}"')
            cursor.execute(
                f'CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON "{table}" '
                "FOR EACH ROW EXECUTE FUNCTION backoffice_append_only()"
            )
            return
        for event in ("update", "delete"):
            cursor.execute(
                f"CREATE TRIGGER IF NOT EXISTS {table}_no_{event} BEFORE {event.upper()} "
                f"ON \"{table}\" BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )


def unprotect(table: str) -> None:
    """Drop the triggers of a table, for a migration's way back and for tests that empty tables."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(f'DROP TRIGGER IF EXISTS {table}_append_only ON "{table}"')
            return
        for event in ("update", "delete"):
            cursor.execute(f"DROP TRIGGER IF EXISTS {table}_no_{event}")


@contextmanager
def opened(table: str) -> Iterator[None]:
    """Let the transaction inside change a protected table; nobody else's."""
    with transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SELECT set_config('backoffice.opened', %s, true)", [table])
                yield
                cursor.execute("SELECT set_config('backoffice.opened', '', true)")
        else:  # one writer, so nobody sees the table without its triggers
            unprotect(table)
            yield
            protect(table)


def is_protected(table: str) -> bool:
    """Return whether the triggers of a table are there."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT count(*) FROM pg_trigger WHERE tgname = %s", [f"{table}_append_only"]
            )
            return bool(cursor.fetchone()[0] == 1)
        names = (f"{table}_no_update", f"{table}_no_delete")
        cursor.execute(
            "SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND name IN (%s, %s)", names
        )
        return bool(cursor.fetchone()[0] == 2)
