"""What an open page asks through HTTP: to move, take over, ask, answer, look, and to beat."""

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse

from backoffice import locks
from backoffice.audit import LockEvent
from backoffice.clock import database_now
from inventory.models import ReceiptPermanent
from tests.inventory.factories import make_receipt
from tests.locks.test_admin import RIGHTS, address, take

TAKE_OVER = "backoffice.take_over_edit_lock"


@pytest.fixture
def mary(make_user, client):
    user = make_user("mary", *RIGHTS, first_name="مریم")
    client.force_login(user)
    return user


@pytest.fixture
def ali(make_user):
    return make_user("ali", *RIGHTS, first_name="علی")


@pytest.fixture
def alis(ali):
    """The browser of a colleague."""
    browser = Client()
    browser.force_login(ali)
    return browser


def holder(obj):
    return ReceiptPermanent.objects.get(pk=obj.pk).editing_by


def actions():
    return list(LockEvent.objects.order_by("pk").values_list("action", flat=True))


def beat(client, obj, token, **said):
    return client.post(address(obj, "lock_beat"), {"token": token, "idle_seconds": "0", **said})


def look(client, obj, ticket=""):
    return client.get(address(obj, "lock_look"), {"ticket": ticket}).json()


# Beats


def test_a_beat_prolongs_no_session_even_where_every_request_does(client, mary, receipt, settings):
    settings.SESSION_SAVE_EVERY_REQUEST = True
    token = take(client, receipt).json()["token"]
    before = Session.objects.get().expire_date

    beat(client, receipt, token)
    assert Session.objects.get().expire_date == before

    look(client, receipt)
    assert Session.objects.get().expire_date > before


def test_a_beat_changes_nothing_but_the_signs_of_life(client, mary, receipt, silence):
    token = take(client, receipt).json()["token"]
    silence(receipt, minutes=2)
    before = ReceiptPermanent.objects.values().get(pk=receipt.pk)
    written = (LogEntry.objects.count(), LockEvent.objects.count())

    beat(client, receipt, token, has_changes="yes")

    after = ReceiptPermanent.objects.values().get(pk=receipt.pk)
    assert {name for name in after if after[name] != before[name]} <= {
        "editing_last_seen_at",
        "editing_last_input_at",
        "editing_has_changes",
    }
    assert (LogEntry.objects.count(), LockEvent.objects.count()) == written


def test_every_answer_brings_a_token_that_the_next_request_is_accepted_with(mary, receipt):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(mary)
    fresh = strict.get(address(receipt, "lock_look")).json()["csrf"]

    answer = strict.post(
        address(receipt, "lock_take"), {"version": 1, "csrfmiddlewaretoken": fresh}
    )

    assert answer.status_code == 200
    assert holder(receipt) == mary


@pytest.mark.parametrize("idle", ["nan", "-5", "1e300", "inf", "soon", ""])
def test_a_nonsensical_age_of_the_last_input_does_no_harm(client, mary, receipt, idle):
    token = take(client, receipt).json()["token"]

    answer = beat(client, receipt, token, idle_seconds=idle)

    assert answer.status_code == 200


def test_a_page_is_told_how_long_the_hold_may_still_last(client, mary, receipt, settings):
    settings.EDIT_LOCK_MAXIMUM_HOURS = 1
    said = take(client, receipt).json()

    assert 3590 < said["hold_seconds_left"] <= 3600
    assert 3590 < beat(client, receipt, said["token"]).json()["hold_seconds_left"] <= 3600


def test_who_logs_out_gives_back_all_documents_and_nobody_elses(client, mary, ali, receipt):
    others = make_receipt()
    take(client, receipt)
    locks.acquire(ReceiptPermanent, others.pk, by=ali, version=1)

    client.post(reverse("admin:logout"))

    assert list(ReceiptPermanent.objects.claimed()) == [others]
    assert actions()[-1] == "given_back"


def test_asking_to_log_out_by_a_link_gives_nothing_back(client, mary, receipt):
    take(client, receipt)

    client.get(reverse("admin:logout"))

    assert holder(receipt) == mary


# Changing hands


def test_taking_over_without_its_permission_is_forbidden(client, mary, ali, receipt):
    locks.acquire(ReceiptPermanent, receipt.pk, by=ali, version=1)

    answer = client.post(address(receipt, "lock_take_over"), {"version": 1, "reason": "x"})

    assert answer.status_code == 403
    assert holder(receipt) == ali


@pytest.mark.parametrize("reason", ["", "   "])
def test_taking_over_without_a_reason_is_refused_in_words(client, make_user, ali, receipt, reason):
    client.force_login(make_user("boss", *RIGHTS, TAKE_OVER))
    locks.acquire(ReceiptPermanent, receipt.pk, by=ali, version=1)

    answer = client.post(address(receipt, "lock_take_over"), {"version": 1, "reason": reason})

    assert (answer.status_code, holder(receipt)) == (400, ali)
    assert "دلیل" in answer.json()["message"]


