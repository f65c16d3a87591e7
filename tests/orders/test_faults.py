"""One fault, of an adapter, a setting, an answer or the database, stops nobody else's orders."""

import json
import threading
import time

import pytest
from django.db import OperationalError, connection, transaction
from django.utils import timezone
from django_q.models import OrmQ

from orders import answers, desk, dispatch, polling, providers
from orders.calling import keep_busy
from orders.forms import ProviderIntegrationForm
from orders.models import CheckLoop, PackageRouting, ProductOrder
from tests.orders.factories import due, make_integration, make_order, make_package

pytestmark = pytest.mark.django_db
LETTERS = '{"api_token": "توکن"}'  # of these no header can be made
SURROGATE, NUL = r"\ud800", r"\u0000"


def barakat(canned, **kwargs):
    return make_package(make_integration(canned.url, "barakat", **kwargs))


def refused(words):
    return (200, f'{{"status": "ERROR", "code": 109, "message": "{words}"}}', {})


def in_hand(**row):
    return (200, json.dumps({"status": "OK", "data": {"status": "wait", **row}}), {})


def state(order):
    order.refresh_from_db()
    return order.external_status


@pytest.mark.parametrize("words", [SURROGATE, NUL])
def test_half_a_character_in_a_refusal_is_a_refusal_all_the_same(canned, place, words):
    canned.reply = refused(words)
    bad, good = make_order(barakat(canned)), place("slow")
    dispatch.run()
    assert (state(bad), good.attempts.get().state) == ("failed", "accepted")


@pytest.mark.parametrize("words", [SURROGATE, NUL])
def test_half_a_character_in_an_answer_keeps_no_order_from_its_end(canned, words):
    canned.reply = in_hand()
    order = make_order(barakat(canned))
    dispatch.try_auto_dispatch(order.pk)
    canned.reply = (
        200,
        canned.reply[1].replace('"wait"', f'"wait", "replay_api": ["{words}"]'),
        {},
    )
    due(order, sent_at="2020-01-01T00:00:00Z")
    polling.run()
    assert (state(order), order.review_reason) == ("failed", "timeout")


def test_an_answer_that_the_database_refuses_counts_as_none_and_ends_at_the_deadline(place):
    order = place("never")
    dispatch.try_auto_dispatch(order.pk)
    due(order, sent_at="2020-01-01T00:00:00Z")
    [claimed] = polling.claim_due(ProductOrder.objects.asked(), 1)
    unwritable = answers.no_answer("") | {
        "outcome": "answered",
        "status": "sent",
        "answer": "\ud800",
    }
    answers.settle_safely([(claimed, unwritable)])
    assert (state(order), order.review_reason, order.transport_errors) == ("failed", "timeout", 1)


def test_a_token_that_can_not_be_sent_stops_no_other_order(canned, place):
    bad, good = make_order(barakat(canned)), place()
    canned.reply = in_hand()
    for order in (bad, good):
        dispatch.try_auto_dispatch(order.pk)
        due(order)
    integration = bad.package.routings.get().integration
    integration.credentials = LETTERS
    integration.save()
    polling.run()
    assert (state(bad), bad.transport_errors, state(good)) == ("sent", 1, "completed")


def test_the_form_takes_no_token_that_can_not_be_sent():
    data = {"code": "b", "name": "b", "provider": "barakat", "base_url": "https://a.example"}
    data |= {"new_credentials": "api_token=توکن", "exchange_rate": "1"}
    form = ProviderIntegrationForm(data)
    assert list(form.errors.as_data()) == ["new_credentials"]
    assert form.errors.as_data()["new_credentials"][0].code == "unsendable"


def test_a_balance_that_can_not_be_asked_for_keeps_no_order_from_being_sent(canned, place):
    poor = make_order(barakat(canned, credentials=LETTERS))
    late = "2999-01-01T00:00:00Z"
    ProductOrder.objects.filter(pk=poor.pk).update(review_reason="low_balance", next_check_at=late)
    good = place()
    polling.run_batch()
    assert (state(good), state(poor), canned.seen) == ("sent", "pending", [])


