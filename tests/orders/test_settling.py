import threading
from decimal import Decimal

import pytest
from django.db import IntegrityError, connections, transaction
from django.db.utils import DatabaseError
from django_q.models import OrmQ

from backoffice.audit import LockEvent
from orders import claims, desk, dispatch, incidents, looks, polling, settling
from orders.models import OrderAttempt, OrderDecision, OrderEvent, OrderIncident, ProductOrder
from orders.settling import LeftAlone
from tests.orders.factories import (
    as_it_is,
    due,
    make_integration,
    make_order,
    make_package,
    make_user_of_desk,
)

pytestmark = pytest.mark.django_db
TYPED_PIN = "HAND-1234-5678"
REFUSED = dispatch.NOT_CALLED | {"retryable": False, "answer": "3|no", "reason": "no"}


@pytest.fixture
def person():
    return make_user_of_desk()


@pytest.fixture
def unknown(simulator):
    """An order that may have been bought, and has another way to go."""
    ways = make_integration(simulator.url), make_integration(simulator.url)
    package = make_package(*ways, scenario="normal", price=50)
    order = make_order(package)
    sending = dispatch.begin(order.pk)
    dispatch.settle(sending, dispatch.call(sending) | {"outcome": "unknown"})
    return as_it_is(order)


def seen(order):
    return settling.version(read(order))


def read(order):
    return settling.with_version(ProductOrder.objects.all()).get(pk=order.pk)


def other_way(order):
    return order.package.routings.get(priority=2).integration_id


def resend(order, by, **changes):
    typed = {"integration_id": other_way(order), "reason": "they know nothing of it"}
    settling.send_elsewhere(order.pk, **{"seen": seen(order), **typed, "by": by, **changes})


def refund(order, by, **changes):
    typed = {"amount": Decimal("50"), "reason": "customer waits no more"}
    settling.refund(order.pk, **{"seen": seen(order), **typed, "by": by, **changes})


def deliver(order, by, **changes):
    typed = {"seen": seen(order), "reason": "bought in a shop", "by": by}
    settling.deliver(order.pk, **{**typed, **changes})


def failed_by_time(order):
    dispatch.try_auto_dispatch(order.pk)
    due(order, sent_at="2020-01-01T00:00:00Z")
    polling.run()
    return as_it_is(order)


def look():
    OrderAttempt.objects.filter(next_look_at__isnull=False).update(
        next_look_at="2020-01-01T00:00:00Z"
    )
    return looks.run()


def test_an_order_sent_elsewhere_is_bought_there(unknown, person, store):
    resend(unknown, person)
    order = as_it_is(unknown)
    assert (order.external_status, order.review_reason, order.chosen_id) == (
        "pending",
        "",
        other_way(order),
    )
    assert dispatch.try_auto_dispatch(order.pk) == "accepted"
    assert as_it_is(order).integration_id == other_way(order)
    assert store.purchases(player=order.user_identifier) == 2  # what the person was told


def test_a_decision_is_recorded_with_its_reason_and_by_whom(unknown, person):
    resend(unknown, person)
    decision = OrderDecision.objects.get()
    assert (decision.kind, decision.reason, decision.by_id, decision.status) == (
        "sent_elsewhere",
        "they know nothing of it",
        person.pk,
        "sent",
    )
    line = OrderEvent.objects.filter(order=unknown).last()
    assert (line.what, line.text, line.by_name) == ("resent", decision.reason, "decides")


def test_the_log_of_decisions_can_not_be_changed(unknown, person):
    refund(unknown, person)
    for change in (OrderDecision.objects.all().delete, changed_reason):
        with pytest.raises(DatabaseError), transaction.atomic():
            change()
    assert OrderDecision.objects.get().reason == "customer waits no more"


def changed_reason():
    OrderDecision.objects.update(reason="other")


@pytest.mark.parametrize("decide", [resend, refund, deliver])
def test_an_order_that_somebody_asks_about_is_left_alone(unknown, person, decide):
    due(unknown, **claims.new_claim())
    before = as_it_is(unknown)
    with pytest.raises(LeftAlone):
        decide(unknown, person)
    assert as_it_is(unknown).__dict__ | {"_state": 0} == before.__dict__ | {"_state": 0}
    assert not OrderDecision.objects.exists()


