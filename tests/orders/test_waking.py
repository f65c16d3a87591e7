import time

import pytest
from django_q.models import OrmQ
from pytest import approx

from orders import dispatch, polling, tasks, waking
from tests.orders.factories import due

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def awake_office(db):
    waking.awake()


def wakings():
    """The queue's rows of the loop: for each, in how many seconds it may be taken."""
    rows = [row for row in OrmQ.objects.all() if row.task["func"] == waking.TASK]
    return [round(row.lock.timestamp() - time.time()) for row in rows]


def test_the_loop_wakes_when_the_next_order_is_due(place):
    dispatch.try_auto_dispatch(place().pk)
    assert wakings() == approx([60], abs=5)


def test_many_orders_need_one_waking(place):
    for _number in range(5):
        dispatch.try_auto_dispatch(place().pk)
    assert wakings() == approx([60], abs=5)


def test_an_earlier_need_wakes_earlier():
    waking.wake_in(60)
    waking.wake_in(5)
    waking.wake_in(30)
    assert sorted(wakings()) == approx([5, 60], abs=3)


def test_a_waking_that_was_lost_is_asked_for_again(place):
    waking.wake_in(1)
    OrmQ.objects.all().delete()
    waking.CheckLoop.objects.update(wake_at="2020-01-01T00:00:00Z")
    waking.wake_in(10)
    assert wakings() == approx([10], abs=3)


def test_the_task_queues_its_own_successor(place):
    order = place("never")
    dispatch.try_auto_dispatch(order.pk)
    OrmQ.objects.all().delete()
    waking.CheckLoop.objects.update(wake_at="2020-01-01T00:00:00Z")
    due(order)
    assert tasks.check_due_orders() == 1
    assert wakings() == approx([30], abs=5)


def test_without_open_orders_the_loop_sleeps():
    tasks.check_due_orders()
    assert wakings() == []


def test_the_loop_wakes_for_a_claim_that_runs_out(place, settings):
    settings.ORDER_CLAIM_SECONDS = 45
    dispatch.begin(place().pk)
    polling.run()
    assert wakings() == approx([45], abs=5)


def test_the_batch_records_its_run(place):
    from backoffice.schedules import TaskRun

    due(place())
    assert tasks.check_pending_orders_batch() == 1
    assert TaskRun.objects.values_list("name", "count").get() == ("check_pending_orders_batch", 1)
