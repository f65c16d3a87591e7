"""The life of orders under any sequence of steps, against a provider that keeps its own books."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from orders import answers, batches, claims, dispatch, polling
from orders.models import OrderIncident, ProductOrder
from tests.orders.factories import make_integration, make_order, make_package

FINAL = ("completed", "delivered", "cancelled", "failed")
PLACED = ("accepted", "refused", "unreached", "bought_unheard", "lost_unheard")
TOLD = ("waiting", "completed", "cancelled", "no_answer")


class Provider:
    """What a provider knows of references: its own books, whatever it told us."""

    def __init__(self):
        self.orders = {}  # our reference -> (our order, its state)

    def place(self, sending, how):
        reference = sending.prepared.payload["referans"]
        assert reference not in self.orders, "a reference came twice"
        if how in ("accepted", "bought_unheard"):
            self.orders[reference] = (sending.order_id, "waiting")
        outcome = {"accepted": "accepted", "refused": "refused", "unreached": "refused"}
        return dispatch.NOT_CALLED | {
            "outcome": outcome.get(how, "unknown"),
            "retryable": how == "unreached",
            "transport": how not in ("accepted", "refused"),
            "answer": how,
        }

    def told(self, order, how):
        reference = order.provider_referans
        silent = answers.no_answer("silent") | {"transport": how == "no_answer"}
        if reference not in self.orders or how == "no_answer":
            return silent
        number, state = self.orders[reference]
        if state == "waiting":
            state = how
            self.orders[reference] = (number, state)
        status = "processing" if state == "waiting" else state
        pin = f"PIN-OF-{reference}" if state == "completed" else ""
        changes = {"outcome": "answered", "status": status, "pinCode": pin, "answer": status}
        return silent | changes | {"transport": False}

    def bought(self, order_id):
        return [state for number, state in self.orders.values() if number == order_id]


class Life(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.sandbox = transaction.atomic()
        self.sandbox.__enter__()
        self.package = make_package(make_integration(), make_integration())
        self.provider = Provider()
        self.orders = []
        self.sendings, self.questions = [], []
        self.ended = {}

    @rule()
    def comes_in(self):
        if len(self.orders) < 4:
            self.orders.append(make_order(self.package).pk)

    @rule(data=st.data())
    @precondition(lambda self: self.orders)
    def begins_to_send(self, data):
        sending = dispatch.begin(data.draw(st.sampled_from(self.orders)))
        if sending:
            self.sendings.append(sending)

    @rule(data=st.data(), how=st.sampled_from(PLACED), dies=st.booleans())
    @precondition(lambda self: self.sendings)
    def places(self, data, how, dies):
        sending = data.draw(st.sampled_from(self.sendings))
        self.sendings.remove(sending)
        answer = self.provider.place(sending, how)
        if not dies:
            dispatch.settle(sending, answer)

    @rule()
    def begins_to_ask(self):
        claimed = batches.claim_due(ProductOrder.objects.asked(), 10)
        self.questions += polling._still_to_ask(claimed)

    @rule(data=st.data(), how=st.sampled_from(TOLD), dies=st.booleans())
    @precondition(lambda self: self.questions)
    def is_told(self, data, how, dies):
        order = data.draw(st.sampled_from(self.questions))
        self.questions.remove(order)
        answer = self.provider.told(order, how)
        if not dies:
            answers.settle([(order, answer)])

    @rule()
    def all_is_due(self):
        past = timezone.now() - timedelta(seconds=1)
        ProductOrder.objects.filter(next_check_at__isnull=False).update(next_check_at=past)

    @rule()
    def claims_run_out(self):
        past = timezone.now() - timedelta(seconds=1)
        ProductOrder.objects.claimed().update(claimed_until=past)

    @rule()
    def staff_end_claims(self):
        claims.force_release(ProductOrder.objects.all(), by=None, reason="waits")

    @rule()
    def deadline_passes(self):
        past = timezone.now() - timedelta(hours=25)
        ProductOrder.objects.filter(sent_at__isnull=False).update(sent_at=past)

    @invariant()
    def each_is_bought_once(self):
        for pk in self.orders:
            assert len(self.provider.bought(pk)) <= 1

    @invariant()
    def pending_is_certainly_not_there(self):
        for order in ProductOrder.objects.pending().filter(pk__in=self.orders):
            assert self.provider.bought(order.pk) == []
            assert not order.attempts.exclude(state="refused").exists()

    @invariant()
    def an_end_is_an_end(self):
        for order in ProductOrder.objects.filter(pk__in=self.orders, external_status__in=FINAL):
            before = self.ended.setdefault(order.pk, order.external_status)
            assert before == order.external_status

    @invariant()
    def no_pin_is_lost_or_another_s(self):
        for order in ProductOrder.objects.filter(pk__in=self.orders).exclude(pin_code=""):
            assert order.pin_code == f"PIN-OF-{order.provider_referans}"
            contradicted = order.external_status != "completed"
            assert OrderIncident.objects.filter(order=order).exists() == contradicted

    def look_beside(self):
        """Nothing is beside an order here."""

    def see_that_pins_are_kept(self, order):
        if "completed" in self.provider.bought(order.pk):
            assert order.pin_code

    def teardown(self):
        try:
            self.comes_to_its_end()
        finally:
            transaction.set_rollback(True)
            self.sandbox.__exit__(None, None, None)

    def comes_to_its_end(self):
        """Whatever happened, patience and a provider that answers bring each to an end."""
        self.sendings.clear()
        for _round in range(12):
            self.claims_run_out()
            self.all_is_due()
            for pk in ProductOrder.objects.pending().values_list("pk", flat=True):
                sending = dispatch.begin(pk)
                if sending:
                    dispatch.settle(sending, self.provider.place(sending, "accepted"))
            self.begins_to_ask()
            self.questions, asked = [], self.questions
            for order in asked:
                answers.settle([(order, self.provider.told(order, "completed"))])
            self.look_beside()
        for order in ProductOrder.objects.filter(pk__in=self.orders):
            unresolved = order.external_status not in FINAL
            told = (order.external_status, order.outcome_unknown, order.review_reason)
            assert not unresolved or told == ("sent", True, "unknown"), told
            self.see_that_pins_are_kept(order)
        self.each_is_bought_once()
        self.an_end_is_an_end()


def run(examples, steps, life=Life):
    run_state_machine_as_test(
        life,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.fixture(autouse=True)
def no_breaker(settings):
    settings.PROVIDER_BREAKER_FAILURES = 1_000_000


@pytest.mark.django_db
def test_no_sequence_of_steps_buys_twice_or_loses_a_pin():
    run(12, 25)


@pytest.mark.storm
@pytest.mark.django_db
def test_no_long_sequence_of_steps_buys_twice_or_loses_a_pin():
    run(150, 50)


@pytest.mark.django_db
def test_control_an_order_that_is_sent_again_when_unknown_is_bought_twice():
    """The steps of a machine that takes an unknown outcome for a refusal."""
    life = Life()
    life.comes_in()
    for how in ("bought_unheard", "accepted"):
        sending = dispatch.begin(life.orders[0])
        answer = life.provider.place(sending, how)
        dispatch.settle(sending, answer | {"outcome": "refused", "retryable": True})
    with pytest.raises(AssertionError):
        life.each_is_bought_once()
    transaction.set_rollback(True)
    life.sandbox.__exit__(None, None, None)
