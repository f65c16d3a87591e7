import threading
from datetime import timedelta

import pytest
from django.db import connections
from django.db.models import Value
from django.utils import timezone

from backoffice.audit import LockEvent
from orders import answers, batches, claims, dispatch, polling
from orders.models import OrderAttempt, ProductOrder, ProviderIntegration
from tests.orders.factories import NOWHERE, due, make_integration, make_order, make_package
from tests.orders.test_dispatch import in_threads

pytestmark = pytest.mark.django_db


def sent(order):
    dispatch.try_auto_dispatch(order.pk)
    return due(order)


def seconds_left(order):
    order.refresh_from_db()
    return (order.next_check_at - timezone.now()).total_seconds()


def test_a_finished_order_gets_its_pin(place):
    order = sent(place())
    assert polling.check_order(order.pk, order.tenant_id) == "completed"
    order.refresh_from_db()
    assert len(order.pin_code) == 19
    assert order.pin_last_four == order.pin_code[-4:]
    assert (order.next_check_at, order.claimed_until) == (None, None)


def test_a_top_up_is_completed_without_a_pin(place):
    order = sent(place("top_up"))
    polling.run()
    order.refresh_from_db()
    assert (order.external_status, order.pin_code) == ("completed", "")
    assert order.provider_message == "Yüklendi -ONAYLANDI"


def test_a_cancelled_order_keeps_the_reason(place):
    order = sent(place("cancelled"))
    polling.run()
    order.refresh_from_db()
    assert (order.external_status, order.provider_message) == ("cancelled", "İptal edildi")
    assert (order.pin_code, order.completed_at) == ("", None)


def test_only_what_is_due_is_asked(place, store):
    order = place()
    dispatch.try_auto_dispatch(order.pk)
    assert polling.check_order(order.pk, order.tenant_id) is None
    assert polling.run() == polling.Done(0, 0)
    assert store.counts().get("pin_kontrol", 0) == 0


def test_an_order_of_another_tenant_is_not_asked(place):
    order = sent(place())
    assert polling.check_order(order.pk, order.tenant_id + 1) is None
    order.refresh_from_db()
    assert order.external_status == "sent"


def test_an_order_in_progress_is_asked_at_growing_intervals(place, settings):
    settings.ORDER_QUICK_TRIES = 7
    order = sent(place("never"))
    waits = []
    for _number in range(8):
        polling.run()
        waits.append(seconds_left(order))
        due(order)
    assert waits == pytest.approx([30, 60, 120, 240, 480, 600, 1800, 1800], abs=5)
    assert (order.external_status, order.tries, order.transport_errors) == ("processing", 8, 0)


def test_errors_of_transport_are_counted_apart(place):
    order = sent(place("never"))
    ProductOrder.objects.get(pk=order.pk).integration.__class__.objects.update(base_url=NOWHERE)
    for expected in (30, 60):
        polling.run()
        assert seconds_left(order) == pytest.approx(expected, abs=5)
        due(order)
    assert (order.external_status, order.tries, order.transport_errors) == ("sent", 0, 2)


def test_a_failed_question_leaves_the_order_as_it_is(place, store):
    order = sent(place())
    store._rows("DELETE FROM purchases")
    polling.run()
    order.refresh_from_db()
    assert (order.external_status, order.transport_errors) == ("sent", 1)


def test_an_unknown_outcome_is_resolved_by_asking(place, store):
    order = sent(place("reset"))
    order.refresh_from_db()
    assert order.outcome_unknown
    polling.run()
    order.refresh_from_db()
    assert (order.external_status, order.outcome_unknown, order.review_reason) == (
        "completed",
        False,
        "",
    )
    assert (order.attempts.get().state, store.purchases()) == ("accepted", 1)


def test_at_the_deadline_the_order_is_asked_once_more_and_has_then_failed(place, store):
    order = sent(place("never"))
    due(order, sent_at=timezone.now() - timedelta(hours=24))
    polling.run()
    order.refresh_from_db()
    assert (order.external_status, order.review_reason) == ("failed", "timeout")
    assert store.counts()["pin_kontrol"] == 1


