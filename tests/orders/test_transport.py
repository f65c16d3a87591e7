"""The connections to providers: kept, checked, in time. The answers' meaning: the contract test."""

import socket
import threading
import time

import pytest

from orders import connections, transport
from orders.transport import ProviderFailure, ProviderRequest, Reply, redact, redact_codes

pytestmark = pytest.mark.django_db
REQUEST = ProviderRequest("ask", {"sifre": "planted secret"}, {"X-Token": "t"})
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nOK|1"


class Wire:
    """A server that does what a script says: each connection is a list of steps.

    Bytes are sent, a number is waited for; ``None`` reads one request.
    """

    made = []

    def __init__(self, *scripts):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        self.requests = []
        self.connections = 0
        self.made.append(self)
        self.thread = threading.Thread(target=self.run, args=(scripts,), daemon=True)
        self.thread.start()

    def run(self, scripts):
        for script in scripts:
            try:
                client, _address = self.socket.accept()
                self.connections += 1
                with client:
                    for step in script:
                        self.follow(client, step)
            except OSError:
                pass  # the other end has had enough, or the test has ended

    def end(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    def follow(self, client, step):
        if step is None:
            self.requests.append(client.recv(65536).decode())
        elif isinstance(step, bytes):
            client.sendall(step)
        else:
            time.sleep(step)


@pytest.fixture(autouse=True)
def hang_up():
    yield
    while Wire.made:
        Wire.made.pop().end()
    for idle in connections._kept.values():
        while idle:
            idle.pop().close()


def ask(wire, *, order=False, **creds):
    creds = {"base_url": wire.url, **creds}
    return transport.call(creds, REQUEST, paths="ask", order=order)


def failure(wire, **kwargs):
    with pytest.raises(ProviderFailure) as caught:
        ask(wire, **kwargs)
    return caught.value


def test_questions_share_a_kept_connection():
    wire = Wire([None, OK, None, OK])
    assert (ask(wire), ask(wire), wire.connections) == ("OK|1", "OK|1", 1)
    assert wire.requests[0].startswith("GET /ask?sifre=planted+secret HTTP/1.1\r\n")


def test_orders_have_a_connection_each():
    wire = Wire([None, OK], [None, OK])
    assert (ask(wire, order=True), ask(wire, order=True)) == ("OK|1", "OK|1")
    assert wire.connections == 2
    assert all("Connection: close" in request for request in wire.requests)


def test_a_connection_that_was_closed_while_idle_is_no_error():
    wire = Wire([None, OK], [None, OK])
    ask(wire)
    time.sleep(0.05)  # until the end of the first connection has come
    assert (ask(wire), wire.connections) == ("OK|1", 2)


def test_a_question_that_is_reset_on_a_kept_connection_is_asked_once_more():
    wire = Wire([None, OK, None], [None, OK])
    ask(wire)
    assert (ask(wire), len(wire.requests), wire.connections) == ("OK|1", 3, 2)


@pytest.mark.parametrize("order", [False, True])
def test_nothing_is_asked_again_on_a_fresh_connection(order):
    wire = Wire([None], [None, OK])
    assert failure(wire, order=order).reason == "connection broken"
    assert len(wire.requests) == 1


def test_a_question_whose_answer_broke_off_is_not_asked_again():
    wire = Wire([None, OK, None, OK[:-1]], [None, OK])
    ask(wire)
    assert failure(wire).reason == "connection broken"
    assert len(wire.requests) == 2


def test_a_connection_that_said_something_unasked_is_not_used_again():
    wire = Wire([None, OK, b"HTTP/1.1 200 OK\r\n", 0.5], [None, OK])
    ask(wire)
    time.sleep(0.05)
    assert (ask(wire), wire.connections) == ("OK|1", 2)


def test_a_connection_that_was_idle_for_long_is_not_used_again(monkeypatch):
    wire = Wire([None, OK, 0.5], [None, OK])
    ask(wire)
    monkeypatch.setattr(connections, "KEPT_SECONDS", -1)
    assert (ask(wire), wire.connections) == ("OK|1", 2)


@pytest.mark.parametrize("order", [False, True])
@pytest.mark.parametrize(
    "answer", [OK[:-1], b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nOK|"]
)
def test_an_answer_that_broke_off_is_none(order, answer):
    assert failure(Wire([None, answer]), order=order).reason == "connection broken"


@pytest.mark.parametrize("order", [False, True])
@pytest.mark.parametrize("part", [b"X-A: b\r\n", b"Content-Length: 400\r\n\r\nO"])
def test_an_answer_in_small_pieces_has_to_be_complete_in_time(order, part, settings):
    settings.PROVIDER_READ_SECONDS = 0.4
    began = time.monotonic()
    wire = Wire([None, b"HTTP/1.1 200 OK\r\n" + part, *[0.1, b"X: y\r\n"] * 20])
    assert failure(wire, order=order).reason == "no answer in time"
    assert time.monotonic() - began < 1.5


@pytest.mark.parametrize("order", [False, True])
def test_an_answer_that_is_too_long_is_none(order):
    long = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (transport.ANSWER_MAXIMUM_BYTES + 1)
    assert failure(Wire([None, long]), order=order).reason == "the answer is too long"


@pytest.mark.parametrize("order", [False, True])
def test_a_name_that_leads_inside_is_not_even_connected_to(order, settings, monkeypatch):
    wire = Wire([None, OK])
    settings.PROVIDER_PRIVATE_ADDRESSES = False
    found = [(2, 1, 6, "", ("93.184.216.34", 80)), (2, 1, 6, "", wire.socket.getsockname())]
    monkeypatch.setattr(connections.socket, "getaddrinfo", lambda *_args, **_kwargs: found)
    answer = failure(wire, order=order)
    assert (answer.reason, answer.outcome, answer.retryable) == (
        "forbidden address",
        "refused",
        True,
    )
    assert wire.connections == 0


def test_control_a_name_that_leads_inside_is_called_without_the_check(settings, monkeypatch):
    wire = Wire([None, OK])
    settings.PROVIDER_PRIVATE_ADDRESSES = False
    monkeypatch.setattr(connections, "is_allowed", lambda _address: True)
    assert ask(wire) == "OK|1"


@pytest.mark.parametrize("order", [False, True])
def test_the_name_is_looked_up_once(order, monkeypatch):
    wire, seen, look_up = Wire([None, OK]), [], socket.getaddrinfo

    def counted(*args, **kwargs):
        seen.append(args[0])
        return look_up(*args, **kwargs)

    monkeypatch.setattr(connections.socket, "getaddrinfo", counted)
    ask(wire, order=order)
    assert [name for name in seen if name == "127.0.0.1"] == ["127.0.0.1"]


@pytest.mark.parametrize(
    "hosts", ["other.example", "127.0.0.1:1", "127.0.0", "1.127.0.0.1", "localhost"]
)
@pytest.mark.parametrize("order", [False, True])
def test_a_host_that_is_not_on_the_list_is_not_called(hosts, order):
    wire = Wire([None, OK])
    answer = failure(wire, order=order, allowed_hosts=hosts.split())
    assert (answer.reason, wire.connections) == ("forbidden address", 0)


def test_a_host_on_the_list_is_called():
    wire = Wire([None, OK])
    assert ask(wire, allowed_hosts=["other.example", wire.url[7:]]) == "OK|1"


@pytest.mark.parametrize("path", ["ask/../admin", "", "asked", "ask?x=1", "/ask", "ASK"])
def test_a_path_that_the_adapter_does_not_declare_is_not_called(path):
    wire = Wire([None, OK])
    with pytest.raises(ProviderFailure, match="forbidden address"):
        transport.call({"base_url": wire.url}, ProviderRequest(path, {}), paths="ask")
    assert wire.connections == 0


def test_an_order_is_packed_by_nobody():
    wire = Wire([None, OK])
    ask(wire, order=True)
    assert "Accept-Encoding: identity" in wire.requests[0]


def test_a_header_of_two_lines_is_no_request():
    with pytest.raises(ValueError):
        ProviderRequest("ask", {}, {"X-Token": "a\r\nb: c"})


def test_what_may_be_a_code_is_masked_in_what_nobody_could_read():
    text = redact_codes("OKAY;two;QWERT-ASDFG;AB12;Thanks 404")
    assert text == "OKAY;two;***;***;Thanks 404"


def test_a_secret_is_masked_however_it_is_written():
    for form in ("a&b/c", "a%26b%2Fc", "a%26b%2fc", "a&amp;b/c"):
        assert redact(f"x {form} y", ["a&b/c"]) == "x *** y"


def test_no_secret_is_in_a_representation():
    shown = repr(ProviderRequest("p", {"sifre": "geheim"}, {"api-token": "geheim"}))
    assert "geheim" not in shown + repr(Reply(200, "", b"OK|2|geheim|"))
