"""The list of documents: who edits what, in one request for all rows."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from backoffice import locks
from backoffice.clock import database_now
from inventory.models import ReceiptPermanent, ReceiptTemporary
from tests.inventory.factories import make_document, make_receipt
from tests.locks.test_admin import LINE_RIGHTS, RIGHTS
from tests.staff import words

URL = reverse("admin:inventory_receiptpermanent_changelist")
STATES = reverse("admin:inventory_receiptpermanent_lock_states")


@pytest.fixture
def mary(make_user, client):
    user = make_user("mary", *RIGHTS, *LINE_RIGHTS, first_name="مریم")
    client.force_login(user)
    return user


@pytest.fixture
def ali(make_user):
    return make_user("ali", *RIGHTS, *LINE_RIGHTS, first_name="علی <b>")


def lock(row, by, **columns):
    locks.acquire(ReceiptPermanent, row.pk, by=by, version=1)
    ReceiptPermanent.objects.filter(pk=row.pk).update(**columns)
    return row


def states(client, *rows):
    """Return what the list is told of rows, as text by key."""
    answer = client.get(STATES, {"ids": ",".join(str(row.pk) for row in rows)})
    return {int(pk): words(html) for pk, html in answer.json()["cells"].items()}


def test_the_column_tells_who_edits_since_when_and_whether_they_are_at_it(
    client, mary, ali, receipt, monkeypatch
):
    monkeypatch.setattr("backoffice.lock_words.since", lambda moment: "۱۴:۰۵")
    lock(receipt, ali, editing_has_changes=True)
    free = make_receipt()

    page = client.get(URL)

    told = "علی <b> از ۱۴:۰۵ فعال تغییر ذخیره‌نشده دارد"
    assert told in words(page.content.decode())
    assert states(client, receipt, free) == {receipt.pk: told, free.pk: "-"}


def test_the_column_tells_for_how_long_nobody_typed(client, mary, ali, receipt, monkeypatch):
    monkeypatch.setattr("backoffice.lock_words.since", lambda moment: "۱۴:۰۵")
    lock(receipt, ali, editing_last_input_at=database_now() - timedelta(minutes=7))

    assert states(client, receipt) == {receipt.pk: "علی <b> از ۱۴:۰۵ ۷ دقیقه بی‌فعالیت"}


def test_the_column_tells_apart_what_ran_out(client, mary, ali, receipt, silence):
    silence(lock(receipt, ali), minutes=6)

    assert states(client, receipt)[receipt.pk].endswith("منقضی")
    assert 'data-live="no"' in client.get(URL).content.decode()
    assert ReceiptPermanent.objects.claimed().count() == 1


def test_rows_that_are_edited_can_still_be_chosen(client, mary, ali, receipt):
    lock(receipt, ali)

    page = client.get(URL).content.decode()

    box = page.split('class="action-select"')[0].rsplit("<input", 1)[1]
    box += page.split('class="action-select"')[1].split(">")[0]
    assert f'value="{receipt.pk}"' in box
    assert "disabled" not in box


@pytest.mark.parametrize(("chosen", "count"), [("live", 1), ("stale", 1), ("mine", 1)])
def test_the_list_can_be_narrowed_to_what_is_edited(
    client, mary, ali, receipt, silence, chosen, count
):
    live, _free = make_receipt(), make_receipt()
    silence(lock(receipt, ali), minutes=6)
    lock(live, mary)

    response = client.get(URL, {"editing": chosen})

    assert response.context["cl"].result_count == count


def queries(client, address, **query):
    with CaptureQueriesContext(connection) as captured:
        assert client.get(address, query).status_code == 200
    return [one["sql"] for one in captured if "inventory_warehousedocument" in one["sql"]]


def test_the_column_costs_no_query_a_row(client, mary, ali, receipt):
    lock(receipt, ali)
    one = queries(client, URL)
    for _number in range(3):
        lock(make_receipt(), ali)

    assert len(queries(client, URL)) == len(one)


def test_a_whole_list_is_kept_fresh_by_one_query(client, mary, ali, receipt):
    rows = [lock(row, ali) for row in (receipt, make_receipt(), make_receipt())]

    assert len(queries(client, STATES, ids=",".join(str(row.pk) for row in rows))) == 1


def test_keeping_a_list_fresh_changes_nothing_and_is_nobodys_activity(
    client, mary, ali, receipt, settings
):
    settings.SESSION_SAVE_EVERY_REQUEST = True
    before = ReceiptPermanent.objects.values().get(pk=lock(receipt, ali).pk)

    answer = client.get(STATES, {"ids": receipt.pk})

    assert ReceiptPermanent.objects.values().get(pk=receipt.pk) == before
    assert settings.SESSION_COOKIE_NAME not in answer.cookies
    assert client.post(STATES, {"ids": receipt.pk}).status_code == 405


def test_the_rows_of_another_type_are_told_of_nowhere(client, mary, ali, receipt):
    other = make_document(ReceiptTemporary)

    assert set(states(client, receipt, other)) == {receipt.pk}


@pytest.mark.parametrize("ids", ["", "abc", "1,", "1;2", ",".join(map(str, range(201)))])
def test_nonsense_and_more_than_a_list_shows_is_refused(client, mary, ids):
    assert client.get(STATES, {"ids": ids}).status_code == 400


def test_who_may_not_see_the_documents_is_told_nothing(client, make_user, ali, receipt):
    client.force_login(make_user("stranger", "inventory.view_item"))
    lock(receipt, ali)

    assert client.get(STATES, {"ids": receipt.pk}).status_code == 403
