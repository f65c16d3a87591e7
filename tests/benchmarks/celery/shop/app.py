import os

import django
from celery import Celery

app = Celery("shop", broker=os.environ["SHOP_REDIS"])
app.conf.task_ignore_result = True
app.conf.task_routes = {"shop.tasks.check": "orders"}
django.setup()
app.autodiscover_tasks(["shop"])
