import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_q.models import OrmQ

from orders import claims, dispatch, limits, polling
from orders.calling import keep_busy
from orders.models import IntegrationState, OrderAttempt, ProductOrder
from orders.providers import get_provider_binding
from orders.transport import CallInTransaction
from tests.orders.factories import NOWHERE, due, make_integration, make_order, make_package

pytestmark = pytest.mark.django_db


def queued():
    return sorted((row.task["func"], row.task["args"]) for row in OrmQ.objects.all())


def test_a_new_order_queues_its_sending_in_the_same_transaction(place):
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        place()
        raise ZeroDivisionError
    assert (ProductOrder.objects.count(), OrmQ.objects.count()) == (0, 0)
    order = place()
    assert queued() == [("orders.tasks.dispatch_order", (order.pk,))]
    assert order.price == order.package.price


def test_an_accepted_order_is_sent_and_asked_about_after_the_first_delay(place, store):
    order = place()
    assert dispatch.try_auto_dispatch(order.pk) == "accepted"
    order.refresh_from_db()
    assert (order.external_status, order.outcome_unknown, order.claimed_until) == (
        "sent",
        False,
        None,
    )
    assert 50 < (order.next_check_at - timezone.now()).total_seconds() <= 60
    assert store.purchases(order.user_identifier) == 1


def test_cost_and_balance_are_kept_from_the_answer(place):
    order = place()
    dispatch.try_auto_dispatch(order.pk)
    attempt = order.attempts.get()
    assert (attempt.state, float(attempt.cost), float(attempt.balance)) == (
        "accepted",
        10.12,
        99989.88,
    )
    assert "demo-only-not-secret" not in attempt.request + attempt.answer


def test_the_attempt_is_committed_before_the_call(place, monkeypatch):
    order, seen = place(), []

    def look(sending):
        seen.append((order.attempts.get().state, connection.in_atomic_block))
        return call(sending)

    call = dispatch.call
    monkeypatch.setattr(dispatch, "call", look)
    dispatch.try_auto_dispatch(order.pk)
    order.refresh_from_db()
    assert seen == [("sending", True)]  # True: the test's own transaction
    assert order.provider_referans == order.attempts.get().referans


def test_a_call_inside_a_transaction_is_refused(place, store):
    order = place()
    with pytest.raises(CallInTransaction), transaction.atomic():
        dispatch.try_auto_dispatch(order.pk)
    order.refresh_from_db()
    assert (order.external_status, store.purchases()) == ("pending", 0)


def test_references_are_numbers_and_differ_between_attempts(simulator):
    package = make_package(make_integration(), make_integration(simulator.url))
    order = make_order(package)
    dispatch.try_auto_dispatch(order.pk)
    dispatch.try_auto_dispatch(order.pk)
    first, second = order.attempts.values_list("referans", flat=True)
    assert first.isdigit()
    assert second.isdigit()
    assert first != second


def test_an_order_that_is_not_pending_is_never_sent(place, store):
    order = place()
    dispatch.try_auto_dispatch(order.pk)
    assert dispatch.try_auto_dispatch(order.pk) is None
    assert store.purchases() == 1


@pytest.mark.parametrize("scenario", ["reset", "error", "empty", "html"])
def test_an_unusable_answer_leaves_the_order_sent_with_a_flag(place, scenario):
    order = place(scenario)
    assert dispatch.try_auto_dispatch(order.pk) == "unknown"
    order.refresh_from_db()
    assert (order.external_status, order.outcome_unknown) == ("sent", True)
    assert order.review_reason == "unknown"
    assert dispatch.try_auto_dispatch(order.pk) is None


def test_a_slow_answer_is_unknown_and_is_not_sent_again(place, store, settings):
    settings.PROVIDER_READ_SECONDS = 0.1
    order = place("slow")
    assert dispatch.try_auto_dispatch(order.pk) == "unknown"
    assert polling.run().sent == 0
    end = time.monotonic() + 10
    while not store.purchases() and time.monotonic() < end:
        time.sleep(0.05)  # the provider is not through with it yet
    assert store.purchases() == 1


