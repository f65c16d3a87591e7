"""The life of an edit lock, step by step."""

from datetime import timedelta

import pytest
from django.apps import apps
from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils import translation

from backoffice import locks
from backoffice.audit import LockEvent
from inventory.models import ReceiptPermanent
from tests.inventory.factories import make_receipt


def take(obj, by, **kwargs):
    return locks.acquire(type(obj), obj.pk, by=by, version=obj.version, **kwargs)


def save(obj, by, token, version=None):
    with transaction.atomic():
        return locks.require(type(obj), obj.pk, by=by, token=token, version=version or obj.version)


def beat(obj, token, by, **kwargs):
    return locks.renew(type(obj), obj.pk, token=token, by=by, **kwargs)


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
    monkeypatch.setattr(locks, "BATCH", 2)
    for obj in [receipt, *(make_receipt() for _ in range(4))]:
        take(obj, holder)
        silence(obj, minutes=6)

    assert locks.clear_stale(ReceiptPermanent) == 5
    assert LockEvent.objects.filter(action="ran_out").count() == 5


def test_bulk_work_leaves_out_what_others_hold_and_outdates_open_pages(receipt, holder, colleague):
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


# The end of a lock by itself


def test_a_lock_without_input_runs_out_however_faithfully_its_page_beats(
    receipt, holder, colleague, clock
):
    token = take(receipt, holder)
    for _minute in range(10):
        clock.forward(timedelta(minutes=1))
        assert locks.renew(ReceiptPermanent, receipt.pk, token=token, by=holder)
    with pytest.raises(locks.Refused):
        take(receipt, colleague)

    clock.forward(timedelta(minutes=1))

    assert not locks.renew(ReceiptPermanent, receipt.pk, token=token, by=holder)
    assert take(receipt, colleague)
    assert events()[1] == ("ran_out", "", "مریم رضایی")
    assert LockEvent.objects.get(action="ran_out").ended_at == clock.instant


def test_a_beat_tells_when_the_last_input_was(receipt, holder, clock):
    token = take(receipt, holder)
    clock.forward(timedelta(minutes=4))

    beat(receipt, token, holder, idle=timedelta(minutes=1))
    receipt.refresh_from_db()
    assert receipt.editing_last_input_at == clock.instant - timedelta(minutes=1)


@pytest.mark.parametrize("idle", [timedelta(hours=1), timedelta(minutes=-5)])
def test_a_beat_moves_the_last_input_neither_back_nor_into_the_future(receipt, holder, clock, idle):
    token = take(receipt, holder)
    taken = clock.instant
    clock.forward(timedelta(minutes=1))

    beat(receipt, token, holder, idle=idle)

    receipt.refresh_from_db()
    expected = taken if idle > timedelta(0) else clock.instant
    assert receipt.editing_last_input_at == expected


def type_on(receipt, token, by, clock, *, hours):
    """Let time pass while somebody types without a pause; return whether the lock was kept."""
    for _step in range(int(hours * 15)):
        clock.forward(timedelta(minutes=4))
        if not beat(receipt, token, by, idle=timedelta(0)):
            return False
    return True


def test_nobody_keeps_a_lock_for_more_than_two_hours(receipt, holder, colleague, clock):
    token = take(receipt, holder)

    assert type_on(receipt, token, holder, clock, hours=1.9)
    assert not type_on(receipt, token, holder, clock, hours=0.2)
    assert take(receipt, colleague)


def test_a_fresh_click_prolongs_the_hold(receipt, holder, clock):
    token = take(receipt, holder)
    type_on(receipt, token, holder, clock, hours=1.9)

    assert beat(receipt, token, holder, extend=True)

    assert type_on(receipt, token, holder, clock, hours=1.9)
    assert not type_on(receipt, token, holder, clock, hours=0.2)


def test_a_reload_prolongs_the_hold_by_nothing(receipt, holder, clock):
    token = take(receipt, holder)
    started = clock.instant
    type_on(receipt, token, holder, clock, hours=1.9)

    token = take(receipt, holder, own_token=token)

    receipt.refresh_from_db()
    assert receipt.editing_started_at == receipt.editing_extended_at == started
    assert not type_on(receipt, token, holder, clock, hours=0.2)


def test_a_save_prolongs_the_hold_by_nothing(receipt, holder, clock):
    token = take(receipt, holder)
    type_on(receipt, token, holder, clock, hours=1.9)

    assert save(receipt, holder, token) == token

    assert not type_on(receipt, token, holder, clock, hours=0.2)


# Leaving a page


def test_a_page_that_was_left_keeps_others_out_for_five_seconds(receipt, holder, colleague, clock):
    token = take(receipt, holder)
    assert locks.leave(ReceiptPermanent, receipt.pk, token=token, by=holder)
    clock.forward(timedelta(seconds=4))
    with pytest.raises(locks.Refused) as refused:
        take(receipt, colleague)
    assert refused.value.reason == "held"

    clock.forward(timedelta(seconds=1))

    assert take(receipt, colleague)
    assert events()[1:] == [("given_back", "", "مریم رضایی"), ("taken", "علی کریمی", "علی کریمی")]
    assert LockEvent.objects.get(action="given_back").ended_at == clock.instant


def test_whoever_finds_it_later_records_when_the_page_was_left(receipt, holder, clock):
    token = take(receipt, holder)
    locks.leave(ReceiptPermanent, receipt.pk, token=token, by=holder)
    left = clock.instant
    clock.forward(timedelta(hours=3))

    assert locks.clear_stale(ReceiptPermanent) == 1

    assert LockEvent.objects.first().ended_at == left + timedelta(seconds=5)


