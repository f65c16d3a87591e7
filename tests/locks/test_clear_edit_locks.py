"""The command whose output scripts rely on, to the letter."""

import json
from datetime import timedelta

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import models
from django.test.utils import isolate_apps

from backoffice import locks
from backoffice.audit import LockEvent
from backoffice.clock import database_now
from backoffice.locks import EditableModel
from inventory.document_types import TYPES
from inventory.models import (
    IssueConsumption,
    ReceiptPermanent,
    StocktakingRecord,
    WarehouseDocument,
)
from reservations.models import Event
from tests.inventory.factories import make_document, make_receipt, make_stocktaking
from tests.reservations.factories import make_event


@pytest.fixture
def locked(holder, silence):
    """Two receipts and a stocktaking with stale locks, an issue with a live one."""
    stale = [make_receipt(), make_receipt(), make_stocktaking()]
    live = make_document(IssueConsumption)
    for obj in [*stale, live]:
        locks.acquire(type(obj), obj.pk, by=holder, version=1)
    for obj in stale:
        silence(obj, minutes=6)
    return live


def run(capsys, *args):
    call_command("clear_edit_locks", *args)
    return capsys.readouterr().out


def test_it_clears_stale_locks_and_counts_them_by_type(capsys, locked):
    assert run(capsys) == (
        "Clearing edit locks older than 5 minutes...\n"
        "Cleared 2 edit locks from ReceiptPermanent\n"
        "Cleared 1 edit locks from StocktakingRecord\n"
        "\n"
        "Total: 3 edit locks cleared.\n"
    )
    assert list(IssueConsumption.objects.claimed()) == [locked]


def test_all_clears_live_locks_too(capsys, locked):
    assert run(capsys, "--all") == (
        "⚠️  Clearing ALL edit locks...\n"
        "Cleared 2 edit locks from ReceiptPermanent\n"
        "Cleared 1 edit locks from IssueConsumption\n"
        "Cleared 1 edit locks from StocktakingRecord\n"
        "\n"
        "Total: 4 edit locks cleared.\n"
    )
    assert not IssueConsumption.objects.claimed().exists()


def test_with_nothing_to_clear_it_says_so(capsys, db):
    assert run(capsys) == ("Clearing edit locks older than 5 minutes...\nNo edit locks to clear.\n")


def test_a_longer_timeout_leaves_younger_locks(capsys, locked):
    assert run(capsys, "--timeout", "30") == (
        "Clearing edit locks older than 30 minutes...\nNo edit locks to clear.\n"
    )
    assert ReceiptPermanent.objects.claimed().count() == 2


@pytest.mark.parametrize("minutes", ["0", "-1", "abc"])
def test_a_timeout_that_is_no_age_is_refused(locked, minutes):
    with pytest.raises(CommandError):
        call_command("clear_edit_locks", "--timeout", minutes)
    assert StocktakingRecord.objects.claimed().count() == 1


@pytest.fixture
def broken_receipts(monkeypatch):
    """Let the locks of permanent receipts fail, among the other types of their table too."""
    end = locks.end

    def failing(claims, **kwargs):
        if claims.filter(document_type="receipt_permanent").exists():
            raise RuntimeError("no such column")
        return end(claims, **kwargs)

    def ending(claims, **kwargs):
        of_documents = issubclass(claims.model, WarehouseDocument)
        return (failing if of_documents else end)(claims, **kwargs)

    monkeypatch.setattr(locks, "end", ending)


def test_a_model_that_fails_is_named_and_the_others_go_on(capsys, locked, broken_receipts):
    IssueConsumption.objects.update(editing_last_seen_at="2020-01-01T00:00:00Z")
    with pytest.raises(SystemExit) as stopped:
        call_command("clear_edit_locks")

    output = capsys.readouterr()
    assert stopped.value.code == 1
    assert output.err == "Error clearing locks for ReceiptPermanent: no such column\n"
    assert "Cleared 1 edit locks from IssueConsumption\n" in output.out
    assert "Cleared 1 edit locks from StocktakingRecord\n" in output.out
    assert ReceiptPermanent.objects.stale().count() == 2


def events():
    return list(LockEvent.objects.order_by("pk").values_list("action", "target_model", "reason"))


def test_a_run_out_of_any_kind_is_stale_without_a_timeout(capsys, holder, receipt):
    locks.acquire(ReceiptPermanent, receipt.pk, by=holder, version=1)
    long_ago = database_now() - timedelta(minutes=12)
    ReceiptPermanent.objects.update(editing_last_input_at=long_ago)  # its beats go on

    assert "Total: 1 edit locks cleared.\n" in run(capsys)
    assert events()[-1] == ("ran_out", "inventory.ReceiptPermanent", "")