def test_a_refused_order_goes_to_the_next_provider(simulator, store):
    first, second = make_integration(simulator.url), make_integration(simulator.url)
    order = make_order(make_package(first, second))
    first.routings.update(provider_package_id="187:999")
    OrmQ.objects.all().delete()
    assert dispatch.try_auto_dispatch(order.pk) == "refused"
    order.refresh_from_db()
    assert (order.external_status, order.sent_at, order.provider_referans) == ("pending", None, "")
    assert ("orders.tasks.dispatch_order", (order.pk,)) in queued()
    assert dispatch.try_auto_dispatch(order.pk) == "accepted"
    order.refresh_from_db()
    assert (order.integration, store.purchases()) == (second, 1)


def test_an_order_that_every_provider_refuses_has_failed_for_review(place, store):
    order = place("refused")
    assert dispatch.try_auto_dispatch(order.pk) == "refused"
    order.refresh_from_db()
    assert (order.external_status, order.review_reason) == ("failed", "refused")
    assert (order.provider_message, order.next_check_at) == ("Oyuncu Bulunamadı", None)
    assert store.purchases() == 0


def test_a_provider_that_is_not_reached_is_tried_again_later(place):
    order = place()
    order.package.routings.get().integration.__class__.objects.update(base_url=NOWHERE)
    assert dispatch.try_auto_dispatch(order.pk) == "refused"
    order.refresh_from_db()
    assert (order.external_status, order.review_reason) == ("pending", "")
    assert 20 < (order.next_check_at - timezone.now()).total_seconds() <= 30
    assert order.attempts.get().may_retry


def test_a_provider_that_is_never_reached_ends_at_the_deadline():
    order = make_order(make_package(make_integration()))
    due(order, created_at=timezone.now() - timedelta(hours=25))
    dispatch.try_auto_dispatch(order.pk)
    order.refresh_from_db()
    assert (order.external_status, order.review_reason) == ("failed", "never_sent")


def test_an_order_without_a_provider_stays_pending_and_says_why():
    order = make_order(make_package())
    assert dispatch.try_auto_dispatch(order.pk) is None
    order.refresh_from_db()
    assert (order.external_status, order.review_reason) == ("pending", "no_route")
    assert (order.attempts.count(), order.dispatches) == (0, 0)


def test_an_integration_without_credentials_is_never_called(place, store):
    order = place()
    order.package.routings.get().integration.__class__.objects.update(credentials="{}")
    assert dispatch.try_auto_dispatch(order.pk) is None
    order.refresh_from_db()
    assert (order.external_status, order.review_reason) == ("pending", "misconfigured")
    assert store.counts().get("pin_ekle", 0) == 0


def test_the_database_refuses_a_second_attempt_beside_one_that_may_count(place):
    order = place()
    dispatch.begin(order.pk)
    attempt = order.attempts.defer(None).get()
    attempt.pk, attempt.number, attempt.referans = None, 2, "1"
    with pytest.raises(IntegrityError), transaction.atomic():
        attempt.save(force_insert=True)
    assert order.attempts.count() == 1


def test_an_answer_after_staff_ended_the_claim_changes_only_the_attempt(place, make_user):
    order = place()
    sending = dispatch.begin(order.pk)
    claims.force_release(ProductOrder.objects.all(), by=make_user("boss"), reason="hangs")
    dispatch.settle(sending, dispatch.call(sending))
    before = ProductOrder.objects.get(pk=order.pk)
    assert order.attempts.get().state == "accepted"
    assert (before.external_status, before.claim_token) == ("sent", "")
    assert dispatch.try_auto_dispatch(order.pk) is None


def test_a_refusal_after_staff_ended_the_claim_is_found_by_the_next_check(place, make_user):
    order = place("refused")
    sending = dispatch.begin(order.pk)
    claims.force_release(ProductOrder.objects.all(), by=make_user("boss"), reason="hangs")
    dispatch.settle(sending, dispatch.call(sending))
    due(order)
    polling.run()
    order.refresh_from_db()
    assert (order.external_status, order.review_reason) == ("failed", "refused")


