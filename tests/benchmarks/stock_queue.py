"""The settings of the tests with the library's own broker, for figures side by side."""

from tests.settings import *  # noqa: F403 - the same settings, one replaced
from tests.settings import Q_CLUSTER

Q_CLUSTER = Q_CLUSTER | {"broker_class": None}
