"""Killed on the way from order to PIN, in real clusters: bought once, and the PIN arrives."""

import sys
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone
from django_q.models import OrmQ
from django_q.tasks import async_task

from backoffice.clock import database_now
from orders import waking
from orders.models import CheckLoop, OrderEvent, ProductOrder, ReviewReason, Status
from tests.clusters import office_clusters
from tests.orders.dying import STEPS
from tests.orders.factories import make_integration, make_package, make_tenant
from tests.processes import wait_for
from tests.reservations import programs

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


BATCH = "orders.tasks.check_pending_orders_batch"
QUEUED_AND_TAKEN = timedelta(minutes=10)  # not what is put there for later


@pytest.fixture
def dying_clusters(tmp_path):
    """Return a function that starts both clusters, in which somebody is killed at some steps."""
    program = ("-m", "tests.orders.dying")
    return lambda **more: office_clusters(
        tmp_path, program=program, DYING_FOLDER=tmp_path, **QUICK, **more
    )


def send_through(place, folder, clusters, step, whom):
    """Place an order whose somebody is killed at a step; start again what ended by that."""
    order = place("slow" if step == "calling" else "normal", user_identifier=f"{step}/{whom}")
    mark = folder / f"{step}-{whom}"
    wait_for(lambda: run_batch() or mark.exists(), seconds=20, what=f"{whom} is killed: {step}")
    if whom != "worker":
        ended = wait_for(lambda: ended_of(clusters), seconds=20, what="a cluster ends by that")
        ended.wait_until_gone()
        ended.start().wait_until_ready()
    return order.pk


def run_batch():
    """Queue the batch of every five minutes, which runs all the time here, unless it is queued."""
    queued = [row.task["func"] for row in OrmQ.objects.filter(lock__lte=database_now())]
    if BATCH not in queued:
        async_task(BATCH, cluster="DjangoORM")


def ended_of(clusters):
    return next((cluster for cluster in clusters if cluster.process.poll() is not None), None)


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


@pytest.mark.storm
def test_control_sent_before_it_is_committed_it_is_bought_twice(
    place, store, tmp_path, dying_clusters
):
    with dying_clusters(DYING_UNGUARDED="yes") as clusters:
        key = send_through(place, tmp_path, clusters, "bought", "worker")
        see_to_their_end([key])
    assert store.purchases(player="bought/worker") == 2


# The web server

TAKEN_IN = """
import os, signal
from orders import intake
from orders.models import Package, ProductOrder, Tenant
class Kill(stopping.Stop):
    def step(self, name):
        self.steps.append(name)
        if len(self.steps) == self.number + 1:
            os.kill(os.getpid(), signal.SIGKILL)
package, tenant = Package.objects.get(), Tenant.objects.get()
connection.close()
for number in range(20):
    child = os.fork()
    if not child:
        player = f"killed-at-{number}"
        order = ProductOrder(package=package, tenant=tenant, user_identifier=player)
        with Kill(number).watching():
            intake.accept(order, by=None)
        os.kill(os.getpid(), signal.SIGKILL)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
"""


def test_an_order_whose_web_server_is_killed_is_whole_or_never_was(simulator):
    package = make_package(make_integration(simulator.url))
    make_tenant()

    programs.run(TAKEN_IN)

    keys = set(ProductOrder.objects.values_list("pk", flat=True))
    assert 0 < len(keys) < 20
    assert {row.task["args"][0] for row in OrmQ.objects.all()} == keys
    assert OrmQ.objects.count() == package.orders.count() == len(keys)
    created = OrderEvent.objects.filter(what=OrderEvent.What.CREATED)
    assert set(created.values_list("order_id", flat=True)) == keys


# Several hosts, wrong clocks, everything again


def everything_again(keys):
    """Queue once more all that was ever queued for some orders, and wait until it was done."""
    for order in ProductOrder.objects.filter(pk__in=keys):
        async_task("orders.tasks.dispatch_order", order.pk, cluster="dispatch")
        async_task("orders.tasks.check_order_status", order.pk, order.tenant_id)
    run_batch()
    wait_for(all_is_done, seconds=60, what="the queue is empty, and nobody at work")


def all_is_done():
    """Whether the queue holds nothing but the loop's next run, which may be put off by minutes."""
    rows = OrmQ.objects.filter(lock__lte=database_now() + QUEUED_AND_TAKEN)
    due = OrmQ.objects.filter(lock__lte=database_now())
    others = {row.task["func"] for row in rows} - {waking.TASK}
    busy = CheckLoop.objects.filter(busy_until__isnull=False)
    return not (others or due.exists() or busy.exists())


@pytest.mark.storm
def test_the_clusters_of_two_offices_buy_each_order_once_and_a_second_run_nothing(
    place, store, tmp_path
):
    keys = [place("slow" if number % 7 == 0 else "normal").pk for number in range(60)]
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
    with office_clusters(folders[0], **QUICK), office_clusters(folders[1], **QUICK):
        see_to_their_end(keys)
        before = (store.purchases(), list(ProductOrder.objects.order_by("pk").values()))
        everything_again(keys)
        assert (store.purchases(), list(ProductOrder.objects.order_by("pk").values())) == before
    assert before[0] == 60
    assert {order["external_status"] for order in before[1]} == {Status.COMPLETED}


SKEWED = """
import datetime, sys, time_machine
from django.core.management import execute_from_command_line
hours = datetime.timedelta(hours=HOURS)
time_machine.travel(datetime.datetime.now(datetime.UTC) + hours).start()
execute_from_command_line(["manage.py", "run_cluster", sys.argv[1]])
"""


@pytest.mark.storm
@pytest.mark.parametrize("hours", [-1, 1])
def test_wrong_clocks_of_hosts_neither_delay_nor_repeat_anything(place, store, tmp_path, hours):
    program = ("-c", SKEWED.replace("HOURS", str(hours)))
    with office_clusters(tmp_path, program=program, **QUICK):
        keys = [place().pk]
        with time_machine.travel(timezone.now() - timedelta(hours=hours)):
            keys.append(place().pk)
        resting = ProductOrder.objects.filter(pk__in=keys, external_status=Status.COMPLETED)
        wait_for(lambda: resting.count() == 2, seconds=15, what="no clock is waited for")
    assert store.purchases() == 2
