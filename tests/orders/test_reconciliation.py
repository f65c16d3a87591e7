import datetime
import random
from decimal import Decimal

import pytest
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from orders import reconciliation
from orders.models import OrderAttempt, ProductOrder
from orders.reconciliation import Purchase, gaps_of, in_order
from tests.orders.factories import make_integration, make_order, make_package

NOON = datetime.datetime(2026, 11, 20, 12, tzinfo=datetime.UTC)
DATE = datetime.date(2026, 11, 20)
costs = st.lists(st.decimals("0.01", "90", places=2), min_size=1, max_size=40)


def second(number):
    return NOON + datetime.timedelta(seconds=number)


def bought(amounts, *, opening=Decimal(100_000), injected=None, at=0):
    """Return the purchases of a day, one a second; ``injected`` is (place, amount) of a gap."""
    purchases, balance = [], opening
    for number, cost in enumerate(amounts):
        if injected and number == injected[0]:
            balance += injected[1]
        balance -= cost
        purchases.append(Purchase(second(at + number), cost, balance, number + 1))
    return purchases


def written_in_any_order(purchases, seed):
    """Return them as answers are written that came side by side: some seconds wrong."""
    chance = random.Random(seed)
    moved = [
        one._replace(at=one.at + datetime.timedelta(seconds=chance.uniform(-20, 20)))
        for one in purchases
    ]
    chance.shuffle(moved)
    return moved


def found_in(purchases):
    chain = in_order(purchases)
    return [later.before - earlier.balance for earlier, later in gaps_of(chain)]


@given(amounts=costs, seed=st.integers())
@settings(deadline=None, max_examples=60)
def test_answers_in_any_order_make_no_gap(amounts, seed):
    assert found_in(written_in_any_order(bought(amounts), seed)) == []


@given(first=costs, second=costs, amount=st.decimals("-5000", "5000", places=2), seed=st.integers())
@settings(deadline=None, max_examples=60)
def test_what_moved_without_a_purchase_is_found_with_its_amount(first, second, amount, seed):
    injected = (len(first), amount)
    one = bought([*first, *second], injected=injected)
    # A minute passes where money moves: nobody can tell which of two came first within seconds.
    late = [p._replace(at=p.at + datetime.timedelta(minutes=5)) for p in one[len(first) :]]
    found = found_in(written_in_any_order([*one[: len(first)], *late], seed))
    assert sum(found) == amount
    assert len(found) <= 1


@given(amounts=costs, seed=st.integers(), lost=st.integers(0, 39))
@settings(deadline=None, max_examples=60)
def test_a_purchase_that_nobody_ordered_is_found(amounts, seed, lost):
    amounts = [*amounts, Decimal(1), Decimal(2)]
    place = 1 + lost % (len(amounts) - 2)
    purchases = bought(amounts)
    debit = purchases.pop(place)
    found = found_in(written_in_any_order(purchases, seed))
    assert sum(found) == -debit.cost


def test_control_in_order_of_time_alone_gaps_are_found_that_are_none():
    purchases = written_in_any_order(bought([Decimal(5)] * 20), seed=1)
    assert list(gaps_of(sorted(purchases)))
    assert not list(gaps_of(in_order(purchases)))


def test_the_same_balance_twice_in_a_day_is_linked_in_order_of_time():
    morning = bought([Decimal(10)] * 3)
    evening = bought([Decimal(10)] * 3, at=3600)  # 30 were paid in meanwhile
    assert found_in([*evening, *morning]) == [Decimal(30)]


def test_what_cost_nothing_makes_no_gap():
    assert found_in(bought([Decimal(5), Decimal(0), Decimal(5)])) == []
    assert found_in(bought([Decimal(0)])) == []


# In the database


@pytest.fixture
def provider(db):
    return make_integration()


def buy(provider, cost, balance, at=NOON, *, status="completed", state="accepted", **columns):
    """An order that was bought, as its settling leaves it."""
    package = provider.routings.first() and provider.routings.first().package
    order = make_order(package or make_package(provider), **columns)
    number = OrderAttempt.objects.count() + 1
    attempt = OrderAttempt.objects.create(
        order=order,
        number=1,
        integration=provider,
        provider="znet",
        referans=str(number),
        state=state,
        cost=cost,
        balance=balance,
        request="",
        started_at=at,
        answered_at=at if state != "unknown" else None,
    )
    done = status == "completed"
    ProductOrder.objects.filter(pk=order.pk).update(
        external_status=status,
        integration=provider,
        provider_referans=attempt.referans,
        sent_at=at,
        created_at=at,
        completed_at=at if done else None,
        last_sync_at=at,
        next_check_at=None if done else at,
        dispatches=1,
    )
    return ProductOrder.objects.get(pk=order.pk)


