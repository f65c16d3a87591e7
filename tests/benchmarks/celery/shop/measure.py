"""Has a running worker check orders, and says how many seconds that took.

``python -m shop.measure COUNT``: makes the orders and fills the queue, to which the worker does
not listen yet; prints "ready"; at a line on its input tells the worker to listen; prints seconds.
"""

import sys
import time

from django.db import connection

from shop.app import app  # which sets Django up for the next ones # isort: split
from shop.models import Order
from shop.tasks import check


def main(count):
    if Order._meta.db_table not in connection.introspection.table_names():
        with connection.schema_editor() as editor:
            editor.create_model(Order)
    Order.objects.all().delete()
    orders = [Order(reference=str(1_000_000 + number)) for number in range(count)]
    for order in Order.objects.bulk_create(orders):
        check.delay(order.pk)
    print("ready", flush=True)
    sys.stdin.readline()
    begin = time.perf_counter()
    app.control.add_consumer("orders", reply=True)
    while Order.objects.filter(checked_at__isnull=True).exists():
        time.sleep(0.02)
    print(time.perf_counter() - begin, flush=True)
    app.control.cancel_consumer("orders", reply=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