def test_the_page_that_comes_back_keeps_its_lock(receipt, holder, clock):
    old = take(receipt, holder)
    locks.leave(ReceiptPermanent, receipt.pk, token=old, by=holder)
    clock.forward(timedelta(seconds=4))

    token = take(receipt, holder, own_token=old)

    clock.forward(timedelta(minutes=4))
    assert beat(receipt, token, holder)
    assert [action for action, *_ in events()] == ["taken"]


def test_a_save_on_the_way_out_keeps_the_lock(receipt, holder, clock):
    token = take(receipt, holder)
    locks.leave(ReceiptPermanent, receipt.pk, token=token, by=holder)

    assert save(receipt, holder, token) == token

    clock.forward(timedelta(minutes=4))
    assert beat(receipt, token, holder)


def test_the_beacon_of_an_old_page_does_not_end_the_lock_of_the_next(receipt, holder, clock):
    old = take(receipt, holder)
    new = take(receipt, holder, own_token=old)

    assert not locks.leave(ReceiptPermanent, receipt.pk, token=old, by=holder)

    clock.forward(timedelta(minutes=1))
    assert beat(receipt, new, holder)


# Other tabs, other people


def test_a_lock_moves_to_ones_other_tab(receipt, holder):
    old = take(receipt, holder)

    new = locks.move(ReceiptPermanent, receipt.pk, by=holder, version=1)

    assert not beat(receipt, old, holder)
    assert beat(receipt, new, holder)
    assert events()[1:] == [("moved", "مریم رضایی", "مریم رضایی")]


def test_moving_takes_nothing_from_a_colleague(receipt, holder, colleague):
    token = take(receipt, holder)

    with pytest.raises(locks.Refused) as refused:
        locks.move(ReceiptPermanent, receipt.pk, by=colleague, version=1)

    assert refused.value.reason == "held"
    assert beat(receipt, token, holder)


def test_an_outdated_tab_gets_no_lock_by_moving(receipt, holder):
    token = take(receipt, holder)

    with pytest.raises(locks.Refused) as refused:
        locks.move(ReceiptPermanent, receipt.pk, by=holder, version=9)

    assert refused.value.reason == "changed"
    assert beat(receipt, token, holder)


def test_handing_over_ends_ones_token_and_needs_it(receipt, holder, colleague):
    token = take(receipt, holder)
    give = {"to": colleague, "ticket": locks.fingerprint("ticket")}

    assert not locks.hand_over(ReceiptPermanent, receipt.pk, token="another", by=holder, **give)
    assert not locks.hand_over(ReceiptPermanent, receipt.pk, token=token, by=colleague, **give)
    assert locks.hand_over(ReceiptPermanent, receipt.pk, token=token, by=holder, **give)

    assert beat(receipt, "ticket", colleague)
    assert not locks.hand_over(ReceiptPermanent, receipt.pk, token=token, by=holder, **give)
    assert events()[1:] == [
        ("handed_over", "مریم رضایی", "مریم رضایی"),
        ("taken", "علی کریمی", "علی کریمی"),
    ]


def test_logging_out_gives_back_all_of_ones_own(receipt, holder, colleague):
    mine, other = make_receipt(), make_receipt()
    for obj, by in ((receipt, holder), (mine, holder), (other, colleague)):
        take(obj, by)

    assert locks.release_all_of(holder, apps.get_models()) == 2

    assert list(ReceiptPermanent.objects.claimed()) == [other]
    assert events()[-2:] == [("given_back", "مریم رضایی", "مریم رضایی")] * 2


@pytest.mark.parametrize("left", [True, False])
def test_logging_out_records_what_had_ended_before_as_that(receipt, holder, clock, left):
    token = take(receipt, holder)
    if left:
        locks.leave(ReceiptPermanent, receipt.pk, token=token, by=holder)
    clock.forward(timedelta(hours=1))

    locks.release_all_of(holder, apps.get_models())

    assert events()[-1] == ("given_back" if left else "ran_out", "", "مریم رضایی")


def test_no_step_of_another_person_with_the_right_token_changes_anything(
    receipt, holder, colleague
):
    token = take(receipt, holder)
    before = ReceiptPermanent.objects.values().get(pk=receipt.pk)
    mine = {"token": token, "by": colleague}

    assert not beat(receipt, token, colleague, idle=timedelta(0), has_changes=True, extend=True)
    assert not locks.leave(ReceiptPermanent, receipt.pk, **mine)
    assert not locks.release(ReceiptPermanent, receipt.pk, **mine)
    assert not locks.holds(ReceiptPermanent, receipt.pk, **mine)

    assert ReceiptPermanent.objects.values().get(pk=receipt.pk) == before


def test_a_beat_writes_the_columns_of_the_lock_alone(receipt, holder, clock):
    token = take(receipt, holder)
    before = ReceiptPermanent.objects.values().get(pk=receipt.pk)
    clock.forward(timedelta(minutes=1))

    beat(receipt, token, holder, idle=timedelta(0), has_changes=True, extend=True)

    after = ReceiptPermanent.objects.values().get(pk=receipt.pk)
    assert {name for name in after if after[name] != before[name]} == {
        "editing_last_seen_at",
        "editing_last_input_at",
        "editing_extended_at",
        "editing_has_changes",
    }
    assert len(events()) == 1


def test_a_take_over_of_what_is_given_back_at_that_moment_is_an_ordinary_taking(
    receipt, holder, colleague, monkeypatch
):
    token = take(receipt, holder)
    read = locks.read

    def give_back_after_reading(model, pk):
        found = read(model, pk)
        monkeypatch.undo()
        locks.release(model, pk, token=token, by=holder)
        return found

    monkeypatch.setattr(locks, "read", give_back_after_reading)

    assert locks.take_over(ReceiptPermanent, receipt.pk, by=colleague, version=1, reason="x")
    assert [action for action, *_ in events()] == ["taken", "given_back", "taken"]
