"""How soon an order is at its provider, and how late a check begins, over the real clusters."""

import os
import random
import time

import pytest
from django.db import connection

from backoffice.clock import database_now
from orders.models import ProductOrder
from orders.waking import wake_in
from tests.benchmarks.due_orders import make_sent
from tests.benchmarks.slow_provider import SlowProvider
from tests.clusters import office_clusters
from tests.orders.factories import make_integration, make_order, make_package
from tests.processes import wait_for

pytestmark = [pytest.mark.benchmark, pytest.mark.django_db(transaction=True)]
ORDERS, FIRST_CHECK, DUE = 60, 3.0, 1_000


@pytest.fixture
def provider():
    with SlowProvider(0.05) as provider:
        yield provider


@pytest.fixture
def clusters(tmp_path):
    more = {"PROVIDER_PRIVATE_ADDRESSES": "yes", "ORDER_FIRST_CHECK_SECONDS": str(FIRST_CHECK)}
    with office_clusters(tmp_path, **more) as both:
        yield both


def enter(package, before=lambda: None):
    """Take orders one after the other; return when each was committed, by its key."""
    entered = {}
    for _number in range(ORDERS):
        before()
        time.sleep(random.uniform(0.1, 0.4))
        entered[make_order(package).pk] = time.time()
    mine = ProductOrder.objects.filter(pk__in=entered)
    wait_for(lambda: not mine.filter(provider_referans="").exists(), seconds=30, what="all sent")
    return entered


def arrivals(provider, path):
    """Return when the provider was first asked so about each reference."""
    found = {}
    for at, asked, reference in provider.seen()["arrivals"]:
        if asked.endswith(path):
            found.setdefault(reference, at)
    return found


def p95(name, values):
    values = sorted(values)
    value = values[int(0.95 * len(values))]
    median, load = values[len(values) // 2], os.getloadavg()[0]
    print(
        f"{name} on {connection.vendor}: median {median:.2f} s, p95 {value:.2f} s, "
        f"worst {values[-1]:.2f} s (load {load:.1f})"
    )
    return value


def pick_ups(entered, provider):
    placed = arrivals(provider, "pin_ekle.php")
    references = ProductOrder.objects.in_bulk(entered)
    return [placed[references[pk].provider_referans] - at for pk, at in entered.items()]


def test_on_an_idle_cluster_orders_go_at_once_and_are_asked_about_in_time(provider, clusters):
    package = make_package(make_integration(provider.url))
    entered = enter(package)
    time.sleep(FIRST_CHECK + 3)
    asked = provider.seen()["arrivals"]
    placed = {reference: at for at, path, reference in asked if path.endswith("pin_ekle.php")}
    checked = {}
    for at, path, reference in asked:
        if path.endswith("pin_kontrol.php"):
            checked.setdefault(reference, at)
    rows = ProductOrder.objects.in_bulk(entered)
    late = [checked[ref] - at - 0.05 - FIRST_CHECK for ref, at in placed.items()]
    sent = [placed[rows[pk].provider_referans] - at for pk, at in entered.items()]
    print()
    assert p95("An order is at its provider after", sent) <= 0.3
    assert p95("A check begins late by", late) <= 2


def test_while_a_thousand_orders_are_due_new_ones_go_nearly_as_soon(provider, clusters):
    integration = make_integration(provider.url)
    make_sent(2 * DUE, integration)
    waiting = [f"{integration.pk}{1_000_000 + number}" for number in range(0, 2 * DUE, 2)]
    rows = ProductOrder.objects.filter(provider_referans__in=waiting)  # never finish
    package = make_package(integration)

    def make_due():
        assert rows.update(next_check_at=database_now()) == DUE
        wake_in(0)

    entered = enter(package, make_due)
    print()
    assert p95("Among a thousand due: after", pick_ups(entered, provider)) <= 0.5
