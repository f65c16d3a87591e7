"""Who may do what to a lock through HTTP: rights, forged requests, nonsense in an address."""

import pytest
from django.urls import reverse

from backoffice import locks
from backoffice.audit import LockEvent
from inventory.models import ReceiptPermanent
from tests.inventory.factories import make_receipt
from tests.inventory.states import post
from tests.locks.test_admin import RIGHTS, act, address, open_page, take


@pytest.fixture
def mary(make_user, client):
    user = make_user("mary", *RIGHTS, first_name="مریم")
    client.force_login(user)
    return user


@pytest.fixture
def locked(receipt, make_user):
    """A receipt that a colleague is editing."""
    ali = make_user("ali", *RIGHTS, first_name="علی")
    locks.acquire(ReceiptPermanent, receipt.pk, by=ali, version=1)
    return receipt


def refusals():
    return list(LockEvent.objects.filter(action="refused").values_list("actor_name", "source"))


def test_a_posted_document_gets_no_lock_though_its_type_may_be_changed(client, mary, receipt):
    post(receipt, mary)

    assert take(client, receipt).status_code == 403
    assert not ReceiptPermanent.objects.claimed().exists()


def test_a_posted_document_has_no_button_to_edit_it(client, mary, receipt):
    post(receipt, mary)

    page, _fields = open_page(client, receipt)

    assert 'id="edit-lock"' not in page.content.decode()


def test_the_lock_of_a_document_that_was_posted_meanwhile_can_be_given_back(client, mary, receipt):
    token = take(client, receipt).json()["token"]
    post(receipt, mary)

    answer = client.post(address(receipt, "lock_give_back"), {"token": token})

    assert answer.json()["released"] is True


@pytest.mark.parametrize("number", ["abc", "9" * 60])
@pytest.mark.parametrize(
    ("step", "status"),
    [("lock_take", {404, 409}), ("lock_beat", {404, 409}), ("change", {302}), ("delete", {302})],
)
def test_an_address_of_no_document_is_no_fault(client, mary, receipt, number, step, status):
    path = address(receipt, step).replace(f"/{receipt.pk}/", f"/{number}/")

    assert client.post(path, {"version": "1"}).status_code in status


@pytest.mark.parametrize("version", ["", "-1", "1.0", "9" * 5000])
def test_a_version_that_is_none_gets_no_lock(client, mary, receipt, version):
    answer = client.post(address(receipt, "lock_take"), {"version": version})

    assert (answer.status_code, answer.json()["reason"]) == (409, "changed")
    assert not ReceiptPermanent.objects.claimed().exists()


@pytest.mark.parametrize("step", ["change", "delete"])
def test_who_has_no_right_is_turned_away_before_the_lock_is_asked(client, make_user, locked, step):
    client.force_login(make_user("reader", "inventory.view_receiptpermanent"))

    assert client.post(address(locked, step), {"post": "yes"}).status_code == 403
    assert refusals() == []


def test_looking_at_the_question_before_deleting_records_nothing(client, mary, locked):
    client.get(address(locked, "delete"))
    assert refusals() == []

    client.post(address(locked, "delete"), {"post": "yes"})
    assert refusals() == [("مریم", "page")]


def test_bulk_deleting_records_what_it_was_refused(client, mary, locked):
    free = make_receipt()
    act(client, "delete_selected", locked, free)
    assert refusals() == []

    act(client, "delete_selected", locked, free, post="yes")
    assert refusals() == [("مریم", "bulk")]


def test_a_window_that_chooses_one_document_ends_no_locks(client, make_user, receipt):
    client.force_login(make_user("boss", *RIGHTS, "backoffice.release_edit_lock"))
    path = reverse("admin:inventory_receiptpermanent_changelist")

    assert 'value="release_locks"' in client.get(path).content.decode()
    assert 'value="release_locks"' not in client.get(path, {"_popup": "1"}).content.decode()
