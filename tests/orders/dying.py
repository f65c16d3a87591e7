"""A cluster in which somebody is killed at a step between order and PIN, once for each order.

Which step, and who, an order says by its player: ``bought/worker``. The files in ``DYING_FOLDER``
tell which orders have had their turn. With ``DYING_UNGUARDED`` an order is sent before that is
committed, for the control.
"""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import django
from django.core.management import execute_from_command_line

django.setup()

from django.db import connection, transaction  # noqa: E402 - they need the settings

from orders import dispatch, journal, polling  # noqa: E402
from orders.models import ProductOrder  # noqa: E402

STEPS = ["uncommitted", "committed", "calling", "bought", "asking", "answered"]
ALL_BEFORE_THE_KILL = 0.2  # seconds in which a call that was begun reaches the provider
STAND_STILL = 60


def parent_of(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])


def victim(whom):
    worker = os.getpid()
    guard = parent_of(worker)
    return {"worker": worker, "guard": guard, "head": parent_of(guard)}[whom]


def turn_of(order, step):
    """Return whether an order's somebody is to be killed at a step, for the first time."""
    wanted, whom = order.user_identifier.split("/")
    return wanted == step and not Path(os.environ["DYING_FOLDER"], f"{step}-{whom}").exists()


def die(order):
    step, whom = order.user_identifier.split("/")
    Path(os.environ["DYING_FOLDER"], f"{step}-{whom}").touch(exist_ok=False)
    os.kill(victim(whom), signal.SIGKILL)
    time.sleep(STAND_STILL)  # whoever was killed, no further step is taken


def before_commit(record=journal.record):
    def dying(order_id, what, **about):
        record(order_id, what, **about)
        order = ProductOrder.objects.get(pk=order_id)
        if what == journal.OrderEvent.What.SENDING and turn_of(order, "uncommitted"):
            die(order)

    return dying


def around(call, orders_of, before, during, after):
    """Return a call to a provider that is cut off before it, in the middle of it, or behind it."""

    def dying(item):
        orders = orders_of(item)
        for order in orders:
            if before and turn_of(order, before):
                die(order)
            if turn_of(order, during):
                threading.Thread(target=call, args=(item,), daemon=True).start()
                time.sleep(ALL_BEFORE_THE_KILL)
                die(order)
        answer = call(item)
        for order in orders:
            if turn_of(order, after):
                die(order)
        return answer

    return dying


def orders_asked_about(question):
    """Return the orders of a question as they are stored, read in the thread of its call."""
    try:
        return list(ProductOrder.objects.filter(pk__in=[order.pk for order in question.orders]))
    finally:
        connection.close()


def send_unguarded(first=None):
    with transaction.atomic():
        sending = dispatch.begin(first)
        transaction.set_rollback(True)
    answer = dispatch.call(sending)
    dispatch.settle(dispatch.begin(first), answer)
    return {}


if __name__ == "__main__":
    journal.record = before_commit()
    dispatch.call = around(
        dispatch.call, lambda sending: [sending.order], "committed", "calling", "bought"
    )
    polling.ask = around(polling.ask, orders_asked_about, None, "asking", "answered")
    if os.environ.get("DYING_UNGUARDED"):
        dispatch.run = send_unguarded
    execute_from_command_line(["manage.py", "run_cluster", sys.argv[1]])
