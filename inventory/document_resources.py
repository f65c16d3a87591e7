"""The files of documents: one row for each line.

Rows of one document share its temporary number, and repeat its header or leave it empty. A file
adds and changes, it takes no line away. Documents come in as drafts; what is posted, or being
edited, is refused.
"""

from functools import cached_property

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from import_export.fields import Field
from import_export.instance_loaders import BaseInstanceLoader

from backoffice.imports import (
    CodeKeyWidget,
    LockAwareResource,
    NotAllowed,
    OfficeResource,
)
from inventory.document_types import TYPES
from inventory.documents import NumberedDocument
from inventory.lines import DocumentLine
from inventory.master_data import OURSELVES, Item, Party
from inventory.stocktaking import CountLine, StocktakingRecord


class DocumentKeyWidget(CodeKeyWidget):
    """A document by its temporary number."""

    def __init__(self, model):
        super().__init__(model, field="draft_number")

    def allowed(self):
        return _t("the temporary number of one of “%(models)s”") % {
            "models": self.model._meta.verbose_name_plural
        }


class OwnerWidget(CodeKeyWidget):
    """The owner of goods by his code; an empty cell means ourselves."""

    def __init__(self):
        super().__init__(Party)

    def clean(self, value, row=None, **kwargs):
        return super().clean(value, row, **kwargs) or self.ourselves

    @cached_property
    def ourselves(self):
        return Party.objects.get(pk=OURSELVES)


class LineLoader(BaseInstanceLoader):
    """Finds the lines of a file, and their documents, in two queries."""

    def __init__(self, resource, dataset=None):
        super().__init__(resource, dataset)
        self.lines = {}
        if dataset.headers:  # else the file was refused already
            self._load(resource, dataset)

    def _load(self, resource, dataset):
        column = str(resource.fields["draft_number"].column_name)
        model, parent = resource.document_model, resource.parent
        relations = (name for name in resource.header if model._meta.get_field(name).is_relation)
        documents = model.objects.filter(
            draft_number__in={resource.number_of({column: cell}) for cell in dataset[column]}
        ).select_related(*relations)
        resource.documents = {document.draft_number: document for document in documents}
        for line in resource.get_queryset().filter(**{f"{parent}__in": documents}):
            setattr(line, parent, resource.documents[getattr(line, parent).draft_number])
            key = (resource.fields[name] for name in resource.get_import_id_fields())
            self.lines[tuple(field.get_value(line) for field in key)] = line

    def get_instance(self, row):
        return self.lines.get(self.resource.key_of(row))


