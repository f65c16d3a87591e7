"""A provider to practise on: a real HTTP server over a small database of its own.

It speaks the protocols of ``PROTOCOLS`` and misbehaves as ``SCENARIOS`` say: by the package that is
ordered, or for all by a switch. It counts what it was asked and what was bought, so that a test
can prove that nothing was bought twice. A repeated reference buys again: no real provider
promises more.
"""

import json
import secrets
import socket
import sqlite3
import struct
import threading
import time
from contextlib import closing
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

SCHEMA = """
CREATE TABLE IF NOT EXISTS purchases (
    id INTEGER PRIMARY KEY, referans TEXT NOT NULL, package TEXT NOT NULL, player TEXT NOT NULL,
    scenario TEXT NOT NULL, cost REAL NOT NULL, bought_at REAL NOT NULL,
    asked INTEGER NOT NULL DEFAULT 0, pin TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS purchases_referans ON purchases (referans);
CREATE TABLE IF NOT EXISTS numbers (name TEXT PRIMARY KEY, value REAL NOT NULL);
CREATE TABLE IF NOT EXISTS switch (scenario TEXT NOT NULL);
"""
OPENING_BALANCE = 100_000.0
PRODUCT = "187"  # oyun_bilgi_id of all packages


@dataclass(frozen=True)
class Scenario:
    """How the provider behaves about one order."""

    package: str  # kupur
    buys: bool = True
    sending: str = "answer"  # answer, slow, error, empty, html, reset, poor, refuse
    ends: str = "completed"  # completed, topped_up, cancelled, never
    cost: float = 10.12


SCENARIOS = {
    "normal": Scenario("100"),
    "top_up": Scenario("101", ends="topped_up"),
    "slow": Scenario("102", sending="slow"),
    "cancelled": Scenario("103", ends="cancelled"),
    "never": Scenario("104", ends="never"),
    "reset": Scenario("105", sending="reset"),
    "error": Scenario("106", buys=False, sending="error"),
    "empty": Scenario("107", buys=False, sending="empty"),
    "html": Scenario("108", buys=False, sending="html"),
    "out_of_balance": Scenario("109", buys=False, sending="poor"),
    "refused": Scenario("110", buys=False, sending="refuse"),
}
BY_PACKAGE = {scenario.package: name for name, scenario in SCENARIOS.items()}


class Store:
    """What the simulated provider remembers: purchases, balance, counts, the switch."""

    def __init__(self, path, *, finish_seconds=20.0, slow_seconds=3.0):
        self.path = str(path)
        self.finish_seconds = finish_seconds
        self.slow_seconds = slow_seconds
        with self._open() as database:
            database.executescript("PRAGMA journal_mode=WAL;" + SCHEMA)
            database.execute(
                "INSERT OR IGNORE INTO numbers VALUES ('balance', ?)", (OPENING_BALANCE,)
            )

    def _open(self):
        # isolation_level None: each statement is its own transaction.
        database = sqlite3.connect(self.path, timeout=30, isolation_level=None)
        database.execute("PRAGMA synchronous=NORMAL")
        return closing(database)

    def _rows(self, sql, *values):
        with self._open() as database:
            return database.execute(sql, values).fetchall()

    def count(self, name, change=1):
        """Change a number by so much; return it."""
        sql = (
            "INSERT INTO numbers VALUES (?, ?) ON CONFLICT (name) "
            "DO UPDATE SET value = value + excluded.value RETURNING value"
        )
        return self._rows(sql, name, change)[0][0]

    def counts(self):
        """Return the numbers: requests by kind, the balance, and the purchases."""
        numbers = {name: value for name, value in self._rows("SELECT name, value FROM numbers")}
        return numbers | {"purchases": self._rows("SELECT count(*) FROM purchases")[0][0]}

    def purchases(self, player=None):
        """Return how many purchases there are, for one player where given."""
        sql = "SELECT count(*) FROM purchases WHERE ? IS NULL OR player = ?"
        return self._rows(sql, player, player)[0][0]

    def switch(self, scenario=""):
        """Have every order behave in one way, whatever its package; '' ends that."""
        self._rows("DELETE FROM switch")
        if scenario:
            self._rows("INSERT INTO switch VALUES (?)", scenario)

    def scenario(self, package):
        """Return the name of the scenario for a package, None for an unknown package."""
        switched = self._rows("SELECT scenario FROM switch")
        return switched[0][0] if switched else BY_PACKAGE.get(package)

    def buy(self, referans, package, player, name):
        """Take an order and its cost; return (cost, balance)."""
        cost = SCENARIOS[name].cost
        self._rows(
            "INSERT INTO purchases (referans, package, player, scenario, cost, bought_at) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            *(referans, package, player, name, cost, time.time()),
        )
        return cost, self.count("balance", -cost)

    def ask(self, referans):
        """Return (state, PIN) of a reference, None for an unknown one."""
        rows = self._rows(
            "UPDATE purchases SET asked = asked + 1 WHERE referans = ? "
            "RETURNING id, scenario, bought_at, pin, cost",
            referans,
        )
        if not rows:
            return None
        number, name, bought_at, pin, cost = rows[0]
        ends = SCENARIOS[name].ends
        if ends == "never" or time.time() < bought_at + self.finish_seconds:
            return "waiting", ""
        if ends == "completed" and not pin:
            fresh = "-".join(secrets.token_hex(2).upper() for _part in range(4))
            self._rows("UPDATE purchases SET pin = ? WHERE id = ? AND pin = ''", fresh, number)
            pin = self._rows("SELECT pin FROM purchases WHERE id = ?", number)[0][0]
        if ends == "cancelled" and pin != "back":
            self._rows("UPDATE purchases SET pin = 'back' WHERE id = ?", number)
            self.count("balance", cost)
        return ends, pin if ends == "completed" else ""