def test_who_was_taken_over_learns_by_the_next_beat_from_whom_and_why(
    client, make_user, ali, alis, receipt
):
    token = take(alis, receipt).json()["token"]
    client.force_login(make_user("boss", *RIGHTS, TAKE_OVER, first_name="زهرا"))

    client.post(address(receipt, "lock_take_over"), {"version": 1, "reason": "مشتری منتظر است"})

    said = beat(alis, receipt, token)
    assert (said.status_code, said.json()["reason"]) == (409, "taken_over")
    assert said.json()["message"] == "زهرا این سند را در اختیار گرفت: مشتری منتظر است"


def test_taking_over_what_is_out_of_date_is_refused(client, make_user, ali, receipt):
    client.force_login(make_user("boss", *RIGHTS, TAKE_OVER))
    locks.acquire(ReceiptPermanent, receipt.pk, by=ali, version=1)
    ReceiptPermanent.objects.update(version=2)

    answer = client.post(address(receipt, "lock_take_over"), {"version": 1, "reason": "x"})

    assert (answer.status_code, answer.json()["reason"]) == (409, "changed")
    assert holder(receipt) == ali


def test_ones_own_lock_moves_to_another_tab_without_a_permission(client, mary, receipt):
    first = take(client, receipt).json()["token"]

    second = client.post(address(receipt, "lock_move"), {"version": 1}).json()["token"]

    assert beat(client, receipt, second).status_code == 200
    assert beat(client, receipt, first).json()["reason"] == "moved"


def test_a_lock_of_somebody_else_does_not_move(client, mary, ali, receipt):
    locks.acquire(ReceiptPermanent, receipt.pk, by=ali, version=1)

    answer = client.post(address(receipt, "lock_move"), {"version": 1})

    assert (answer.status_code, holder(receipt)) == (409, ali)


def test_a_request_that_is_answered_gives_the_lock_to_the_page_that_asked(
    client, mary, ali, alis, receipt
):
    token = take(alis, receipt).json()["token"]
    ticket = client.post(address(receipt, "lock_ask")).json()["ticket"]
    assert "مریم" in beat(alis, receipt, token).json()["request"]["message"]

    alis.post(address(receipt, "lock_answer"), {"token": token, "hand_over": "yes"})

    assert look(client, receipt, ticket)["request"] == "handed_over"
    assert beat(client, receipt, ticket).status_code == 200
    assert beat(alis, receipt, token).json()["reason"] == "handed_over"


def test_a_request_can_be_declined(client, mary, ali, alis, receipt):
    token = take(alis, receipt).json()["token"]
    ticket = client.post(address(receipt, "lock_ask")).json()["ticket"]

    alis.post(address(receipt, "lock_answer"), {"token": token, "hand_over": ""})

    said = look(client, receipt, ticket)
    assert (said["request"], said["request_message"]) == ("declined", "علی فعلاً نپذیرفت.")
    assert beat(alis, receipt, token).json()["request"] is None


def test_only_the_holders_page_can_answer(client, mary, ali, alis, receipt):
    take(alis, receipt)
    ticket = client.post(address(receipt, "lock_ask")).json()["ticket"]

    answer = client.post(address(receipt, "lock_answer"), {"token": ticket, "hand_over": "yes"})

    assert answer.json()["answered"] is False
    assert holder(receipt) == ali


def test_asking_for_what_nobody_holds_says_that_it_is_free(client, mary, receipt):
    answer = client.post(address(receipt, "lock_ask"))

    assert (answer.status_code, answer.json()["reason"]) == (409, "free")


def test_a_reader_may_look_and_not_ask(client, make_user, receipt):
    client.force_login(make_user("reader", "inventory.view_receiptpermanent"))

    assert look(client, receipt)["state"] == "free"
    assert client.post(address(receipt, "lock_ask")).status_code == 403


def test_looking_changes_nothing(client, mary, ali, receipt):
    locks.acquire(ReceiptPermanent, receipt.pk, by=ali, version=1)
    before = ReceiptPermanent.objects.values().get(pk=receipt.pk)

    said = look(client, receipt)

    assert (said["state"], said["version"]) == ("held", 1)
    assert "علی" in said["text"]
    assert ReceiptPermanent.objects.values().get(pk=receipt.pk) == before


def test_a_page_that_was_left_is_free_after_its_grace(client, mary, receipt):
    token = take(client, receipt).json()["token"]
    client.post(address(receipt, "lock_give_back"), {"token": token, "leaving": "yes"})
    assert ReceiptPermanent.objects.live().count() == 1

    ReceiptPermanent.objects.update(editing_left_at=database_now() - timedelta(seconds=5))

    assert not ReceiptPermanent.objects.live().exists()
