"""Price lists as they are fetched, and what their changes do to packages and orders."""

import json
from datetime import timedelta
from decimal import Decimal

import pytest
from django_q.models import OrmQ

from backoffice.clock import database_now
from orders import dispatch, limits, prices, tasks
from orders.models import IntegrationState, PriceList, PriceListing, ProviderCost, ReviewReason
from orders.prices import Fetched
from orders.providers.base import EMPTY_LIST
from orders.simulator import SCENARIOS, Znet
from tests.orders.factories import (
    NOWHERE,
    as_it_is,
    make_integration,
    make_listing,
    make_order,
    make_package,
)
from tests.threads import at_once

pytestmark = pytest.mark.django_db
ALL = len(SCENARIOS)
NORMAL = Znet.package_id("normal")


@pytest.fixture
def account(simulator):
    return make_integration(simulator.url)


def listing(account, number=NORMAL):
    return PriceListing.objects.get(integration=account, provider_package_id=number)


def costs():
    return list(ProviderCost.objects.order_by("package").values_list("cost", flat=True))


def test_a_first_list_is_kept_whole(account):
    assert prices.fetch(account.pk) == Fetched("fetched", new=ALL)

    row, state = listing(account), PriceList.objects.get(pk=account.pk)
    assert (row.name, row.cost, row.previous_cost) == (
        "İnci Oyunu Paket 100",
        Decimal("10.12"),
        None,
    )
    assert (row.first_seen_at, row.last_seen_at) == (state.fetched_at, state.fetched_at)
    assert (state.problem, state.new, state.busy_until) == ("", ALL, None)


def test_the_same_list_changes_nothing_but_when_it_was_seen(account, django_assert_max_num_queries):
    prices.fetch(account.pk)
    before = listing(account)
    with django_assert_max_num_queries(30):
        assert prices.fetch(account.pk) == Fetched("fetched")

    row = listing(account)
    assert (row.pk, row.changed_at, row.first_seen_at) == (before.pk, None, before.first_seen_at)
    assert row.last_seen_at > before.last_seen_at


def test_another_cost_is_kept_with_the_one_before(account, store):
    prices.fetch(account.pk)
    store.set_price("100", 12.65)
    assert prices.fetch(account.pk) == Fetched("fetched", changed=1)

    row = listing(account)
    assert (row.cost, row.previous_cost) == (Decimal("12.65"), Decimal("10.12"))
    assert (row.changed_at, row.change()) == (row.last_seen_at, Decimal("25.0"))
    assert PriceListing.objects.exclude(pk=row.pk).filter(changed_at__isnull=False).count() == 0


def test_a_row_that_left_the_list_is_gone_until_it_comes_back(account, store):
    prices.fetch(account.pk)
    store.set_price("100", None)
    assert prices.fetch(account.pk) == Fetched("fetched", gone=1)
    assert prices.fetch(account.pk) == Fetched("fetched")
    [gone] = PriceListing.objects.gone()
    assert (gone.provider_package_id, gone.last_seen_at < gone.missing_since) == (NORMAL, True)

    store.set_price("100", 10.12)
    prices.fetch(account.pk)
    row = listing(account)
    assert (row.pk, row.missing_since, row.changed_at) == (gone.pk, None, None)


def test_a_row_whose_cost_can_not_be_read_keeps_the_one_it_had(account, store, canned):
    prices.fetch(account.pk)
    rows = json.loads(Znet(store).prices("", {}).text)
    rows["result"][0]["fiyat"] = "?"
    canned.reply = (200, json.dumps(rows), {})
    type(account).objects.update(base_url=canned.url)

    assert prices.fetch(account.pk) == Fetched("fetched", skipped=1)
    assert (listing(account).cost, listing(account).missing_since) == (Decimal("10.12"), None)


def test_what_a_package_costs_follows_the_list(account, store):
    package, _other = make_package(account), make_package(account, scenario="slow")
    prices.fetch(account.pk)
    assert costs() == [Decimal("10.12"), Decimal("10.12")]
    store.set_price("100", 60.01)
    prices.fetch(account.pk)

    assert costs() == [Decimal("60.01"), Decimal("10.12")]
    above = ProviderCost.objects.above_price().get()
    assert (above.package, above.integration) == (package, account)
    assert PriceListing.objects.above_price().get() == listing(account)


def test_a_cost_that_is_just_the_price_is_not_above_it():
    account = make_integration(exchange_rate=3)
    make_listing(account, NORMAL, cost="0.1")
    package = make_package(account, price="0.3")
    prices.remember_costs_of([package.pk])

    assert costs() == [Decimal("0.1")]
    assert ProviderCost.objects.above_price().count() == 0
    assert PriceListing.objects.above_price().count() == 0


def test_an_order_that_would_be_sold_at_a_loss_is_kept_back_before_it_is_sent(account, store):
    prices.fetch(account.pk)
    package = make_package(account, price=11)
    store.set_price("100", 11.5)
    prices.fetch(account.pk)
    order = make_order(package)
    dispatch.try_auto_dispatch(order.pk)

    assert as_it_is(order).review_reason == ReviewReason.COST_ABOVE_PRICE
    assert store.sendings() == 0


def test_control_without_the_list_the_loss_is_found_after_it_was_made(account, store):
    package = make_package(account, price=11)
    store.set_price("100", 11.5)
    order = make_order(package)
    dispatch.try_auto_dispatch(order.pk)

    assert (as_it_is(order).review_reason, store.sendings()) == ("", 1)