def test_a_success_at_the_deadline_counts(place):
    order = sent(place())
    due(order, sent_at=timezone.now() - timedelta(hours=30))
    polling.run()
    order.refresh_from_db()
    assert (order.external_status, order.review_reason) == ("completed", "")


def test_no_check_is_planned_beyond_the_deadline(place):
    order = sent(place("never"))
    due(order, sent_at=timezone.now() - timedelta(hours=23, minutes=59, seconds=50))
    polling.run()
    assert seconds_left(order) < 11


def test_a_live_claim_is_left_alone(place, store):
    sent(place())
    assert len(batches.claim_due(ProductOrder.objects.all(), 5)) == 1
    assert polling.run() == polling.Done(0, 0)
    assert store.counts().get("pin_kontrol", 0) == 0


def test_a_claim_that_ran_out_is_taken_at_once_and_recorded(place):
    order = sent(place())
    batches.claim_due(ProductOrder.objects.all(), 5)
    due(order, claimed_until=timezone.now() - timedelta(seconds=1))
    assert polling.run() == polling.Done(0, 1)
    event = LockEvent.objects.get()
    assert (event.kind, event.action, event.target_id) == ("order", "ran_out", str(order.pk))


def test_an_answer_under_a_claim_that_was_ended_changes_nothing(place, make_user):
    order = sent(place())
    [claimed] = batches.claim_due(ProductOrder.objects.all(), 5)
    claims.force_release(ProductOrder.objects.all(), by=make_user("boss"), reason="hangs")
    refusal = answers.no_answer("late") | {"outcome": "answered", "status": "failed"}
    answers.settle([(claimed, refusal)])
    order.refresh_from_db()
    assert (order.external_status, order.last_sync_at) == ("sent", None)


def test_ending_a_claim_is_recorded_with_its_reason(place, make_user):
    sent(place())
    batches.claim_due(ProductOrder.objects.all(), 5)
    boss = make_user("boss")
    assert claims.force_release(ProductOrder.objects.all(), by=boss, reason="hangs") == 1
    event = LockEvent.objects.get()
    assert (event.action, event.actor_name, event.reason) == ("forced", "boss", "hangs")
    assert ":" in event.holder_name


def test_clearing_ends_only_claims_that_ran_out(place):
    live, stale = sent(place()), sent(place())
    batches.claim_due(ProductOrder.objects.all(), 5)
    due(stale, claimed_until=timezone.now() - timedelta(seconds=1))
    assert claims.clear_stale(ProductOrder.objects.all()) == 1
    live.refresh_from_db()
    assert live.claimed_until is not None


def test_equal_answers_in_a_row_are_one_line(place):
    order = sent(place("never"))
    for _number in range(3):
        polling.run()
        due(order)
    lines = list(order.events.values_list("what", "status", "times"))
    assert lines == [
        ("created", "pending", 1),
        ("sending", "sent", 1),
        ("accepted", "sent", 1),
        ("checked", "processing", 3),
    ]


def test_the_batch_alone_sends_and_asks_with_every_queue_row_lost(place, store):
    from django_q.models import OrmQ

    order = due(place())
    OrmQ.objects.all().delete()
    assert polling.run().sent == 1
    due(order)
    OrmQ.objects.all().delete()
    assert polling.run().checked == 1
    order.refresh_from_db()
    assert (order.external_status, store.purchases()) == ("completed", 1)


@pytest.mark.parametrize("stored", ["not json", Value("fernet$closed-with-a-lost-key")])
def test_one_order_that_can_not_be_asked_stops_no_other(place, simulator, stored):
    broken = sent(place())
    account = ProductOrder.objects.get(pk=broken.pk).integration_id
    ProviderIntegration.objects.filter(pk=account).update(credentials=stored)
    good = sent(make_order(make_package(make_integration(simulator.url))))
    polling.run()
    good.refresh_from_db()
    broken.refresh_from_db()
    assert (good.external_status, broken.external_status) == ("completed", "sent")
    assert (broken.review_reason, broken.transport_errors) == ("misconfigured", 1)


