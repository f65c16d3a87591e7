"""Due orders claimed in batches: fairly over providers and tenants, the oldest first.

This is SQL of its own around the conditions of the querysets, as compiling all of it as querysets
takes several times as long as the database needs for it.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeAlias

from django.db import connection, transaction
from django.db.models.sql import UpdateQuery

from backoffice.audit import LockEvent
from backoffice.clock import database_now
from orders.claims import Claimed, Orders, new_claim, record_run_out
from orders.models import ProductOrder

Chosen: TypeAlias = dict[int | None, Orders]  # the rows of each integration that may be taken

MOST_SHARES = 200  # of one statement; SQLite takes 500 terms
CLAIM_AS_IT_WAS = ("claimed_until", "claimed_at", "claimed_by")
COLUMNS = ("id", *Claimed._fields[1:])

OF_TENANT = '"integration_id", "tenant_id", "next_check_at"'  # as the index order_due_of_tenant


class Share(NamedTuple):
    """Up to ``limit`` of the rows that a condition in SQL describes, in an order in SQL."""

    condition: str
    parameters: tuple[Any, ...]
    limit: int
    order: str


def claim_due(rows: Orders, limit: int) -> list[Claimed]:
    """Claim up to ``limit`` orders of a queryset that are due and free, oldest first.

    Returns them as they are now; none of them can be claimed by another until the claim ends.
    """
    return _claim([Share(*_condition(rows.due().free()), limit, '"next_check_at"')])


def claim_fairly(
    integrations: Iterable[int], allowed: Callable[[int], int], *, last_looks: Iterable[int] = ()
) -> list[Claimed]:
    """Claim orders to be asked about: of each integration what is allowed, shared by its tenants.

    ``allowed`` tells for an integration with due orders how many of them may be asked about now.
    Of each tenant the oldest come first; what one leaves of its share the others get in the next
    round. Of an integration in ``last_looks`` only what is past its deadline is claimed.
    """
    rows = ProductOrder.objects.asked().due().free()
    chosen: Chosen = {pk: rows.past_deadline() if pk in last_looks else rows for pk in integrations}
    return _claim(_shares(chosen, allowed))


def waiting_to_be_sent(
    limit: int, *, but: Iterable[int] = (), full: Iterable[int] = ()
) -> list[int]:
    """Return the keys of pending orders that are due, shared by their tenants, oldest first.

    Of the packages in ``full`` only what was sent before, as that may go elsewhere.
    """
    rows = ProductOrder.objects.pending().due().free().exclude(pk__in=but)
    if full:
        rows = rows.exclude(package__in=full, dispatches=0)
    chosen: Chosen = {None: rows}
    return [pk for pk, _run_out in _oldest(_shares(chosen, lambda _integration: limit))]


def _condition(rows: Orders) -> tuple[str, tuple[Any, ...]]:
    """Return what a queryset's filters say, as SQL and its parameters."""
    sql, parameters = rows.query.get_compiler(connection=connection).compile(rows.query.where)
    return sql, tuple(parameters)


def _of(integration_id: int | None, tenant: str, now: str) -> str:
    """Return the condition for an integration's rows of a tenant.

    On PostgreSQL its columns are compared together: only the index that begins with them then
    gives the rows in order. By the index of all due rows it would read past those of the others,
    however many these are, as it takes tenants to be spread evenly.
    """
    if integration_id is None:
        return f'"integration_id" IS NULL AND "tenant_id" = {tenant}'
    if connection.vendor != "postgresql":
        return f'"integration_id" = {int(integration_id)} AND "tenant_id" = {tenant}'
    return (
        f'("integration_id", "tenant_id") >= ({int(integration_id)}, {tenant}) '
        f"AND ({OF_TENANT}) <= ({int(integration_id)}, {tenant}, {now})"
    )


