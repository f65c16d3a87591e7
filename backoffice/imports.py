"""Import and export of the office: what every resource and its admin obey.

A file goes in whole or not at all. Each row is judged as the admin's forms would judge it, and
all that is wrong is said at once, with row, column, value and what is allowed. Rows are known by
their codes, never by their ids, and what somebody is editing right now is not overwritten.

Apps take from here what their resources and admin classes need.
"""

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from import_export import fields

from backoffice import locks
from backoffice.audit import LockEvent
from backoffice.import_admin import OfficeImportExportMixin
from backoffice.import_resource import OfficeResource
from backoffice.import_widgets import (
    ChoiceWidget,
    CodeKeyWidget,
    JalaliDateTimeWidget,
    JalaliDateWidget,
    NotAllowed,
    NumberWidget,
    TextWidget,
    WholeNumberWidget,
    YesNoWidget,
    text_of,
)

__all__ = [
    "ChoiceWidget",
    "CodeKeyWidget",
    "JalaliDateTimeWidget",
    "JalaliDateWidget",
    "LockAwareResource",
    "NotAllowed",
    "NumberWidget",
    "OfficeImportExportMixin",
    "OfficeResource",
    "TextWidget",
    "WholeNumberWidget",
    "YesNoWidget",
]


class LockAwareResource(OfficeResource):
    """The rows of an EditableModel: one that is being edited is refused, never overwritten.

    Whoever edits in another tab is refused as well: that page would be out of date. A file may
    carry the version that was exported; then it is refused where the row was changed since.
    """

    version = fields.Field("version", _("version"), WholeNumberWidget(), readonly=True)

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.refusals = {}
        self.guarded = set()

    def import_data(self, dataset, *args, dry_run=False, **kwargs):
        result = super().import_data(dataset, *args, dry_run=dry_run, **kwargs)
        if not dry_run:
            for (model, pk), refused in self.refusals.items():
                locks.record_refusal(
                    model, pk, refused, by=kwargs.get("user"), source=LockEvent.Source.IMPORT
                )
        return result

    def before_save_instance(self, instance, row, **kwargs):
        super().before_save_instance(instance, row, **kwargs)
        if not instance._state.adding:
            self.guard(instance, row, by=kwargs.get("user"))

    def guard(self, instance, row, *, by):
        """Hold a stored document until the commit; raise ``Refused`` where it is not to be had."""
        if instance.pk in self.guarded:
            return
        try:
            self._guard(instance, row, by)
        except locks.Refused as refused:
            self.refusals[type(instance), instance.pk] = refused
            raise
        self.guarded.add(instance.pk)

    def _guard(self, instance, row, by):
        exported = self.fields.get("version")
        given = row.get(exported.column_name) if exported else None
        if given not in (None, "") and text_of(given) != str(instance.version):
            raise locks.Refused("changed")
        rows = type(instance)._default_manager.filter(pk=instance.pk)
        workable, held = locks.split(rows, by=None)  # nobody's own lock is passed over
        if held:
            own = by is not None and held[0].holder_id == by.pk
            raise locks.Refused("other_tab" if own else "held", held[0])
        if not workable.filter(version=instance.version + 1).exists():
            raise locks.Refused("changed")

    def told(self, problem):
        if not isinstance(problem, locks.Refused):
            return super().told(problem)
        if problem.reason == "changed":
            return ValidationError(_t("It was changed after this file was exported or previewed."))
        return ValidationError(problem.message)
