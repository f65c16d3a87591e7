"""The providers' sides of the protocols that ``orders/providers`` speaks."""

import json
import re
from dataclasses import dataclass, field

from orders.simulator.scenarios import BY_PACKAGE, OUTAGES, PRODUCT, SCENARIOS, Scenario

HTML = "<!DOCTYPE html><html><body>Bakım</body></html>"
WORDS = {
    "waiting": "Sırada|bekliyor",
    "completed": "Tamamlandı|onaylandı",
    "topped_up": "Y%C3%BCklendi+-ONAYLANDI",
    "cancelled": "İptal edildi",
}


@dataclass
class Reply:
    """What goes back over the wire, or does not."""

    text: str = ""
    status: int = 200
    headers: dict = field(default_factory=dict)
    encoding: str = "utf-8"
    seconds: float = 0.0  # to wait before
    fate: str = "answer"  # or hang: none ever comes; or reset: the connection is cut off


class Protocol:
    """What the protocols have in common: how an order fares, and an outage of the whole."""

    def __init__(self, store):
        self.store = store

    def knows(self, path):
        """Return whether a path belongs to this protocol."""
        return self.call(path) is not None

    def answer(self, path, query, headers):
        """Return the reply to a call."""
        call, name = self.call(path)
        self.store.count(name)
        if not self.is_welcome(query, headers):
            return self.unwelcome()
        switched = SCENARIOS.get(self.store.switched())
        if switched is None or switched.sending not in OUTAGES or call == self.place:
            return call(path, query)
        reply = self.misbehave(switched) or call(path, query)
        return self.delayed(reply, switched)

    def order(self, referans, package, player, known):
        """Take an order, as far as its scenario buys it; return the reply."""
        self.store.receive(referans, player)
        name = self.store.scenario(package) if known else None
        if name is None:
            return self.no_such_package()
        scenario = SCENARIOS[name]
        cost = balance = 0.0
        if scenario.buys:
            cost, balance = self.store.buy(referans, package, player, name)
        reply = self.misbehave(scenario) or self.accept(referans, cost, balance)
        reply.encoding = scenario.encoding
        return self.delayed(reply, scenario)

    def delayed(self, reply, scenario):
        """Return a reply that comes as late as a scenario says."""
        reply.seconds = self.store.slow_seconds if scenario.sending == "slow" else 0.0
        return reply

    def misbehave(self, scenario: Scenario):
        """Return the reply of a provider that is unwell, None where it goes on as usual."""
        return {
            "hang": Reply(fate="hang"),
            "reset": Reply(fate="reset"),
            "error": Reply("Internal Server Error", 500),
            "empty": Reply(),
            "html": Reply(HTML),
            "busy": Reply("slow down", 429, {"Retry-After": "60"}),
            **self.refusals,
        }.get(scenario.sending)


class Znet(Protocol):
    """The dealer's side of ``orders.providers.znet``."""

    credentials = {"kod": "demo", "sifre": "demo-only-not-secret"}
    states = {"waiting": "1", "completed": "2", "topped_up": "2", "cancelled": "3"}

    @property
    def refusals(self):
        return {
            "poor": Reply("3|Yetersiz bakiye"),
            "refuse": Reply("3|Oyuncu Bulunamadı"),
            "duplicate": Reply("4|Daha Önce Gönderilmiş (166189)"),
        }

    @staticmethod
    def package_id(scenario):
        """Return the number under which the office orders a scenario."""
        return f"{PRODUCT}:{SCENARIOS[scenario].package}"

    def call(self, path):
        calls = {
            "pin_ekle": self.place,
            "pin_kontrol": self.status,
            "bakiye_kontrol": self.balance,
            "pin_listesi": self.prices,
        }
        match = re.fullmatch(r"/servis/(\w+)\.php", path)
        return (calls[match[1]], match[1]) if match and match[1] in calls else None

    def is_welcome(self, query, headers):
        return {name: query.get(name) for name in self.credentials} == self.credentials

    def unwelcome(self):
        return Reply()

    def no_such_package(self):
        return Reply("3|Kupur Bilgisi Bulunamadı")

    def place(self, path, query):
        known = query.get("oyun") == PRODUCT
        referans, player = query.get("referans", ""), query.get("oyuncu_bilgi", "")
        return self.order(referans, query.get("kupur", ""), player, known)

    def accept(self, referans, cost, balance):
        return Reply(f"OK|{cost:.2f}|{balance:.2f}")

    def status(self, path, query):
        found = self.store.ask(query.get("tahsilat_api_islem_id", ""))
        if found is None:
            return Reply("3|Kayıt Bulunamadı")
        state, pin, scenario = found
        text = f"OK|{self.states[state]}|{pin or ' '}|{WORDS[state]}"
        return Reply(text, encoding=scenario.encoding)

    def balance(self, path, query):
        return Reply(f"OK|{self.store.counts()['balance']:.2f}")

    def prices(self, path, query):
        result = [
            {
                "id": str(number),  # not what is ordered by
                "adi": f"Paket {package}",
                "aciklama": BY_PACKAGE.get(package, ""),
                "oyun_id": "9",
                "oyun_adi": "İnci Oyunu",
                "fiyat": f"{cost:.2f}",
                "kupur": package,
                "oyun_bilgi_id": PRODUCT,
            }
            for number, (package, cost) in enumerate(self.store.prices().items(), 1)
        ]
        return Reply(json.dumps({"success": True, "result": result, "error": None}))


