"""When a lock is live: one predicate in SQL, and what a row that was read says of it."""

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model

from backoffice import locks
from backoffice.editable import read
from inventory.models import ReceiptPermanent

SECOND = timedelta(seconds=1)
BEAT = timedelta(minutes=5)
IDLE = timedelta(minutes=11)
HOLD = timedelta(hours=2)
GRACE = timedelta(seconds=5)
BOUNDS = {
    "editing_last_seen_at": BEAT,
    "editing_last_input_at": IDLE,
    "editing_extended_at": HOLD,
    "editing_left_at": GRACE,
}


@pytest.fixture
def held(receipt, holder, clock):
    locks.acquire(ReceiptPermanent, receipt.pk, by=holder, version=1)
    return ReceiptPermanent.objects.filter(pk=receipt.pk)


def states(rows):
    return {name for name in ("live", "stale", "free") if getattr(rows, name)().exists()}


@pytest.mark.parametrize("column", BOUNDS)
@pytest.mark.parametrize("late", [-SECOND, timedelta(0), SECOND])
def test_a_lock_ends_at_the_very_instant_of_each_of_its_bounds(held, clock, column, late):
    held.update(**{column: clock.instant - BOUNDS[column] - late})

    lock = read(ReceiptPermanent, held.get().pk)

    over = late >= timedelta(0)
    assert states(held) == ({"stale", "free"} if over else {"live"})
    assert lock.live is not over
    assert lock.ends_at == clock.instant - late
    assert lock.read_at == clock.instant


@pytest.mark.parametrize("column", BOUNDS)
def test_each_bound_follows_its_setting_and_no_other(held, clock, settings, column):
    settings.EDIT_LOCK_TIMEOUT_MINUTES = 50 if column != "editing_last_seen_at" else 5
    settings.EDIT_LOCK_IDLE_MINUTES = 50 if column != "editing_last_input_at" else 10
    settings.EDIT_LOCK_MAXIMUM_HOURS = 50 if column != "editing_extended_at" else 2

    held.update(**{column: clock.instant - BOUNDS[column] + SECOND})
    assert states(held) == {"live"}
    clock.forward(SECOND)
    assert states(held) == {"stale", "free"}


@pytest.mark.parametrize("seen", [None, BEAT - SECOND, BEAT])
@pytest.mark.parametrize("typed", [None, IDLE - SECOND, IDLE])
@pytest.mark.parametrize("clicked", [None, HOLD - SECOND, HOLD])
@pytest.mark.parametrize("left", [None, GRACE - SECOND, GRACE])
def test_stale_is_the_opposite_of_live_whatever_instants_a_row_holds(
    held, clock, seen, typed, clicked, left
):
    def ago(time):
        return time if time is None else clock.instant - time

    held.update(
        editing_last_seen_at=ago(seen),
        editing_last_input_at=ago(typed),
        editing_extended_at=ago(clicked),
        editing_left_at=ago(left),
    )
    over = seen == BEAT or typed == IDLE or clicked == HOLD or left == GRACE
    lock = read(ReceiptPermanent, held.get().pk)
    assert states(held) == ({"stale", "free"} if over else {"live"})
    assert (lock.ends_at <= clock.instant) is over is not lock.live


def test_a_row_of_an_older_script_counts_from_its_start(held, clock):
    started = clock.instant - BEAT
    held.update(
        editing_started_at=started + SECOND,
        editing_last_seen_at=None,
        editing_last_input_at=None,
        editing_extended_at=None,
    )
    assert states(held) == {"live"}
    held.update(editing_started_at=started)
    assert states(held) == {"stale", "free"}


def test_beats_of_a_row_without_a_click_keep_it_as_the_row_says(held, clock):
    long_ago = clock.instant - 2 * HOLD
    held.update(editing_started_at=long_ago, editing_extended_at=None)

    lock = read(ReceiptPermanent, held.get().pk)

    assert states(held) == {"live"}
    assert lock.ends_at == clock.instant + BEAT


@pytest.mark.parametrize("how", ["deactivated", "deleted"])
def test_whoever_is_shut_out_in_bulk_holds_nothing(held, holder, how):
    people = get_user_model().objects.filter(pk=holder.pk)
    if how == "deactivated":
        people.update(is_active=False)
        assert states(held) == {"stale", "free"}
    else:
        people.delete()  # the row is claimed by nobody then
        assert states(held) == {"free"}
    assert not read(ReceiptPermanent, held.get().pk).live


def test_the_holder_of_a_lock_is_no_reason_to_wait_for_a_free_row(receipt, held):
    ReceiptPermanent.objects.update(**locks.UNLOCKED)
    assert states(held) == {"free"}


@pytest.mark.parametrize(
    ("minutes", "silent"), [(1, True), (2, True), (3, False), (4, False), (10, False)]
)
def test_silent_asks_for_the_beat_alone(held, clock, minutes, silent):
    held.update(editing_last_seen_at=clock.instant - timedelta(minutes=2))
    held.update(editing_last_input_at=clock.instant - HOLD)

    assert held.silent(timedelta(minutes=minutes)).exists() is silent


def test_rows_found_by_their_claims_are_those_of_the_queryset(held, holder, clock):
    other = ReceiptPermanent.objects.none()
    assert list(held.by_claims()) == list(held)
    assert list(other.by_claims()) == []
    assert list(ReceiptPermanent.objects.exclude(pk__in=held.values("pk")).by_claims()) == []
    assert list(ReceiptPermanent.objects.free().by_claims()) == []
