"""What ending claims costs, beside the bare statements that it can't do without."""

import pytest
from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.utils import timezone

from backoffice import audit, locks
from backoffice.audit import LockEvent
from inventory.models import ReceiptPermanent
from reservations import holds
from reservations.models import Seat
from tests.benchmarks.ratios import median_ratio
from tests.inventory.factories import make_receipt
from tests.reservations.factories import make_event

pytestmark = [pytest.mark.benchmark, pytest.mark.django_db(transaction=True)]
DOCUMENTS, LOCKED = 20_000, 500
SEATS = 5_000
LONG_AGO = "2020-01-01T00:00:00Z"


@pytest.fixture
def person(db):
    return get_user_model().objects.create_user("holder")


def raw_update(model, values, condition):
    """Send the one UPDATE that ends claims, and log as many events in bulk."""
    columns = ", ".join(f"{column} = {value}" for column, value in values.items())
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(f"UPDATE {model._meta.db_table} SET {columns} WHERE {condition}")
            count = cursor.rowcount
        target = (model, 1, "x")
        audit.record(
            *(audit.event("edit", "ran_out", target, source="schedule") for _row in range(count))
        )
    return count


def test_clearing_edit_locks_follows_the_locks_and_not_the_documents(person):
    model = make_receipt(lines=0)
    rows = [
        ReceiptPermanent(
            draft_number=f"B{number}",
            warehouse=model.warehouse,
            fiscal_year=model.fiscal_year,
            document_date=model.document_date,
        )
        for number in range(DOCUMENTS)
    ]
    ReceiptPermanent.objects.bulk_create(rows, batch_size=500)
    some = list(ReceiptPermanent.objects.order_by("pk").values_list("pk", flat=True)[:LOCKED])

    def lock():
        ReceiptPermanent.objects.filter(pk__in=some).update(
            editing_by=person, editing_last_seen_at=LONG_AGO, editing_session_key="x"
        )

    def bare():
        values = {"editing_by_id": "NULL", "editing_session_key": "''"}
        values |= {"editing_started_at": "NULL", "editing_last_seen_at": "NULL"}
        assert raw_update(ReceiptPermanent, values, "editing_by_id IS NOT NULL") == LOCKED

    ratio = median_ratio(
        f"Clearing {LOCKED} locks among {DOCUMENTS} documents, to one UPDATE and a bulk log",
        lambda: locks.clear_stale(ReceiptPermanent),
        bare,
        before=lock,
    )
    assert ratio > 0
    assert LockEvent.objects.filter(action="ran_out").count() >= LOCKED


def test_freeing_run_out_seats_beside_saving_each(person):
    event = make_event()
    Seat.objects.bulk_create(
        [Seat(event=event, seat_number=f"Z{number}", price=0) for number in range(SEATS)],
        batch_size=500,
    )

    def hold():
        Seat.objects.filter(event=event).update(
            status="locked",
            locked_until=LONG_AGO,
            locked_by=person,
            locked_by_name="x",
            held_since=LONG_AGO,
            hold_id="00000000-0000-0000-0000-000000000001",
        )

    def save_each():
        for seat in Seat.objects.filter(event=event, locked_until__lt=timezone.now()):
            for name, value in holds.AVAILABLE.items():
                setattr(seat, name, value)
            seat.save()

    ratio = median_ratio(
        f"Saving {SEATS} run-out seats one by one, to freeing them together",
        save_each,
        lambda: holds.release_expired(),
        before=hold,
        rounds=3,
    )
    assert ratio > 1
    assert not Seat.objects.filter(event=event, status="locked").exists()