@pytest.mark.parametrize("arguments", [["--timeout", "5"], ["--timeout", "6"]])
def test_a_timeout_asks_for_the_beat_alone(capsys, holder, receipt, arguments):
    locks.acquire(ReceiptPermanent, receipt.pk, by=holder, version=1)
    ReceiptPermanent.objects.update(editing_last_input_at=database_now() - timedelta(minutes=12))

    assert "No edit locks to clear.\n" in run(capsys, *arguments)
    assert ReceiptPermanent.objects.stale().count() == 1


def test_a_timeout_below_the_lease_ends_live_locks_and_records_them_as_forced(
    capsys, holder, receipt, silence
):
    locks.acquire(ReceiptPermanent, receipt.pk, by=holder, version=1)
    silence(receipt, minutes=2)
    assert ReceiptPermanent.objects.live().count() == 1

    assert "Total: 1 edit locks cleared.\n" in run(capsys, "--timeout", "1")
    assert events()[-1] == ("forced", "inventory.ReceiptPermanent", "--timeout 1")


def test_the_default_timeout_is_the_setting(capsys, settings, locked):
    settings.EDIT_LOCK_TIMEOUT_MINUTES = 7.5

    assert run(capsys) == (
        "Clearing edit locks older than 7.5 minutes...\nNo edit locks to clear.\n"
    )
    assert ReceiptPermanent.objects.live().count() == 2


def test_a_dry_run_says_what_it_would_do_and_does_nothing(capsys, locked):
    before = (list(ReceiptPermanent.objects.values()), events())

    assert run(capsys, "--dry-run") == (
        "Clearing edit locks older than 5 minutes...\n"
        "Would clear 2 edit locks from ReceiptPermanent\n"
        "Would clear 1 edit locks from StocktakingRecord\n"
        "\n"
        "Total: 3 edit locks would be cleared.\n"
    )
    assert (list(ReceiptPermanent.objects.values()), events()) == before


def test_a_dry_run_of_all_asks_nothing_and_names_the_live_ones(capsys, locked, terminal):
    call_command("clear_edit_locks", "--all", "--dry-run")

    output = capsys.readouterr()
    assert "Total: 4 edit locks would be cleared.\n" in output.out
    assert output.err.startswith(
        f"Would end the live lock of مریم رضایی on IssueConsumption {locked.pk}, held since "
    )
    assert IssueConsumption.objects.live().count() == 1


@pytest.mark.parametrize(
    ("name", "left"),
    [
        ("inventory.ReceiptPermanent", 0),
        ("inventory.receiptpermanent", 0),
        ("inventory.WarehouseDocument", 0),  # the table of all types
        ("inventory.IssuePermanent", 2),
    ],
)
def test_a_model_may_be_chosen(capsys, locked, name, left):
    run(capsys, "--model", name)

    assert ReceiptPermanent.objects.claimed().count() == left
    assert StocktakingRecord.objects.claimed().count() == 1


def test_several_models_may_be_chosen(capsys, locked):
    output = run(
        capsys, "--model", "inventory.StocktakingRecord", "--model", "inventory.IssuePermanent"
    )

    assert "Total: 1 edit locks cleared.\n" in output
    assert ReceiptPermanent.objects.claimed().count() == 2


@pytest.mark.parametrize("name", ["inventory.Warehouse", "inventory.Nothing", "Receipt", "a.b.c"])
def test_a_model_without_edit_locks_is_refused_in_one_line(locked, name):
    with pytest.raises(CommandError, match=rf"^{name} is no model with edit locks\.$"):
        call_command("clear_edit_locks", "--model", "inventory.StocktakingRecord", "--model", name)
    assert StocktakingRecord.objects.claimed().count() == 1


def test_only_what_one_user_edits_may_be_chosen(capsys, locked, colleague, silence):
    other = make_receipt()
    locks.acquire(ReceiptPermanent, other.pk, by=colleague, version=1)
    silence(other, minutes=6)

    assert "Total: 1 edit locks cleared.\n" in run(capsys, "--user", "colleague")
    assert ReceiptPermanent.objects.stale().count() == 2


def test_an_unknown_user_is_refused_in_one_line(locked):
    with pytest.raises(CommandError, match=r"^There is no user nobody\.$"):
        call_command("clear_edit_locks", "--user", "nobody")
    assert StocktakingRecord.objects.claimed().count() == 1


