import pytest
from django.core.management import call_command

from tests.orders.factories import due

pytestmark = pytest.mark.django_db


def test_the_batch_by_hand_tells_what_it_did(place, capsys):
    due(place())
    call_command("check_pending_orders")
    assert capsys.readouterr().out == "Sent 1 orders, checked 0.\n"


def test_with_nothing_to_do_it_says_so(capsys):
    call_command("check_pending_orders")
    assert capsys.readouterr().out == "Sent 0 orders, checked 0.\n"
