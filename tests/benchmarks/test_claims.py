"""What ending claims costs, beside the bare statements that it can't do without."""

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone

from reservations import holds
from reservations.models import Seat
from tests.benchmarks.ratios import median_ratio
from tests.reservations.factories import make_event

pytestmark = [pytest.mark.benchmark, pytest.mark.django_db(transaction=True)]
SEATS = 5_000
LONG_AGO = "2020-01-01T00:00:00Z"


@pytest.fixture
def person(db):
    return get_user_model().objects.create_user("holder")


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
