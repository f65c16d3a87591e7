"""What no page of ours sends, and a page that is open longer than its person's login."""

from functools import partial

import pytest
from django.urls import reverse

from backoffice import drafts, lock_requests, locks
from backoffice.audit import LockEvent
from backoffice.drafts import EditDraft
from backoffice.lock_requests import EditRequest
from inventory.models import ReceiptPermanent
from tests.inventory.factories import make_receipt
from tests.locks.pages import Person
from tests.locks.test_admin import LINE_RIGHTS, RIGHTS, take
from tests.threads import at_once

HUGE = "9" * 30
STEPS = ("take", "beat", "give_back", "move", "ask", "answer", "look", "draft")


@pytest.fixture
def mary(make_user, receipt):
    return Person(make_user("mary", *RIGHTS, *LINE_RIGHTS, first_name="مریم"), receipt)


@pytest.fixture
def ali(make_user, receipt):
    return Person(make_user("ali", *RIGHTS, *LINE_RIGHTS, first_name="علی"), receipt)


@pytest.mark.parametrize("idle", ["-inf", "inf", "nan", "-1e300", "1e300", "دیروز", ""])
def test_a_beat_with_a_nonsensical_idle_time_is_a_beat(mary, receipt, idle):
    token = take(mary.client, receipt).json()["token"]

    said = {"token": token, "idle_seconds": idle}
    assert mary.client.post(mary.address("lock_beat"), said).status_code == 200


@pytest.mark.parametrize("ids", [HUGE, f"1,-{HUGE}", "1,x", "", "1" * 5000, "\0"])
def test_a_list_that_asks_for_what_is_no_key_is_told_so(mary, ids):
    address = reverse("admin:inventory_receiptpermanent_lock_states")

    assert mary.client.get(address, {"ids": ids}).status_code == 400


@pytest.mark.parametrize("pk", [HUGE, "x"])
@pytest.mark.parametrize("step", STEPS)
def test_the_lock_of_what_is_no_key_is_not_found_and_not_recorded(mary, pk, step):
    address = reverse(f"admin:inventory_receiptpermanent_lock_{step}", args=[pk])
    ask = mary.client.get if step == "look" else mary.client.post

    assert ask(address, {"version": "1"}).status_code == 404
    assert not LockEvent.objects.exists()


def test_a_draft_leaves_out_the_sign_that_no_database_keeps(mary, ali):
    fields = mary.open() | {"description": "از\0مریم"}

    assert mary.keep(fields).status_code == 200
    ali.save(ali.open() | {"description": "از علی"})

    assert mary.save(fields).status_code == 409
    draft = drafts.of(ReceiptPermanent, mary.obj.pk, mary.user)
    assert ["description", "ازمریم"] in draft.fields


# A page that outlives its login


def test_what_one_person_typed_becomes_no_draft_of_whoever_logs_in_after(mary, ali):
    ali.keep(ali.open() | {"description": "از علی"})
    fields = mary.open() | {"description": "از مریم"}
    mary.client.force_login(ali.user)  # in another tab of her browser

    assert mary.keep(fields).status_code == 403

    draft = EditDraft.objects.get()
    assert (draft.user, dict(draft.fields)["description"]) == (ali.user, "از علی")


def test_a_refused_save_of_it_shows_all_but_keeps_no_draft(mary, ali, receipt):
    fields = mary.open() | {"description": "از مریم"}
    ali.save(ali.open() | {"description": "از علی"})
    mary.client.force_login(ali.user)

    assert mary.save(fields).status_code == 409

    assert mary.read()["description"] == "از مریم"
    assert not EditDraft.objects.exists()


# Many who ask at once


def test_of_many_who_ask_at_once_only_one_is_told_to_wait(transactional_db, make_user):
    receipt = make_receipt()
    people = [make_user(f"asker{number}") for number in range(8)]
    locks.acquire(ReceiptPermanent, receipt.pk, by=make_user("holder"), version=1)
    ask = partial(lock_requests.ask, ReceiptPermanent, receipt.pk)

    ask(by=people[0])

    for _round in range(10):
        EditRequest.objects.update(answer="declined")  # its row is used again
        said = at_once(lambda number: ask(by=people[number]), len(people))

        tickets = [ticket for ticket in said if isinstance(ticket, str)]
        assert len(tickets) == 1
        assert sum(isinstance(each, lock_requests.AlreadyAsked) for each in said) == 7
        state = partial(lock_requests.state_of, ReceiptPermanent, receipt.pk)
        assert state(ticket=tickets[0]) == "waiting"
