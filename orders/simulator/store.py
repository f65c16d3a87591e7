"""What the simulated provider remembers: purchases, balance, counts, the switch."""

import secrets
import sqlite3
import threading
import time
import weakref

from orders.simulator.scenarios import BY_PACKAGE, SCENARIOS

SCHEMA = """
CREATE TABLE IF NOT EXISTS purchases (
    id INTEGER PRIMARY KEY, referans TEXT NOT NULL, package TEXT NOT NULL, player TEXT NOT NULL,
    scenario TEXT NOT NULL, cost REAL NOT NULL, bought_at REAL NOT NULL,
    asked INTEGER NOT NULL DEFAULT 0, pin TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS purchases_referans ON purchases (referans);
CREATE TABLE IF NOT EXISTS sendings (referans TEXT NOT NULL, player TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS numbers (name TEXT PRIMARY KEY, value REAL NOT NULL);
CREATE TABLE IF NOT EXISTS prices (package TEXT PRIMARY KEY, cost REAL);
CREATE TABLE IF NOT EXISTS switch (scenario TEXT NOT NULL);
"""
OPENING_BALANCE = 100_000.0
LATE_QUESTION = 4  # the one that finds a late order finished


class Store:
    """The provider's database, which outlives a restart and may be read by other processes."""

    def __init__(self, path, *, finish_seconds=20.0, slow_seconds=3.0):
        self.path = str(path)
        self.finish_seconds = finish_seconds
        self.slow_seconds = slow_seconds
        # isolation_level None: each statement is its own transaction.
        self._database = sqlite3.connect(
            self.path, timeout=30, isolation_level=None, check_same_thread=False
        )
        self._lock = threading.Lock()
        weakref.finalize(self, self._database.close)
        self._database.executescript(
            f"PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; {SCHEMA}"
        )
        self._rows("INSERT OR IGNORE INTO numbers VALUES ('balance', ?)", OPENING_BALANCE)

    def _rows(self, sql, *values):
        with self._lock:
            return self._database.execute(sql, values).fetchall()

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

    def bought_twice(self):
        """Return the players for whom more than one purchase was made."""
        sql = "SELECT player FROM purchases GROUP BY player HAVING count(*) > 1 ORDER BY player"
        return [player for (player,) in self._rows(sql)]

    def sendings(self, player=None):
        """Return how many orders came in, bought or not, for one player where given."""
        sql = "SELECT count(*) FROM sendings WHERE ? IS NULL OR player = ?"
        return self._rows(sql, player, player)[0][0]

    def about(self, referans):
        """Return the counts of one reference: how often it was sent, bought and asked about."""
        sql = "SELECT count(*), coalesce(sum(asked), 0) FROM purchases WHERE referans = ?"
        bought, asked = self._rows(sql, referans)[0]
        [[sent]] = self._rows("SELECT count(*) FROM sendings WHERE referans = ?", referans)
        return {"sent": sent, "bought": bought, "asked": asked}

    def switch(self, scenario=""):
        """Have every order behave in one way, whatever its package; '' ends that."""
        self._rows("DELETE FROM switch")
        if scenario:
            self._rows("INSERT INTO switch VALUES (?)", scenario)

    def switched(self):
        """Return the scenario that all orders follow now, '' where each follows its own."""
        rows = self._rows("SELECT scenario FROM switch")
        return rows[0][0] if rows else ""

    def scenario(self, package):
        """Return the name of the scenario for a package, None for an unknown package."""
        return self.switched() or BY_PACKAGE.get(package)

    def set_price(self, package, cost):
        """Have a package cost something else from now on; None takes it from the price list."""
        self._rows("INSERT OR REPLACE INTO prices VALUES (?, ?)", package, cost)

    def prices(self):
        """Return the cost of each package on the price list."""
        usual = {scenario.package: scenario.cost for scenario in SCENARIOS.values()}
        costs = usual | dict(self._rows("SELECT package, cost FROM prices"))
        return {package: cost for package, cost in costs.items() if cost is not None}

    def receive(self, referans, player):
        """Note that an order came in."""
        self._rows("INSERT INTO sendings VALUES (?, ?)", referans, player)

    def buy(self, referans, package, player, name):
        """Take an order and its cost; return (cost, balance)."""
        cost = self.prices().get(package, SCENARIOS[name].cost)
        self._rows(
            "INSERT INTO purchases (referans, package, player, scenario, cost, bought_at) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            *(referans, package, player, name, cost, time.time()),
        )
        return cost, self.count("balance", -cost)

    def ask(self, referans):
        """Return (state, PIN, scenario) of a reference, None for an unknown one."""
        rows = self._rows(
            "UPDATE purchases SET asked = asked + 1 WHERE referans = ? "
            "RETURNING id, scenario, bought_at, pin, cost, asked",
            referans,
        )
        if not rows:
            return None
        number, name, bought_at, pin, cost, asked = rows[0]
        scenario = SCENARIOS[name]
        state = _state(scenario.ends, asked)
        if state == "unknown":
            return None
        if time.time() < bought_at + self.finish_seconds:
            state = "waiting"
        if state == "completed":
            return state, pin or self._make_pin(number), scenario
        if state == "cancelled" and pin != "back":
            self._rows("UPDATE purchases SET pin = 'back' WHERE id = ?", number)
            self.count("balance", cost)
        return state, "", scenario

    def _make_pin(self, number):
        fresh = "-".join(secrets.token_hex(2).upper() for _part in range(4))
        self._rows("UPDATE purchases SET pin = ? WHERE id = ? AND pin = ''", fresh, number)
        return self._rows("SELECT pin FROM purchases WHERE id = ?", number)[0][0]


def _state(ends, asked):
    """Return what the question with this number finds."""
    if ends == "late":
        return "completed" if asked >= LATE_QUESTION else "waiting"
    if ends == "back":
        return "completed" if asked == 1 else "waiting"
    return "waiting" if ends == "never" else ends