def in_threads(count, function, *arguments):
    barrier, results = threading.Barrier(count), []

    def work():
        barrier.wait()
        try:
            results.append(function(*arguments))
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@pytest.mark.django_db(transaction=True)
def test_two_who_send_at_once_buy_once(place, store):
    order = place("slow")
    results = in_threads(6, dispatch.try_auto_dispatch, order.pk)
    assert sorted(filter(None, results)) == ["accepted"]
    assert (store.purchases(), order.attempts.count()) == (1, 1)


def read_then_write(order_id):
    """What sending is without its guard: the state is read, and written after the call."""
    order = ProductOrder.objects.get(pk=order_id)
    if order.external_status != "pending":
        return None
    routing = order.package.routings.get()
    binding = get_provider_binding("znet", routing.integration)
    payload = {
        "referans": str(threading.get_ident()),
        "userIdentifier": order.user_identifier,
        "extraField": "",
        "fieldMapping": {},
    }
    answer = binding.adapter.place_order(
        binding.to_credentials(), routing.provider_package_id, payload
    )
    ProductOrder.objects.filter(pk=order_id).update(
        external_status="sent",
        sent_at=timezone.now(),
        provider_referans=payload["referans"],
        integration=routing.integration,
    )
    return answer["outcome"]


@pytest.mark.django_db(transaction=True)
def test_control_reading_and_then_writing_buys_twice(place, store):
    order = place("slow")
    in_threads(2, read_then_write, order.pk)
    assert store.purchases() == 2


KILLED = """
import os, signal, sys, django
django.setup()
from django.conf import settings
settings.PROVIDER_PRIVATE_ADDRESSES = True
settings.DATABASES["default"]["NAME"] = sys.argv[2]
from orders import dispatch
call = dispatch.call
def call_and_die(sending):
    if sys.argv[3] == "after":
        call(sending)
    os.kill(os.getpid(), signal.SIGKILL)
dispatch.call = call_and_die
dispatch.try_auto_dispatch(int(sys.argv[1]))
"""


def send_and_die(order, moment):
    database = str(connection.settings_dict["NAME"])
    connection.close()
    process = subprocess.run(
        [sys.executable, "-c", KILLED, str(order.pk), database, moment], env=os.environ
    )
    assert process.returncode == -signal.SIGKILL


@pytest.mark.django_db(transaction=True)
def test_a_sender_killed_before_its_answer_bought_once_and_the_pin_arrives(place, store):
    order = place()
    send_and_die(order, "after")
    order.refresh_from_db()
    assert (order.external_status, order.attempts.get().state) == ("sent", "sending")
    due(order, claimed_until=timezone.now() - timedelta(seconds=1))
    polling.run()
    order.refresh_from_db()
    assert (order.external_status, order.attempts.get().state) == ("completed", "accepted")
    assert len(order.pin_code) == 19
    assert store.purchases() == 1


@pytest.mark.django_db(transaction=True)
def test_a_sender_killed_before_its_call_leaves_an_unknown_that_is_never_sent(place, store):
    order = place()
    send_and_die(order, "before")
    assert polling.run() == polling.Done(0, 0)  # still under the claim of the dead
    due(order, claimed_until=timezone.now() - timedelta(seconds=1))
    polling.run()
    order.refresh_from_db()
    assert (order.external_status, order.outcome_unknown) == ("sent", True)
    assert (order.attempts.get().state, order.review_reason) == ("unknown", "unknown")
    assert (store.purchases(), OrderAttempt.objects.count()) == (0, 1)


ENDED = {"external_status": "failed", "review_reason": "timeout", "next_check_at": None}


