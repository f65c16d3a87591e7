"""PostgreSQL is killed in the middle of many orders, and comes back."""

import json
import sys
import time

import pytest

from orders.simulator import Simulator, Store
from tests.clusters import office_clusters
from tests.orders.test_crashes import QUICK
from tests.postgresql import ADVICE, Server, find_binaries
from tests.processes import RealOffice, wait_for

pytestmark = [
    pytest.mark.storm,
    pytest.mark.processes,
    pytest.mark.skipif(sys.platform != "linux", reason="processes are counted in /proc"),
    pytest.mark.skipif(find_binaries() is None, reason=ADVICE),
]
ORDERS = 30
PLACE = """
from tests.orders.factories import make_integration, make_order, make_package
package = make_package(make_integration({url!r}), scenario="slow")
for number in range({count}):
    make_order(package, user_identifier=f"player-{{number}}")
"""
TICK = """
import json
from django_q.tasks import async_task
from orders.models import ProductOrder
async_task("orders.tasks.check_pending_orders_batch", cluster="DjangoORM")
names = ("user_identifier", "external_status", "review_reason")
print(json.dumps(list(ProductOrder.objects.values_list(*names))))
"""


@pytest.fixture
def server():
    with Server() as server:
        yield server


def run(office, script, **more):
    done = office.manage("shell", "-v0", "-c", script, **more)
    assert done.returncode == 0, done.stderr
    return done.stdout


def at_rest(office):
    """Return the orders when all of them are done, or wait for a person; None before that."""
    found = json.loads(run(office, TICK, **{name: str(value) for name, value in QUICK.items()}))
    moving = [row for row in found if row[1] != "completed" and row[2] != "unknown"]
    return None if moving else found


def test_orders_survive_that_postgresql_is_killed_and_comes_back(server, tmp_path):
    office = RealOffice(tmp_path / "office", database_url=server.url, DEMO="no", SIMULATOR="yes")
    done = office.manage("set_up_office")
    assert done.returncode == 0, done.stderr
    store = Store(tmp_path / "simulator.sqlite3", finish_seconds=0, slow_seconds=0.3)
    its = {name: office.environment[name] for name in ("DATABASE_URL", "VAR_DIR")}
    with Simulator(store) as simulator, office_clusters(tmp_path, **QUICK, **its) as clusters:
        run(office, PLACE.format(url=simulator.url, count=ORDERS))
        wait_for(lambda: store.purchases() >= 3, seconds=30, what="some are bought")
        server.kill()
        time.sleep(3)
        server.start()
        found = wait_for(lambda: at_rest(office), seconds=90, what="all orders come to rest")
        assert [cluster.process.poll() for cluster in clusters] == [None, None]
    for player, status, reason in found:
        bought = store.purchases(player=player)
        # One of which nobody knows whether its sending was committed is looked at by a person.
        assert (bought, status) == ((1, "completed") if status == "completed" else (0, "sent")), (
            player,
            reason,
        )
    assert sum(status == "completed" for _player, status, _reason in found) >= ORDERS - 4
