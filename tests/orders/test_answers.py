"""What answers make of orders: together, under their claims, and never of what has ended."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from orders import answers, batches, claims, dispatch, polling
from orders.models import IntegrationState, OrderIncident, ProductOrder
from tests.orders.factories import as_it_is, due, make_integration, make_order, make_package

pytestmark = pytest.mark.django_db
PIN = "AB12-CD34-EF56-GH78"


def claimed(count, simulator, scenario="never"):
    package = make_package(make_integration(simulator.url), scenario=scenario)
    for _number in range(count):
        order = make_order(package)
        dispatch.try_auto_dispatch(order.pk)
        due(order)
    return batches.claim_due(ProductOrder.objects.at_provider(), count)


def answer(status, pin="", **changes):
    return answers.no_answer("") | {
        "outcome": "answered",
        "status": status,
        "pinCode": pin,
        "answer": f"OK {status}",
        "transport": False,
        **changes,
    }


def timed_out(place):
    order = place("never")
    dispatch.try_auto_dispatch(order.pk)
    due(order, sent_at=timezone.now() - timedelta(hours=24))
    polling.run()
    return due(order)


def finish(store):
    store._rows("UPDATE purchases SET scenario = 'normal'")


def test_many_answers_are_written_in_as_many_statements_as_few(simulator):
    counts = []
    for count in (2, 20):
        orders = claimed(count, simulator)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            answers.settle([(order, answer("processing")) for order in orders])
        statements = [q["sql"].partition(" times: ")[0] for q in queries]
        counts.append(len(statements))
    assert counts[0] == counts[1]


def test_an_answer_that_can_not_be_written_stops_no_other(simulator):
    good, bad = claimed(2, simulator)
    unreadable = answer("completed", PIN, answer="\ud800")
    answers.settle_safely([(bad, unreadable), (good, answer("completed", PIN))])
    good, bad = as_it_is(good), as_it_is(bad)
    assert (good.external_status, good.pin_code) == ("completed", PIN)
    assert (bad.external_status, bad.claim_token, bad.transport_errors) == ("sent", "", 1)


def test_what_a_person_decided_during_the_call_stands(simulator):
    [order] = claimed(1, simulator)
    rows = ProductOrder.objects.filter(pk=order.pk)
    rows.update(external_status="cancelled", next_check_at=None, **claims.UNCLAIMED)
    answers.settle([(order, answer("completed", PIN))])
    order = as_it_is(order)
    assert (order.external_status, order.pin_code) == ("cancelled", PIN)
    assert order.review_reason == "late_success"
    assert OrderIncident.objects.get().kind == "late_success"


def test_a_failure_after_a_person_decided_is_nothing(simulator):
    [order] = claimed(1, simulator)
    rows = ProductOrder.objects.filter(pk=order.pk)
    rows.update(external_status="cancelled", next_check_at=None, **claims.UNCLAIMED)
    answers.settle([(order, answer("failed"))])
    order = as_it_is(order)
    assert (order.external_status, order.review_reason) == ("cancelled", "")
    assert not OrderIncident.objects.exists()


def test_an_order_that_failed_by_time_is_looked_at_for_some_days(place):
    order = timed_out(place)
    order.refresh_from_db()
    assert order.external_status == "failed"
    polling.run()
    order.refresh_from_db()
    left = (order.next_check_at - timezone.now()).total_seconds()
    assert left == pytest.approx(6 * 3600, abs=10)
    due(order, sent_at=timezone.now() - timedelta(hours=95))
    polling.run()
    order.refresh_from_db()
    assert (order.next_check_at, order.external_status) == (None, "failed")
    assert order.events.filter(what="late_look").count() == 1  # equal ones are one line


def test_a_success_after_our_failure_is_an_incident_and_no_change(place, store):
    order = timed_out(place)
    finish(store)
    polling.run()
    order.refresh_from_db()
    assert (order.external_status, order.review_reason) == ("failed", "late_success")
    assert (len(order.pin_code), order.next_check_at) == (19, None)
    incident = OrderIncident.objects.get()
    assert (incident.order, incident.kind, incident.closed_at) == (order, "late_success", None)


def test_an_order_that_failed_by_time_can_be_checked_by_staff(place, store, make_user):
    order = timed_out(place)
    ProductOrder.objects.filter(pk=order.pk).update(next_check_at=None)
    finish(store)
    assert polling.check_now(ProductOrder.objects.all(), by=make_user("desk")) == 1
    polling.run()
    assert OrderIncident.objects.count() == 1


def test_an_order_that_was_refused_is_not_asked_about(place, make_user):
    order = place("out_of_balance")
    ProductOrder.objects.filter(pk=order.pk).update(
        external_status="failed", review_reason="refused", next_check_at=None
    )
    assert polling.check_now(ProductOrder.objects.all(), by=make_user("desk")) == 0


def test_settings_that_do_not_work_are_no_failure_of_the_provider(simulator):
    [order] = claimed(1, simulator)
    before = IntegrationState.objects.get().failures
    answers.settle([(order, answers.no_answer("misconfigured"))])
    order = as_it_is(order)
    assert (order.review_reason, IntegrationState.objects.get().failures) == (
        "misconfigured",
        before,
    )
