"""A draft laid over its document as it is now: only what its person changed.

Three contents meet: the one that the person's page was loaded with, what the person made of it,
and what the document holds now. What the person left alone stays as it is now.
"""

import re
from dataclasses import dataclass, field

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.translation import gettext as _t

from backoffice import content


@dataclass
class LineOverlay:
    """What a draft changes in the lines of one inline, as initial values of its forms."""

    changed: dict = field(default_factory=dict)  # by key
    deleted: set = field(default_factory=set)
    new: list = field(default_factory=list)
    notes: dict = field(default_factory=dict)  # by the number of a new one

    def __bool__(self):
        return bool(self.changed or self.deleted or self.new)


@dataclass
class Overlay:
    """What a draft changes in its document; false where that is nothing."""

    header: dict
    lines: dict  # LineOverlay by prefix

    def __bool__(self):
        return bool(self.header) or any(self.lines.values())


def lay_over(model_admin, request, obj, draft):
    """Return what a draft changes in the document as it is now."""
    now = content.content_of(model_admin, request, obj)
    base = draft.base or now
    sent = QueryDict(mutable=True)
    for name, value in draft.fields:
        sent.appendlist(name, value)
    header = Fields(content.header_form(model_admin, request, obj), model_admin.model)
    history = content.history_since(model_admin.model, obj.pk, base)
    return Overlay(
        header.changes(sent, "", base["fields"], now["fields"]),
        {
            lines.prefix: _lay_lines(
                lines, sent, base["lines"].get(lines.prefix, {}), now["lines"], history
            )
            for lines in content.lines_of(model_admin, request, obj)
        },
    )


def _lay_lines(lines, sent, base, now, history):
    found, now = LineOverlay(), now[lines.prefix]
    model = lines.formset.model
    fields = Fields(lines.formset.form, model)
    for start in line_starts(sent, lines.prefix):
        key = sent.get(start + model._meta.pk.name, "")
        deleted = start + forms.formsets.DELETION_FIELD_NAME in sent
        if key in now:
            if deleted:
                found.deleted.add(key)
            was = base.get(key, now[key])
            changes = fields.changes(sent, start, was["fields"], now[key]["fields"])
            if changes:
                found.changed[key] = changes
        elif not deleted and fields.changes(sent, start, base.get(key, {}).get("fields", {})):
            # New, or changed by this person and deleted by somebody.
            if key:
                name = base.get(key, {}).get("name", "")
                note = deleted_text(history.of_line("deleted", model, name), history)
                found.notes[len(found.new)] = " ".join([note, _t("Saving adds it again.")])
            found.new.append(fields.typed(sent, start))
    return found


def line_starts(sent, prefix):
    """Return the beginnings of the names of each line that was sent, in the order of the page."""
    number = re.compile(rf"{re.escape(prefix)}-(\d+)-")
    found = {int(match[1]) for match in map(number.match, sent) if match}
    return [f"{prefix}-{each}-" for each in sorted(found)]


def deleted_text(entry, history):
    """Return the sentence of a line that somebody deleted, with the name where it is known."""
    person, _at = history.words(entry)
    if person:
        return _t("%(person)s deleted this line.") % {"person": person}
    return _t("This line was deleted meanwhile.")


class Fields:
    """The fields of a form, as a draft holds them and as content does."""

    def __init__(self, form, model):
        self.model = model
        self.fields = form.base_fields

    def changes(self, sent, start, base, now=None):
        """Return the values that a person made others than they were, and than they are now."""
        found = {}
        for name, shown in self.fields.items():
            if shown.widget.value_omitted_from_data(sent, {}, start + name):
                continue
            value = shown.widget.value_from_datadict(sent, {}, start + name)
            known = [values for values in (base, now) if values is not None]
            if all(shown.has_changed(self._was(name, values), value) for values in known):
                found[name] = as_initial(shown, value)
        return found

    def typed(self, sent, start):
        """Return all values that were sent."""
        return {
            name: as_initial(shown, shown.widget.value_from_datadict(sent, {}, start + name))
            for name, shown in self.fields.items()
        }

    def _was(self, name, values):
        if name in values:
            return self.model._meta.get_field(name).to_python(values[name])
        initial = self.fields[name].initial
        return initial() if callable(initial) else initial


def as_initial(shown, value):
    """Return what was typed as a form takes it to begin with.

    What can not be read stays as it was typed. A choice stays its key, as reading it asks the
    database for each line.
    """
    if isinstance(shown, forms.ChoiceField):
        return value
    read = shown.clean if isinstance(shown, forms.MultiValueField) else shown.to_python
    try:
        return read(value)
    except ValidationError:
        return shown.bound_data(value, None)
