from datetime import timedelta

import pytest
from django_q.models import Failure, Success

from backoffice import tasks
from backoffice.clock import database_now

pytestmark = pytest.mark.django_db


def make_finished(name, *, days_ago, success=False):
    at = database_now() - timedelta(days=days_ago)
    model = Success if success else Failure
    model.objects.create(
        id=name, name=name, func="os.getcwd", started=at, stopped=at, success=success
    )


def left():
    return sorted(Failure.objects.values_list("name", flat=True))


def test_old_failures_are_purged():
    make_finished("old", days_ago=31)
    make_finished("young", days_ago=29)
    make_finished("success", days_ago=31, success=True)

    assert tasks.purge_failures() == 1

    assert left() == ["young"]
    assert Success.objects.count() == 1


def test_of_many_failures_the_newest_are_kept(monkeypatch):
    monkeypatch.setattr(tasks, "MOST_FAILURES", 2)
    for days in range(4):
        make_finished(f"failed {days} days ago", days_ago=days)

    assert tasks.purge_failures() == 2

    assert left() == ["failed 0 days ago", "failed 1 days ago"]
