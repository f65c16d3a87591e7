"""A provider to practise on: a real HTTP server over a small database of its own.

It speaks the protocols of ``PROTOCOLS`` and misbehaves as ``SCENARIOS`` say: by the package that is
ordered, or for all by a switch. It counts what it was asked and what was bought, so that a test
can prove that nothing was bought twice. A repeated reference buys again: no real provider
promises more.
"""

from orders.simulator.protocols import PROTOCOLS, Barakat, Znet
from orders.simulator.scenarios import OUTAGES, PRODUCT, SCENARIOS, Scenario
from orders.simulator.server import Simulator
from orders.simulator.store import OPENING_BALANCE, Store

__all__ = [
    "OPENING_BALANCE",
    "OUTAGES",
    "PRODUCT",
    "PROTOCOLS",
    "SCENARIOS",
    "Barakat",
    "Scenario",
    "Simulator",
    "Store",
    "Znet",
]