@pytest.mark.parametrize("fault", ["adapter", "credentials"])
def test_an_integration_that_can_not_be_used_stops_no_other_order(place, monkeypatch, fault):
    good = place()
    if fault == "adapter":
        monkeypatch.setattr(providers, "names", lambda: ["broken", "znet"])
        integration = make_integration()
        type(integration).objects.filter(pk=integration.pk).update(provider="broken")
    else:
        integration = make_integration(credentials='{"kod": 5, "sifre": "x"}')
    bad = make_order(make_package())
    routing = {"integration": integration, "provider_package_id": "1:1"}
    PackageRouting.objects.create(package=bad.package, **routing)
    dispatch.run()
    assert (state(bad), bad.review_reason, state(good)) == ("pending", "misconfigured", "sent")


def test_a_fault_in_the_middle_of_a_run_loses_no_answer(place, monkeypatch):
    order, begin = place("slow"), dispatch.Waiting.begin

    def broken(waiting, calls):
        if len(calls):
            raise OperationalError("the server closed the connection")
        return begin(waiting, calls)

    monkeypatch.setattr(dispatch.Waiting, "begin", broken)
    with pytest.raises(OperationalError):
        dispatch.run(order.pk)
    assert order.attempts.get().state == "accepted"


def test_a_run_ends_in_time_however_slow_a_provider_answers():
    waiting = list(range(10_000))

    def begin(calls):
        room = calls.room(1)
        for _number in range(room):
            calls.begin(1, lambda item: time.sleep(0.9), waiting.pop())
        return room

    back = []
    began = time.monotonic()
    keep_busy(begin, back.extend, lambda answer: False, 1)
    assert time.monotonic() - began < 3
    assert len(back) == 10_000 - len(waiting)


def test_a_call_that_goes_wrong_in_the_adapter_is_of_unknown_outcome(place, store, monkeypatch):
    order = place()
    adapter = type(providers.get_adapter("znet"))
    monkeypatch.setattr(adapter, "place_order", lambda *args: 1 // 0)
    assert dispatch.try_auto_dispatch(order.pk) == "unknown"
    order.refresh_from_db()
    assert (order.external_status, order.outcome_unknown) == ("sent", True)


def test_a_run_that_dies_has_the_loop_wake_again(place, monkeypatch):
    due(place())
    OrmQ.objects.all().delete()
    CheckLoop.objects.all().delete()
    monkeypatch.setattr(polling, "_look_after", lambda *args, **kwargs: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        polling.run(1)
    assert OrmQ.objects.count() == 1
    assert CheckLoop.objects.get(pk=1).busy_until is None


def test_who_finds_a_lane_busy_comes_again_when_its_runner_must_be_gone(place):
    due(place())
    OrmQ.objects.all().delete()
    until = timezone.now() + timezone.timedelta(seconds=60)
    CheckLoop.objects.update_or_create(pk=1, defaults={"busy_until": until, "wake_at": None})
    polling.run(1)
    assert OrmQ.objects.count() == 1
    assert abs((CheckLoop.objects.get(pk=1).wake_at - until).total_seconds()) < 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite locks no rows")
def test_a_bulk_check_and_the_answers_lock_in_the_same_order(make_user):
    package, user = make_package(make_integration()), make_user("u")
    keys = [make_order(package).pk for _number in range(100)]
    end = time.monotonic() + 1.5

    def settle():
        while time.monotonic() < end:
            with transaction.atomic():
                answers._as_they_are(keys)
        connection.close()

    thread = threading.Thread(target=settle)
    thread.start()
    while time.monotonic() < end:
        desk.check_status(ProductOrder.objects.filter(pk__in=keys), by=user)
    thread.join()
