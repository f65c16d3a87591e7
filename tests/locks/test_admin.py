"""The guard on the pages of a document, through HTTP as a browser sends it."""

import pytest
from django.urls import reverse

from backoffice import locks
from backoffice.audit import LockEvent
from inventory.models import ReceiptPermanent
from tests.forms import form_fields

RIGHTS = tuple(f"inventory.{action}_receiptpermanent" for action in ("view", "change", "delete"))
LINE_RIGHTS = tuple(
    f"inventory.{action}_documentline" for action in ("view", "add", "change", "delete")
)


@pytest.fixture
def mary(make_user, client):
    user = make_user("mary", *RIGHTS, *LINE_RIGHTS, first_name="مریم")
    client.force_login(user)
    return user


@pytest.fixture
def ali(make_user):
    return make_user("ali", *RIGHTS, *LINE_RIGHTS, first_name="علی")


def address(obj, name="change"):
    return reverse(f"admin:inventory_receiptpermanent_{name}", args=[obj.pk])


def open_page(client, obj):
    """Return the page and what its form would send."""
    response = client.get(address(obj))
    return response, form_fields(response.content.decode(), "receiptpermanent_form")


def take(client, obj, version=1, token=""):
    return client.post(address(obj, "lock_take"), {"version": version, "token": token})


def test_opening_a_page_changes_nothing(client, mary, receipt):
    before = ReceiptPermanent.objects.values().get(pk=receipt.pk)

    response, fields = open_page(client, receipt)

    assert response.status_code == 200
    assert (fields["editing_version"], fields["editing_token"]) == ("1", "")
    assert ReceiptPermanent.objects.values().get(pk=receipt.pk) == before
    assert not LockEvent.objects.exists()


def test_a_page_takes_beats_and_gives_back(client, mary, receipt):
    token = take(client, receipt).json()["token"]

    assert client.post(address(receipt, "lock_beat"), {"token": token}).status_code == 200
    assert client.post(address(receipt, "lock_give_back"), {"token": token}).json()["released"]
    assert client.post(address(receipt, "lock_beat"), {"token": token}).status_code == 409


@pytest.mark.parametrize("step", ["lock_take", "lock_beat", "lock_give_back"])
def test_a_lock_is_never_touched_by_a_get(client, mary, receipt, step):
    assert client.get(address(receipt, step)).status_code == 405
    assert not ReceiptPermanent.objects.claimed().exists()


@pytest.mark.parametrize("step", ["lock_take", "lock_beat", "lock_give_back"])
def test_a_lock_is_never_touched_from_a_foreign_page(mary, receipt, step):
    from django.test import Client

    foreign = Client(enforce_csrf_checks=True)
    foreign.force_login(mary)

    assert foreign.post(address(receipt, step), {"version": 1}).status_code == 403
    assert not ReceiptPermanent.objects.claimed().exists()


def test_somebody_without_the_right_to_change_gets_no_lock(client, make_user, receipt):
    client.force_login(make_user("reader", "inventory.view_receiptpermanent"))

    assert take(client, receipt).status_code == 403
    assert not ReceiptPermanent.objects.claimed().exists()


def test_a_second_person_is_refused_in_persian_with_the_holders_name(client, mary, ali, receipt):
    locks.acquire(ReceiptPermanent, receipt.pk, by=ali, version=1)

    response = take(client, receipt)

    assert response.status_code == 409
    assert response.json()["reason"] == "held"
    assert "علی" in response.json()["message"]
    assert LockEvent.objects.first().action == "refused"


def test_a_second_person_sees_the_document_without_inputs(client, mary, ali, receipt):
    locks.acquire(ReceiptPermanent, receipt.pk, by=ali, version=1)

    response, fields = open_page(client, receipt)

    page = response.content.decode()
    assert "علی" in page
    assert 'name="_save"' not in page
    assert not {"description", "document_date", "lines-0-notes"} & set(fields)


def test_a_save_under_ones_lock_saves_and_gives_it_back(client, mary, receipt):
    token = take(client, receipt).json()["token"]
    _page, fields = open_page(client, receipt)

    response = client.post(
        address(receipt), fields | {"description": "شرح تازه", "editing_token": token}
    )

    receipt.refresh_from_db()
    assert response.status_code == 302
    assert (receipt.description, receipt.version, receipt.editing_by) == ("شرح تازه", 2, None)


