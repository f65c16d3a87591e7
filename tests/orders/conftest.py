import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from orders import dispatch, polling
from orders.models import ProductOrder
from orders.simulator import Simulator, Store
from tests.orders.factories import due, make_integration, make_order, make_package


@pytest.fixture(autouse=True)
def quick(settings):
    """A provider on this machine, and no waiting for it."""
    settings.PROVIDER_PRIVATE_ADDRESSES = True
    settings.PROVIDER_CONNECT_SECONDS = 2
    settings.PROVIDER_READ_SECONDS = 10
    settings.ORDER_FIRST_CHECK_SECONDS = 60
    settings.ORDER_CHECK_JITTER = 0
    settings.ORDER_CHECK_DELAYS = [30, 60, 120, 240, 480, 600]


@pytest.fixture
def simulator(tmp_path):
    store = Store(tmp_path / "simulator.sqlite3", finish_seconds=0, slow_seconds=0.3)
    with Simulator(store) as server:
        yield server


@pytest.fixture
def store(simulator):
    return simulator.store


@pytest.fixture
def place(simulator):
    """Return a function that makes a new order of a scenario at the simulator."""

    def make(scenario="normal", **kwargs):
        package = make_package(make_integration(simulator.url), scenario=scenario)
        return make_order(package, **kwargs)

    return make


@pytest.fixture
def desk(make_user, client):
    """Somebody at the order desk, logged in."""
    names = ("view", "add", "check", "reveal_pin")
    user = make_user("desk", *(f"orders.{name}_productorder" for name in names))
    client.force_login(user)
    return user


@pytest.fixture
def boss(make_user, client):
    """Somebody who may end claims, logged in."""
    user = make_user("boss", "orders.view_productorder", "orders.release_productorder")
    client.force_login(user)
    return user


@pytest.fixture
def completed(place):
    """An order whose PIN is here, and was shown to nobody."""
    order = place()
    dispatch.try_auto_dispatch(order.pk)
    due(order)
    polling.run()
    return ProductOrder.objects.get(pk=order.pk)


class _Canned(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.seen.append(self.path)
        self.server.headers.append(self.headers)
        time.sleep(self.server.seconds)
        status, body, headers = self.server.reply
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body.encode() if isinstance(body, str) else body)

    def log_message(self, *args):
        pass


@pytest.fixture
def canned():
    """A server that answers whatever its ``reply`` says; ``seen`` are the paths asked for."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Canned)
    server.seen, server.headers, server.reply = [], [], (200, "", {})
    server.seconds = 0
    server.handle_error = lambda *_args: None  # a client that hung up is no news
    server.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()
