"""The page that asks before a document is deleted: it carries its lock, and the save's rule."""

import pytest
from django.contrib.admin.models import LogEntry

from backoffice import locks
from backoffice.audit import LockEvent
from inventory.models import DocumentLine, ReceiptPermanent
from tests.forms import form_fields
from tests.inventory.factories import make_receipt
from tests.locks.test_admin import LINE_RIGHTS, RIGHTS, address, take


@pytest.fixture
def mary(make_user, client):
    user = make_user("mary", *RIGHTS, *LINE_RIGHTS, first_name="مریم")
    client.force_login(user)
    return user


@pytest.fixture
def ali(make_user):
    return make_user("ali", *RIGHTS, *LINE_RIGHTS, first_name="علی")


def question(client, obj, **query):
    """Return what the page that asks would send."""
    page = client.get(address(obj, "delete"), query)
    return form_fields(page.content.decode(), "delete-form")


def check_kept(response, receipt, *words):
    page = response.content.decode()
    assert response.status_code == 409
    assert [word for word in words if word not in page] == []
    assert 'type="submit"' not in page.split('id="content"')[1].split('id="footer"')[0]
    assert DocumentLine.objects.filter(document_id=receipt.pk).count() == 1
    assert LockEvent.objects.filter(action="refused").count() == 1
    assert not LogEntry.objects.exists()


def test_the_page_that_asks_carries_token_and_version_and_changes_nothing(client, mary, receipt):
    before = ReceiptPermanent.objects.values().get(pk=receipt.pk)

    fields = question(client, receipt)

    assert (fields["editing_version"], fields["editing_token"]) == ("1", "")
    assert ReceiptPermanent.objects.values().get(pk=receipt.pk) == before
    assert not LockEvent.objects.exists()


def test_a_free_document_is_deleted_and_its_lock_is_gone_with_it(client, mary, receipt):
    other = make_receipt()

    response = client.post(address(receipt, "delete"), question(client, receipt))

    assert response.status_code == 302
    assert list(ReceiptPermanent.objects.values_list("pk", "version")) == [(other.pk, 1)]
    events = LockEvent.objects.order_by("pk").values_list("action", flat=True)
    assert list(events) == ["taken", "given_back"]


def test_the_form_hands_its_lock_to_the_page_that_asks(client, mary, receipt):
    token = take(client, receipt).json()["token"]
    client.post(address(receipt, "lock_give_back"), {"token": token, "leaving": "yes"})
    fields = question(client, receipt)
    again = take(client, receipt, fields["editing_version"], token).json()["token"]

    client.post(address(receipt, "delete"), fields | {"editing_token": again})

    assert not ReceiptPermanent.objects.exists()


def test_a_document_that_another_took_after_the_question_stays(client, mary, ali, receipt):
    fields = question(client, receipt)
    locks.acquire(ReceiptPermanent, receipt.pk, by=ali, version=1)

    response = client.post(address(receipt, "delete"), fields)

    check_kept(response, receipt, "علی", address(receipt))
    assert ReceiptPermanent.objects.live().get().editing_by == ali


def test_a_document_that_changed_after_the_question_stays_and_its_changes_are_told(
    client, mary, receipt
):
    fields = question(client, receipt)
    ReceiptPermanent.objects.update(version=2, description="شرح تازه")

    response = client.post(address(receipt, "delete"), fields)

    check_kept(response, receipt, "این صفحه قدیمی است", "شرح تازه")


def test_a_document_that_is_open_in_ones_other_tab_stays(client, mary, receipt):
    fields = question(client, receipt)
    locks.acquire(ReceiptPermanent, receipt.pk, by=mary, version=1)

    response = client.post(address(receipt, "delete"), fields)

    check_kept(response, receipt, "در برگهٔ دیگری باز است")


@pytest.mark.parametrize("sent", [{"post": "yes"}, {"post": "yes", "editing_version": "x"}])
def test_a_deletion_that_names_no_version_is_refused(client, mary, receipt, sent):
    check_kept(client.post(address(receipt, "delete"), sent), receipt)


def test_control_without_the_guard_what_another_edits_is_deleted(
    client, mary, ali, receipt, monkeypatch
):
    fields = question(client, receipt)
    locks.acquire(ReceiptPermanent, receipt.pk, by=ali, version=1)
    monkeypatch.setattr(locks, "require", lambda *args, **kwargs: "")

    client.post(address(receipt, "delete"), fields)

    assert not ReceiptPermanent.objects.exists()


def test_who_looks_at_the_question_is_told_who_edits(client, mary, ali, receipt):
    locks.acquire(ReceiptPermanent, receipt.pk, by=ali, version=1)

    page = client.get(address(receipt, "delete"))

    assert page.status_code == 200
    assert "علی از ساعت" in page.content.decode()
    assert question(client, receipt) == {}
    assert not LockEvent.objects.filter(action="refused").exists()


def test_somebody_who_may_delete_and_not_change_is_asked_without_the_bar(
    client, make_user, receipt
):
    rights = [right for right in (*RIGHTS, *LINE_RIGHTS) if "change" not in right]
    client.force_login(make_user("cleaner", *rights))
    page = client.get(address(receipt, "delete")).content.decode()

    client.post(address(receipt, "delete"), question(client, receipt))

    assert 'id="edit-lock"' not in page
    assert not ReceiptPermanent.objects.exists()


def test_a_deletion_in_a_window_of_its_own_closes_it_or_explains(client, mary, ali, receipt):
    fields = question(client, receipt, _popup="1")
    locks.acquire(ReceiptPermanent, receipt.pk, by=ali, version=1)

    response = client.post(address(receipt, "delete"), fields)

    assert fields["_popup"] == "1"
    check_kept(response, receipt, "علی")
