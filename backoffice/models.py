"""The tables of the office itself; each is written where its life is told."""

from backoffice.audit import LockEvent
from backoffice.clusters import ClusterSign
from backoffice.drafts import EditDraft
from backoffice.import_storage import ImportUpload
from backoffice.lock_requests import EditRequest
from backoffice.schedules import TaskRun, TaskSchedule

__all__ = [
    "ClusterSign",
    "EditDraft",
    "EditRequest",
    "ImportUpload",
    "LockEvent",
    "TaskRun",
    "TaskSchedule",
]
