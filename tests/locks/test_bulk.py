"""Bulk work on a list of documents: done for what is free, and what is locked is named."""

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.template.response import TemplateResponse

from backoffice import locks
from backoffice.audit import LockEvent
from backoffice.clock import database_now
from backoffice.lock_actions import changes_documents
from inventory.models import ReceiptPermanent
from tests.inventory.factories import make_receipt
from tests.locks.test_admin import LINE_RIGHTS, RIGHTS, act
from tests.staff import words


@pytest.fixture
def mary(make_user, client):
    user = make_user("mary", *RIGHTS, *LINE_RIGHTS, first_name="مریم")
    client.force_login(user)
    return user


@pytest.fixture
def ali(make_user):
    return make_user("ali", *RIGHTS, *LINE_RIGHTS, first_name="علی")


@pytest.fixture
def add_action(monkeypatch):
    """Return a function that gives the list of receipts one more action."""
    shown = admin.site._registry[ReceiptPermanent]

    def add(action):
        monkeypatch.setattr(type(shown), "actions", [action])
        return action.__name__

    return add


@changes_documents
def describe(modeladmin, request, queryset):
    queryset.update(description="از فهرست")


@changes_documents
def describe_half(modeladmin, request, queryset):
    return queryset.filter(pk__in=queryset.order_by("pk")[:1]).update(description="از فهرست")


@changes_documents
def describe_after_asking(modeladmin, request, queryset):
    if "confirmed" not in request.POST:
        context = modeladmin.admin_site.each_context(request) | {"opts": modeladmin.opts}
        return TemplateResponse(request, "admin/base_site.html", context)
    queryset.update(description="از فهرست")
    return None


def describe_unguarded(modeladmin, request, queryset):
    queryset.update(description="از فهرست")


def lock(row, by):
    locks.acquire(ReceiptPermanent, row.pk, by=by, version=1)
    started_at = database_now()
    ReceiptPermanent.objects.filter(pk=row.pk).update(editing_started_at=started_at)
    return row


def described():
    return set(ReceiptPermanent.objects.filter(description="از فهرست"))


def told(response):
    return [str(message) for message in response.context["messages"]]


def refusals():
    events = LockEvent.objects.filter(action="refused")
    return list(events.values_list("target_id", "actor_name", "holder_name", "source"))


@pytest.mark.parametrize("across", ["0", "1"])
def test_bulk_work_leaves_out_what_another_edits(client, mary, ali, receipt, add_action, across):
    free, action = make_receipt(), add_action(describe)
    before = ReceiptPermanent.objects.values().get(pk=lock(receipt, ali).pk)

    act(client, action, receipt, free, select_across=across)

    assert described() == {free}
    assert ReceiptPermanent.objects.values().get(pk=receipt.pk) == before
    assert refusals() == [(str(receipt.pk), "مریم", "علی", "bulk")]


@pytest.mark.parametrize("across", ["0", "1"])
def test_control_without_the_guard_bulk_work_changes_what_another_edits(
    client, mary, ali, receipt, add_action, across
):
    action = add_action(describe_unguarded)

    act(client, action, lock(receipt, ali), select_across=across)

    assert described() == {receipt}


def test_bulk_work_says_how_many_were_done_and_who_holds_the_others(
    client, mary, ali, receipt, add_action, monkeypatch
):
    rows, action = [make_receipt() for _number in range(9)], add_action(describe)
    ReceiptPermanent.objects.filter(pk=lock(receipt, ali).pk).update(draft_number="123")
    monkeypatch.setattr("backoffice.lock_words.since", lambda moment: "۱۴:۰۵")

    response = act(client, action, receipt, *rows)

    assert told(response) == ["۹ سند انجام شد، ۱ سند قفل است: رسید دائم ۱۲۳، نزد علی از ۱۴:۰۵"]


def test_of_many_locked_documents_twenty_are_named(client, mary, ali, receipt, add_action):
    rows, action = [make_receipt() for _number in range(22)], add_action(describe)
    for row in rows:
        lock(row, ali)

    [text] = told(act(client, action, receipt, *rows))

    assert text.startswith("۱ سند انجام شد، ۲۲ سند قفل است: ")
    assert text.count("نزد علی از") == 20
    assert text.endswith("و ۲ سند دیگر")