def test_a_cost_by_the_number_of_the_list_s_rows_would_be_another_packages(account, store):
    """The classic fault: ``id`` of the list is no number to order by."""
    make_package(account)
    wrong = make_package(account)
    wrong.routings.update(provider_package_id="1:100")
    prices.fetch(account.pk)

    assert ProviderCost.objects.filter(package=wrong).count() == 0
    assert PriceListing.objects.filter(provider_package_id="1:100").count() == 0


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ((200, "", {}), "empty answer"),
        ((200, "<html>", {}), "HTML instead of an answer"),
        ((500, "x", {}), "HTTP 500"),
        ((200, '{"success": false, "result": null, "error": "Bayi yok"}', {}), "Bayi yok"),
        ((200, '{"success": true, "result": [], "error": null}', {}), EMPTY_LIST),
    ],
)
def test_a_list_that_can_not_be_had_leaves_all_as_it_was(account, canned, reply, words):
    prices.fetch(account.pk)
    before = list(PriceListing.objects.values())
    canned.reply = reply
    type(account).objects.update(base_url=canned.url)

    assert prices.fetch(account.pk) == Fetched("failed")
    state = PriceList.objects.get(pk=account.pk)
    assert (state.problem, state.tried_at > state.fetched_at) == (words, True)
    assert list(PriceListing.objects.values()) == before


def test_no_failed_list_stops_orders(account):
    type(account).objects.update(base_url=NOWHERE)
    for _again in range(6):
        assert prices.fetch(account.pk) == Fetched("failed")

    assert limits.read([account.pk])[account.pk].state.failures == 0


def test_a_provider_that_is_left_alone_is_not_asked(account, store):
    limits.read([account.pk])
    IntegrationState.objects.update(open_until=database_now() + timedelta(minutes=1))

    assert prices.fetch(account.pk) == Fetched("failed")
    assert PriceList.objects.get().problem == prices.LEFT_ALONE
    assert "pin_listesi" not in store.counts()


def test_an_integration_that_can_not_be_used_says_so(account):
    type(account).objects.update(credentials="")
    assert prices.fetch(account.pk) == Fetched("failed")
    assert PriceList.objects.get().problem == prices.UNUSABLE


# Never two at once


def test_a_list_that_somebody_is_busy_with_is_left_to_them(account, store):
    PriceList.objects.create(
        integration=account, claim_token="theirs", busy_until=database_now() + timedelta(minutes=1)
    )
    assert prices.fetch(account.pk) == Fetched("busy")
    assert (PriceListing.objects.count(), "pin_listesi" in store.counts()) == (0, False)


def test_a_claim_that_ran_out_is_taken(account):
    PriceList.objects.create(
        integration=account, claim_token="theirs", busy_until=database_now() - timedelta(minutes=1)
    )
    assert prices.fetch(account.pk).outcome == "fetched"


def test_who_lost_the_claim_during_the_call_writes_nothing(account, monkeypatch):
    def ask(integration):
        PriceList.objects.update(claim_token="another's")
        return asked(integration)

    asked = prices._ask
    monkeypatch.setattr(prices, "_ask", ask)
    assert prices.fetch(account.pk) == Fetched("busy")
    assert PriceListing.objects.count() == 0
    assert PriceList.objects.get().claim_token == "another's"


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_one_asks(account, store):
    store.switch("slow")
    outcomes = at_once(lambda _number: prices.fetch(account.pk).outcome, 4)

    assert sorted(outcomes) == ["busy"] * 3 + ["fetched"]
    assert store.counts()["pin_listesi"] == 1


@pytest.mark.django_db(transaction=True)
def test_control_without_the_claim_all_ask(account, store, monkeypatch):
    monkeypatch.setattr(prices, "_claim", lambda pk: PriceList.objects.get_or_create(pk=pk) and "")
    store.switch("slow")
    at_once(lambda _number: prices.fetch(account.pk).outcome, 4)

    assert store.counts()["pin_listesi"] == 4


# By the clock, and by a button


def test_a_list_that_is_on_its_way_is_not_asked_for_again(account):
    assert [prices.want(account.pk), prices.want(account.pk)] == [True, False]
    assert OrmQ.objects.count() == 1


def test_a_list_that_was_lost_on_its_way_is_asked_for_again(account):
    prices.want(account.pk)
    PriceList.objects.update(asked_at=database_now() - prices.LOST)
    assert prices.want(account.pk)


def test_a_list_that_came_is_asked_for_again(account):
    prices.want(account.pk)
    tasks.fetch_price_list(account.pk)
    assert prices.want(account.pk)


def test_the_clock_has_all_lists_fetched_that_there_are(account, monkeypatch):
    make_integration(is_active=False)
    without = make_integration(provider="barakat")
    monkeypatch.setattr(prices.providers.get_adapter("barakat"), "has_price_list", False)

    assert tasks.fetch_price_lists() == 1
    assert [tasks.fetch_price_list(pk) for pk in (account.pk, without.pk)] == ["fetched", "off"]
    assert set(PriceListing.objects.values_list("integration", flat=True)) == {account.pk}


# Sought


@pytest.mark.parametrize(
    "term",
    [
        "İNCİ 660",
        "inci 660",
        "ınci ٦٦٠",
        "ıncı ۶۶۰",
        "187:660",
        "گيفتكارت",
        "گیفت کارت",
        "گیفت‌کارت",
    ],
)
def test_a_row_is_found_however_its_letters_are_typed(account, term):
    wanted = make_listing(account, "187:660", name="İnci Oyunu 660 گیفت‌کارت")
    make_listing(account, "187:325", name="Çiçek 325")

    assert list(PriceListing.objects.matching(term)) == [wanted]


def test_turkish_letters_are_found_without_their_marks(account):
    wanted = make_listing(account, "187:325", name="Çiçek Şölen")
    assert list(PriceListing.objects.matching("cicek solen")) == [wanted]
    assert list(PriceListing.objects.matching("solan")) == []
