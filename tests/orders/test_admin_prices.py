"""The pages of price lists: read, fetched, and mapped to packages by search."""

from decimal import Decimal

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django_q.models import OrmQ

from backoffice import locks
from backoffice.audit import LockEvent
from orders import price_mapping
from orders.models import PackageRouting, PriceList, ProviderCost
from tests.orders.factories import make_integration, make_listing, make_package

pytestmark = pytest.mark.django_db
LIST = "/admin/orders/pricelisting/"
BUYER = (
    "orders.view_pricelisting",
    "orders.fetch_pricelisting",
    "orders.view_package",
    "orders.change_package",
    "orders.add_packagerouting",
    "orders.change_packagerouting",
    "orders.view_packagerouting",
    "orders.view_providercost",
)


@pytest.fixture
def buyer(make_user, client):
    user = make_user("buyer", *BUYER)
    client.force_login(user)
    return user


@pytest.fixture
def account(db):
    return make_integration(name="زدنت", exchange_rate=2)


@pytest.fixture
def row(account):
    return make_listing(account, "187:660", name="İnci 660", cost=Decimal("30.5"))


def names(response):
    return [row.name for row in response.context["cl"].result_list]


def connect(client, row, package, **data):
    address = reverse("admin:orders_pricelisting_connect", args=[row.pk])
    return client.post(address, {"package": package.pk, **data})


# Read


def test_who_may_not_see_costs_sees_none(client, make_user, row):
    client.force_login(make_user("desk", "orders.view_package", "orders.view_productorder"))
    start = "admin:orders_pricelisting_"
    of_row = [reverse(start + name, args=[row.pk]) for name in ("change", "connect")]
    others = (f"{LIST}suggestions/?integration=1", "/admin/orders/providercost/")
    for address in (LIST, *of_row, *others):
        assert client.get(address).status_code == 403, address
    assert client.post(f"{LIST}fetch/{row.integration_id}/").status_code == 403
    assert OrmQ.objects.count() == 0


def test_a_row_tells_its_cost_in_both_moneys_and_where_it_is_above_the_price(client, buyer, row):
    package = make_package(row.integration, price=60, name="بستهٔ طلایی")
    package.routings.update(provider_package_id="187:660")
    row.previous_cost = 20
    row.save()
    page = client.get(LIST).content.decode()

    for text in ("۳۰٫۵", "۶۱", "۵۲٫۵٪ ↑ گران‌تر", "بستهٔ طلایی", "بیش از بها"):
        assert text in page, text


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ("unmapped", ["free", "gone"]),
        ("mapped", ["dear", "fair"]),
        ("changed", ["free"]),
        ("news", []),
        ("above_price", ["dear"]),
        ("gone", ["gone"]),
        ("", ["dear", "fair", "free", "gone"]),
    ],
)
def test_the_list_shows_what_is_asked_for(client, buyer, account, shown, expected):
    now = "2026-01-01T00:00Z"
    make_listing(account, "1:1", name="dear", cost=31)
    make_listing(account, "1:2", name="fair", cost=30)
    make_listing(account, "1:3", name="free", previous_cost=1, changed_at="2999-01-01T00:00Z")
    make_listing(account, "1:4", name="gone", missing_since=now)
    for number in ("1:1", "1:2"):
        make_package(account, price=60).routings.update(provider_package_id=number)

    assert names(client.get(LIST, {"show": shown} if shown else {})) == expected


def test_the_list_is_sought_in_any_letters(client, buyer, account, row):
    make_listing(account, "187:325", name="Çiçek")
    assert names(client.get(LIST, {"q": "ınci ۶۶۰"})) == ["İnci 660"]
    assert names(client.get(LIST, {"q": "cicek"})) == ["Çiçek"]


