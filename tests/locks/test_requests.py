"""Asking a colleague for a document, and what becomes of it."""

from datetime import timedelta

import pytest
from django.utils import translation

from backoffice import lock_requests, locks
from backoffice.audit import LockEvent
from backoffice.lock_requests import EditRequest
from inventory.models import ReceiptPermanent

SECOND = timedelta(seconds=1)


@pytest.fixture
def stranger(make_user):
    return make_user("stranger", first_name="رضا", last_name="نادری")


@pytest.fixture
def token(receipt, holder, clock):
    return locks.acquire(ReceiptPermanent, receipt.pk, by=holder, version=1)


def ask(receipt, by):
    return lock_requests.ask(ReceiptPermanent, receipt.pk, by=by)


def told(receipt, token):
    return lock_requests.pending(ReceiptPermanent, receipt.pk, token=token)


def answer(receipt, token, by, *, hand_over):
    return lock_requests.answer(
        ReceiptPermanent, receipt.pk, token=token, by=by, hand_over=hand_over
    )


def state(receipt, ticket):
    return lock_requests.state_of(ReceiptPermanent, receipt.pk, ticket=ticket)


def actions():
    return list(LockEvent.objects.order_by("pk").values_list("action", flat=True))


def test_the_holders_page_is_told_who_asks_and_how_long_there_is(receipt, token, colleague, clock):
    ask(receipt, colleague)

    pending = told(receipt, token)

    assert (pending.asker_name, pending.seconds_left) == ("علی کریمی", 30)
    assert actions() == ["taken", "requested"]
    assert told(receipt, "another") is None


def test_the_time_to_answer_begins_when_the_holder_is_told(
    receipt, token, holder, colleague, clock
):
    ticket = ask(receipt, colleague)
    clock.forward(timedelta(minutes=1))
    assert (told(receipt, token).seconds_left, state(receipt, ticket)) == (30, "waiting")

    clock.forward(29 * SECOND)
    assert (told(receipt, token).seconds_left, state(receipt, ticket)) == (1, "waiting")

    clock.forward(SECOND)
    assert (told(receipt, token), state(receipt, ticket)) == (None, "unanswered")
    assert not answer(receipt, token, holder, hand_over=True)


def test_handing_over_gives_the_lock_to_the_page_that_asked(receipt, token, holder, colleague):
    ticket = ask(receipt, colleague)
    told(receipt, token)

    assert answer(receipt, token, holder, hand_over=True)

    assert state(receipt, ticket) == "handed_over"
    assert not locks.renew(ReceiptPermanent, receipt.pk, token=token, by=holder)
    assert locks.renew(ReceiptPermanent, receipt.pk, token=ticket, by=colleague)
    assert not locks.renew(ReceiptPermanent, receipt.pk, token=ticket, by=holder)
    assert actions() == ["taken", "requested", "handed_over", "taken"]


def test_the_page_that_asked_takes_up_what_it_was_given_by_its_ticket(
    receipt, token, holder, colleague
):
    ticket = ask(receipt, colleague)
    answer(receipt, token, holder, hand_over=True)

    new = locks.acquire(ReceiptPermanent, receipt.pk, by=colleague, version=1, own_token=ticket)

    assert locks.renew(ReceiptPermanent, receipt.pk, token=new, by=colleague)
    assert actions()[-2:] == ["handed_over", "taken"]


def test_what_was_saved_before_it_was_handed_over_has_to_be_loaded_first(
    receipt, token, holder, colleague
):
    ticket = ask(receipt, colleague)
    ReceiptPermanent.objects.update(version=2)
    answer(receipt, token, holder, hand_over=True)
    take = {"by": colleague, "own_token": ticket}

    with pytest.raises(locks.Refused) as refused:
        locks.acquire(ReceiptPermanent, receipt.pk, version=1, **take)

    assert refused.value.reason == "changed"
    assert locks.acquire(ReceiptPermanent, receipt.pk, version=2, **take)


def test_declining_keeps_the_lock_and_says_so(receipt, token, holder, colleague):
    ticket = ask(receipt, colleague)

    assert answer(receipt, token, holder, hand_over=False)

    assert state(receipt, ticket) == "declined"
    assert locks.renew(ReceiptPermanent, receipt.pk, token=token, by=holder)
    event = LockEvent.objects.first()
    assert (event.action, event.actor_name, event.reason) == (
        "declined",
        "مریم رضایی",
        "علی کریمی",
    )


