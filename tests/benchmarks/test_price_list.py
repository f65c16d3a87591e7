"""How long a price list of ten thousand rows takes: read, written, changed, and shown."""

import json
import time

import pytest
from django.db import connection
from django.urls import reverse

from orders import prices
from orders.models import PackageRouting, PriceListing
from orders.prices import Fetched
from tests.orders.conftest import canned, quick  # noqa: F401 - fixtures of the tests of orders
from tests.orders.factories import make_integration, make_package

pytestmark = [pytest.mark.django_db, pytest.mark.benchmark]
MANY = 10_000
WRITING_SECONDS, SHOWING_SECONDS = 20.0, 1.0


def answer(cost):
    rows = [
        {"oyun_bilgi_id": "187", "kupur": str(n), "oyun_adi": f"Oyun {n % 90}", "adi": f"{n} UC"}
        for n in range(MANY)
    ]
    result = [row | {"fiyat": cost, "aciklama": "Otomatik yüklenir"} for row in rows]
    return 200, json.dumps({"success": True, "result": result, "error": None}), {}


def test_ten_thousand_rows_are_written_and_shown_soon(canned, admin_client, capsys):  # noqa: F811 - the fixture
    account = make_integration(canned.url)
    PackageRouting.objects.bulk_create(
        PackageRouting(
            package=make_package(), integration=account, provider_package_id=f"187:{number}"
        )
        for number in range(1_000)
    )
    took = {}
    for name, cost in (("new", "10"), ("same", "10"), ("changed", "11")):
        canned.reply, began = answer(cost), time.monotonic()
        fetched = prices.fetch(account.pk)
        took[name] = time.monotonic() - began
    assert fetched == Fetched("fetched", changed=MANY)
    assert PriceListing.objects.count() == MANY
    assert max(took.values()) < WRITING_SECONDS

    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    address = reverse("admin:orders_pricelisting_changelist")
    for query in ("", "q=uc+99", "show=unmapped", "show=mapped", "show=above_price", "show=news"):
        began = time.monotonic()
        assert admin_client.get(f"{address}?{query}").status_code == 200
        took[query or "list"] = time.monotonic() - began
        assert took[query or "list"] < SHOWING_SECONDS, query
    with capsys.disabled():
        print(f"\n{connection.vendor}: {MANY} rows of a price list:", end=" ")
        print(", ".join(f"{name} {seconds:.2f} s" for name, seconds in took.items()))
