"""How the simulated provider behaves about an order."""

from dataclasses import dataclass

PRODUCT = "187"  # oyun_bilgi_id of all packages


@dataclass(frozen=True)
class Scenario:
    """How the provider behaves about one order."""

    package: str  # znet's kupur, barakat's product
    buys: bool = True
    # The answer to the order: answer, slow, hang, reset, error, empty, html, busy, poor, refuse,
    # duplicate.
    sending: str = "answer"
    # What questions about it find: completed, topped_up, cancelled; never anything but waiting;
    # late, at the fourth question; back, waiting again after the first; unknown, no such order.
    ends: str = "completed"
    cost: float = 10.12
    encoding: str = "utf-8"


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
    "hanging": Scenario("111", sending="hang"),
    "error_bought": Scenario("112", sending="error"),
    "wrong_encoding": Scenario("113", encoding="cp1254"),
    "duplicate": Scenario("114", sending="duplicate"),
    "unknown_reference": Scenario("115", ends="unknown"),
    "late": Scenario("116", ends="late"),
    "going_back": Scenario("117", ends="back"),
    "busy": Scenario("118", buys=False, sending="busy"),
}
BY_PACKAGE = {scenario.package: name for name, scenario in SCENARIOS.items()}
# By a switch these meet every call, not the orders alone: the whole provider is unwell.
OUTAGES = {"slow", "hang", "reset", "error", "empty", "html", "busy"}
