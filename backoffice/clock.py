"""The one clock that decides claims: the database's."""

from django.db.models.functions import Now


def database_now() -> Now:
    """Return the SQL expression that means now.

    The start of the statement on PostgreSQL, not of the transaction, in which a claim may have
    run out; on SQLite the instant at which the statement runs. Tests replace this function.
    """
    return Now()
