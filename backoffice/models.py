"""The tables of the office itself; each is written where its life is told."""

from backoffice.audit import LockEvent
from backoffice.import_storage import ImportUpload
from backoffice.schedules import TaskRun, TaskSchedule

__all__ = ["ImportUpload", "LockEvent", "TaskRun", "TaskSchedule"]