@pytest.mark.parametrize("decide", [resend, refund, deliver])
def test_an_order_that_changed_meanwhile_is_left_alone(unknown, person, decide):
    before = seen(unknown)
    due(unknown)
    polling.run()
    with pytest.raises(LeftAlone):
        decide(unknown, person, seen=before)
    order = as_it_is(unknown)
    assert (order.external_status, order.claimed_until) == ("completed", None)
    assert not OrderDecision.objects.exists()


@pytest.mark.parametrize("decide", [resend, refund, deliver])
def test_the_same_page_sent_twice_decides_once(unknown, person, decide):
    before = seen(unknown)
    decide(unknown, person, seen=before)
    with pytest.raises(LeftAlone):
        decide(unknown, person, seen=before)
    assert OrderDecision.objects.count() == 1


@pytest.mark.parametrize("decide", [resend, refund, deliver])
@pytest.mark.parametrize("reason", ["", "  ", "."])
def test_a_decision_without_a_reason_is_refused(unknown, person, decide, reason):
    with pytest.raises(LeftAlone):
        decide(unknown, person, reason=reason)
    assert as_it_is(unknown).external_status == "sent"


def test_a_claim_that_ran_out_is_taken_and_recorded(unknown, person):
    due(unknown, **claims.new_claim() | {"claimed_until": "2020-01-01T00:00:00Z"})
    refund(unknown, person)
    event = LockEvent.objects.get()
    assert (event.action, event.target_id, event.actor_id) == (
        "ran_out",
        str(unknown.pk),
        person.pk,
    )


@pytest.mark.parametrize("amount", ["-1", "50.01"])
def test_more_than_the_price_is_not_given_back(unknown, person, amount):
    with pytest.raises(LeftAlone):
        refund(unknown, person, amount=Decimal(amount))
    assert as_it_is(unknown).external_status == "sent"


def test_two_refunds_are_together_no_more_than_the_price(unknown, person):
    refund(unknown, person, amount=Decimal("30"))
    look()
    with pytest.raises(LeftAlone):
        refund(unknown, person, amount=Decimal("20.01"))
    refund(unknown, person, amount=Decimal("20"))
    assert sum(OrderDecision.objects.values_list("amount", flat=True)) == 50


def test_a_refund_cancels_the_order_and_keeps_its_amount(unknown, person):
    refund(unknown, person, amount=Decimal("12.50"))
    order = as_it_is(unknown)
    assert (order.external_status, order.review_reason, order.next_check_at) == (
        "cancelled",
        "",
        None,
    )
    assert OrderDecision.objects.get().amount == Decimal("12.50")


def test_an_order_delivered_by_hand_has_the_pin_that_was_typed(unknown, person):
    deliver(unknown, person, pin=f" {TYPED_PIN} ", reason=f"gave {TYPED_PIN}")
    order = as_it_is(unknown)
    assert (order.external_status, order.pin_code, order.pin_last_four) == (
        "completed",
        TYPED_PIN,
        "5678",
    )
    assert order.completed_at
    assert OrderDecision.objects.get().reason == "gave ***"


def test_nothing_is_decided_about_an_order_that_needs_nobody(place, person):
    order = place()
    dispatch.try_auto_dispatch(order.pk)
    assert settling.choices(read(order)) == {"check"}
    for decide in (refund, deliver):
        with pytest.raises(LeftAlone):
            decide(order, person)
    assert as_it_is(order).external_status == "sent"


def test_a_provider_that_does_not_deliver_the_package_is_refused(unknown, person):
    stranger = make_integration()
    for wrong in (stranger.pk, None):
        with pytest.raises(LeftAlone):
            resend(unknown, person, integration_id=wrong)
    assert as_it_is(unknown).external_status == "sent"
    assert unknown.attempts.get().state == "unknown"


