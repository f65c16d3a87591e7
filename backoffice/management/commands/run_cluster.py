import os
import sys

from django.core.management import call_command
from django.core.management.base import BaseCommand
from django_q.conf import Conf

from backoffice import clusters, processes, queues


class Command(BaseCommand):
    help = "Runs a cluster of the task queue so that it can be stopped in any way, by anybody."

    def add_arguments(self, parser):
        parser.add_argument(
            "name", nargs="?", default=clusters.MAIN, choices=list(clusters.configured())
        )

    def handle(self, *, name, **options):
        if name != Conf.CLUSTER_NAME:
            # The queue read its settings when it was imported. Who sets this spares a start.
            os.environ["Q_CLUSTER_NAME"] = name
            os.execv(sys.executable, sys.orig_argv)  # noqa: S606 - ourselves again
        queues.survive_kills()
        sys.exit(processes.lead(lambda: call_command("qcluster")))
