"""The life of an edit lock, step by step."""

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils import translation

from backoffice import locks
from backoffice.audit import LockEvent
from inventory.models import ReceiptPermanent


def take(obj, by, **kwargs):
    return locks.acquire(type(obj), obj.pk, by=by, version=obj.version, **kwargs)


def save(obj, by, token, version=None):
    with transaction.atomic():
        return locks.require(type(obj), obj.pk, by=by, token=token, version=version or obj.version)


def events():
    return list(LockEvent.objects.order_by("pk").values_list("action", "actor_name", "holder_name"))


def test_a_free_document_is_given_with_a_token_of_which_the_row_keeps_a_hash(receipt, holder):
    token = take(receipt, holder)

    receipt.refresh_from_db()
    assert receipt.editing_by == holder
    assert receipt.editing_session_key == locks.fingerprint(token) != token
    assert receipt.version == 1
    assert events() == [("taken", "مریم رضایی", "مریم رضایی")]


def test_a_second_person_is_refused_and_told_who_holds_it(receipt, holder, colleague):
    token = take(receipt, holder)

    with pytest.raises(locks.Refused) as refused:
        take(receipt, colleague)

    assert (refused.value.reason, refused.value.lock.holder_name) == ("held", "مریم رضایی")
    assert locks.renew(ReceiptPermanent, receipt.pk, token=token, by=holder)


def test_another_tab_of_the_same_person_is_refused_in_other_words(receipt, holder):
    take(receipt, holder)

    with pytest.raises(locks.Refused) as refused:
        take(receipt, holder)

    assert refused.value.reason == "other_tab"


def test_a_reloaded_tab_gets_its_own_lock_back_with_a_new_token(receipt, holder):
    old = take(receipt, holder)

    new = take(receipt, holder, own_token=old)

    assert not locks.renew(ReceiptPermanent, receipt.pk, token=old, by=holder)
    assert locks.renew(ReceiptPermanent, receipt.pk, token=new, by=holder)
    assert len(events()) == 1


def test_a_page_that_is_out_of_date_gets_no_lock(receipt, holder):
    ReceiptPermanent.objects.filter(pk=receipt.pk).update(version=2)

    with pytest.raises(locks.Refused) as refused:
        take(receipt, holder)

    assert refused.value.reason == "changed"
    assert not ReceiptPermanent.objects.claimed().exists()


def test_a_deleted_document_gets_no_lock(receipt, holder):
    ReceiptPermanent.objects.filter(pk=receipt.pk).delete()

    with pytest.raises(locks.Refused) as refused:
        take(receipt, holder)

    assert refused.value.reason == "gone"


def test_a_run_out_lock_can_be_taken_at_once_and_the_taker_records_it(
    receipt, holder, colleague, silence
):
    old = take(receipt, holder)
    silence(receipt, minutes=5)

    new = take(receipt, colleague)

    assert not locks.renew(ReceiptPermanent, receipt.pk, token=old, by=holder)
    assert locks.renew(ReceiptPermanent, receipt.pk, token=new, by=colleague)
    assert events()[1:] == [("ran_out", "", "مریم رضایی"), ("taken", "علی کریمی", "علی کریمی")]


def test_the_log_tells_at_which_instant_a_lock_ran_out(receipt, holder, silence):
    take(receipt, holder)
    silence(receipt, minutes=60)
    receipt.refresh_from_db()

    locks.clear_stale(ReceiptPermanent)

    event = LockEvent.objects.first()
    assert event.ended_at == receipt.editing_last_seen_at + timedelta(minutes=5)


def test_a_lock_is_live_until_just_before_its_timeout(receipt, holder, colleague, silence):
    take(receipt, holder)
    silence(receipt, minutes=4.99)

    with pytest.raises(locks.Refused):
        take(receipt, colleague)

    assert ReceiptPermanent.objects.live().count() == 1
    assert ReceiptPermanent.objects.stale().count() == 0


@pytest.mark.parametrize("minutes", [0, 4, 5, 6, 600])
def test_every_claimed_row_is_either_live_or_stale(receipt, holder, silence, minutes):
    take(receipt, holder)
    silence(receipt, minutes)

    rows = ReceiptPermanent.objects
    assert rows.live().count() + rows.stale().count() == rows.claimed().count() == 1


def test_a_row_of_an_older_script_without_any_instant_counts_as_stale(receipt, holder):
    ReceiptPermanent.objects.filter(pk=receipt.pk).update(editing_by=holder)

    assert ReceiptPermanent.objects.stale().count() == 1


def test_the_lock_of_somebody_deactivated_by_a_bulk_update_is_free(receipt, holder, colleague):
    token = take(receipt, holder)
    get_user_model().objects.filter(pk=holder.pk).update(is_active=False)

    assert not locks.renew(ReceiptPermanent, receipt.pk, token=token, by=holder)
    assert take(receipt, colleague)


def test_the_lock_of_a_deleted_user_is_free_and_the_log_keeps_the_name(receipt, holder, colleague):
    take(receipt, holder)
    holder.delete()

    assert take(receipt, colleague)
    assert events()[0] == ("taken", "مریم رضایی", "مریم رضایی")


