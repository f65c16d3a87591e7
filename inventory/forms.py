"""The forms of documents: a document is judged as a whole, and new lines get their numbers."""

from django import forms
from django.forms.models import BaseInlineFormSet

ROW_NUMBER = "row_no"  # given after the forms are judged


class WholeForm(forms.ModelForm):
    """Judges the row with the columns that are not on the form.

    Django leaves out every constraint that names such a column; type and status are in most of
    them, and the database would refuse what the form let through.
    """

    def _get_validation_exclusions(self):
        absent = {field.name for field in self._meta.model._meta.fields} - self.fields.keys()
        return super()._get_validation_exclusions() - absent | {ROW_NUMBER}


class LineFormSet(BaseInlineFormSet):
    def clean(self):
        """Number the new lines on from the last one; a number that was deleted stays unused."""
        super().clean()
        last = max((form.instance.row_no or 0 for form in self.initial_forms), default=0)
        new = [form for form in self.extra_forms if form.has_changed()]
        for number, form in enumerate(new, last + 1):
            form.instance.row_no = number