def test_what_was_given_up_and_delivered_after_all_is_delivered_twice(unknown, person):
    deliver(unknown, person, pin=TYPED_PIN)
    assert look() == 1
    order, attempt = as_it_is(unknown), unknown.attempts.get()
    assert order.pin_code == TYPED_PIN
    assert len(attempt.pin_code) == 19
    assert OrderIncident.objects.get().kind == "delivered_twice"
    assert order in ProductOrder.objects.needing_a_person()


def test_an_order_not_sent_again_yet_takes_what_was_given_up(unknown, person, store):
    resend(unknown, person)
    look()
    order = as_it_is(unknown)
    assert order.external_status == "completed"
    assert len(order.pin_code) == 19
    assert dispatch.try_auto_dispatch(order.pk) is None
    assert store.purchases(player=order.user_identifier) == 1
    assert not OrderIncident.objects.exists()


def test_both_that_were_delivered_are_told_and_kept(unknown, person):
    resend(unknown, person)
    dispatch.try_auto_dispatch(unknown.pk)
    look()
    assert OrderIncident.objects.get().kind == "late_success"
    due(unknown)
    polling.run()
    kinds = set(OrderIncident.objects.values_list("kind", flat=True))
    assert kinds == {"late_success", "delivered_twice"}
    pins = {as_it_is(unknown).pin_code, *unknown.attempts.values_list("pin_code", flat=True)}
    assert len(pins - {""}) == 2


def test_a_refunded_order_that_is_delivered_needs_a_person_and_can_still_be_delivered(
    unknown, person
):
    refund(unknown, person)
    look()
    order = as_it_is(unknown)
    assert (order.external_status, order.review_reason) == ("cancelled", "late_success")
    assert settling.choices(read(order)) == {"deliver", "refund", "close"}
    deliver(order, person)
    order = as_it_is(order)
    assert (order.external_status, len(order.pin_code)) == ("completed", 19)
    assert not ProductOrder.objects.needing_a_person().exists()


def test_a_late_pin_is_not_overwritten_by_a_typed_one(unknown, person):
    refund(unknown, person)
    look()
    with pytest.raises(LeftAlone):
        deliver(unknown, person, pin=TYPED_PIN)
    assert as_it_is(unknown).external_status == "cancelled"


def test_an_order_refused_by_the_chosen_provider_needs_a_person_again(unknown, person):
    resend(unknown, person)
    sending = dispatch.begin(unknown.pk)
    dispatch.settle(sending, REFUSED)
    order = as_it_is(unknown)
    assert (order.external_status, order.review_reason) == ("failed", "refused")
    assert "send_elsewhere" in settling.choices(read(order))


def test_an_order_sent_elsewhere_has_its_whole_time_again(unknown, person):
    ProductOrder.objects.update(created_at="2020-01-01T00:00:00Z")
    resend(unknown, person)
    assert dispatch.try_auto_dispatch(unknown.pk) == "accepted"


def test_a_sender_that_comes_back_after_the_decision_is_heard(unknown, person, simulator):
    order = make_order(unknown.package)
    sending = dispatch.begin(order.pk)
    due(order, claimed_until="2020-01-01T00:00:00Z", review_reason="unknown")
    refund(order, person)
    dispatch.settle(sending, dispatch.call(sending))
    attempt = order.attempts.get()
    assert (attempt.state, attempt.cost, as_it_is(order).external_status) == (
        "given_up",
        Decimal("10.12"),
        "cancelled",
    )
    assert attempt.next_look_at


def test_what_is_known_to_be_refused_is_no_more_looked_at(unknown, person):
    order = make_order(unknown.package)
    sending = dispatch.begin(order.pk)
    due(order, claimed_until="2020-01-01T00:00:00Z", review_reason="unknown")
    refund(order, person)
    dispatch.settle(sending, dispatch.NOT_CALLED)
    attempt = order.attempts.get()
    assert (attempt.state, attempt.next_look_at) == ("refused", None)


def test_an_order_that_failed_by_time_can_be_checked_and_sent_elsewhere(place, person):
    order = failed_by_time(place("never"))
    assert order.review_reason == "timeout"
    assert settling.choices(read(order)) == {"check", "send_elsewhere", "deliver", "refund"}