def test_a_beat_moves_the_last_sign_of_life_and_nothing_else(receipt, holder, silence):
    token = take(receipt, holder)
    silence(receipt, minutes=4)
    before = ReceiptPermanent.objects.values().get(pk=receipt.pk)

    assert locks.renew(ReceiptPermanent, receipt.pk, token=token, by=holder)

    after = ReceiptPermanent.objects.values().get(pk=receipt.pk)
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"editing_last_seen_at"}
    assert len(events()) == 1


def test_a_beat_does_not_wake_a_lock_that_ran_out(receipt, holder, silence):
    token = take(receipt, holder)
    silence(receipt, minutes=6)

    assert not locks.renew(ReceiptPermanent, receipt.pk, token=token, by=holder)
    assert ReceiptPermanent.objects.stale().count() == 1


def test_giving_back_frees_the_document_once(receipt, holder):
    token = take(receipt, holder)

    assert locks.release(ReceiptPermanent, receipt.pk, token=token, by=holder)
    assert not locks.release(ReceiptPermanent, receipt.pk, token=token, by=holder)

    assert not ReceiptPermanent.objects.claimed().exists()
    assert [action for action, *_ in events()] == ["taken", "given_back"]


@pytest.mark.parametrize("token", ["", "-", "another"])
def test_a_foreign_token_changes_nothing(receipt, holder, token):
    take(receipt, holder)

    assert not locks.renew(ReceiptPermanent, receipt.pk, token=token, by=holder)
    assert not locks.release(ReceiptPermanent, receipt.pk, token=token, by=holder)

    assert ReceiptPermanent.objects.live().count() == 1


def test_a_save_under_ones_own_lock_goes_through_and_counts_the_version_up(receipt, holder):
    token = take(receipt, holder)

    assert save(receipt, holder, token) == token

    receipt.refresh_from_db()
    assert receipt.version == 2


def test_the_token_of_another_person_opens_nothing(receipt, holder, colleague):
    token = take(receipt, holder)

    with pytest.raises(locks.Refused):
        take(receipt, colleague, own_token=token)
    with pytest.raises(locks.Refused):
        save(receipt, colleague, token)
    assert not locks.release(ReceiptPermanent, receipt.pk, token=token, by=colleague)

    receipt.refresh_from_db()
    assert (receipt.editing_by, receipt.version, len(events())) == (holder, 1, 1)


def test_a_save_of_a_free_unchanged_document_takes_the_lock_silently(receipt, holder):
    token = save(receipt, holder, "")

    assert locks.renew(ReceiptPermanent, receipt.pk, token=token, by=holder)
    assert [action for action, *_ in events()] == ["taken"]


def test_a_save_after_running_out_goes_through_where_nobody_came_between(receipt, holder, silence):
    token = take(receipt, holder)
    silence(receipt, minutes=60)

    assert save(receipt, holder, token) != token

    receipt.refresh_from_db()
    assert receipt.version == 2


def test_a_save_of_what_somebody_else_holds_is_refused(receipt, holder, colleague):
    take(receipt, holder)

    with pytest.raises(locks.Refused) as refused:
        save(receipt, colleague, "")

    receipt.refresh_from_db()
    assert (refused.value.reason, receipt.version, receipt.editing_by) == ("held", 1, holder)


def test_a_save_of_what_changed_since_loading_is_refused_even_under_ones_own_lock(receipt, holder):
    token = take(receipt, holder)
    ReceiptPermanent.objects.filter(pk=receipt.pk).update(version=7)

    with pytest.raises(locks.Refused) as refused:
        save(receipt, holder, token)

    assert refused.value.reason == "changed"


def test_two_saves_of_one_version_let_one_through(receipt, holder, colleague):
    save(receipt, holder, "")
    ReceiptPermanent.objects.update(**locks.UNLOCKED)

    with pytest.raises(locks.Refused) as refused:
        save(receipt, colleague, "")

    assert refused.value.reason == "changed"


def test_a_superuser_is_refused_like_anybody_else(receipt, holder, colleague):
    take(receipt, holder)
    colleague.is_superuser = True
    colleague.save()

    with pytest.raises(locks.Refused):
        save(receipt, colleague, "")


def test_a_take_over_ends_the_old_token_and_records_whose_it_was(receipt, holder, colleague):
    old = take(receipt, holder)

    new = locks.take_over(
        ReceiptPermanent, receipt.pk, by=colleague, version=1, reason="ناهار رفته است"
    )

    assert not locks.renew(ReceiptPermanent, receipt.pk, token=old, by=holder)
    assert locks.renew(ReceiptPermanent, receipt.pk, token=new, by=colleague)
    assert events()[-1] == ("taken_over", "علی کریمی", "مریم رضایی")
    assert LockEvent.objects.first().reason == "ناهار رفته است"


def test_a_take_over_from_an_outdated_page_is_refused(receipt, holder, colleague):
    take(receipt, holder)

    with pytest.raises(locks.Refused) as refused:
        locks.take_over(ReceiptPermanent, receipt.pk, by=colleague, version=9, reason="x")

    assert refused.value.reason == "changed"
    assert ReceiptPermanent.objects.get(pk=receipt.pk).editing_by == holder


