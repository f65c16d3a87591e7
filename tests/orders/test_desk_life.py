"""The life of orders with a desk that decides: whatever it does, and whatever providers tell.

A person may have an order sent twice, knowing the risk. Beside what people gave up it is bought
once, and no PIN is lost: it is in the order or with the attempt, and then somebody is told.
"""

from decimal import Decimal

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from orders import desk, dispatch, looks, settling
from orders.models import OrderAttempt, OrderDecision, OrderIncident, ProductOrder, ReviewReason
from orders.states import DONE
from tests.orders.factories import make_user_of_desk
from tests.orders.test_life import TOLD, Life, no_breaker, run  # noqa: F401 - a fixture

GIVEN_UP = OrderAttempt.State.GIVEN_UP


class DeskLife(Life):
    def __init__(self):
        super().__init__()
        self.person = make_user_of_desk()
        self.sent_twice_by_people = 0

    def decide(self, pk, choice, decision, **typed):
        order = settling.with_version(ProductOrder.objects.all()).get(pk=pk)
        typed |= {"seen": settling.version(order), "by": self.person}
        offered = choice in settling.choices(order)
        try:
            decision(pk, **typed)
        except settling.LeftAlone:
            assert not offered or ProductOrder.objects.live().filter(pk=pk).exists()
            return False
        self.ended.pop(pk, None)
        return offered

    @rule(data=st.data())
    @precondition(lambda self: self.orders)
    def sends_elsewhere(self, data):
        pk = data.draw(st.sampled_from(self.orders))
        way = data.draw(st.sampled_from(list(self.package.routings.order_by("pk"))))
        typed = {"integration_id": way.integration_id, "reason": "asked by phone"}
        decided = self.decide(pk, "send_elsewhere", settling.send_elsewhere, **typed)
        self.sent_twice_by_people += decided

    @rule(data=st.data())
    @precondition(lambda self: self.orders)
    def delivers_by_hand(self, data):
        pk = data.draw(st.sampled_from(self.orders))
        self.decide(pk, "deliver", settling.deliver, reason="bought elsewhere")

    @rule(data=st.data())
    @precondition(lambda self: self.orders)
    def refunds(self, data):
        pk = data.draw(st.sampled_from(self.orders))
        self.decide(pk, "refund", settling.refund, reason="no stock", amount=Decimal("50"))

    @rule(data=st.data())
    @precondition(lambda self: self.orders)
    def wants_a_check(self, data):
        pk = data.draw(st.sampled_from(self.orders))
        desk.check_status(ProductOrder.objects.filter(pk=pk), by=self.person)

    @rule(data=st.data(), how=st.sampled_from(TOLD), dies=st.booleans())
    def looks_at_what_was_given_up(self, data, how, dies):
        self.look_beside(how, dies)

    def look_beside(self, how="completed", dies=False):
        rows = OrderAttempt.objects.filter(next_look_at__isnull=False)
        rows.update(next_look_at=timezone.now())
        for look in looks._take():
            answer = self.provider.told(look, how)
            if not dies:
                looks.settle(look, answer)

    @invariant()
    def each_is_bought_once(self):
        references = OrderAttempt.objects.exclude(state=GIVEN_UP).values_list("referans", flat=True)
        counted = [self.provider.orders[name][0] for name in references & self.bought_references()]
        assert len(counted) == len(set(counted))
        assert len(self.provider.orders) <= len(self.orders) + self.sent_twice_by_people

    def bought_references(self):
        return OrderAttempt.objects.filter(referans__in=self.provider.orders).values_list(
            "referans", flat=True
        )

    @invariant()
    def pending_is_certainly_not_there(self):
        for order in ProductOrder.objects.pending().filter(pk__in=self.orders):
            assert not order.attempts.exclude(state__in=["refused", GIVEN_UP]).exists()

    @invariant()
    def no_pin_is_lost_or_another_s(self):
        for attempt in OrderAttempt.objects.exclude(pin_code=""):
            assert attempt.pin_code == f"PIN-OF-{attempt.referans}"
        for order in ProductOrder.objects.filter(pk__in=self.orders).exclude(pin_code=""):
            own = order.attempts.values_list("referans", flat=True)
            assert order.pin_code in {f"PIN-OF-{referans}" for referans in own}

    def see_that_pins_are_kept(self, order):
        kept = list(order.attempts.exclude(pin_code="").values_list("pin_code", flat=True))
        here = {order.pin_code, *kept}
        for referans, (number, state) in self.provider.orders.items():
            if number == order.pk and state == "completed":
                assert f"PIN-OF-{referans}" in here
        if kept:
            kind = "delivered_twice" if order.external_status in DONE else "late_success"
            assert OrderIncident.objects.filter(order=order, kind=kind).exists()
        if order.pin_code and order.external_status not in DONE:
            assert OrderIncident.objects.filter(order=order, kind="late_success").exists()


@pytest.mark.django_db
def test_no_sequence_of_decisions_and_answers_buys_twice_or_loses_a_pin():
    run(10, 25, DeskLife)


@pytest.mark.storm
@pytest.mark.django_db
def test_no_long_sequence_of_decisions_and_answers_buys_twice_or_loses_a_pin():
    run(200, 60, DeskLife)


@pytest.mark.django_db
def test_control_a_decision_that_gives_nothing_up_loses_what_comes_late(monkeypatch):
    """Of an order that is cancelled, and of whose purchase nobody asks any more."""
    monkeypatch.setattr(settling.given_up, "give_up", lambda order: 0)
    life = DeskLife()
    life.comes_in()
    sending = dispatch.begin(life.orders[0])
    dispatch.settle(sending, life.provider.place(sending, "bought_unheard"))
    ProductOrder.objects.update(review_reason=ReviewReason.UNKNOWN)
    life.decide(life.orders[0], "refund", settling.refund, reason="no stock", amount=Decimal("50"))
    assert OrderDecision.objects.count() == 1
    life.provider.orders[sending.prepared.payload["referans"]] = (life.orders[0], "completed")
    with pytest.raises(AssertionError):
        life.comes_to_its_end()
    transaction.set_rollback(True)
    life.sandbox.__exit__(None, None, None)
