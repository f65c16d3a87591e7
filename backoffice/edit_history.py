"""Who changed what in a document lately, by Django's history of it."""

import json

from django.contrib.admin.models import DELETION, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.utils import translation
from django.utils.functional import cached_property
from django.utils.text import capfirst

from backoffice import audit, lock_words


class History:
    """The history of one document since an instant, None for an empty one; read when asked."""

    def __init__(self, model, pk, since):
        self.model, self.pk, self.since = model, pk, since

    @cached_property
    def entries(self):
        """The entries with what each of them names, the latest first."""
        if self.since is None:
            return []
        rows = _entries(self.model, self.pk).filter(action_time__gte=self.since)
        return [(row, _named(row)) for row in rows]

    def of_change(self, field, line=None):
        """Return the entry that names the change of a column; of a line as (model, name)."""
        # Entries keep English, however the page was worded.
        with translation.override(None):
            label = str(capfirst(field.verbose_name))
            kind = str(line[0]._meta.verbose_name) if line else None
        name = line[1] if line else None
        return self._latest(
            lambda item: (
                (item.get("name"), item.get("object")) == (kind, name)
                and label in map(str, item.get("fields", []))
            ),
            "changed",
        )

    def of_line(self, step, model, name):
        """Return the entry that names a line as added or deleted."""
        with translation.override(None):
            kind = str(model._meta.verbose_name)
        return self._latest(
            lambda item: (item.get("name"), item.get("object")) == (kind, name), step
        )

    def _latest(self, names_it, step):
        """Return the latest entry that names it, else the latest of all, else None."""
        for row, named in self.entries:
            if any(names_it(item[step]) for item in named if step in item):
                return row
        return self.entries[0][0] if self.entries else None

    def words(self, entry):
        """Return who and when, as people read it; two times '' without an entry."""
        if entry is None:
            return "", ""
        return audit.name_of(entry.user), lock_words.since(entry.action_time)


def who_deleted(model, pk):
    """Return the name of who deleted a document; '' where no history tells."""
    entry = _entries(model, pk).filter(action_flag=DELETION).first()
    return audit.name_of(entry.user) if entry else ""


def _entries(model, pk):
    """Return the history of a document, the latest entry first."""
    kind = ContentType.objects.get_for_model(model, for_concrete_model=False)
    rows = LogEntry.objects.filter(content_type=kind, object_id=str(pk))
    return rows.select_related("user").order_by("-pk")


def _named(row):
    """Return the steps that an entry tells of; none where it was worded by hand."""
    try:
        found = json.loads(row.change_message)
    except ValueError:
        return []
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
