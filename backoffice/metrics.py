"""What a monitoring system reads: numbers as Prometheus takes them, behind a token.

The form is the "text-based format" of Prometheus, version 0.0.4. An app registers a source from its
``admin.py``; nothing here knows what it counts. Liveness is ``/healthz``, which needs no token.
"""

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import wraps
from typing import TypeAlias

from django.conf import settings
from django.db import Error as DatabaseFault
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from backoffice import health
from backoffice.claims import KINDS

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PREFIX = "office_"
Samples: TypeAlias = list[tuple[dict[str, str], float]]
View: TypeAlias = Callable[..., HttpResponse]


@dataclass(frozen=True)
class Metric:
    """A gauge: ``samples`` are its labels, each with its number."""

    name: str
    help: str
    samples: Samples


Source: TypeAlias = Callable[[], Iterable[Metric]]
SOURCES: list[Source] = []


def register(source: Source) -> None:
    """Add a function that reads the metrics of an app."""
    SOURCES.append(source)


def for_monitoring(view: View) -> View:
    """Decorate a view that is read by whoever has the token of the monitoring system.

    ``METRICS_TOKEN`` comes from the environment or ``var/secrets.env``, as ``Bearer``.
    """

    @csrf_exempt  # a wrong method is told so
    @never_cache
    @require_safe
    @wraps(view)
    def guarded(request: HttpRequest) -> HttpResponse:
        scheme, _space, token = request.headers.get("Authorization", "").partition(" ")
        known = settings.METRICS_TOKEN.encode()
        if scheme.lower() != "bearer" or not secrets.compare_digest(token.strip().encode(), known):
            refusal = HttpResponse("the token of the monitoring is needed\n", "text/plain")
            refusal.status_code = 401
            refusal.headers["WWW-Authenticate"] = 'Bearer realm="monitoring"'
            return refusal
        try:
            return view(request)
        except DatabaseFault:
            return HttpResponse("database does not answer\n", "text/plain", status=503)

    return guarded


@for_monitoring
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer with all metrics of the office."""
    return HttpResponse(text(), content_type=CONTENT_TYPE)


def text() -> str:
    """Return all metrics of the office in Prometheus' text form."""
    found = [metric for source in (of_office, *SOURCES) for metric in source()]
    return "".join(_told(metric) for metric in found)


def of_office() -> list[Metric]:
    """Return how the clusters and the tasks are, and what is claimed."""
    clusters = health.cluster_states()
    tasks = health.task_states()
    claims = [
        ({"kind": kind.name, "state": state}, float(getattr(kind, state)().count()))
        for kind in KINDS.values()
        for state in ("live", "stale")
    ]
    up = [({"cluster": cluster.name}, float(not cluster.down)) for cluster in clusters]
    late = [({"task": task.schedule.name}, float(task.late)) for task in tasks]
    failed = [({"task": task.schedule.name}, float(task.failed)) for task in tasks]
    return [
        Metric("cluster_up", "Whether a cluster of the queue looks for work.", up),
        Metric("task_late", "Whether a scheduled task missed three of its periods.", late),
        Metric("task_failed", "Whether the last run of a scheduled task failed.", failed),
        Metric("claims", "What is claimed, by its kind; stale ones have run out.", claims),
    ]


def _told(metric: Metric) -> str:
    name = PREFIX + metric.name
    lines = [f"# HELP {name} {metric.help}", f"# TYPE {name} gauge"]
    for labels, number in metric.samples:
        told = ",".join(f'{label}="{_escaped(value)}"' for label, value in labels.items())
        lines.append(f"{name}{{{told}}} {number:.15g}" if told else f"{name} {number:.15g}")
    return "\n".join(lines) + "\n"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
