"""The rows of an imported file: how they are found, and how they are told to people."""

import datetime
from decimal import Decimal

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.utils.formats import localize
from django.utils.html import format_html
from django.utils.text import Truncator
from django.utils.translation import gettext as _t
from import_export.instance_loaders import ModelInstanceLoader

from backoffice import persian
from backoffice.import_widgets import comparable, in_all_languages, listed

LONGEST_VALUE = 60


class KeyedInstanceLoader(ModelInstanceLoader):
    """Finds rows by their keys: in one query for the whole file where the key is one column."""

    def __init__(self, resource, dataset=None):
        super().__init__(resource, dataset)
        self.known = None
        names = resource.get_import_id_fields()
        if len(names) == 1 and dataset.headers:
            field = resource.fields[names[0]]
            cells = dataset[str(field.column_name)]
            keys = {resource.key_of({field.column_name: cell}) for cell in cells}
            wanted = {f"{field.attribute}__in": [key[0] for key in keys if key]}
            self.known = {
                (field.get_value(found),): found for found in self.get_queryset().filter(**wanted)
            }

    def get_instance(self, row):
        key = self.resource.key_of(row)
        if key is None:
            return None
        if self.known is not None:
            return self.known.get(key)
        names = self.resource.get_import_id_fields()
        attributes = [self.resource.fields[name].attribute for name in names]
        return self.get_queryset().filter(**dict(zip(attributes, key, strict=True))).first()


def match_headings(resource, found):
    """Return the resource's own headings for those of a file, and what is wrong with these.

    A heading is known by a field's name, or its label in any language of the office.
    """
    names = {}
    for name, field in resource.fields.items():
        spelled = {comparable(name), *in_all_languages(field.column_name)}
        names.update(dict.fromkeys(spelled, str(field.column_name)))
    headings = [names.get(comparable(heading), heading) for heading in found]
    twice = sorted({h for h in headings if h and headings.count(h) > 1})
    unknown = [h[:LONGEST_VALUE] for h in found if h and comparable(h) not in names]
    missing = [c for c in resource.required_columns() if c not in headings]
    problems = []
    if twice:
        problems.append(_t("These headings occur twice: %(columns)s.") % {"columns": listed(twice)})
    if unknown:
        known = listed(field.column_name for field in resource.get_import_fields())
        problems.append(
            _t("These columns are not known: %(columns)s. Known are: %(known)s.")
            % {"columns": listed(unknown), "known": known}
        )
    if missing:
        problems.append(
            _t("These columns are missing: %(columns)s.") % {"columns": listed(missing)}
        )
    return headings, problems


def shown(value):
    """Return a value as a page shows it, each in its own direction."""
    if isinstance(value, bool):
        return _t("Yes") if value else _t("No")
    if isinstance(value, int | float | Decimal | datetime.date):
        return localize(value)
    return "" if value is None else str(value)


def judged(errors, check, **kwargs):
    """Put what a check of a model's instance raises into a dictionary of errors."""
    try:
        check(**kwargs)
    except ValidationError as problem:
        problem.update_error_dict(errors)


def row_errors(resource, number, row, problem):
    """Return a ValidationError with one sentence for each thing that is wrong with a row."""
    columns = {}
    for name in resource.get_import_order():
        field = resource.fields[name]
        columns[name] = columns[field.attribute] = str(field.column_name)
    if not hasattr(problem, "error_dict"):
        problem = ValidationError({NON_FIELD_ERRORS: problem.error_list})
    places = {name: place for place, name in enumerate(columns)}
    told = sorted(problem.error_dict, key=lambda name: places.get(name, -1))
    return ValidationError(
        [
            _sentence(number, columns.get(name), row, error)
            for name in told
            for error in problem.error_dict[name]
        ]
    )


def _sentence(number, column, row, error):
    row_number = persian.digits_shown(str(number))
    message = " ".join(error.messages)
    if column is None:
        return _t("Row %(row)s: %(message)s") % {"row": row_number, "message": message}
    if error.code in ("blank", "null", "required") and row.get(column) in (None, ""):
        return _t("Row %(row)s, column “%(column)s” is empty: a value is needed.") % {
            "row": row_number,
            "column": column,
        }
    cell = Truncator(shown(row.get(column))).chars(LONGEST_VALUE)
    words = {"row": row_number, "column": column, "value": f"\u2068{cell}\u2069"}
    if error.code == "not_allowed":
        return _t(
            "Row %(row)s, column “%(column)s”: the value “%(value)s” is not accepted. "
            "Allowed is: %(allowed)s."
        ) % {**words, "allowed": message}
    return _t(
        "Row %(row)s, column “%(column)s”: the value “%(value)s” is not accepted. %(message)s"
    ) % {**words, "message": message}


class Difference:
    """What an imported row changes, field by field, for the preview."""

    def __init__(self, resource, instance, new):
        self.new = new
        self.left = self._values(resource, instance)
        self.right = self.left

    def compare_with(self, resource, instance):
        self.right = self._values(resource, instance) if instance else [""] * len(self.left)

    def as_html(self):
        """Return one cell for each field: its value, or the old one struck out and the new."""
        return [self._cell(old, new) for old, new in zip(self.left, self.right, strict=True)]

    def _cell(self, old, new):
        if self.new or old == new:
            return format_html("<bdi>{}</bdi>", new)
        return format_html("<del><bdi>{}</bdi></del> <ins><bdi>{}</bdi></ins>", old, new)

    @staticmethod
    def _values(resource, instance):
        values = []
        for field in resource.get_import_fields():
            value = field.get_value(instance)
            native = isinstance(value, bool | int | float | Decimal | datetime.date)
            choice = hasattr(field.widget, "choices")
            values.append(shown(value) if native and not choice else field.export(instance))
        return values