def test_one_routing_that_can_not_be_used_stops_no_other(simulator):
    broken = make_order(make_package(make_integration(simulator.url)))
    broken.package.routings.update(field_mapping=["no mapping"])
    good = make_order(make_package(make_integration(simulator.url)))
    polling.run()
    good.refresh_from_db()
    broken.refresh_from_db()
    assert (good.external_status, broken.external_status) == ("sent", "pending")
    assert broken.review_reason == "misconfigured"


@pytest.mark.parametrize("method", ["sending", "asking"])
def test_no_pause_that_a_provider_asks_for_keeps_an_order_for_ever(place, canned, method):
    order = place("never")
    if method == "asking":
        sent(order)
    ProviderIntegration.objects.update(base_url=canned.url)
    canned.reply = (429, "slow down", {"Retry-After": "9" * 30})
    polling.run()
    assert seconds_left(order) <= 86_400
    assert (order.claimed_until, order.review_reason) == (None, "")


def test_staff_can_have_an_order_checked_now(place, make_user):
    order = place("never")
    dispatch.try_auto_dispatch(order.pk)
    assert polling.check_now(ProductOrder.objects.all(), by=make_user("desk")) == 1
    assert seconds_left(order) <= 0
    assert order.events.last().by_name == "desk"


@pytest.mark.django_db(transaction=True)
def test_orders_claimed_by_many_at_once_are_claimed_by_one_each(place):
    for _number in range(12):
        sent(place("never"))
    claimed = in_threads(4, batches.claim_due, ProductOrder.objects.all(), 6)
    keys = [order.pk for batch in claimed for order in batch]
    assert len(keys) == len(set(keys)) == 12


def read_then_claim(read):
    """What claiming is without its condition: what was read is written, whoever has it by now."""
    found = list(ProductOrder.objects.due().free().values_list("pk", flat=True)[:6])
    read.wait()
    claim = claims.new_claim()
    ProductOrder.objects.filter(pk__in=found).update(**claim)
    return found


@pytest.mark.django_db(transaction=True)
def test_control_reading_and_then_claiming_claims_twice(place):
    for _number in range(6):
        sent(place("never"))
    first, second = in_threads(2, read_then_claim, threading.Barrier(2))
    assert set(first) == set(second)


@pytest.mark.django_db(transaction=True)
def test_no_transaction_is_open_while_the_provider_is_asked(place, monkeypatch):
    order, seen = sent(place()), []
    main = connections["default"]

    def look(question):
        seen.append(main.in_atomic_block)
        return ask(question)

    ask = polling.ask
    monkeypatch.setattr(polling, "ask", look)
    polling.run()
    order.refresh_from_db()
    assert (seen, order.external_status) == ([False], "completed")


def test_a_batch_asks_the_oldest_first(place):
    orders = [sent(place("never")) for _number in range(3)]
    for age, order in enumerate(orders):
        moment = timezone.now() - timedelta(minutes=age)
        ProductOrder.objects.filter(pk=order.pk).update(next_check_at=moment)
    claimed = batches.claim_due(ProductOrder.objects.all(), 2)
    assert [order.pk for order in claimed] == [orders[2].pk, orders[1].pk]


@pytest.mark.django_db(transaction=True)
def test_many_who_look_after_the_same_orders_buy_each_once(place, store):
    orders = [due(place()) for _number in range(12)]
    in_threads(4, polling.run)
    ProductOrder.objects.open().update(next_check_at=timezone.now())
    in_threads(4, polling.run)
    states = ProductOrder.objects.values_list("external_status", flat=True)
    assert list(states) == ["completed"] * 12
    assert (store.purchases(), OrderAttempt.objects.count()) == (12, 12)
    assert all(store.purchases(order.user_identifier) == 1 for order in orders)


def test_an_unknown_outcome_that_came_after_staff_ended_the_claim_is_flagged(place, make_user):
    order = place("reset")
    sending = dispatch.begin(order.pk)
    claims.force_release(ProductOrder.objects.all(), by=make_user("boss"), reason="hangs")
    dispatch.settle(sending, dispatch.call(sending))
    ProviderIntegration.objects.update(base_url=NOWHERE)
    due(order)
    polling.run()
    order.refresh_from_db()
    assert (order.external_status, order.outcome_unknown) == ("sent", True)
    assert order.review_reason == "unknown"
