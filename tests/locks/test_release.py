"""Locks that are ended from the list of documents, after a second look at each."""

import pytest

from backoffice import claim_endings, lock_endings, locks
from backoffice.audit import LockEvent
from backoffice.clock import database_now
from inventory.models import ReceiptPermanent
from tests.inventory.factories import make_receipt
from tests.locks.test_admin import LINE_RIGHTS, RIGHTS, act
from tests.staff import words

RELEASE = "backoffice.release_edit_lock"


@pytest.fixture
def boss(make_user, client):
    user = make_user("boss", *RIGHTS, *LINE_RIGHTS, RELEASE, first_name="زهرا")
    client.force_login(user)
    return user


@pytest.fixture
def ali(make_user):
    return make_user("ali", *RIGHTS, *LINE_RIGHTS, first_name="علی")


@pytest.fixture
def other(make_user):
    return make_user("other", *RIGHTS, *LINE_RIGHTS, first_name="نرگس")


@pytest.fixture(autouse=True)
def _the_same_time(monkeypatch):
    monkeypatch.setattr("backoffice.lock_words.since", lambda moment: "۱۴:۰۵")


def lock(row, by, **columns):
    locks.acquire(ReceiptPermanent, row.pk, by=by, version=row.version)
    ReceiptPermanent.objects.filter(pk=row.pk).update(**columns)
    return row


def shown(page):
    """Return what the page of the second look would send."""
    names = ("action", "_selected_action", "claim", "confirmed")
    html = page.content.decode().split('class="lock-desk"')[1]
    inputs = [tag.split(">")[0] for tag in html.split("<input")[1:]]
    sent = {name: [value(tag) for tag in inputs if f'name="{name}"' in tag] for name in names}
    return {name: values for name, values in sent.items() if values}


def value(tag):
    return tag.split('value="')[1].split('"')[0]


def confirm(client, page, **typed):
    return client.post(page.request["PATH_INFO"], shown(page) | typed, follow=True)


def told(response):
    return [str(message) for message in response.context["messages"]]


def holders():
    rows = ReceiptPermanent.objects.order_by("pk").values_list("editing_by__username", flat=True)
    return list(rows)


def forced():
    events = LockEvent.objects.filter(action="forced").order_by("pk")
    return list(events.values_list("target_id", "actor_name", "holder_name", "reason"))


def test_the_second_look_shows_live_ones_apart_and_ends_nothing(
    client, boss, ali, other, receipt, silence
):
    live, _free = lock(make_receipt(), other, editing_has_changes=True), make_receipt()
    silence(lock(receipt, ali), minutes=6)

    page = act(client, "release_locks", receipt, live, _free)

    parts = page.content.decode().split("<section")
    assert [str(row) in words(part) for part in parts[-2:] for row in (live, receipt)] == [
        True, False, False, True,
    ]  # fmt: skip
    assert "نرگس" in parts[-2]
    assert "تغییر ذخیره‌نشده دارد" in words(parts[-2])
    assert 'name="reason"' in page.content.decode()
    assert (holders(), forced()) == (["ali", "other", None], [])


def test_what_was_confirmed_is_ended_recorded_with_the_reason_and_told(
    client, boss, ali, other, receipt, silence
):
    live, untouched = lock(make_receipt(), other), lock(make_receipt(), ali)
    silence(lock(receipt, ali), minutes=6)

    done = confirm(client, act(client, "release_locks", receipt, live), reason="پایان شیفت")

    assert holders() == [None, None, "ali"]
    assert forced() == [(str(live.pk), "زهرا", "نرگس", "پایان شیفت")]
    assert LockEvent.objects.get(action="ran_out").target_id == str(receipt.pk)
    [text] = told(done)
    assert text.startswith("رسیدهای دائم: ۲ قفل آزاد شد: ")
    assert f"{live}، نزد نرگس از ۱۴:۰۵" in text
    assert str(untouched) not in text


@pytest.mark.parametrize("reason", ["", "  "])
def test_a_live_one_is_not_ended_without_a_reason(client, boss, ali, receipt, reason):
    page = act(client, "release_locks", lock(receipt, ali))

    answer = confirm(client, page, reason=reason)

    assert "بنویسید چرا" in answer.content.decode()
    assert (holders(), forced()) == (["ali"], [])
    confirm(client, answer, reason="پایان شیفت")
    assert holders() == [None]


def test_what_ran_out_alone_needs_no_reason(client, boss, ali, receipt, silence):
    silence(lock(receipt, ali), minutes=6)
    page = act(client, "release_locks", receipt)

    confirm(client, page)

    assert 'name="reason"' not in page.content.decode()
    assert (holders(), forced()) == ([None], [])


