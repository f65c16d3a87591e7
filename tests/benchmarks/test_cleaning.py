"""What the cleaners cost, with nothing to do and with a thousand rows to end; medians of runs.

Figures, not limits: ``make prove`` prints them for both databases.
"""

import statistics
import time
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone

from backoffice import locks
from inventory.models import ReceiptPermanent
from reservations import holds
from reservations.models import Seat
from tests.inventory.factories import make_receipt
from tests.reservations.factories import make_event

pytestmark = [pytest.mark.benchmark, pytest.mark.django_db(transaction=True)]
ROWS, RUNS = 1000, 5


def measure(what, prepare, work):
    """Print the median seconds of some work, each time after its preparation."""
    seconds = []
    for _run in range(RUNS):
        prepare()
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    median = statistics.median(seconds) * 1000
    print(f"\n{connection.vendor}: {what}: {median:.1f} ms")


def test_clearing_edit_locks(make_user):
    holder = make_user("holder")
    for _row in range(ROWS):
        make_receipt(lines=0)
    long_ago = timezone.now() - timedelta(hours=1)

    def leave_locked():
        ReceiptPermanent.objects.update(editing_by=holder, editing_last_seen_at=long_ago)

    measure(f"{ROWS} stale edit locks cleared", leave_locked, clear)
    assert ReceiptPermanent.objects.claimed().count() == 0
    measure(f"no stale edit lock among {ROWS} documents", lambda: None, clear)


def clear():
    locks.clear_stale(ReceiptPermanent)


def test_freeing_seats(make_user):
    holder = make_user("holder")
    make_event(seats=ROWS)
    hold = {"status": "locked", "locked_by": holder, "locked_by_name": "holder"}
    until = timezone.now() - timedelta(hours=1)

    def leave_held():
        Seat.objects.update(**hold, hold_id=uuid4(), held_since=until, locked_until=until)

    measure(f"{ROWS} seats freed", leave_held, holds.release_expired)
    assert not Seat.objects.exclude(status="available").exists()
    measure(f"no seat to free among {ROWS}", lambda: None, holds.release_expired)
