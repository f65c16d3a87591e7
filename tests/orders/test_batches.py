"""Claiming in batches: as many as asked for, fairly, oldest first, past what others hold."""

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from orders import batches, claims
from orders.models import ProductOrder, Tenant
from tests.orders.factories import make_integration, make_order, make_package, make_tenant

pytestmark = pytest.mark.django_db


def orders_at(package, integration, tenant, count, *, minutes=10):
    now = timezone.now()
    return ProductOrder.objects.bulk_create(
        ProductOrder(
            tenant=make_tenant(tenant),
            package=package,
            price=50,
            user_identifier="player",
            external_status="sent",
            sent_at=now,
            integration=integration,
            provider_referans=f"{tenant}-{integration.pk}-{number}",
            dispatches=1,
            next_check_at=now - timedelta(minutes=minutes, seconds=-number),
        )
        for number in range(count)
    )


@pytest.fixture
def account():
    integration = make_integration()
    return make_package(integration), integration


def claim(rooms, **kwargs):
    return batches.claim_fairly(list(rooms), rooms.__getitem__, **kwargs)


def tenants(orders):
    names = dict(Tenant.objects.values_list("pk", "code"))
    codes = [names[order.tenant_id] for order in orders]
    return {code: codes.count(code) for code in sorted(set(codes))}


def test_exactly_as_many_are_claimed_as_there_is_room_for(account):
    package, integration = account
    orders = orders_at(package, integration, "one", 200)
    claimed = claim({integration.pk: 10})
    assert [order.pk for order in claimed] == [order.pk for order in orders[:10]]
    assert ProductOrder.objects.claimed().count() == 10


def test_a_big_tenant_leaves_room_for_a_small_one(account):
    package, integration = account
    orders_at(package, integration, "big", 50, minutes=60)
    orders_at(package, integration, "small", 9)
    assert tenants(claim({integration.pk: 12})) == {"big": 6, "small": 6}
    assert tenants(claim({integration.pk: 12})) == {"big": 6, "small": 3}
    assert tenants(claim({integration.pk: 12})) == {"big": 12}


def test_with_less_room_than_tenants_the_longest_waiting_come_first(account):
    package, integration = account
    for number, tenant in enumerate(("newest", "middle", "oldest")):
        orders_at(package, integration, tenant, 3, minutes=10 + number)
    assert tenants(claim({integration.pk: 2})) == {"middle": 1, "oldest": 1}


def test_each_integration_has_room_of_its_own(account):
    package, dead = account
    good = make_integration()
    orders_at(package, dead, "one", 30, minutes=90)
    orders_at(package, good, "one", 30)
    claimed = claim({dead.pk: 2, good.pk: 5})
    of = [order.integration_id for order in claimed]
    assert (of.count(dead.pk), of.count(good.pk)) == (2, 5)


def test_an_integration_without_due_orders_is_not_asked_for_its_room(account):
    _package, integration = account
    asked = []
    batches.claim_fairly([integration.pk], asked.append)
    assert asked == []


@pytest.mark.skipif("connection.vendor == 'sqlite'", reason="SQLite locks no rows")
@pytest.mark.django_db(transaction=True)
def test_orders_that_another_is_just_claiming_are_passed_over(account):
    package, integration = account
    orders = orders_at(package, integration, "one", 6)
    held, done = threading.Event(), threading.Event()

    def hold():
        with transaction.atomic():
            first = ProductOrder.objects.filter(pk__in=[order.pk for order in orders[:3]])
            list(first.select_for_update())
            held.set()
            done.wait(10)
        connection.close()

    other = threading.Thread(target=hold)
    other.start()
    held.wait(10)
    claimed = claim({integration.pk: 3})
    done.set()
    other.join()
    assert [order.pk for order in claimed] == [order.pk for order in orders[3:]]


def test_what_was_not_asked_about_after_all_is_given_back(account):
    package, integration = account
    orders_at(package, integration, "one", 3)
    claimed = claim({integration.pk: 3})
    claims.give_back(claimed[:2])
    assert ProductOrder.objects.claimed().get().pk == claimed[2].pk
    assert len(claim({integration.pk: 3})) == 2


def test_more_tenants_than_one_statement_takes_come_in_their_turn():
    integration = make_integration()
    package = make_package(integration)
    for number in range(520):
        make_order(package, tenant=make_tenant(f"t{number}"))
    long_ago = "2020-01-01T00:00:00Z"
    ProductOrder.objects.update(
        external_status="sent",
        sent_at=long_ago,
        next_check_at=long_ago,
        integration=integration,
        provider_referans="1",
    )
    rounds = [len(batches.claim_fairly([integration.pk], lambda pk: 800)) for _number in range(3)]
    assert rounds == [200, 200, 120]


def plan(statement, parameters):
    explain = "EXPLAIN" if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN"
    with connection.cursor() as cursor:
        cursor.execute(f"{explain} {statement}", parameters)
        return "\n".join(str(row) for row in cursor.fetchall())


def statements_of(work):
    seen = []

    def look(execute, sql, parameters, many, context):
        seen.append((sql, parameters))
        return execute(sql, parameters, many, context)

    with connection.execute_wrapper(look):
        work()
    return [(sql, parameters) for sql, parameters in seen if "LIMIT" in sql]


def test_only_the_rows_of_its_integration_and_tenant_are_read_and_in_order(account):
    package, integration = account
    dead = make_integration()
    orders_at(package, dead, "one", 3_000, minutes=90)
    orders_at(package, integration, "one", 300)
    orders_at(package, integration, "two", 300)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    found = statements_of(lambda: claim({integration.pk: 5}))
    assert len(found) == 2
    for statement, parameters in found:
        told = plan(statement, parameters)
        assert "order_due_of_tenant" in told, told
        assert "Sort" not in told and "TEMP B-TREE FOR ORDER" not in told, told