def test_a_key_of_many_digits_survives_the_page(client, boss, ali):
    page = act(client, "release_locks", lock(make_receipt(pk=1234567), ali))

    confirm(client, page, reason="پایان شیفت")

    assert shown(page)["_selected_action"] == ["1234567"]
    assert holders() == [None]


def test_a_document_that_changed_hands_after_the_second_look_is_left_alone_and_named(
    client, boss, ali, other, receipt
):
    page = act(client, "release_locks", lock(receipt, ali))
    locks.force_release(ReceiptPermanent.objects.all(), by=None, reason="x")
    lock(receipt, other)

    done = confirm(client, page, reason="پایان شیفت")

    assert holders() == ["other"]
    assert any(str(receipt) in text and "اکنون نزد نرگس" in text for text in told(done))


def test_control_without_the_comparison_another_taking_is_ended(
    client, boss, ali, other, receipt, monkeypatch
):
    page = act(client, "release_locks", lock(receipt, ali))
    locks.force_release(ReceiptPermanent.objects.all(), by=None, reason="x")
    lock(receipt, other)
    monkeypatch.setattr(
        claim_endings.Chosen, "sort_in", lambda chosen, claim, *_shown: chosen.live.append(claim)
    )

    confirm(client, page, reason="پایان شیفت")

    assert holders() == [None]


def test_the_same_person_s_next_taking_is_left_alone_as_well(client, boss, ali, receipt):
    page = act(client, "release_locks", lock(receipt, ali))
    locks.force_release(ReceiptPermanent.objects.all(), by=None, reason="x")
    lock(receipt, ali)

    confirm(client, page, reason="پایان شیفت")

    assert holders() == ["ali"]


def test_what_ran_out_at_the_second_look_and_lives_again_asks_for_a_reason(
    client, boss, ali, receipt, silence
):
    silence(lock(receipt, ali), minutes=6)
    page = act(client, "release_locks", receipt)
    ReceiptPermanent.objects.update(
        editing_last_seen_at=database_now(), editing_last_input_at=database_now()
    )

    answer = confirm(client, page)

    assert holders() == ["ali"]
    assert 'name="reason"' in answer.content.decode()


def test_what_is_free_by_now_is_told(client, boss, ali, receipt):
    page = act(client, "release_locks", lock(receipt, ali))
    locks.force_release(ReceiptPermanent.objects.all(), by=None, reason="x")

    done = confirm(client, page, reason="پایان شیفت")

    assert any(str(receipt) in text and "پیش‌تر آزاد" in text for text in told(done))


def test_choosing_what_nobody_edits_asks_nothing(client, boss, receipt):
    page = act(client, "release_locks", receipt)

    assert len(told(page)) == 1
    assert page.redirect_chain
    assert not LockEvent.objects.exists()


def test_all_rows_of_the_list_means_those_that_are_edited(client, boss, ali, receipt, monkeypatch):
    monkeypatch.setattr(lock_endings, "MOST_AT_ONCE", 2)
    rows = [lock(make_receipt(), ali) for _number in range(3)]

    page = act(client, "release_locks", receipt, select_across="1")

    assert len(shown(page)["claim"]) == 2
    assert "حداکثر ۲ قفل" in page.content.decode()
    confirm(client, page, reason="پایان شیفت")
    assert ReceiptPermanent.objects.claimed().count() == len(rows) - 2


def test_a_claim_that_no_page_of_ours_named_is_refused(client, boss, ali, receipt):
    lock(receipt, ali)

    answer = act(client, "release_locks", receipt, confirmed="yes", claim="x", reason="x")

    assert answer.status_code == 400
    assert holders() == ["ali"]


def test_releasing_needs_its_permission(client, make_user, ali, receipt):
    client.force_login(make_user("clerk", *RIGHTS, *LINE_RIGHTS))
    taking = ReceiptPermanent.objects.get(pk=lock(receipt, ali).pk)
    claim = f"edit:inventory.ReceiptPermanent|{taking.pk}|{ali.pk}|{taking.editing_started_at}"

    act(client, "release_locks", receipt, confirmed="yes", claim=claim, reason="x")

    assert (holders(), forced()) == (["ali"], [])


def test_clearing_ends_what_ran_out_alone_and_asks_nothing(
    client, make_user, ali, receipt, silence
):
    client.force_login(make_user("clerk", *RIGHTS, *LINE_RIGHTS))
    live = lock(make_receipt(), ali)
    silence(lock(receipt, ali), minutes=6)

    done = act(client, "clear_stale_locks", receipt, live)

    assert holders() == [None, "ali"]
    assert told(done) == ["۱ قفل ویرایش منقضی پاک شد."]
    events = LockEvent.objects.exclude(action="taken").values_list("action", "target_id")
    assert list(events) == [("ran_out", str(receipt.pk))]
