"""The queue's rows by the database's clock; tests/backoffice/test_clusters.py has real clusters."""

import time
from datetime import timedelta

import pytest
import time_machine
from django.db import OperationalError, connection, transaction
from django.utils import timezone
from django_q.brokers import get_broker
from django_q.brokers.orm import ORM
from django_q.conf import Conf
from django_q.models import OrmQ
from django_q.tasks import async_task

from backoffice import broker as broker_module
from backoffice.broker import DatabaseBroker, DelayedBroker
from backoffice.clock import database_now
from backoffice.clusters import MAIN, ClusterSign, configured
from tests.threads import at_once

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(Conf, "POLL", 0)
    monkeypatch.setattr(broker_module, "OUTAGE_SECONDS", 0)


@pytest.fixture
def broker():
    return get_broker()


def put(name, *, lock=None, key=MAIN):
    return OrmQ.objects.create(key=key, payload=name, lock=lock or database_now()).pk


def taken(broker):
    return [payload for _key, payload in broker.dequeue() or ()]


def seconds_ahead(row):
    """Return in how many seconds a row may be taken, by the clock that counts."""
    now = OrmQ.objects.values_list(database_now(), flat=True).get(pk=row)
    return (OrmQ.objects.get(pk=row).lock - now).total_seconds()


def test_it_is_the_broker_of_the_office(broker):
    assert type(broker) is DatabaseBroker
    assert broker.list_key == MAIN


def test_the_oldest_row_is_taken_first(broker):
    for name, minutes in (("young", 1), ("old", 3), ("middle", 2)):
        put(name, lock=database_now() - timedelta(minutes=minutes))

    assert taken(broker) == ["old", "middle", "young"]


def test_no_more_than_the_bulk_is_taken(broker, monkeypatch):
    monkeypatch.setattr(Conf, "BULK", 2)
    for number in range(5):
        put(str(number))

    assert [taken(broker) for _time in range(4)] == [["0", "1"], ["2", "3"], ["4"], []]


def test_what_is_taken_is_out_of_reach_for_the_retry(broker):
    row = put("task")

    assert taken(broker) == ["task"]
    assert taken(get_broker()) == []
    assert seconds_ahead(row) == pytest.approx(Conf.RETRY, abs=5)


def test_a_row_that_was_never_acknowledged_comes_back(broker):
    put("task", lock=database_now() - timedelta(seconds=Conf.RETRY))
    taken(broker)
    OrmQ.objects.update(lock=database_now() - timedelta(seconds=1))

    assert taken(broker) == ["task"]


def test_the_rows_of_another_cluster_are_left_alone(broker):
    put("other", key="dispatch")

    assert taken(broker) == []
    assert taken(DatabaseBroker("dispatch")) == ["other"]


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_task_of_a_host_with_a_wrong_clock_is_due_at_once(broker, hours):
    with time_machine.travel(timezone.now() + hours * HOUR):
        async_task("time.sleep", 0)

    assert len(taken(broker)) == 1


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_cluster_with_a_wrong_clock_takes_what_is_due_and_no_more(broker, hours):
    put("due")
    put("later", lock=database_now() + timedelta(minutes=30))

    with time_machine.travel(timezone.now() + hours * HOUR):
        assert taken(broker) == ["due"]
        assert taken(broker) == []
        assert (broker.queue_size(), broker.lock_size()) == (0, 2)


def test_control_the_librarys_broker_takes_a_locked_row_by_a_wrong_clock(monkeypatch):
    put("later", lock=database_now() + timedelta(minutes=30))
    stock = ORM(MAIN)
    monkeypatch.setattr(stock, "get_connection", OrmQ.objects.all)

    with time_machine.travel(timezone.now() + HOUR):
        assert [payload for _key, payload in stock.dequeue()] == ["later"]


def test_a_delayed_task_is_for_later_and_for_the_cluster_that_is_named():
    async_task("time.sleep", 0, broker=DelayedBroker(60))
    async_task("time.sleep", 1, broker=DelayedBroker(5, "dispatch"))

    main, dispatch = OrmQ.objects.order_by("pk")
    assert (main.key, dispatch.key) == (MAIN, "dispatch")
    assert seconds_ahead(main.pk) == pytest.approx(60, abs=3)
    assert seconds_ahead(dispatch.pk) == pytest.approx(5, abs=3)


def test_a_task_is_queued_with_the_rows_it_belongs_to_or_not_at_all():
    with pytest.raises(RuntimeError), transaction.atomic():
        async_task("time.sleep", 0)
        raise RuntimeError

    assert not OrmQ.objects.exists()


def test_an_empty_look_is_one_statement(broker, django_assert_num_queries):
    broker.dequeue()

    with django_assert_num_queries(1):
        assert broker.dequeue() is None


def test_a_cluster_gives_a_sign_with_its_first_look_and_then_now_and_then(broker, monkeypatch):
    broker.dequeue()
    first = ClusterSign.objects.get().seen_at
    broker.dequeue()
    unchanged = ClusterSign.objects.get().seen_at
    monkeypatch.setattr(broker, "next_sign", time.monotonic())
    broker.dequeue()

    assert first == unchanged < ClusterSign.objects.get().seen_at
    assert ClusterSign.objects.get().pk == MAIN


@pytest.mark.django_db(transaction=True)
def test_a_database_that_is_gone_is_waited_for(broker, caplog):
    put("task")
    broken = connection.connection

    def refuse(*args):
        raise OperationalError("password=s3cret")

    with connection.execute_wrapper(refuse):
        assert [broker.dequeue() for _time in range(3)] == [None] * 3

    assert caplog.messages == ["The queue waits for its database: OperationalError"]
    assert taken(broker) == ["task"]
    assert connection.connection is not broken


@pytest.mark.django_db(transaction=True)
def test_brokers_at_one_queue_take_each_row_once(monkeypatch):
    monkeypatch.setattr(Conf, "BULK", 3)
    for number in range(40):
        put(number)

    def take_all(_number):
        mine = []
        broker = get_broker()
        while OrmQ.objects.filter(lock__lte=database_now()).exists():
            mine += taken(broker)
        return mine

    shares = at_once(take_all, 4)
    assert sorted(int(row) for share in shares for row in share) == list(range(40))


def test_every_cluster_is_set_so_that_nothing_runs_twice_or_for_ever():
    for cluster in configured().values():
        assert (cluster["max_attempts"], cluster["save_limit"]) == (1, -1)
        assert cluster["catch_up"] is False
        assert cluster["timeout"] == 90