@pytest.mark.parametrize("hand_over", [True, False])
def test_a_request_is_answered_once(receipt, token, holder, colleague, hand_over):
    ask(receipt, colleague)
    answer(receipt, token, holder, hand_over=False)

    assert not answer(receipt, token, holder, hand_over=hand_over)
    assert EditRequest.objects.get().answer == "declined"


@pytest.mark.parametrize("hand_over", [True, False])
def test_nobody_answers_for_another(receipt, token, holder, colleague, stranger, hand_over):
    ticket = ask(receipt, colleague)

    assert not answer(receipt, token, stranger, hand_over=hand_over)
    assert not answer(receipt, "another", holder, hand_over=hand_over)

    assert state(receipt, ticket) == "waiting"
    assert locks.renew(ReceiptPermanent, receipt.pk, token=token, by=holder)


@pytest.mark.parametrize("hand_over", [True, False])
def test_who_lost_the_lock_has_nothing_to_answer(
    receipt, token, holder, colleague, clock, hand_over
):
    ask(receipt, colleague)
    clock.forward(timedelta(minutes=4))
    told(receipt, token)
    ReceiptPermanent.objects.update(editing_last_seen_at=clock.instant - timedelta(minutes=5))

    assert not answer(receipt, token, holder, hand_over=hand_over)
    assert actions() == ["taken", "requested"]
    assert EditRequest.objects.get().answer == ""


def test_one_asks_at_a_time(receipt, token, colleague, stranger):
    ticket = ask(receipt, colleague)

    with translation.override("fa"), pytest.raises(lock_requests.AlreadyAsked) as refused:
        ask(receipt, stranger)

    assert "علی کریمی" in str(refused.value)
    assert state(receipt, ticket) == "waiting"
    assert EditRequest.objects.get().asker == colleague


def test_asking_anew_replaces_ones_own_request(receipt, token, holder, colleague):
    first = ask(receipt, colleague)
    second = ask(receipt, colleague)

    assert answer(receipt, token, holder, hand_over=True)
    assert (state(receipt, first), state(receipt, second)) == ("", "handed_over")
    assert not locks.renew(ReceiptPermanent, receipt.pk, token=first, by=colleague)


def test_after_an_answer_or_none_somebody_else_may_ask(
    receipt, token, holder, colleague, stranger, clock
):
    ask(receipt, colleague)
    told(receipt, token)
    clock.forward(30 * SECOND)

    assert ask(receipt, stranger)
    assert answer(receipt, token, holder, hand_over=False)
    assert ask(receipt, colleague)


def test_who_takes_the_lock_meanwhile_was_not_asked(receipt, token, holder, colleague, stranger):
    ticket = ask(receipt, colleague)
    locks.release(ReceiptPermanent, receipt.pk, token=token, by=holder)
    other = locks.acquire(ReceiptPermanent, receipt.pk, by=stranger, version=1)

    assert told(receipt, other) is None
    assert not answer(receipt, other, stranger, hand_over=True)
    assert state(receipt, ticket) == "unanswered"
    assert ask(receipt, colleague)


def test_a_page_that_gives_no_sign_of_life_is_not_waited_for(receipt, token, colleague, clock):
    ticket = ask(receipt, colleague)
    clock.forward(timedelta(minutes=5))

    assert state(receipt, ticket) == "unanswered"
    assert told(receipt, token) is None


def test_what_nobody_holds_or_is_gone_need_not_be_asked_for(receipt, colleague):
    with pytest.raises(locks.Refused) as refused:
        ask(receipt, colleague)
    assert refused.value.reason == "changed"

    ReceiptPermanent.objects.filter(pk=receipt.pk).delete()
    with pytest.raises(locks.Refused) as refused:
        ask(receipt, colleague)
    assert refused.value.reason == "gone"
    assert (actions(), EditRequest.objects.count()) == ([], 0)


def test_the_row_keeps_no_ticket_but_its_fingerprint(receipt, token, colleague):
    ticket = ask(receipt, colleague)

    request = EditRequest.objects.get()
    assert request.ticket == locks.fingerprint(ticket) != ticket
    assert state(receipt, "") == state(receipt, "another") == ""
