"""Cashiers who hold seats at a given rate, in a process of their own, whatever the server does.

Reads lines of JSON: first {"port", "event", "sessions"}, then {"rate", "seconds", "seats"} again
and again; answers each of these with {"latencies", "statuses"}. A hold is due at its time whether
or not earlier ones were answered, and its latency counts from then.
"""

import json
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import count

from tests.reservations.load import Cashier


def hold_at_a_rate(cashiers, rate, seconds, seats):
    """Hold one seat after the other; return the latencies in seconds, and how often each status."""
    numbers, begin = count(), time.perf_counter() + 0.2
    latencies, statuses = [], Counter()

    def work(cashier):
        while (number := next(numbers)) < rate * seconds:
            due = begin + number / rate
            time.sleep(max(0, due - time.perf_counter()))
            status = cashier.post("hold", seats=seats[number]).status
            latencies.append(time.perf_counter() - due)
            statuses[status] += 1
        cashier.close()

    with ThreadPoolExecutor(len(cashiers)) as pool:
        list(pool.map(work, cashiers))
    return {"latencies": latencies, "statuses": statuses}


def main(lines):
    first = json.loads(next(lines))
    port, event = first["port"], first["event"]
    cashiers = [Cashier(port, session, event).open_map() for session in first["sessions"]]
    print("ready", flush=True)
    for line in lines:
        print(json.dumps(hold_at_a_rate(cashiers, **json.loads(line))), flush=True)


if __name__ == "__main__":
    main(iter(sys.stdin.readline, ""))