def test_json_is_one_object_and_nothing_else(capsys, locked):
    answer = json.loads(run(capsys, "--json", "--all"))

    assert answer == {
        "dry_run": False,
        "cleared": {
            "inventory.ReceiptPermanent": 2,
            "inventory.IssueConsumption": 1,
            "inventory.StocktakingRecord": 1,
        },
        "total": 4,
        "live": [
            {
                "model": "inventory.IssueConsumption",
                "pk": locked.pk,
                "holder": "مریم رضایی",
                "since": answer["live"][0]["since"],
            }
        ],
        "failed": {},
    }


def test_json_names_a_model_that_failed(capsys, locked, broken_receipts):
    with pytest.raises(SystemExit):
        call_command("clear_edit_locks", "--json")

    answer = json.loads(capsys.readouterr().out)
    assert answer["failed"] == {"inventory.ReceiptPermanent": "no such column"}
    assert answer["cleared"] == {"inventory.StocktakingRecord": 1}


# Whose live locks


@pytest.fixture
def terminal(monkeypatch):
    """A terminal at which whatever is asked is a mistake; a test may say what is answered."""
    answers = []
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda: answers.pop())
    return answers


@pytest.mark.parametrize("said", ["y", "yes", " Y "])
def test_all_asks_at_a_terminal_and_goes_on_after_a_yes(capsys, locked, terminal, said):
    terminal.append(said)
    call_command("clear_edit_locks", "--all")

    output = capsys.readouterr()
    assert "Ending the live lock of مریم رضایی" in output.err
    assert output.err.endswith("End 1 live locks? [y/N] ")
    assert not IssueConsumption.objects.claimed().exists()


@pytest.mark.parametrize("said", ["", "n", "what"])
def test_anything_but_a_yes_clears_nothing(locked, terminal, said):
    terminal.append(said)

    with pytest.raises(CommandError, match=r"^Nothing was cleared\.$"):
        call_command("clear_edit_locks", "--all")
    assert ReceiptPermanent.objects.claimed().count() == 2


def test_yes_keeps_it_from_asking(capsys, locked, terminal):
    assert "Total: 4 edit locks cleared.\n" in run(capsys, "--all", "--yes")


def test_all_does_not_ask_where_nothing_live_ends(capsys, locked, terminal):
    model = "inventory.ReceiptPermanent"
    assert "Total: 2 edit locks cleared.\n" in run(capsys, "--all", "--model", model)


def test_without_a_terminal_all_asks_nothing_but_says_whose_it_ends(capsys, locked):
    call_command("clear_edit_locks", "--all")

    output = capsys.readouterr()
    assert output.err.count("\n") == 1
    assert output.err.startswith("Ending the live lock of مریم رضایی on IssueConsumption ")


# The models


def test_all_types_of_one_table_are_cleared_once_and_by_their_names(capsys, holder, silence):
    models = locks.lockable_models(apps.get_models())
    assert WarehouseDocument not in models
    for model in TYPES:
        obj = make_document(model)
        locks.acquire(model, obj.pk, by=holder, version=1)
        silence(obj, minutes=6)

    output = run(capsys)

    assert [line for line in output.splitlines() if line.startswith("Cleared")] == [
        f"Cleared 1 edit locks from {model.__name__}" for model in TYPES
    ]
    assert LockEvent.objects.filter(action="ran_out").count() == len(TYPES)


@isolate_apps("inventory")
def test_the_table_of_another_program_and_of_a_history_are_left_out():
    class Unmanaged(EditableModel):
        class Meta(EditableModel.Meta):
            app_label = "inventory"
            managed = False

    class HistoricalReceipt(models.Model):  # noqa: DJ008 - as a history keeps a lockable row
        editing_by = models.ForeignKey(User, models.DO_NOTHING, related_name="+")
        editing_started_at = models.DateTimeField(null=True)
        history_type = models.CharField(max_length=1)

        class Meta:
            app_label = "inventory"

    class Lockable(EditableModel):
        class Meta(EditableModel.Meta):
            app_label = "inventory"

    class First(Lockable):
        class Meta:
            app_label = "inventory"
            proxy = True

    class Second(Lockable):
        class Meta:
            app_label = "inventory"
            proxy = True

    candidates = [Unmanaged, HistoricalReceipt, Lockable, First, Second, User]
    assert locks.lockable_models(candidates) == [First, Second]
    assert locks.lockable_models([Lockable]) == [Lockable]


def test_what_a_manager_keeps_from_view_is_cleared_all_the_same(capsys, holder, monkeypatch):
    event = make_event(seats=0)
    locks.acquire(Event, event.pk, by=holder, version=1)
    Event.objects.update(editing_last_seen_at="2020-01-01T00:00:00Z")
    monkeypatch.setattr(Event._default_manager, "get_queryset", Event.objects.none)

    assert "Cleared 1 edit locks from Event\n" in run(capsys)