class Reset(Exception):
    """The connection is to be cut off without an answer."""


class Znet:
    """The dealer's side of ``orders.providers.znet``."""

    credentials = {"kod": "demo", "sifre": "demo-only-not-secret"}
    states = {"waiting": "1", "completed": "2", "topped_up": "2", "cancelled": "3"}

    def __init__(self, store):
        self.store = store
        self.calls = {
            "/servis/pin_ekle.php": self.place,
            "/servis/pin_kontrol.php": self.status,
            "/servis/bakiye_kontrol.php": self.balance,
            "/servis/pin_listesi.php": self.prices,
        }

    def answer(self, path, query):
        """Return (HTTP status, text) of a call; raise ``Reset`` to cut it off."""
        self.store.count(path.rsplit("/")[-1].removesuffix(".php"))
        if {name: query.get(name) for name in self.credentials} != self.credentials:
            return 200, ""
        return self.calls[path](query)

    def place(self, query):
        package, referans = query.get("kupur", ""), query.get("referans", "")
        name = self.store.scenario(package)
        if name is None or query.get("oyun") != PRODUCT:
            return 200, "3|Kupur Bilgisi Bulunamadı"
        scenario = SCENARIOS[name]
        if scenario.sending == "slow":
            time.sleep(self.store.slow_seconds)
        cost = balance = 0.0
        if scenario.buys:
            cost, balance = self.store.buy(referans, package, query.get("oyuncu_bilgi", ""), name)
        if scenario.sending == "reset":
            raise Reset
        return {
            "error": (500, "Internal Server Error"),
            "empty": (200, ""),
            "html": (200, "<!DOCTYPE html><html><body>Bakım</body></html>"),
            "poor": (200, "3|Yetersiz bakiye"),
            "refuse": (200, "3|Oyuncu Bulunamadı"),
        }.get(scenario.sending, (200, f"OK|{cost:.2f}|{balance:.2f}"))

    def status(self, query):
        found = self.store.ask(query.get("tahsilat_api_islem_id", ""))
        if found is None:
            return 200, "3|Kayıt Bulunamadı"
        state, pin = found
        words = {
            "waiting": "Sırada|bekliyor",
            "completed": "Tamamlandı|onaylandı",
            "topped_up": "Y%C3%BCklendi+-ONAYLANDI",
            "cancelled": "İptal edildi",
        }
        return 200, f"OK|{self.states[state]}|{pin or ' '}|{words[state]}"

    def balance(self, query):
        return 200, f"OK|{self.store.counts()['balance']:.2f}"

    def prices(self, query):
        result = [
            {
                "id": str(number),
                "adi": f"Paket {scenario.package}",
                "aciklama": name,
                "oyun_id": "9",
                "oyun_adi": "Oyun",
                "fiyat": f"{scenario.cost:.2f}",
                "kupur": scenario.package,
                "oyun_bilgi_id": PRODUCT,
            }
            for number, (name, scenario) in enumerate(SCENARIOS.items(), 1)
        ]
        return 200, json.dumps({"success": True, "result": result, "error": None})


PROTOCOLS = (Znet,)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        query = {name: values[-1] for name, values in query.items()}
        if path == "/simulator/counts":
            self._reply(200, json.dumps(self.server.store.counts()))
            return
        protocol = next((item for item in self.server.protocols if path in item.calls), None)
        if protocol is None:
            self._reply(404, "<html>not found</html>")
            return
        try:
            self._reply(*protocol.answer(path, query))
        except Reset:
            # Lingering for no time makes closing send a reset instead of an end.
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.connection.close()
            self.close_connection = True

    def do_POST(self):
        parts = urlsplit(self.path)
        name = parse_qs(parts.query).get("scenario", [""])[0]
        if parts.path != "/simulator/switch" or (name and name not in SCENARIOS):
            self._reply(404, "unknown")
            return
        self.server.store.switch(name)
        self._reply(200, name)

    def _reply(self, status, text):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        """Say nothing: the request line holds the credentials."""


class Simulator(ThreadingHTTPServer):
    """The server; as a context manager it runs in a thread of this process."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, store, *, host="127.0.0.1", port=0):
        super().__init__((host, port), Handler)
        self.store = store
        self.protocols = [protocol(store) for protocol in PROTOCOLS]

    @property
    def url(self):
        return f"http://{self.server_address[0]}:{self.server_address[1]}"

    def handle_error(self, request, client_address):
        """A client that hung up is no news."""

    def __enter__(self):
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_exception):
        self.shutdown()
        self.server_close()
