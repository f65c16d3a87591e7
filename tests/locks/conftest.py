from datetime import UTC, datetime, timedelta

import pytest
from django.db.models import DateTimeField, Value

from backoffice import editable, lock_requests, locks
from backoffice.clock import database_now
from tests.inventory.factories import make_receipt


@pytest.fixture
def receipt(db):
    return make_receipt()


@pytest.fixture
def holder(make_user):
    return make_user("holder", first_name="مریم", last_name="رضایی")


@pytest.fixture
def colleague(make_user):
    return make_user("colleague", first_name="علی", last_name="کریمی")


@pytest.fixture
def silence():
    """Return a function that moves a lock's last sign of life into the past."""

    def move(obj, minutes):
        rows = type(obj).objects.filter(pk=obj.pk)
        then = database_now() - timedelta(minutes=minutes)
        rows.update(editing_last_seen_at=then, editing_started_at=then)

    return move


class Clock:
    """The database's clock, for as long as a test wants it to stand still."""

    def __init__(self):
        self.instant = datetime(2026, 1, 1, 12, tzinfo=UTC)

    def now(self):
        return Value(self.instant, output_field=DateTimeField())

    def forward(self, time):
        self.instant += time


@pytest.fixture
def clock(monkeypatch):
    """Replace the one expression that means now, wherever the life of a lock asks for it."""
    clock = Clock()
    for module in (editable, lock_requests, locks):
        monkeypatch.setattr(module, "database_now", clock.now)
    return clock
