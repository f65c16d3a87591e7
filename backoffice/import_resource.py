"""What the rows of every file obey, whatever model they become."""

import logging

import tablib
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db import IntegrityError, models, transaction
from django.db.models import NOT_PROVIDED
from django.utils.translation import gettext as _t
from import_export import fields, resources

from backoffice import locks, persian
from backoffice.import_files import XLSX
from backoffice.import_rows import (
    Difference,
    KeyedInstanceLoader,
    judged,
    match_headings,
    row_errors,
)
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
)

logger = logging.getLogger(__name__)
WIDGETS = (
    (models.BooleanField, YesNoWidget),
    (models.DateTimeField, JalaliDateTimeWidget),
    (models.DateField, JalaliDateWidget),
    (models.DecimalField, NumberWidget),
    (models.IntegerField, WholeNumberWidget),
    (models.CharField, TextWidget),
    (models.TextField, TextWidget),
)


class OfficeResource(resources.ModelResource):
    """A model's rows in a file. Its ``Meta`` names ``model``, ``fields`` and ``import_id_fields``.

    A model's field brings its heading (the verbose name) and its widget; a foreign key is written
    as the ``code`` of its row. Declare a field only to differ.
    """

    class Meta:
        skip_unchanged = True
        report_skipped = True
        clean_model_instances = True
        use_transactions = True
        instance_loader_class = KeyedInstanceLoader
        exclude = ("id", *locks.GUARD_FIELDS)

    @classmethod
    def get_display_name(cls):
        """Return how staff choose between the resources of one page."""
        return cls._meta.model._meta.verbose_name_plural

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self._refuse_guarded_columns()
        for name in self.get_import_id_fields():
            self.fields[name].default = NOT_PROVIDED  # a key is written, never made up
        self.seen = {}
        self.row_numbers = []

    def _refuse_guarded_columns(self):
        """A lock in a file would open documents to its reader, or bring old holders back."""
        for field in self.fields.values():
            column = (field.attribute or "").rpartition("__")[2]
            shown = column == "version" and field.readonly
            if column == "id" or (column in locks.GUARD_FIELDS and not shown):
                raise ImproperlyConfigured(f"{type(self).__name__} has the column {column}")

    # What a model's field is in a file

    @classmethod
    def field_from_django_field(cls, field_name, django_field, readonly):
        return fields.Field(
            attribute=field_name,
            column_name=django_field.verbose_name,
            widget=cls.widget_for(django_field),
            # The default of a key is an id; where none is written, the instance keeps its own.
            default=NOT_PROVIDED if django_field.is_relation else django_field.default,
            saves_null_values=not (django_field.is_relation and django_field.has_default()),
            readonly=readonly or not django_field.editable,
        )

    @classmethod
    def widget_for(cls, django_field):
        """Return the widget of a model's field; fail where it needs a declaration."""
        if django_field.choices:
            return ChoiceWidget(django_field.choices)
        if django_field.is_relation:
            related = django_field.related_model
            return CodeKeyWidget(related, getattr(related, "USERNAME_FIELD", "code"))
        for kind, widget in WIDGETS:
            if isinstance(django_field, kind):
                return widget()
        raise ImproperlyConfigured(f"{django_field} needs a widget of its own")

    @classmethod
    def get_diff_class(cls):
        return Difference

    def get_queryset(self):
        return self.with_relations(super().get_queryset())

    def filter_export(self, queryset, **kwargs):
        return self.with_relations(queryset)

    def with_relations(self, queryset):
        """Return the queryset with what the fields name of other tables, in the same query."""
        return queryset.select_related(*filter(None, map(self._relation, self.fields.values())))

    def _relation(self, field):
        path, model = [], self._meta.model
        for name in (field.attribute or "").split("__"):
            found = next((f for f in model._meta.fields if f.name == name and f.is_relation), None)
            if found is None:
                break
            path.append(name)
            model = found.related_model
        return "__".join(path)

    def after_export(self, queryset, dataset, **kwargs):
        dataset.title = str(self._meta.model._meta.verbose_name_plural)

    def template(self):
        """Return an empty sheet to fill in, with a second one that tells what goes where."""
        fields = [field for field in self.get_import_fields() if not field.readonly]
        dataset = tablib.Dataset(headers=[str(field.column_name) for field in fields])
        dataset.title = str(self._meta.model._meta.verbose_name_plural)
        required = self.required_columns()
        guide = tablib.Dataset(headers=[_t("Column"), _t("Required"), _t("Allowed")])
        guide.title = _t("Guide")
        for field in fields:
            needed = _t("Yes") if field.column_name in required else _t("No")
            guide.append([str(field.column_name), needed, field.widget.allowed()])
        return XLSX().export_data(dataset, guide)

    # Headings

    def before_import(self, dataset, **kwargs):
        self.row_numbers = getattr(dataset, "row_numbers", range(2, len(dataset) + 2))
        self.read_as = getattr(dataset, "read_as", None)
        headings, problems = match_headings(self, dataset.headers)
        if problems:
            dataset.wipe()
            raise ValidationError(problems)
        dataset.headers = headings
        for field in self.fields.values():
            field.column_name = str(field.column_name)  # once, not for every cell

    def required_columns(self):
        """Return the headings without which a file is refused: keys, and fields without default."""
        needed = {
            field.name
            for field in self._meta.model._meta.fields
            if not (field.blank or field.has_default())
        }
        required = [
            *self.get_import_id_fields(),
            *(
                name
                for name, field in self.fields.items()
                if field.attribute in needed and not field.readonly
            ),
        ]
        return list(dict.fromkeys(str(self.fields[name].column_name) for name in required))

    # Rows

    def import_data(self, dataset, *args, rollback_on_validation_errors=True, **kwargs):
        """Import all rows or none; ``dry_run`` imports none. Returns the library's result."""
        result = super().import_data(
            dataset, *args, rollback_on_validation_errors=rollback_on_validation_errors, **kwargs
        )
        result.read_as = getattr(self, "read_as", None)
        return result

    def import_row(self, row, instance_loader, **kwargs):
        number = self.row_numbers[kwargs["row_number"] - 1]
        self.number = number
        result = super().import_row(row, instance_loader, **kwargs)
        result.number = number
        if result.instance is not None:
            result.instance, result.is_new = self.told_of(result)
        problem = result.errors[0].error if result.errors else result.validation_error
        if problem:
            result.errors = []
            result.import_type = result.IMPORT_TYPE_INVALID
            result.validation_error = row_errors(self, number, row, self.told(problem))
        return result

    def handle_import_error(self, result, error, raise_errors=False):
        super().handle_import_error(result, self.told(error), raise_errors)

    def told_of(self, result):
        """Return the object in whose history the row is told, and whether it is new."""
        return result.instance, result.import_type == result.IMPORT_TYPE_NEW

    def told(self, problem):
        """Return what went wrong with a row as a ValidationError that staff can read."""
        if isinstance(problem, ValidationError):
            return problem
        if isinstance(problem, IntegrityError):
            logger.warning("An imported row was refused by the database: %s", problem)
            return ValidationError(_t("This row contradicts what is stored already."))
        logger.error("An imported row failed", exc_info=problem)
        return ValidationError(_t("This row could not be stored. The fault is recorded."))

    def key_of(self, row):
        """Return the values that the row is known by; None where they cannot be read."""
        try:
            key = tuple(self.fields[name].clean(row) for name in self.get_import_id_fields())
        except (NotAllowed, ValidationError, KeyError):
            return None
        return None if None in key or "" in key else key

    def get_instance(self, instance_loader, row):
        key = self.key_of(row)
        if key is not None and self.seen.setdefault(key, self.number) != self.number:
            raise ValidationError(
                _t("It repeats row %(row)s.") % {"row": persian.digits_shown(str(self.seen[key]))}
            )
        return instance_loader.get_instance(row)

    def import_instance(self, instance, row, **kwargs):
        """Read every cell of the row; raise one ValidationError for all that were refused."""
        errors = {}
        for field in self.get_import_fields():
            try:
                self.import_field(field, instance, row, **kwargs)
            except NotAllowed as refusal:
                errors[field.attribute] = ValidationError(str(refusal), code="not_allowed")
            except ValidationError as refusal:
                errors[field.attribute] = refusal
        if errors:
            raise ValidationError(errors)

    def validate_instance(self, instance, import_validation_errors=None, validate_unique=True):
        """Raise one ValidationError for all that is wrong with a row.

        What the database will check is asked beforehand only of a row that is refused anyway:
        constraint by constraint, that took most of an import's time. ``do_instance_save`` puts
        into words what the database refuses.
        """
        errors = dict(import_validation_errors or {})
        relations = (f for f in instance._meta.fields if f.is_relation and f.is_cached(instance))
        found = {f.name for f in relations if getattr(instance, f.attname) is not None}
        judged(errors, instance.clean_fields, exclude=found | set(errors))
        judged(errors, instance.clean)
        if errors:
            judged(errors, instance.validate_unique, exclude=set(errors))
            judged(errors, instance.validate_constraints, exclude=set(errors))
            raise ValidationError(errors)

    def do_instance_save(self, instance, is_create):
        try:
            with transaction.atomic():
                super().do_instance_save(instance, is_create)
        except IntegrityError:
            errors = {}
            judged(errors, instance.validate_unique)
            judged(errors, instance.validate_constraints)
            if errors:
                raise ValidationError(errors) from None
            raise

    def after_import(self, dataset, result, **kwargs):
        """Leave the sequences alone: no id is ever imported, and setting one back would let
        two rows that are made at the same moment collide."""