def test_a_day_whose_money_adds_up_has_no_difference(provider):
    for number in range(3):
        buy(provider, 10, 90 - 10 * number, second(600 * number))
    day = reconciliation.day(provider, DATE)
    assert (day.purchases, day.cost, day.opening, day.closing) == (3, 30, 100, 70)
    assert (day.difference, day.findings) == (0, 0)


def test_a_gap_over_night_belongs_to_the_day_that_begins_with_it(provider):
    buy(provider, 10, 90, NOON - datetime.timedelta(days=1))
    buy(provider, 10, 180)
    day = reconciliation.day(provider, DATE)
    assert (day.opening, day.closing, day.difference) == (90, 180, 100)
    assert [gap.amount for gap in day.gaps] == [100]
    assert reconciliation.day(provider, DATE - datetime.timedelta(days=1)).gaps == []


def test_answers_on_both_sides_of_midnight_make_no_gap(provider):
    midnight = timezone.make_aware(datetime.datetime(2026, 11, 20))
    first, beside = midnight + datetime.timedelta(seconds=1), midnight - datetime.timedelta(0, 1)
    buy(provider, 10, 90, first)
    buy(provider, 10, 80, beside)
    buy(provider, 10, 70, midnight + datetime.timedelta(hours=1))
    assert reconciliation.day(provider, DATE).gaps == []
    assert reconciliation.day(provider, DATE - datetime.timedelta(days=1)).gaps == []


def test_a_gap_names_what_may_explain_it(provider):
    buy(provider, 10, 90)
    buy(provider, None, None, second(600), state="unknown", status="sent")
    buy(provider, 10, 68, second(1200))
    [gap] = reconciliation.day(provider, DATE).gaps
    assert gap.amount == -12
    assert [attempt.state for attempt in gap.candidates] == ["unknown"]


def test_what_was_bought_and_has_not_ended_is_listed(provider):
    waiting = buy(provider, 10, 90, status="processing")
    buy(provider, 10, 80, second(600))
    day = reconciliation.day(provider, DATE)
    assert [attempt.order for attempt in day.without_end] == [waiting]
    assert (day.gaps, day.without_attempt) == ([], [])


def test_an_end_without_a_purchase_is_listed(provider):
    order = buy(provider, 10, 90)
    order.attempts.update(state="refused")
    buy(provider, 10, 80, second(600))
    day = reconciliation.day(provider, DATE)
    assert day.without_attempt == [order]


def test_what_a_person_ended_by_hand_is_no_such_end(provider):
    order = buy(provider, 10, 90)
    order.attempts.update(state="refused")
    order.decisions.create(kind="by_hand", reason="in a shop", status="failed")
    assert reconciliation.day(provider, DATE).without_attempt == []


@pytest.mark.parametrize(("seconds", "found"), [(120, 1), (121, 0)])
def test_the_same_player_and_package_within_two_minutes_are_listed(provider, seconds, found):
    one = buy(provider, 10, 90, user_identifier="player")
    two = buy(provider, 10, 80, second(seconds), user_identifier="player")
    buy(provider, 10, 70, second(seconds + 1), user_identifier="other")
    assert reconciliation.day(provider, DATE).twins == [(one, two)] * found


def test_a_provider_that_tells_no_balance_has_its_cost_all_the_same(provider):
    buy(provider, 10, None)
    day = reconciliation.day(provider, DATE)
    assert (day.cost, day.opening, day.difference, day.gaps) == (10, None, None, [])


def test_days_are_those_on_which_something_was_bought(provider):
    buy(provider, 10, 90)
    buy(make_integration(), 10, 90, NOON - datetime.timedelta(days=2))
    first = DATE - datetime.timedelta(days=5)
    assert [(day.date, day.purchases) for day in reconciliation.days(first, DATE)] == [
        (DATE, 1),
        (DATE - datetime.timedelta(days=2), 1),
    ]
    [mine] = reconciliation.days(first, DATE, provider.pk)
    assert mine.integration == provider


def test_more_days_than_a_month_are_refused():
    with pytest.raises(ValueError, match="31"):
        list(reconciliation.days(DATE, DATE + datetime.timedelta(days=31)))


def test_a_day_takes_the_same_queries_however_much_was_bought(
    provider, django_assert_max_num_queries
):
    for number in range(40):
        buy(provider, 10, 1000 - 10 * number, second(600 + number))
    with django_assert_max_num_queries(9):
        day = reconciliation.day(provider, DATE)
    assert (day.purchases, day.findings) == (40, 0)
