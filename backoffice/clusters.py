"""The clusters of the task queue: how each is set, and its last sign of life.

What sends orders has a cluster of its own, so that it never waits behind checks and cleaners. A
task belongs to the cluster that its row names: ``async_task(..., cluster=DISPATCH)``. Without a
name it goes to the cluster in which it is queued, so that a task queued by another names one.
"""

import math
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from backoffice.clock import database_now

MAIN: str = settings.Q_CLUSTER["name"]
DISPATCH = "dispatch"
LABELS: dict[str, str | Promise] = {
    MAIN: _("Background cluster"),
    DISPATCH: _("Sending cluster"),
}
SIGN_SECONDS = 10


class ClusterSign(models.Model):
    """When a cluster last looked for work, on whichever host."""

    cluster = models.CharField(max_length=100, primary_key=True)
    seen_at = models.DateTimeField(db_default=database_now())

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.cluster


def configured() -> dict[str, dict[str, Any]]:
    """Return the settings of each cluster by its name, the main one first."""
    main = {name: value for name, value in settings.Q_CLUSTER.items() if name != "ALT_CLUSTERS"}
    others = settings.Q_CLUSTER.get("ALT_CLUSTERS", {})
    return {MAIN: main} | {name: main | values for name, values in others.items()}


def label(name: str) -> str:
    """Return what staff call a cluster; the bare name of one that is none of ours."""
    return str(LABELS.get(name, name))


def longest_wait(cluster: Mapping[str, Any]) -> int:
    """Return after how many seconds a task of a cluster has certainly ended, waiting included.

    Taken from the table, it waits in memory behind ``queue_limit`` others and ``bulk`` that are
    on their way there, each of which may take its whole ``timeout``; then it runs itself.
    """
    waiting = cluster["queue_limit"] + cluster.get("bulk", 1)
    return int((math.ceil(waiting / cluster["workers"]) + 1) * cluster["timeout"])


def longest_silence(cluster: Mapping[str, Any]) -> timedelta:
    """Return how long a cluster that is well may give no sign.

    With all its workers at their longest tasks and its memory full it looks for no work until
    they have made room for what it took last.
    """
    rounds = math.ceil(cluster.get("bulk", 1) / cluster["workers"])
    return timedelta(seconds=rounds * cluster["timeout"] + 3 * SIGN_SECONDS)


def give_sign(name: str) -> None:
    """Note that a cluster is looking for work."""
    if not ClusterSign.objects.filter(pk=name).update(seen_at=database_now()):
        ClusterSign.objects.bulk_create([ClusterSign(cluster=name)], ignore_conflicts=True)
