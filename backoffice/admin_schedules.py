"""The scheduled tasks, their runs and the queue, as staff and superusers see them.

Nobody types the name of a function: what a schedule runs is told by ``backoffice.schedules``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, Subquery
from django.http import HttpResponseRedirect
from django.urls import reverse
from django.utils.formats import localize, number_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django_q.models import Failure, OrmQ, Success

from backoffice import clusters, schedules
from backoffice.persian import code
from backoffice.schedules import SCHEDULED_TASKS, TaskRun, TaskSchedule
from backoffice.site import ReadOnlyAdmin, SuperusersOnly

RUNS_SHOWN = 10
LONGEST_MINUTES = 1440


class TaskFilter(admin.SimpleListFilter):
    title = _("task")
    parameter_name = "name"

    def lookups(self, request, model_admin):
        return [(task.name, task.label) for task in SCHEDULED_TASKS.values()]

    def queryset(self, request, queryset):
        return queryset.filter(name=self.value()) if self.value() else queryset


class OutcomeFilter(admin.SimpleListFilter):
    title = _("outcome")
    parameter_name = "outcome"

    def lookups(self, request, model_admin):
        return [("done", _("done")), ("failed", _("failed"))]

    def queryset(self, request, queryset):
        if self.value() == "failed":
            return queryset.exclude(error="")
        return queryset.filter(error="") if self.value() == "done" else queryset


@admin.register(TaskRun)
class TaskRunAdmin(ReadOnlyAdmin):
    list_display = ["task", "started_at", "seconds", "count", "outcome"]
    list_filter = [TaskFilter, OutcomeFilter, "started_at"]
    search_fields = ["name", "error"]
    fields = list_display

    @admin.display(description=_("task"), ordering="name")
    def task(self, run):
        return str(run)

    @admin.display(description=_("duration"), ordering="duration")
    def seconds(self, run):
        return _t("%(number)s seconds") % {"number": number_format(run.seconds, 2)}

    @admin.display(description=_("outcome"), ordering="error")
    def outcome(self, run):
        return code(run.error) if run.error else _("done")


@dataclass(frozen=True)
class Step:
    """Something staff do with a schedule, and what they are told when it was or wasn't done."""

    name: str
    label: Any
    function: Callable[[str], bool]
    done: Any
    refused: Any


STEPS = {
    step.name: step
    for step in (
        Step(
            "run_now",
            _("Run now"),
            schedules.run_now,
            _("Queued to run now."),
            _("It was queued a moment ago."),
        ),
        Step("pause", _("Pause"), schedules.pause, _("Paused."), _("It was paused already.")),
        Step("resume", _("Resume"), schedules.resume, _("Resumed."), _("It was not paused.")),
    )
}


def bulk(step):
    """Return the bulk action that takes a step with each chosen schedule."""

    @admin.action(permissions=["change"], description=step.label)
    def take_step(modeladmin, request, queryset):
        for schedule in queryset:
            modeladmin.take(step, schedule, request)

    take_step.__name__ = step.name
    return take_step


@admin.register(TaskSchedule)
class TaskScheduleAdmin(admin.ModelAdmin):
    """How often the tasks of the list run. What they run is not a field."""

    list_display = ["label", "interval", "state", "planned", "last_run"]
    fields = ["label", "minutes", "state", "planned"]
    readonly_fields = ["label", "state", "planned"]
    actions = [bulk(step) for step in STEPS.values()]

    class Media:
        css = {"all": ["backoffice/schedule.css"]}

    def has_add_permission(self, request):
        return False

    def has_delete_permission(self, request, obj=None):
        return False

    def get_queryset(self, request):
        newest = TaskRun.objects.filter(name=OuterRef("name")).order_by("-pk")
        last_started = Subquery(newest.values("started_at")[:1])
        return super().get_queryset(request).annotate(last_started_at=last_started)

    def formfield_for_dbfield(self, db_field, request, **kwargs):
        if db_field.name == "minutes":
            kwargs |= {
                "min_value": 1,
                "max_value": LONGEST_MINUTES,
                "required": True,
                "label": _("minutes between two runs"),
                "help_text": "",
            }
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    @admin.display(description=_("task"), ordering="name")
    def label(self, schedule):
        return str(schedule)

    @admin.display(description=_("interval"), ordering="minutes")
    def interval(self, schedule):
        return ngettext("every %(count)s minute", "every %(count)s minutes", schedule.minutes) % {
            "count": number_format(schedule.minutes)
        }

    @admin.display(description=_("state"), ordering="repeats")
    def state(self, schedule):
        return _("paused") if schedule.paused else _("by the clock")

    @admin.display(description=_("next run"), ordering="next_run")
    def planned(self, schedule):
        return "-" if schedule.paused else localize(localtime(schedule.next_run))

    @admin.display(description=_("last run"), ordering="last_started_at")
    def last_run(self, schedule):
        return schedule.last_started_at

    def change_view(self, request, object_id, form_url="", extra_context=None):
        chosen = [step for step in STEPS.values() if f"_{step.name}" in request.POST]
        schedule = self.get_object(request, unquote(object_id))
        if schedule is None or not chosen:
            shown = self.page_of(schedule) if schedule else {}
            return super().change_view(request, object_id, form_url, shown | (extra_context or {}))
        if not self.has_change_permission(request, schedule):
            raise PermissionDenied
        self.take(chosen[0], schedule, request)
        return HttpResponseRedirect(request.path)

    def page_of(self, schedule):
        names = ("run_now", "resume" if schedule.paused else "pause")
        runs = reverse("admin:backoffice_taskrun_changelist", current_app=self.admin_site.name)
        return {
            "steps": [STEPS[name] for name in names],
            "runs": TaskRun.objects.filter(name=schedule.name)[:RUNS_SHOWN],
            "runs_url": f"{runs}?name={schedule.name}",
        }

    def take(self, step, schedule, request):
        """Take a step with a schedule, keep it in its history, and say what came of it."""
        done = step.function(schedule.name)
        if done:
            self.log_change(request, schedule, str(step.done))
        self.message_user(
            request,
            f"{schedule}: {step.done if done else step.refused}",
            messages.SUCCESS if done else messages.WARNING,
        )

    def save_model(self, request, obj, form, change):
        # Never save(): it would write back what the scheduler has moved on meanwhile.
        if form.has_changed():
            schedules.change_interval(obj.name, obj.minutes)


class QueueAdmin(SuperusersOnly, ReadOnlyAdmin):
    """What the queue keeps, without arguments and results: these may carry secrets."""


@admin.register(Success, Failure)
class FinishedAdmin(QueueAdmin):
    list_display = ["name", "function", "of_cluster", "started", "stopped", "attempt_count"]
    list_filter = ["stopped"]
    search_fields = ["name", "func"]
    fields = ["id", *list_display, "group"]

    def get_queryset(self, request):
        # Not even read: to unpickle a value is to run what it says.
        return super().get_queryset(request).defer("args", "kwargs", "result")

    @admin.display(description=_("cluster"), ordering="cluster")
    def of_cluster(self, task):
        return clusters.label(task.cluster or clusters.MAIN)

    @admin.display(description=_("function"), ordering="func")
    def function(self, task):
        return code(task.func)


@admin.register(OrmQ)
class WaitingAdmin(QueueAdmin):
    list_display = ["id", "function", "of_cluster", "lock"]
    fields = list_display

    @admin.display(description=_("cluster"), ordering="key")
    def of_cluster(self, row):
        return clusters.label(row.key)

    @admin.display(description=_("function"))
    def function(self, row):
        return code(row.func())