def test_incidents_are_closed_with_a_word(unknown, person):
    incidents.open_incident(unknown.pk, "cost_above_price", "60 > 50", status="sent")
    settling.close_incidents(unknown.pk, seen=seen(unknown), word="price raised", by=person)
    incident = OrderIncident.objects.get()
    assert (incident.closing_word, incident.closed_by_name) == ("price raised", "decides")
    assert as_it_is(unknown).review_reason == "unknown"
    assert as_it_is(unknown).claimed_until is None


def test_a_status_that_went_backwards_is_told(completed):
    person = make_user_of_desk()
    checked = desk.check_status(ProductOrder.objects.all(), by=person)
    assert checked.wanted == [completed]
    assert OrmQ.objects.filter(lock__isnull=False).exists()
    found = looks._take()
    looks.settle(found[0], dispatch.NOT_CALLED | told("cancelled"))
    assert OrderIncident.objects.get().kind == "went_back"
    assert as_it_is(completed).external_status == "completed"


def told(status, pin=""):
    return {"outcome": "answered", "status": status, "pinCode": pin, "retryAfter": None}


def test_a_completed_order_that_is_still_completed_is_no_incident(completed):
    desk.check_status(ProductOrder.objects.all(), by=make_user_of_desk())
    assert looks.run() == 1
    assert not OrderIncident.objects.exists()
    assert completed.attempts.get().next_look_at is None


@pytest.mark.django_db(transaction=True)
def test_of_two_decisions_at_once_one_counts(unknown, person):
    before, outcomes = seen(unknown), []

    def run(decide):
        try:
            decide(unknown, person, seen=before)
            outcomes.append("done")
        except LeftAlone:
            outcomes.append("left")
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(what,)) for what in (resend, refund, deliver)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["done", "left", "left"]
    assert OrderDecision.objects.count() == 1


def test_control_without_the_version_two_decisions_count(unknown, person, monkeypatch):
    monkeypatch.setattr(settling, "version", lambda order: "")
    monkeypatch.setattr(settling, "choices", lambda order: {"refund", "deliver"})
    refund(unknown, person)
    deliver(unknown, person)
    assert OrderDecision.objects.count() == 2


def test_the_database_refuses_a_decision_without_its_parts(unknown):
    with pytest.raises(IntegrityError), transaction.atomic():
        OrderDecision.objects.create(order=unknown, kind="refunded", reason="x", status="sent")
    assert not OrderDecision.objects.exists()


@pytest.mark.parametrize(
    ("decide", "broken"),
    [
        (resend, "dispatch.queue"),
        *((decide, "decisions.record") for decide in (resend, refund, deliver)),
        *((decide, "journal.record") for decide in (resend, refund, deliver)),
    ],
)
def test_a_decision_that_breaks_off_half_way_changes_nothing(
    unknown, person, monkeypatch, decide, broken
):
    before = ProductOrder.objects.values().get(pk=unknown.pk)
    module, name = broken.split(".")

    def break_off(*args, **kwargs):
        raise SystemExit("killed")

    monkeypatch.setattr(getattr(settling, module), name, break_off)
    with pytest.raises(SystemExit):
        decide(unknown, person)
    assert ProductOrder.objects.values().get(pk=unknown.pk) == before
    assert unknown.attempts.get().state == "unknown"
    assert not OrderDecision.objects.exists()


def test_a_sender_that_chose_before_the_person_did_sends_nothing(unknown, person, monkeypatch):
    resend(unknown, person)
    ProductOrder.objects.update(review_reason="low_balance")
    choose, others = dispatch.choose, unknown.package.routings.get(priority=1)

    def slowly(order, room):
        choice = choose(order, room)
        resend(unknown, person, integration_id=others.integration_id)
        return choice

    monkeypatch.setattr(dispatch, "choose", slowly)
    assert dispatch.begin(unknown.pk) is None
    assert unknown.attempts.count() == 1
    assert as_it_is(unknown).external_status == "pending"