class Barakat(Protocol):
    """The store's side of ``orders.providers.barakat``."""

    credentials = {"api_token": "demo-only-token"}
    states = {
        "waiting": "wait",
        "completed": "completed",
        "topped_up": "success",
        "cancelled": "reject",
    }

    @property
    def refusals(self):
        return {
            "busy": _error(429, "Too many requests", 429, {"Retry-After": "60"}),
            "poor": _error(100, "Insufficient balance"),
            "refuse": _error(114, "Wrong playerId"),
            "duplicate": _error(100, "This order_uuid was sent before"),
        }

    @staticmethod
    def package_id(scenario):
        """Return the number under which the office orders a scenario."""
        return SCENARIOS[scenario].package

    def call(self, path):
        calls = {"check": self.status, "profile": self.balance, "products": self.prices}
        match = re.fullmatch(r"/client/api/(newOrder/[0-9]+/params|check|profile|products)", path)
        if match is None:
            return None
        name = match[1].split("/")[0]
        return calls.get(name, self.place), name

    def is_welcome(self, query, headers):
        return headers.get("api-token") == self.credentials["api_token"]

    def unwelcome(self):
        return _error(121, "Token error", 401)

    def no_such_package(self):
        return _error(109, "Product not found")

    def place(self, path, query):
        package = path.split("/")[4]
        return self.order(query.get("order_uuid", ""), package, query.get("playerId", ""), True)

    def accept(self, referans, cost, balance):
        row = {"order_id": f"ID_{referans}", "order_uuid": referans, "status": "wait"}
        return _ok(row | {"price": cost, "replay_api": []})

    def status(self, path, query):
        references = query.get("orders", "").strip("[]").split(",")
        rows, encoding = [], "utf-8"
        for referans in references:
            found = self.store.ask(referans)
            if found is None:
                continue
            state, pin, scenario = found
            encoding = scenario.encoding if scenario.encoding != "utf-8" else encoding
            row = {"order_id": f"ID_{referans}", "order_uuid": referans}
            row |= {"status": self.states[state], "price": scenario.cost}
            if pin:
                row["pin"] = pin
            elif state == "cancelled":
                row["replay_api"] = [WORDS["cancelled"]]
            rows.append(row)
        return _ok(rows, encoding)

    def balance(self, path, query):
        balance = f"{self.store.counts()['balance']:.2f}"
        return Reply(json.dumps({"balance": balance, "email": "shop@example.com"}))

    def prices(self, path, query):
        result = [
            {
                "id": int(package),
                "name": f"Paket {package}",
                "category_name": "İnci Oyunu",
                "price": f"{cost:.2f}",
                "params": ["playerId"],
                "available": True,
                "qty_values": None,
            }
            for package, cost in self.store.prices().items()
        ]
        return Reply(json.dumps(result))


def _ok(data, encoding="utf-8"):
    text = json.dumps({"status": "OK", "data": data}, ensure_ascii=False)
    return Reply(text, encoding=encoding)


def _error(code, message, status=200, headers=None):
    text = json.dumps({"status": "ERROR", "code": code, "message": message})
    return Reply(text, status, headers or {})


PROTOCOLS = {"znet": Znet, "barakat": Barakat}
