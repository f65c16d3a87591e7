"""Killed on the way from order to PIN, in real clusters: bought once, and the PIN arrives."""

import subprocess
import sys

import pytest
from django_q.tasks import async_task

from orders.models import ProductOrder, ReviewReason, Status
from tests.clusters import office_clusters
from tests.orders.dying import STEPS
from tests.processes import wait_for

pytestmark = [
    pytest.mark.processes,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(sys.platform != "linux", reason="processes are counted in /proc"),
]
# What takes minutes in an office takes seconds here.
QUICK = {
    "PROVIDER_PRIVATE_ADDRESSES": "yes",
    "PROVIDER_CONNECT_SECONDS": 0.4,
    "PROVIDER_READ_SECONDS": 1,
    "ORDER_CLAIM_SECONDS": 3,
    "ORDER_FIRST_CHECK_SECONDS": 0.3,
    "ORDER_CHECK_DELAYS": "0.5",
}


@pytest.fixture
def dying_clusters(tmp_path):
    """Return a function that starts both clusters, in which somebody is killed at some steps."""
    return lambda: office_clusters(
        tmp_path, program=("-m", "tests.orders.dying"), DYING_FOLDER=tmp_path, **QUICK
    )


def send_through(place, folder, clusters, step, whom):
    """Place an order whose somebody is killed at a step; start again what ended by that."""
    order = place("slow" if step == "calling" else "normal", user_identifier=f"{step}/{whom}")
    mark = folder / f"{step}-{whom}"
    wait_for(lambda: run_batch() and mark.exists(), seconds=20, what=f"{whom} is killed: {step}")
    if whom != "worker":
        (ended,) = (cluster for cluster in clusters if has_ended(cluster))
        ended.wait_until_gone()
        ended.start().wait_until_ready()
    return order.pk


def run_batch():
    """Queue the batch of every five minutes, which runs all the time here; return its task."""
    return async_task("orders.tasks.check_pending_orders_batch", cluster="DjangoORM")


def has_ended(cluster):
    try:
        return cluster.process.wait(timeout=3) is not None
    except subprocess.TimeoutExpired:
        return False


def see_to_their_end(keys):
    """Wait until the orders came to rest."""

    def at_rest():
        run_batch()
        resting = ProductOrder.objects.filter(pk__in=keys)
        left = resting.exclude(external_status=Status.COMPLETED)
        return not left.exclude(review_reason=ReviewReason.UNKNOWN).exists()

    wait_for(at_rest, seconds=60, what="every order came to its end")


def see_bought_once(store, keys):
    for order in ProductOrder.objects.filter(pk__in=keys):
        step = order.user_identifier.split("/")[0]
        bought = store.purchases(player=order.user_identifier)
        if step == "committed":
            # Nobody but the provider could tell that nothing was bought: a person looks.
            assert (bought, order.external_status) == (0, Status.SENT)
            assert order in ProductOrder.objects.needing_a_person()
        else:
            assert (bought, order.external_status) == (1, Status.COMPLETED), step
            assert len(order.pin_code) == 19


@pytest.mark.parametrize(
    ("whom", "steps"),
    [
        ("worker", ["bought", "answered"]),
        pytest.param("worker", STEPS, marks=pytest.mark.storm),
        pytest.param("guard", STEPS, marks=pytest.mark.storm),
        pytest.param("head", STEPS, marks=pytest.mark.storm),
    ],
)
def test_whoever_is_killed_on_the_way_it_is_bought_once(
    place, store, tmp_path, dying_clusters, whom, steps
):
    with dying_clusters() as clusters:
        keys = [send_through(place, tmp_path, clusters, step, whom) for step in steps]
        see_to_their_end(keys)
    see_bought_once(store, keys)
