"""What the lock desk costs among a million documents: it follows the claims."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from backoffice.clock import database_now
from backoffice.editable import UNLOCKED, beat_timeout
from inventory.models import WarehouseDocument
from tests.benchmarks import million
from tests.benchmarks.million import TABLE, execute
from tests.benchmarks.ratios import median_ratio

pytestmark = [pytest.mark.benchmark, pytest.mark.django_db(transaction=True)]
FEW, MANY, CLAIMED = 10_000, 1_000_000, 2_000


def bare():
    """Read as many claimed rows by their small index, the least that any such page does."""
    assert len(WarehouseDocument.objects.claimed().order_by("editing_last_seen_at")) == CLAIMED


def claim(holder):
    """Lock documents all over the table, every other one long ago; free all others."""
    table = WarehouseDocument.objects
    pks = list(table.order_by("pk").values_list("pk", flat=True))
    # An odd step, so that the types, which take turns, are all among them.
    pks = pks[:: (len(pks) // CLAIMED - 1) | 1][:CLAIMED]
    table.claimed().update(**UNLOCKED)
    for chosen, then in (
        (pks[::2], database_now() - 2 * beat_timeout()),
        (pks[1::2], database_now()),
    ):
        table.filter(pk__in=chosen).update(
            editing_by=holder,
            editing_session_key="x",
            editing_started_at=then,
            editing_last_seen_at=then,
            editing_last_input_at=then,
            editing_extended_at=then,
        )


def settle():
    """Let PostgreSQL know its rows, as its autovacuum sees to in service; SQLite never does."""
    if connection.vendor == "postgresql":
        execute(f"ANALYZE {TABLE}")


def test_the_desk_costs_what_the_claims_cost_and_not_the_documents(client, admin_user, make_user):
    holder = make_user("holder")
    client.force_login(admin_user, "django.contrib.auth.backends.ModelBackend")
    address = reverse("admin:lock_desk")

    def open_desk():
        assert client.get(address).context["page"].paginator.count == CLAIMED

    def measure(documents):
        claim(holder)
        settle()
        open_desk()
        with CaptureQueriesContext(connection) as asked:
            open_desk()
        assert len(asked) <= 15
        name = f"{connection.vendor}, {CLAIMED} claims among {documents} documents"
        return median_ratio(f"{name}: the desk, to reading the rows", open_desk, bare)

    with million.light_table():
        million.fill(FEW)
        few = measure(FEW)
        million.fill(MANY - FEW)
        many = measure(MANY)
    print(f"a hundred times the documents: {many / few:.2f} times the desk")
    assert many / few <= 1.5