def test_save_and_continue_keeps_the_lock(client, mary, receipt):
    token = take(client, receipt).json()["token"]
    _page, fields = open_page(client, receipt)

    client.post(address(receipt), fields | {"editing_token": token, "_continue": "1"})

    assert client.post(address(receipt, "lock_beat"), {"token": token}).status_code == 200


def test_without_javascript_the_save_itself_takes_the_lock(client, mary, receipt):
    _page, fields = open_page(client, receipt)

    response = client.post(address(receipt), fields | {"description": "شرح تازه"})

    receipt.refresh_from_db()
    assert response.status_code == 302
    assert (receipt.description, receipt.editing_by) == ("شرح تازه", None)


def check_refused(response, receipt, typed):
    page = response.content.decode()
    assert response.status_code == 409
    assert typed in page
    receipt.refresh_from_db()
    assert receipt.description != typed
    assert LockEvent.objects.filter(action="refused").count() == 1


def test_a_save_of_what_another_holds_is_refused_with_all_that_was_typed(
    client, mary, ali, receipt
):
    _page, fields = open_page(client, receipt)
    locks.acquire(ReceiptPermanent, receipt.pk, by=ali, version=1)

    response = client.post(address(receipt), fields | {"description": "نوشتهٔ من"})

    check_refused(response, receipt, "نوشتهٔ من")
    assert "علی" in response.content.decode()


def test_a_save_of_what_changed_meanwhile_is_refused_with_all_that_was_typed(client, mary, receipt):
    _page, fields = open_page(client, receipt)
    ReceiptPermanent.objects.update(version=2)

    response = client.post(address(receipt), fields | {"description": "نوشتهٔ من"})

    check_refused(response, receipt, "نوشتهٔ من")


def test_what_slips_in_after_the_first_look_is_refused_by_the_save_itself(
    client, mary, ali, receipt, monkeypatch
):
    _page, fields = open_page(client, receipt)
    locks.acquire(ReceiptPermanent, receipt.pk, by=ali, version=1)
    looks = iter([None])  # as if he had come a moment after it
    look = locks.look
    monkeypatch.setattr(locks, "look", lambda *args, **kwargs: next(looks, look(*args, **kwargs)))

    response = client.post(address(receipt), fields | {"description": "نوشتهٔ من"})

    check_refused(response, receipt, "نوشتهٔ من")


def test_control_without_the_guard_the_second_save_overwrites_the_first(
    client, mary, receipt, monkeypatch
):
    _page, fields = open_page(client, receipt)
    ReceiptPermanent.objects.update(version=2, description="نوشتهٔ دیگری")
    monkeypatch.setattr(locks, "look", lambda *args, **kwargs: None)
    monkeypatch.setattr(locks, "require", lambda *args, **kwargs: "token")

    client.post(address(receipt), fields | {"description": "نوشتهٔ من"})

    receipt.refresh_from_db()
    assert receipt.description == "نوشتهٔ من"


def test_a_refused_page_keeps_what_was_typed_into_the_lines(client, mary, ali, receipt):
    _page, fields = open_page(client, receipt)
    locks.acquire(ReceiptPermanent, receipt.pk, by=ali, version=1)

    response = client.post(address(receipt), fields | {"lines-0-notes": "یادداشت ردیف"})

    check_refused(response, receipt, "یادداشت ردیف")


def test_a_save_without_a_version_is_refused(client, mary, receipt):
    _page, fields = open_page(client, receipt)
    del fields["editing_version"]

    response = client.post(address(receipt), fields | {"description": "نوشتهٔ من"})

    check_refused(response, receipt, "نوشتهٔ من")


def test_an_invalid_form_takes_no_lock_and_counts_nothing_up(client, mary, receipt):
    _page, fields = open_page(client, receipt)

    response = client.post(address(receipt), fields | {"document_date": "فردا"})

    receipt.refresh_from_db()
    assert response.status_code == 200
    assert (receipt.version, receipt.editing_by) == (1, None)


def act(client, action, *rows, **extra):
    return client.post(
        reverse("admin:inventory_receiptpermanent_changelist"),
        {"action": action, "_selected_action": [row.pk for row in rows], **extra},
        follow=True,
    )
