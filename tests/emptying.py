"""Empties the database behind a test with real transactions, but for the rows of the migrations.

In place of Django's own flush, which truncates every table and makes all permissions anew: on
PostgreSQL that took longer than most tests.
"""

from django.db import connection, transaction
from django.test import TransactionTestCase

from backoffice import append_only

fresh = {}  # {table: its rows after the migrations}


def install(patch):
    """Have every test with real transactions begin with a fresh database, and leave one."""

    def remember(case):
        if not fresh:
            fresh.update({table: _rows(table) for table in _tables()})

    patch.setattr(TransactionTestCase, "_fixture_setup", classmethod(remember))
    patch.setattr(TransactionTestCase, "_fixture_teardown", lambda case: refresh())


def refresh():
    """Give every table the rows that it had after the migrations."""
    with transaction.atomic():
        filled = set(_not_empty())
        changed = [
            table
            for table, rows in fresh.items()
            if (table in filled) != bool(rows) or (rows and set(_rows(table)) != set(rows))
        ]
        for table in append_only.tables():
            append_only.unprotect(table)
        with connection.cursor() as cursor:
            for table in changed:
                cursor.execute(f"DELETE FROM {_quoted(table)}")
            for table in changed:
                if fresh[table]:
                    marks = ", ".join(["%s"] * len(fresh[table][0]))
                    insert = f"INSERT INTO {_quoted(table)} VALUES ({marks})"
                    cursor.executemany(insert, fresh[table])
        for table in append_only.tables():
            append_only.protect(table)


def _tables():
    return connection.introspection.django_table_names(only_existing=True, include_views=False)


def _not_empty():
    parts = [f"SELECT '{name}' WHERE EXISTS (SELECT 1 FROM {_quoted(name)})" for name in fresh]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts))
        return [table for (table,) in cursor.fetchall()]


def _rows(table):
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {_quoted(table)}")
        return cursor.fetchall()


def _quoted(table):
    return connection.ops.quote_name(table)
