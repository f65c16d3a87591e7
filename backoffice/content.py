"""What a document holds, as its page showed it, and what changed since.

The page carries its content signed. Any later change, by whatever way it came, is told by
comparing it with the row as it is now; who made it, Django's history of the object tells.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass

from django import forms
from django.contrib.admin.utils import display_for_field, flatten_fieldsets
from django.core import signing
from django.core.exceptions import FieldDoesNotExist
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.text import capfirst
from django.utils.translation import gettext as _t

from backoffice.edit_history import History
from backoffice.persian import digits_shown

SALT = "backoffice.content"
NOTHING = "-"


@dataclass(frozen=True)
class Change:
    """A difference between a page and its document, as people read it.

    ``line`` is '' for the header; ``by`` and ``at`` are '' where nothing tells them.
    """

    kind: str  # changed, added, deleted
    line: str
    field: str
    before: str
    now: str
    by: str
    at: str


@dataclass(frozen=True)
class Lines:
    """The lines of a document on one inline of its page: which, and of them which columns."""

    prefix: str
    inline: object
    formset: type
    names: list[str]

    def rows(self, request, obj):
        """Return the content of each line by its key, in one query."""
        model = self.formset.model
        relations = [name for name in self.names if model._meta.get_field(name).is_relation]
        rows = self.inline.get_queryset(request).filter(**{self.formset.fk.name: obj.pk})
        return {
            # Names of rows are made of what they point to.
            str(row.pk): {"name": str(row), "fields": values_of(row, self.names)}
            for row in (rows.select_related(*relations) if relations else rows)
        }


def content_of(model_admin, request, obj):
    """Return what people fill in a document, header and lines, and its state; without secrets."""
    return {
        "document": [model_admin.model._meta.label, str(obj.pk)],
        "version": obj.version,
        "person": request.user.pk,
        "loaded_at": timezone.now().isoformat(),
        "fields": values_of(obj, header_names(model_admin, request, obj)),
        "lines": {
            lines.prefix: lines.rows(request, obj) for lines in lines_of(model_admin, request, obj)
        },
    }


def sealed(content):
    """Return the content as a page carries it: signed, so that nobody invents a history."""
    return signing.dumps(content, salt=SALT, compress=True)


def unsealed(text):
    """Return the content that a page carried; None where it is missing, forged or broken."""
    try:
        return signing.loads(text, salt=SALT)
    except signing.BadSignature:
        return None


def loaded_content(model, pk, sent):
    """Return what the page that sent a form was loaded with; None where that is not known, or of
    another document."""
    base = unsealed(sent.get("editing_base", ""))
    return base if base and base["document"] == [model._meta.label, str(pk)] else None


# Which columns


def header_form(model_admin, request, obj):
    """Return the form class of a document's header, as its page makes it."""
    names = flatten_fieldsets(model_admin.get_fieldsets(request, obj))
    return model_admin.get_form(request, obj, change=True, fields=names)


def header_names(model_admin, request, obj):
    """Return the columns of the header that people fill, and shown ones with choices: a state."""
    model = model_admin.model
    shown = [
        name
        for name in model_admin.get_readonly_fields(request, obj)
        if isinstance(name, str) and getattr(column(model, name), "choices", None)
    ]
    return [*columns_of(header_form(model_admin, request, obj), model), *shown]


def lines_of(model_admin, request, obj):
    """Return the inlines of a document's page, under the prefixes that their fields have there."""
    seen, found = Counter(), []
    for formset, inline in model_admin.get_formsets_with_inlines(request, obj):
        prefix = formset.get_default_prefix()
        seen[prefix] += 1
        if seen[prefix] != 1 or not prefix:
            prefix = f"{prefix}-{seen[prefix]}"
        names = [
            name for name in columns_of(formset.form, formset.model) if name != formset.fk.name
        ]
        found.append(Lines(prefix, inline, formset, names))
    return found


def columns_of(form, model):
    """Return the names of a form's fields that are columns of the model, and no secrets."""
    return [
        name
        for name, field in form.base_fields.items()
        if column(model, name) and not holds_secret(field.widget)
    ]


def secrets_of(form):
    """Return the names of a form's fields whose values must not be kept anywhere else."""
    return [name for name, field in form.base_fields.items() if holds_secret(field.widget)]


def column(model, name):
    """Return the model's column of that name, or None."""
    try:
        field = model._meta.get_field(name)
    except FieldDoesNotExist:
        return None
    return field if field.concrete and not field.many_to_many else None