def test_more_rows_take_no_more_queries(client, buyer, account):
    def queries():
        with CaptureQueriesContext(connection) as seen:
            client.get(LIST)
        return len(seen)

    for number in range(2):
        make_listing(account, f"1:{number}")
        make_package(account).routings.update(provider_package_id=f"1:{number}")
    few = queries()
    for number in range(2, 8):
        make_listing(account, f"1:{number}")
        make_package(account).routings.update(provider_package_id=f"1:{number}")
    assert queries() == few


# Fetched


def test_a_list_is_fetched_in_the_cluster_and_once(client, buyer, account):
    for _again in range(2):
        assert client.post(f"{LIST}fetch/{account.pk}/").status_code == 302
    assert OrmQ.objects.count() == 1
    assert "در صف گرفتن" in client.get(LIST).content.decode()


def test_the_button_of_a_list_is_in_a_form_of_its_own(client, buyer, account):
    """A form within that of the list would be none to a browser, and its button ask for nothing."""
    page = client.get(LIST).content.decode()
    opened = page.index(f'action="{LIST}fetch/{account.pk}/"')
    assert page.count("<form", 0, opened) - page.count("</form", 0, opened) == 1


def test_looking_fetches_nothing(client, buyer, account):
    assert "در صف گرفتن" not in client.get(LIST).content.decode()
    assert client.get(f"{LIST}fetch/{account.pk}/").status_code == 405
    client.get(LIST)
    assert (OrmQ.objects.count(), PriceList.objects.count()) == (0, 0)


def test_the_page_says_when_each_list_was_fetched_and_why_not(client, buyer, account, monkeypatch):
    PriceList.objects.create(
        integration=account, tried_at="2026-03-21T08:00Z", problem="HTTP 500", fetched_at=None
    )
    make_integration(provider="barakat", name="برکات")
    monkeypatch.setattr("orders.prices.offers_list", lambda provider: provider == "znet")
    page = client.get(LIST).content.decode()

    assert "HTTP 500" in page
    assert "۱۴۰۵/۰۱/۰۱" in page
    assert "این ارائه‌دهنده فهرست قیمت ندارد" in page


# Mapped from the list


def test_a_row_is_connected_to_a_package(client, buyer, row):
    package = make_package()
    assert connect(client, row, package).status_code == 302

    routing = PackageRouting.objects.get()
    assert (routing.package, routing.integration, routing.priority) == (package, row.integration, 1)
    assert routing.provider_package_id == "187:660"
    assert ProviderCost.objects.get().cost == Decimal("30.5")
    assert LogEntry.objects.get().object_id == str(package.pk)


def test_it_comes_after_the_integrations_that_the_package_has(client, buyer, row):
    package = make_package(make_integration())
    connect(client, row, package)
    assert list(package.routings.values_list("priority", flat=True)) == [1, 2]


def test_another_number_is_replaced_only_when_that_is_wanted(client, buyer, row):
    package = make_package(row.integration)
    page = connect(client, row, package)
    assert (page.status_code, package.routings.get().provider_package_id) == (200, "187:100")
    assert "187:100" in page.content.decode()
    assert (LogEntry.objects.count(), ProviderCost.objects.count()) == (0, 0)

    assert connect(client, row, package, replace="on").status_code == 302
    assert package.routings.get().provider_package_id == "187:660"


def test_a_package_that_somebody_edits_is_not_connected(client, buyer, make_user, row):
    package = make_package()
    ali = make_user("ali", "orders.change_package", first_name="علی")
    locks.acquire(type(package), package.pk, by=ali, version=1)
    page = connect(client, row, package)

    assert (page.status_code, PackageRouting.objects.count()) == (200, 0)
    assert "علی" in page.content.decode()
    refusal = LockEvent.objects.get(action=LockEvent.Action.REFUSED)
    assert (refusal.target_id, LogEntry.objects.count()) == (str(package.pk), 0)


def test_nor_one_that_is_open_in_another_tab_of_ones_own(client, buyer, row):
    package = make_package()
    locks.acquire(type(package), package.pk, by=buyer, version=1)
    assert (connect(client, row, package).status_code, PackageRouting.objects.count()) == (200, 0)