def test_an_order_that_has_failed_is_never_sent_again(place, store):
    order = place("refused")
    sending = dispatch.begin(order.pk)
    # Its sender is paused; others flag the order, and it fails at its deadline.
    OrderAttempt.objects.filter(pk=sending.attempt_id).update(state="unknown")
    ProductOrder.objects.filter(pk=order.pk).update(**ENDED, **claims.UNCLAIMED)
    dispatch.settle(sending, dispatch.NOT_CALLED)
    due(order)
    polling.run()
    order.refresh_from_db()
    assert (order.external_status, order.next_check_at) == ("failed", None)
    assert (order.claimed_until, order.attempts.count()) == (None, 1)


def test_an_order_that_is_there_after_it_has_failed_is_looked_at(place, store):
    order = place()
    sending = dispatch.begin(order.pk)
    ProductOrder.objects.filter(pk=order.pk).update(**ENDED, **claims.UNCLAIMED)
    dispatch.settle(sending, dispatch.call(sending))
    polling.run()
    order.refresh_from_db()
    assert (order.external_status, order.review_reason) == ("failed", "late_success")
    assert list(order.events.values_list("what", flat=True))[2:4] == ["accepted", "late_look"]


def test_a_sender_that_slept_over_its_claim_does_not_call(place, store, settings):
    order = place()
    sending = dispatch.begin(order.pk)
    slept = replace(sending, begun=sending.begun - settings.ORDER_CLAIM_SECONDS)
    assert dispatch.call(slept)["outcome"] == "refused"
    assert store.purchases(order.user_identifier) == 0
    assert dispatch.call(sending)["outcome"] == "accepted"  # the control: in time


def test_an_order_past_its_deadline_is_not_sent_when_a_provider_appears(simulator, store):
    order = due(make_order(make_package()), created_at="2020-01-01T00:00:00Z")
    other = make_package(make_integration(simulator.url))
    other.routings.update(package=order.package)
    dispatch.try_auto_dispatch(order.pk)
    order.refresh_from_db()
    assert (order.external_status, order.review_reason) == ("failed", "never_sent")
    assert store.purchases() == 0


def test_an_address_that_is_forbidden_keeps_the_order_for_a_person(place, settings):
    order = place()
    settings.PROVIDER_PRIVATE_ADDRESSES = False
    dispatch.try_auto_dispatch(order.pk)
    order.refresh_from_db()
    assert (order.external_status, order.review_reason) == ("pending", "misconfigured")
    assert IntegrationState.objects.get().failures == 0


def test_orders_without_room_keep_their_place_and_are_not_written(simulator, store):
    package = make_package(make_integration(simulator.url, calls_per_second=2))
    orders = [make_order(package) for _number in range(60)]
    with CaptureQueriesContext(connection) as queries:
        sent = dispatch.run()
    assert 0 < len(sent) < 30  # two a second, and some ahead
    assert sorted(sent) == [order.pk for order in orders[: len(sent)]]  # the oldest
    assert len(queries) < 60 * len(sent)
    rest = ProductOrder.objects.pending()
    assert rest.due().count() == rest.count() == 60 - len(sent)


def test_an_order_that_found_no_room_is_looked_at_again_in_the_same_run(place, simulator, store):
    place("slow")
    paced = make_package(make_integration(simulator.url, calls_per_second=4))
    for _number in range(16):
        make_order(paced)
    waiting, end = dispatch.Waiting(), time.monotonic() + 2.5

    def begin(calls):
        return waiting.begin(calls) or (time.sleep(0.05) or time.monotonic() < end)

    keep_busy(begin, dispatch.settle_safely, dispatch.failed, 2.5)
    assert store.purchases() > 14  # 13 go at once


def test_a_call_that_was_counted_and_not_made_is_not_counted(place, monkeypatch):
    order = place()
    integration = order.package.routings.get().integration_id
    limits.read([integration])
    IntegrationState.objects.update(open_until="2020-01-01T00:00:00Z", failures=5)
    with monkeypatch.context() as patch:
        patch.setattr(dispatch, "_take", lambda *args: False)  # somebody was faster
        assert dispatch.begin(order.pk) is None
    assert dispatch.try_auto_dispatch(order.pk) == "accepted"
