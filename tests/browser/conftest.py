import pytest

from tests.inventory.factories import make_receipt
from tests.locks.test_admin import LINE_RIGHTS, RIGHTS


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
