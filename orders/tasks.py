"""What the cluster runs for orders. Arguments only wake these up: each reads the order again."""

import logging

from backoffice.schedules import recorded
from orders import dispatch, looks, polling, prices

logger = logging.getLogger(__name__)


def dispatch_order(order_id):
    """Send a new order, and whatever else waits; return the attempt's outcome."""
    return dispatch.run(order_id).get(order_id)


def check_order_status(order_id, tenant_id):
    """Ask about one order if it is due; return its state, None where it was not asked."""
    return polling.check_order(order_id, tenant_id)


def check_due_orders(lane=1):
    """Look after the orders that are due; return how many. The task that wakes itself."""
    done = polling.run(lane)
    return done.sent + done.checked


def look_beside_orders():
    """Look at the attempts that staff want to be asked about; return how many."""
    return looks.run()


@recorded
def check_pending_orders_batch():
    """Send what was never sent and ask what is due; return how many.

    The safety net: it suffices alone if every other row of the queue is lost.
    """
    done = polling.run_batch()
    if done.sent or done.checked:
        logger.info("Sent %s orders, checked %s", done.sent, done.checked)
    return done.sent + done.checked


def fetch_price_list(integration_id):
    """Fetch the price list of an integration; return what became of it."""
    return prices.fetch(integration_id).outcome


@recorded
def fetch_price_lists():
    """Have the price lists of all integrations fetched, a task each; return how many."""
    return prices.want_all()