class LinesResource(LockAwareResource):
    """The lines of documents, with their document's header. ``parent`` names the foreign key."""

    document_model = None
    parent = None
    header = ()

    class Meta(OfficeResource.Meta):
        instance_loader_class = LineLoader

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.documents, self.first_rows, self.header_problems = {}, {}, {}
        self.written, self.created = set(), set()

    def number_of(self, row):
        """Return the temporary number that a row names; '' where it is none."""
        try:
            return self.fields["draft_number"].clean(row)
        except NotAllowed:
            return ""

    def document_of(self, row):
        """Return the row's document: one object for all its rows, stored already or new."""
        number = self.number_of(row)
        if number not in self.documents:
            self.documents[number] = self.document_model(draft_number=number)
        return self.documents[number]

    def required_columns(self):
        columns = {name: self.document_model._meta.get_field(name) for name in self.header}
        must = self.document_model.required_fields()
        needed = [
            str(self.fields[name].column_name)
            for name, column in columns.items()
            if name in must or not column.blank
        ]
        return list(dict.fromkeys([*super().required_columns(), *needed]))

    # Reading a row

    def before_import_row(self, row, **kwargs):
        """Give a row without a header that of the first row of its document."""
        first = self.first_rows.setdefault(self.number_of(row), row)
        for name in self.header:
            column = self.fields[name].column_name
            if column in row and row[column] in (None, ""):
                row[column] = first[column]

    def init_instance(self, row=None):
        return self._meta.model(**{self.parent: self.document_of(row)})

    def import_instance(self, instance, row, **kwargs):
        def header():
            return {name: self.fields[name].get_value(instance) for name in self.header}

        before = header()
        super().import_instance(instance, row, **kwargs)
        if self.first_rows[self.number_of(row)] is row:
            return
        different = [name for name, value in header().items() if value != before[name]]
        if different:
            message = _t("It differs from the first row of the same document.")
            raise ValidationError({self.fields[name].attribute: message for name in different})

    # Judging it

    def validate_instance(self, instance, import_validation_errors=None, validate_unique=True):
        document = getattr(instance, self.parent)
        if document.is_final:
            raise ValidationError(_t("A posted document can be neither changed nor deleted."))
        errors = dict(import_validation_errors or {})
        for name, problems in self.problems_of(document, errors).items():
            errors.setdefault(name, problems)
        # What a widget found by its code is there: no need to ask for it once more.
        found = {
            field.name
            for field in self._meta.model._meta.fields
            if field.is_relation and getattr(instance, field.attname) is not None
        }
        try:
            instance.full_clean(exclude={self.parent, *found, *errors}, validate_unique=False)
        except ValidationError as problem:
            errors = problem.update_error_dict(errors)
        if errors:
            raise ValidationError(errors)

    def problems_of(self, document, errors):
        """Return what is wrong with a document's header, judged once, as {attribute: errors}."""
        number = document.draft_number
        if number not in self.header_problems:
            self.header_problems[number] = {}
            prefix = f"{self.parent}__"
            refused = {name.removeprefix(prefix) for name in errors if name.startswith(prefix)}
            try:
                document.full_clean(exclude=refused)
            except ValidationError as problem:
                self.header_problems[number] = {
                    name if name == NON_FIELD_ERRORS else prefix + name: problems
                    for name, problems in problem.error_dict.items()
                }
        return self.header_problems[number]

    # Writing it: the header goes with the first of its rows that changes anything

    def before_save_instance(self, instance, row, **kwargs):
        document = getattr(instance, self.parent)
        if document.draft_number not in self.written:
            self.write(document, row, by=kwargs.get("user"))
            self.written.add(document.draft_number)

    def write(self, document, row, *, by):
        """Save the header of a document; raise ``Refused`` where somebody else holds it."""
        new = document._state.adding
        if new:
            document.created_by = by
        else:
            self.guard(document, row, by=by)
        document.updated_by = by
        document.save()
        if new:
            self.created.add(document.pk)

    def told_of(self, result):
        document = getattr(result.instance, self.parent)
        return document, document.pk in self.created

    def filter_export(self, queryset, **kwargs):
        if queryset.model is not self._meta.model:
            chosen = queryset.order_by().values("pk")
            queryset = self._meta.model.objects.filter(**{f"{self.parent}__in": chosen})
        return super().filter_export(queryset, **kwargs)


class DocumentLinesResource(LinesResource):
    parent = "document"
    item = Field("item", _("item code"), CodeKeyWidget(Item))

    def import_instance(self, instance, row, **kwargs):
        super().import_instance(instance, row, **kwargs)
        if instance.document.owner_id:
            instance.owner = instance.document.owner

    def write(self, document, row, *, by):
        super().write(document, row, by=by)
        document.give_owner_to_lines()


class StocktakingLinesResource(LinesResource):
    parent = "record"
    item = Field(
        "item",
        _("item code"),
        CodeKeyWidget(Item, queryset=Item.objects.select_related("base_unit")),
    )
    owner = Field("owner", _("owner of the consigned goods"), OwnerWidget())


def header_field(model, parent, name):
    """Return a column of the document as a column of its lines' file."""
    column = model._meta.get_field(name)
    if column.is_relation and issubclass(column.related_model, NumberedDocument):
        widget = DocumentKeyWidget(column.related_model)
    else:
        widget = OfficeResource.widget_for(column)
    return Field(f"{parent}__{name}", column.verbose_name, widget, readonly=not column.editable)


def resource_of(document_model, base, line_model, keys, columns):
    """Return the resource class of a model's documents, by the keys and columns of a line."""
    header = tuple(document_model.header_fields())
    told = ("draft_number", "document_number", "status", *header)
    order = (*told, *columns, "version")
    meta = {
        "model": line_model,
        "import_id_fields": ("draft_number", *keys),
        "fields": order,
        "import_order": order,
        "export_order": order,
    }
    attributes = {
        name: header_field(document_model, base.parent, name) for name in (*told, "version")
    }
    attributes |= {
        "__module__": __name__,
        "document_model": document_model,
        "header": header,
        "Meta": type("Meta", (), meta),
    }
    return type(base)(f"{document_model.__name__}Resource", (base,), attributes)


RESOURCES = {
    model: resource_of(
        model,
        DocumentLinesResource,
        DocumentLine,
        ("row_no",),
        ("row_no", "item", "unit", "entered_quantity", "quantity", *model.LINE_FIELDS, "notes"),
    )
    for model in TYPES
} | {
    StocktakingRecord: resource_of(
        StocktakingRecord,
        StocktakingLinesResource,
        CountLine,
        ("item", "owner"),
        (
            "item",
            "owner",
            "book_quantity",
            "count_1",
            "count_2",
            "count_3",
            "final_count",
            "variance",
        ),
    )
}
