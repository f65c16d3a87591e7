import pytest

from tests.browser.seat_pages import make_hall
from tests.inventory.factories import make_receipt
from tests.locks.test_admin import LINE_RIGHTS, RIGHTS
from tests.reservations.conftest import BOX_OFFICE


@pytest.fixture
def receipt(transactional_db):
    return make_receipt(description="شرح نخست")


@pytest.fixture
def mary(receipt, make_user):
    # The item of a line is sought among all items.
    return make_user("mary", *RIGHTS, *LINE_RIGHTS, "inventory.view_item", first_name="مریم")


@pytest.fixture
def ali(receipt, make_user):
    return make_user("ali", *RIGHTS, *LINE_RIGHTS, first_name="علی")


@pytest.fixture
def supervisor(receipt, make_user):
    rights = (*RIGHTS, *LINE_RIGHTS, "backoffice.take_over_edit_lock")
    return make_user("supervisor", *rights, first_name="زهرا")


@pytest.fixture
def hall(transactional_db):
    """An event with the free seats A1 to A10 and B1 to B10."""
    return make_hall()


@pytest.fixture
def cashier(transactional_db, make_user):
    rights = (*BOX_OFFICE, "reservations.view_reservation")
    return make_user("cashier", *rights, first_name="مریم", password="open-sesame-7")


@pytest.fixture
def colleague(transactional_db, make_user):
    return make_user("colleague", *BOX_OFFICE, first_name="علی")
