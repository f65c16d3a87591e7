"""Orders as they are usually checked: a task an order, a request a task."""

import os

import requests
from celery import shared_task
from django.utils import timezone

from shop.models import Order

STATES = {"1": "processing", "2": "completed", "3": "cancelled"}


@shared_task
def check(order_id):
    order = Order.objects.get(pk=order_id)
    answer = requests.get(
        f"{os.environ['SHOP_PROVIDER']}/servis/pin_kontrol.php",
        params={
            "kod": "dealer",
            "sifre": "open-sesame",
            "tahsilat_api_islem_id": order.reference,
        },
        timeout=(5, 20),
    )
    answer.raise_for_status()
    _ok, state, pin, order.message = answer.text.split("|", 3)
    order.status = STATES[state]
    if order.status == "completed":
        order.pin_code = pin
    order.tries += 1
    order.checked_at = timezone.now()
    order.save()