def holds_secret(widget):
    """Return whether what is typed there must not be kept anywhere else."""
    return (
        isinstance(widget, forms.PasswordInput)
        or getattr(widget, "holds_secret", False)
        or any(map(holds_secret, getattr(widget, "widgets", ())))
    )


def values_of(row, names):
    """Return columns of a row as JSON takes them."""
    return {name: plain(row._meta.get_field(name), row) for name in names}


def plain(field, row):
    value = field.value_from_object(row)
    if value is None or isinstance(value, str | int | float | list | dict):
        return value
    return field.value_to_string(row)


# What changed


def changes_since(model_admin, request, obj, base):
    """Return how a document differs now from what a page was loaded with.

    Nothing where the base is another document's, or the document is gone.
    """
    if base.get("document") != [model_admin.model._meta.label, str(obj.pk)]:
        return []
    # Not the instance at hand: a form may have written into it what was typed.
    row = model_admin.get_queryset(request).filter(pk=obj.pk).first()
    if row is None:
        return []
    teller = Teller(history_since(model_admin.model, obj.pk, base))
    names = [name for name in base["fields"] if column(model_admin.model, name)]
    teller.compare("", model_admin.model, base["fields"], values_of(row, names))
    for lines in lines_of(model_admin, request, row):
        if lines.prefix in base["lines"]:
            teller.compare_lines(lines, base["lines"][lines.prefix], lines.rows(request, row))
    return teller.changes()


def history_since(model, pk, base):
    """Return the history of a document since a page with this content was loaded; an empty one
    where the content is not known."""
    return History(model, pk, parse_datetime(base["loaded_at"]) if base else None)


class Teller:
    """Collects differences, and words them when all names that they need are known."""

    def __init__(self, history):
        self.history = history
        self.found = []
        self.wanted = defaultdict(set)

    def compare(self, line, model, before, now, name=""):
        """Note each column whose values mean something else; name is what the history calls it."""
        for field in (model._meta.get_field(each) for each in now):
            old, new = (field.to_python(values.get(field.name)) for values in (before, now))
            if old != new:
                entry = self.history.of_change(field, line=(model, name) if name else None)
                self.note("changed", line, [field], before, now, entry)

    def compare_lines(self, lines, before, now):
        """Note what became of the lines of one inline."""
        model = lines.formset.model
        fields = [model._meta.get_field(name) for name in lines.names]
        for pk in [*before, *(pk for pk in now if pk not in before)]:
            old, new = before.get(pk), now.get(pk)
            name = (old or new)["name"]
            line = f"{capfirst(model._meta.verbose_name)} {digits_shown(name)}"
            if old and new:
                self.compare(line, model, old["fields"], new["fields"], name)
            elif new:
                entry = self.history.of_line("added", model, name)
                self.note("added", line, fields, {}, new["fields"], entry)
            else:
                entry = self.history.of_line("deleted", model, name)
                self.note("deleted", line, fields, old["fields"], {}, entry)

    def note(self, kind, line, fields, before, now, entry):
        self.found.append((kind, line, fields, before, now, entry))
        for field in fields:
            if field.is_relation:
                found = {values.get(field.name) for values in (before, now)}
                self.wanted[field] |= found - {None}

    def changes(self):
        """Return what was noted, in words."""
        names = {field: names_of(field, keys) for field, keys in self.wanted.items()}
        return [
            Change(
                kind,
                line,
                label(fields[0]) if kind == "changed" else "",
                *(summary(fields, values, names, kind) for values in (before, now)),
                *self.history.words(entry),
            )
            for kind, line, fields, before, now, entry in self.found
        ]


def names_of(field, keys):
    """Return what the rows are called that a relation points to."""
    model, target = field.remote_field.model, field.target_field.name
    rows = model._base_manager.filter(**{f"{target}__in": keys})
    return {getattr(row, target): digits_shown(str(row)) for row in rows}


def label(field):
    return capfirst(field.verbose_name)


def summary(fields, values, names, kind):
    """Return values as people read them: one alone, those of a line with their labels."""
    if kind == "changed":
        return shown(fields[0], values, names)
    told = [(label(field), shown(field, values, names)) for field in fields]
    return "\n".join(f"{label}: {text}" for label, text in told if text != NOTHING) or NOTHING


def shown(field, values, names):
    value = field.to_python(values.get(field.name))
    if value in (None, ""):
        return NOTHING
    if field.is_relation:
        return names[field].get(value, digits_shown(str(value)))
    if isinstance(value, bool):
        return _t("Yes") if value else _t("No")
    return str(display_for_field(value, field, NOTHING))
