"""People at the lock desk, and what they do there."""

import pytest

from tests.backoffice.desk import DESK, END, RELEASES


@pytest.fixture
def holder(make_user):
    return make_user("holder", first_name="مریم", last_name="رضایی")


@pytest.fixture
def colleague(make_user):
    return make_user("colleague", first_name="علی", last_name="کریمی")


@pytest.fixture
def boss(make_user):
    return make_user("boss", *RELEASES, first_name="زهرا", last_name="محمدی")


@pytest.fixture
def desk(client):
    """Return a function that opens the desk as somebody and returns the claims it shows."""

    def get(user, **query):
        client.force_login(user)
        return [claim for claim, _may_end in client.get(DESK, query).context["claims"]]

    return get


@pytest.fixture
def post(client):
    """Return a function that posts to the desk's ending as somebody."""

    def send(user, *chosen, query="", **data):
        client.force_login(user)
        data = {"action": "release", "claim": [str(taking) for taking in chosen]} | data
        return client.post(END + query, data)

    return send
