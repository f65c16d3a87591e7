from datetime import timedelta

import pytest

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