def _shares(rows: Chosen, allowed: Callable[[Any], int]) -> list[Share]:
    """Return the rows of each integration and tenant, with how many of them come now."""
    if not rows:
        return []
    compiler = ProductOrder.objects.all().query.get_compiler(connection=connection)
    now = compiler.compile(database_now())[0]
    conditions = {pk: _condition(chosen) for pk, chosen in rows.items()}
    oldest = ", ".join(
        f'(SELECT "next_check_at" FROM "orders_productorder" WHERE {sql} '  # noqa: S608 - ours
        f"""AND {_of(pk, '"orders_tenant"."id"', now)} ORDER BY {OF_TENANT} LIMIT 1)"""
        for pk, (sql, _parameters) in conditions.items()
    )
    with connection.cursor() as cursor:
        cursor.execute(
            f'SELECT "id", {oldest} FROM "orders_tenant"',  # noqa: S608 - ours
            [value for _sql, parameters in conditions.values() for value in parameters],
        )
        tenants = cursor.fetchall()
    shares: list[Share] = []
    most = max(1, MOST_SHARES // len(rows))
    for number, (integration_id, (sql, parameters)) in enumerate(conditions.items(), 1):
        waiting = sorted((row[number], row[0]) for row in tenants if row[number])
        del waiting[most:]  # the others come next
        room = allowed(integration_id) if waiting else 0
        for place, (_since, tenant) in enumerate(waiting):
            limit = room // len(waiting) + (place < room % len(waiting))
            if limit:
                mine = f"{sql} AND {_of(integration_id, str(tenant), now)}"
                shares.append(Share(mine, parameters, limit, OF_TENANT))
    return shares


def _oldest(shares: list[Share], *, lock: bool = False) -> list[tuple[int, bool]]:
    """Return the keys of all shares, oldest first, each with whether its last claim ran out.

    With ``lock``, rows that another is just claiming are passed over where the database can do
    that; not within the UPDATE itself, as PostgreSQL may run such a subquery more than once.
    Each part is wrapped, as SQLite takes no limit in a bare part of a UNION.
    """
    if not shares:
        return []
    skip = lock and connection.features.has_select_for_update_skip_locked
    parts = [
        'SELECT * FROM (SELECT "next_check_at", "id", "claimed_until" IS NOT NULL '  # noqa: S608
        f'FROM "orders_productorder" WHERE {share.condition} ORDER BY {share.order} '
        f"LIMIT {int(share.limit)} {'FOR UPDATE SKIP LOCKED' if skip else ''}) AS part_{number}"
        for number, share in enumerate(shares)
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            " UNION ALL ".join(parts), [value for share in shares for value in share.parameters]
        )
        return [(pk, bool(run_out)) for _since, pk, run_out in sorted(cursor.fetchall())]


def _claim(shares: list[Share]) -> list[Claimed]:
    """Claim the rows of shares in one conditional UPDATE; return those it took, oldest first."""
    if not shares:
        return []
    with transaction.atomic():
        found = _oldest(shares, lock=True)
        if not found:
            return []
        run_out = [pk for pk, has_run_out in found if has_run_out]
        before = ProductOrder.objects.filter(pk__in=run_out).only(*CLAIM_AS_IT_WAS)
        ended = list(before) if run_out else []
        taken = {order.pk: order for order in _take([pk for pk, _run_out in found])}
        record_run_out(
            [order for order in ended if order.pk in taken], source=LockEvent.Source.SCHEDULE
        )
    return [taken[pk] for pk, _run_out in found if pk in taken]


def _take(keys: list[int]) -> list[Claimed]:
    """Claim those of these orders that are due and free; return them."""
    query: Any = ProductOrder.objects.due().free().query.chain(UpdateQuery)
    query.add_update_values(new_claim())
    sql, parameters = query.get_compiler(connection=connection).as_sql()
    chosen = f'"id" IN ({", ".join(["%s"] * len(keys))})'
    columns = ", ".join(f'"{name}"' for name in COLUMNS)
    with connection.cursor() as cursor:
        cursor.execute(f"{sql} AND {chosen} RETURNING {columns}", [*parameters, *keys])
        return [Claimed(*row) for row in cursor.fetchall()]