def test_clearing_ends_what_ran_out_and_nothing_else(receipt, holder, colleague, silence):
    from tests.inventory.factories import make_receipt

    other = make_receipt()
    take(receipt, holder)
    take(other, colleague)
    silence(receipt, minutes=6)

    assert locks.clear_stale(ReceiptPermanent) == 1

    assert list(ReceiptPermanent.objects.claimed()) == [other]
    assert events()[-1] == ("ran_out", "", "مریم رضایی")


def test_ending_what_is_silent_records_what_was_still_live_as_forced(receipt, holder, silence):
    take(receipt, holder)
    silence(receipt, minutes=2)
    silent = ReceiptPermanent.objects.silent(timedelta(minutes=1))

    assert locks.force_release(silent, by=None, reason="--timeout 1") == 1

    assert events()[-1] == ("forced", "", "مریم رضایی")


def test_ending_by_force_records_who_and_why(receipt, holder, colleague):
    token = take(receipt, holder)
    rows = ReceiptPermanent.objects.all()

    assert locks.force_release(rows, by=colleague, reason="تعطیلات") == 1

    assert not locks.renew(ReceiptPermanent, receipt.pk, token=token, by=holder)
    event = LockEvent.objects.first()
    assert (event.action, event.actor_name, event.reason) == ("forced", "علی کریمی", "تعطیلات")


def test_clearing_more_than_a_batch_ends_all_of_them(receipt, holder, silence, monkeypatch):
    from tests.inventory.factories import make_receipt

    monkeypatch.setattr(locks, "BATCH", 2)
    for obj in [receipt, *(make_receipt() for _ in range(4))]:
        take(obj, holder)
        silence(obj, minutes=6)

    assert locks.clear_stale(ReceiptPermanent) == 5
    assert LockEvent.objects.filter(action="ran_out").count() == 5


def test_bulk_work_leaves_out_what_others_hold_and_outdates_open_pages(receipt, holder, colleague):
    from tests.inventory.factories import make_receipt

    free = make_receipt()
    take(receipt, holder)

    with transaction.atomic():
        workable, held = locks.split(ReceiptPermanent.objects.all(), by=colleague)
        assert list(workable) == [free]

    assert [(lock.pk, lock.holder_name) for lock in held] == [(receipt.pk, "مریم رضایی")]
    assert ReceiptPermanent.objects.get(pk=free.pk).version == 2
    assert ReceiptPermanent.objects.get(pk=receipt.pk).version == 1


def test_an_old_copy_in_memory_never_writes_a_lock_back(receipt, holder, colleague):
    take(receipt, holder)
    old = ReceiptPermanent.objects.get(pk=receipt.pk)
    locks.take_over(ReceiptPermanent, receipt.pk, by=colleague, version=1, reason="x")

    old.description = "شرح تازه"
    old.version = 99
    old.save()

    receipt.refresh_from_db()
    assert (receipt.description, receipt.editing_by, receipt.version) == ("شرح تازه", colleague, 1)


def test_naming_a_guard_column_in_update_fields_does_not_write_it(receipt, holder):
    receipt.editing_by = holder
    receipt.description = "شرح تازه"
    receipt.save(update_fields=["editing_by", "description"])

    receipt.refresh_from_db()
    assert (receipt.editing_by, receipt.description) == (None, "شرح تازه")


def test_naming_no_column_in_update_fields_writes_none(receipt):
    before = ReceiptPermanent.objects.values().get(pk=receipt.pk)
    receipt.description = "شرح تازه"
    receipt.save(update_fields=[])

    assert ReceiptPermanent.objects.values().get(pk=receipt.pk) == before


def test_a_copy_of_a_locked_document_starts_unlocked(receipt, holder):
    from tests.inventory.factories import make_receipt

    take(receipt, holder)
    copy = ReceiptPermanent.objects.get(pk=receipt.pk)
    other = make_receipt()
    copy.pk, copy._state.adding = None, True
    copy.draft_number = f"{other.draft_number}-copy"
    copy.save()

    copy.refresh_from_db()
    assert (copy.editing_by, copy.editing_session_key, copy.version) == (None, "", 1)


def test_a_refusal_is_recorded_after_the_rollback(receipt, holder, colleague):
    take(receipt, holder)

    with pytest.raises(locks.Refused) as refused:
        save(receipt, colleague, "")
    locks.record_refusal(ReceiptPermanent, receipt.pk, refused.value, by=colleague)

    assert events()[-1] == ("refused", "علی کریمی", "مریم رضایی")


@pytest.mark.parametrize("language", ["fa", "en"])
def test_the_log_says_in_persian_why_somebody_was_refused(receipt, holder, colleague, language):
    take(receipt, holder)

    with translation.override(language), pytest.raises(locks.Refused) as refused:
        save(receipt, colleague, "")
    with translation.override(language):
        locks.record_refusal(ReceiptPermanent, receipt.pk, refused.value, by=colleague)

    assert LockEvent.objects.first().reason.startswith("مریم رضایی در حال ویرایش این سند است")
