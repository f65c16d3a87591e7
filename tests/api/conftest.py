import pytest
from django.core.signals import request_finished, request_started
from django.db import close_old_connections

from tests.api.world import World


@pytest.fixture
def world(make_user, settings):
    """An office behind its real application, which leaves the test its transaction."""
    settings.ORDER_API_CALLS_A_MINUTE = 1_000_000
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield World(make_user)
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)