def test_control_without_the_guard_it_changes_under_the_one_who_edits_it(
    client, buyer, make_user, row, monkeypatch
):
    package = make_package()
    locks.acquire(type(package), package.pk, by=make_user("ali"), version=1)
    monkeypatch.setattr(price_mapping, "_hold", lambda package, by: None)
    connect(client, row, package)
    assert PackageRouting.objects.count() == 1


def test_a_page_that_was_opened_before_is_out_of_date(client, buyer, row):
    package = make_package()
    connect(client, row, package)
    package.refresh_from_db()
    assert package.version == 2


def test_what_is_connected_already_is_left_as_it_is(client, buyer, row):
    package = make_package()
    for _again in range(2):
        assert connect(client, row, package).status_code == 302
    package.refresh_from_db()
    assert (package.version, package.routings.count(), LogEntry.objects.count()) == (2, 1, 1)


# Sought on the package's page


def test_suggestions_come_from_the_chosen_integration_alone(client, buyer, account, row):
    make_listing(make_integration(), "187:660", name="İnci 660")
    make_listing(account, "187:661", name="İnci 661", missing_since="2026-01-01T00:00Z")
    answer = client.get(f"{LIST}suggestions/", {"integration": account.pk, "term": "inci"})

    assert answer.json() == {
        "listings": [{"number": "187:660", "name": "İnci 660", "cost": "۳۰٫۵", "more": ""}]
    }


@pytest.mark.parametrize("integration", ["", "x", "-1", "²", "9" * 30])
def test_an_integration_that_is_none_has_no_suggestions(client, buyer, integration):
    answer = client.get(f"{LIST}suggestions/", {"integration": integration})
    assert answer.status_code == 404


def test_a_package_tells_what_it_costs_beside_its_routing(client, buyer, row):
    package = make_package(row.integration, price=60)
    ProviderCost.objects.create(package=package, integration=row.integration, cost="30.5")
    page = client.get(reverse("admin:orders_package_change", args=[package.pk])).content.decode()
    assert "۳۰٫۵" in page
    assert "بیش از بها" in page


def test_a_package_s_new_number_brings_its_cost(client, admin_user, row):
    """Saved on its page, as by the field that is filled by search."""
    client.force_login(admin_user)
    package = make_package(row.integration)
    routing = package.routings.get()
    data = {
        "product": package.product_id,
        "code": package.code,
        "name": package.name,
        "price": "60",
        "is_active": "on",
        "editing_version": "1",
        "routings-TOTAL_FORMS": "1",
        "routings-INITIAL_FORMS": "1",
        "routings-0-id": routing.pk,
        "routings-0-package": package.pk,
        "routings-0-integration": row.integration_id,
        "routings-0-priority": "1",
        "routings-0-provider_package_id": "187:660",
        "routings-0-field_mapping": "{}",
        "routings-0-is_active": "on",
    }
    client.post(reverse("admin:orders_package_change", args=[package.pk]), data)
    assert ProviderCost.objects.get().cost == Decimal("30.5")


# Told before it hurts


def test_the_first_page_counts_costs_that_changed_or_are_above_the_price(client, buyer, row):
    package = make_package(row.integration, price=60)
    package.routings.update(provider_package_id="187:660")
    row.changed_at = "2999-01-01T00:00Z"
    row.save()
    ProviderCost.objects.create(package=package, integration=row.integration, cost="30.5")
    figures = {
        str(figure.label): figure.count
        for figure in client.get(reverse("admin:index")).context["first_page"]["figures"]
    }
    assert (figures["هزینه‌های بیش از بها"], figures["تغییر هزینهٔ خرید"]) == (1, 1)
    page = client.get("/admin/orders/providercost/?show=above_price").content.decode()
    assert package.name in page
