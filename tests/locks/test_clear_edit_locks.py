"""The command whose output scripts rely on, to the letter."""

import pytest
from django.core.management import CommandError, call_command

from backoffice import locks
from inventory.models import IssueConsumption, ReceiptPermanent, StocktakingRecord
from tests.inventory.factories import make_document, make_receipt, make_stocktaking


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


def test_a_model_that_fails_is_named_and_the_others_go_on(capsys, locked, monkeypatch):
    clear = locks.clear_stale

    def failing(model, **kwargs):
        if model is ReceiptPermanent:
            raise RuntimeError("no such column")
        return clear(model, **kwargs)

    monkeypatch.setattr(locks, "clear_stale", failing)
    with pytest.raises(SystemExit) as stopped:
        call_command("clear_edit_locks")

    output = capsys.readouterr()
    assert stopped.value.code == 1
    assert output.err == "Error clearing locks for ReceiptPermanent: no such column\n"
    assert "Cleared 1 edit locks from StocktakingRecord\n" in output.out
