"""How long the page of a provider takes with 100,000 sendings of the last thirty days."""

import time
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import F
from django.urls import reverse

from orders import limits
from orders.models import OrderAttempt
from tests.benchmarks.test_order_list import many

pytestmark = [pytest.mark.django_db, pytest.mark.benchmark]
SECONDS = 1.5
__all__ = ["many"]  # the fixture


def test_the_page_of_a_busy_provider_opens_at_once(admin_client, many):
    integration_id = many.integration_id
    for day in range(30):  # as they came in over the days
        some = OrderAttempt.objects.annotate(part=F("pk") % 30).filter(part=day)
        some.update(
            started_at=F("started_at") - timedelta(days=day, minutes=day * 7),
            milliseconds=200 + F("pk") % 3_000,
        )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    limits.read()
    page = reverse("admin:orders_integrationstate_change", args=[integration_id])
    admin_client.get(page)
    for span in ("hours", "days"):
        begun = time.perf_counter()
        shown = admin_client.get(page, {"span": span}).context
        took = time.perf_counter() - begun
        print(f"{span}: {took * 1000:.0f} ms, {shown['total'].figures.sent} sendings")
        assert took < SECONDS