def test_what_an_action_could_not_do_for_another_reason_is_not_counted(
    client, mary, ali, receipt, add_action
):
    action = add_action(describe_half)

    [text] = told(act(client, action, lock(receipt, ali), make_receipt(), make_receipt()))

    assert text.startswith("۱ سند انجام شد، ۱ سند قفل است: ")


def test_bulk_work_makes_pages_that_were_opened_before_out_of_date(
    client, mary, receipt, add_action
):
    other = make_receipt()

    act(client, add_action(describe), receipt)

    versions = dict(ReceiptPermanent.objects.values_list("pk", "version"))
    assert versions == {receipt.pk: 2, other.pk: 1}


def test_ones_own_documents_and_those_whose_lock_ran_out_are_worked_on(
    client, mary, ali, receipt, add_action, silence
):
    own = lock(make_receipt(), mary)
    silence(lock(receipt, ali), minutes=6)

    response = act(client, add_action(describe), receipt, own)

    assert described() == {receipt, own}
    assert (told(response), refusals()) == ([], [])


def test_an_action_that_finds_everything_locked_is_not_called(
    client, mary, ali, receipt, add_action
):
    @changes_documents
    def never(modeladmin, request, queryset):
        raise AssertionError("called without a document")

    [text] = told(act(client, add_action(never), lock(receipt, ali)))

    assert text.startswith("۰ سند انجام شد، ۱ سند قفل است: ")


def test_the_page_that_asks_first_names_what_is_left_out_and_counts_nothing_up(
    client, mary, ali, receipt, add_action
):
    free, action = make_receipt(), add_action(describe_after_asking)

    response = act(client, action, lock(receipt, ali), free)

    assert "۱ سند قفل است و کنار گذاشته می‌شود: " in words(response.content.decode())
    assert set(ReceiptPermanent.objects.values_list("version", flat=True)) == {1}
    assert (described(), refusals()) == (set(), [])


def test_what_was_locked_after_the_page_that_asks_is_left_out(
    client, mary, ali, receipt, add_action
):
    free, action = make_receipt(), add_action(describe_after_asking)
    act(client, action, receipt, free)
    lock(receipt, ali)

    act(client, action, receipt, free, confirmed="yes")

    assert described() == {free}
    assert refusals() == [(str(receipt.pk), "مریم", "علی", "bulk")]


def test_an_action_that_fails_changes_nothing_at_all(client, mary, receipt, add_action):
    @changes_documents
    def fail(modeladmin, request, queryset):
        queryset.update(description="از فهرست")
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        act(client, add_action(fail), receipt)

    assert described() == set()
    assert ReceiptPermanent.objects.get().version == 1


def test_bulk_deleting_leaves_out_what_another_edits_and_says_so(client, mary, ali, receipt):
    free = make_receipt()
    lock(receipt, ali)

    response = act(client, "delete_selected", receipt, free, post="yes")

    assert list(ReceiptPermanent.objects.all()) == [receipt]
    assert [text for text in told(response) if "۱ سند انجام شد، ۱ سند قفل است: " in text]


def test_the_history_of_a_bulk_delete_tells_of_what_was_deleted_alone(client, mary, ali, receipt):
    free = make_receipt()
    free_pk = str(free.pk)
    lock(receipt, ali)

    act(client, "delete_selected", receipt, free, post="yes")

    assert list(LogEntry.objects.values_list("object_id", flat=True)) == [free_pk]


def test_bulk_deleting_asks_first_for_the_free_documents_alone(client, mary, ali, receipt):
    free = make_receipt()
    lock(receipt, ali)

    page = act(client, "delete_selected", receipt, free).content.decode()

    assert f'name="_selected_action" value="{free.pk}"' in page
    assert f'name="_selected_action" value="{receipt.pk}"' not in page
    assert "۱ سند قفل است و کنار گذاشته می‌شود: " in words(page)
    assert ReceiptPermanent.objects.count() == 2
