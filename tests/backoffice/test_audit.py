from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.db import transaction
from django.utils import timezone

from backoffice import append_only, audit
from backoffice.audit import LockEvent
from tests.backoffice.factories import make_event


@pytest.fixture
def holder(make_user):
    return make_user("holder", first_name="مریم", last_name="رضایی")


def test_an_event_tells_who_did_what_to_whose_claim(make_user, holder):
    colleague = make_user("colleague")

    audit.record(audit.event("edit", "forced", holder, by=colleague, holder=holder, source="bulk"))

    event = LockEvent.objects.get()
    assert (event.actor_id, event.actor_name) == (colleague.pk, "colleague")
    assert (event.holder_id, event.holder_name) == (holder.pk, "مریم رضایی")
    assert (event.target_model, event.target_id) == ("auth.User", str(holder.pk))
    assert abs(timezone.now() - event.at) < timedelta(seconds=5)


def test_an_event_outlives_the_people_it_names(holder):
    audit.record(audit.event("edit", "taken", holder, by=holder, holder=holder, source="page"))

    get_user_model().objects.all().delete()

    assert LockEvent.objects.get().holder_name == "مریم رضایی"


def test_an_event_goes_with_the_transaction_it_tells_of(holder):
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        audit.record(audit.event("edit", "taken", holder, by=holder, source="page"))
        raise ZeroDivisionError

    assert not LockEvent.objects.exists()


def test_an_event_keeps_names_that_are_too_long_for_it(db):
    model = get_user_model()

    audit.record(
        audit.event("seat", "taken", (model, 1, "x" * 300), by=(7, "y" * 300), source="page")
    )

    event = LockEvent.objects.get()
    assert (len(event.target_name), len(event.actor_name)) == (200, 150)


def test_nobody_has_no_name():
    assert audit.name_of(None) == ""


def test_pruning_deletes_what_is_older_and_records_itself(db, holder):
    make_event("old", days_ago=40)
    make_event("new", days_ago=20)

    count = audit.prune(timezone.now() - timedelta(days=30), by=holder)

    pruned, kept = LockEvent.objects.all()
    assert (count, kept.target_name) == (1, "new")
    assert (pruned.kind, pruned.action, pruned.actor_name) == ("log", "pruned", "مریم رضایی")
    assert "1" in pruned.reason or "۱" in pruned.reason
    assert append_only.is_protected(LockEvent._meta.db_table)


@pytest.mark.parametrize("day", ["1405/01/01", "۱۴۰۵/۱/۱", "2026-03-21"])
def test_the_command_takes_jalali_and_gregorian_days(db, capsys, day):
    make_event("older", days_ago=5000)
    make_event("newer")

    call_command("prune_events", before=day)

    assert capsys.readouterr().out == "Deleted 1 events before 2026-03-21.\n"
    assert [event.target_name for event in LockEvent.objects.filter(kind="seat")] == ["newer"]


def test_the_command_refuses_what_is_no_day(db):
    make_event("older", days_ago=5000)

    with pytest.raises(CommandError, match="1405/13/01"):
        call_command("prune_events", before="1405/13/01")

    assert LockEvent.objects.get().target_name == "older"


def test_a_day_begins_at_midnight_in_tehran(db, capsys):
    event = audit.event("seat", "taken", (get_user_model(), 1, "A13"), source="page")
    event.at = datetime(2026, 3, 20, 20, 45, tzinfo=UTC)
    event.save(force_insert=True)  # 1405/01/01 00:15 in Tehran

    call_command("prune_events", before="1405/01/01")

    assert capsys.readouterr().out == "Deleted 0 events before 2026-03-21.\n"
