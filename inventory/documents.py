"""Warehouse documents: one table for all types.

A document begins as a draft, known by its temporary number; its document number is given when it
is posted, and from then on nothing of it changes but its cancellation. The types are proxies, in
``document_types``; rules ask for ``document_type``, never for the class, as ``line.document`` is
always the base class.
"""

import secrets
from functools import cache

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from backoffice.locks import EditableModel, EditableQuerySet
from backoffice.persian import jalali_ascii
from inventory.checked import CheckedInWords
from inventory.document_rules import (
    FILLED_BY,
    FINAL,
    Direction,
    DocumentType,
    InspectionState,
    Status,
    consignment_problems,
    status_constraints,
    type_constraints,
)
from inventory.fields import CodeField, SearchTextField
from inventory.master_data import FiscalYear, OrgUnit, Party, Warehouse

KINDS = dict(DocumentType.choices)  # the display method makes it anew for each row
LETTERS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"  # none that is taken for another


def new_draft_number():
    """Return a temporary number that nobody else has: the day, and chance instead of a counter,
    so that drafts never wait for each other. It begins with a letter: digits in front of Latin
    letters would change places with them in a Persian sentence."""
    day = jalali_ascii(timezone.localdate()).replace("/", "")[2:]
    return f"D{day}-{''.join(secrets.choice(LETTERS) for _place in range(6))}"


def person(label):
    """Return a column for who did a step. PROTECT, as a CHECK wants the person as long as the
    step is done."""
    return models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        verbose_name=label,
    )


def moment(label):
    return models.DateTimeField(label, null=True, blank=True, editable=False)


class NumberedDocument(CheckedInWords, EditableModel):
    """What a document of any kind has: two numbers, a date, and who took which step when."""

    draft_number = CodeField(
        _("temporary number"),
        max_length=20,
        default=new_draft_number,
        help_text=_("Names the document in files, from its first draft on."),
    )
    document_number = models.PositiveIntegerField(
        _("document number"), null=True, blank=True, editable=False
    )
    document_date = models.DateField(_("document date"), default=timezone.localdate)
    fiscal_year = models.ForeignKey(
        FiscalYear, models.PROTECT, blank=True, editable=False, verbose_name=_("fiscal year")
    )
    warehouse = models.ForeignKey(Warehouse, models.PROTECT, verbose_name=_("warehouse"))
    status = models.CharField(
        _("status"), max_length=10, choices=Status, default=Status.DRAFT, editable=False
    )
    description = models.TextField(pgettext_lazy("document", "description"), blank=True)
    created_by = person(_("created by"))
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    updated_by = person(_("last changed by"))
    updated_at = models.DateTimeField(_("last changed at"), auto_now=True)
    approved_by = person(_("approved by"))
    approved_at = moment(_("approved at"))
    posted_by = person(_("posted by"))
    posted_at = moment(_("posted at"))
    cancelled_by = person(_("cancelled by"))
    cancelled_at = moment(_("cancelled at"))
    cancel_reason = models.CharField(
        _("reason of cancellation"), max_length=300, blank=True, editable=False
    )

    class Meta(EditableModel.Meta):
        abstract = True
        ordering = ["-document_date", "-pk"]
        constraints = status_constraints()

    @classmethod
    def header_fields(cls):
        """Return the columns that people fill, in the order of forms and files."""
        return ["document_date", "warehouse", *cls.type_fields(), "description"]

    @classmethod
    def type_fields(cls):
        """Return those of them that not every kind of document has."""
        return []

    @classmethod
    def required_fields(cls):
        """Return those that may be empty in the table, but not in this kind of document."""
        return []

    @property
    def is_final(self):
        return self.status in FINAL

    def clean(self):
        """Put the document into the fiscal year of its date; refuse a day that takes none."""
        if not self.document_date:
            return
        year = FiscalYear.objects.filter(
            start_date__lte=self.document_date, end_date__gte=self.document_date
        ).first()
        try:
            if year is None:
                raise ValidationError(_("No fiscal year covers this date."))
            year.check_open_on(self.document_date)
        except ValidationError as refusal:
            raise ValidationError({"document_date": refusal}) from None
        self.fiscal_year = year


class DocumentManager(models.Manager.from_queryset(EditableQuerySet)):
    """The rows of the class's own type; all of them on the base class."""

    def get_queryset(self):
        rows = super().get_queryset()
        return rows.filter(document_type=self.model.TYPE) if self.model.TYPE else rows


class WarehouseDocument(NumberedDocument):
    TYPE = None
    LINE_FIELDS = ()  # columns that only this type's lines fill

    document_type = models.CharField(
        _("document type"), max_length=25, choices=DocumentType, editable=False
    )
    supplier = models.ForeignKey(
        Party, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("supplier")
    )
    org_unit = models.ForeignKey(
        OrgUnit,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("organisational unit"),
    )
    owner = models.ForeignKey(
        Party,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("owner of the consigned goods"),
    )
    direction = models.CharField(
        pgettext_lazy("document", "direction"),
        max_length=10,
        choices=Direction,
        blank=True,
        help_text=_(
            "Goods go back to their owner; or own goods go out, and lie in the destination."
        ),
    )
    destination_warehouse = models.ForeignKey(
        Warehouse,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("destination warehouse"),
    )
    expected_return_date = models.DateField(_("expected return date"), null=True, blank=True)
    temporary_receipt = models.ForeignKey(
        "ReceiptTemporary",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("temporary receipt"),
    )
    inspection_state = models.CharField(
        _("inspection"), max_length=10, choices=InspectionState, blank=True
    )
    stocktaking = models.ForeignKey(
        "StocktakingRecord",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="documents",
        verbose_name=_("stocktaking record"),
    )
    reference = models.CharField(_("source document"), max_length=100, blank=True)
    amended_from = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        related_name="amendments",
        verbose_name=_("amends document"),
    )
    search_text = SearchTextField(
        sources=("draft_number", "document_number", "reference", "description")
    )

    objects = DocumentManager()

    class Meta(NumberedDocument.Meta):
        verbose_name = _("warehouse document")
        verbose_name_plural = _("warehouse documents")
        default_permissions = ()  # each type has its own
        indexes = [
            *EditableModel.Meta.indexes,
            models.Index(fields=["document_type", "-document_date", "-id"], name="document_list"),
        ]
        constraints = [*NumberedDocument.Meta.constraints, *type_constraints()]

    def __init__(self, *args, **kwargs):
        # A row from the database comes with positional values; a new one is of its class's type.
        if not args and self.TYPE:
            kwargs.setdefault("document_type", self.TYPE)
        super().__init__(*args, **kwargs)

    def __str__(self):
        kind = KINDS.get(self.document_type, self.document_type)
        return f"{kind} {self.document_number or self.draft_number}"

    def known_as(self):
        return types_by_value()[self.document_type]

    @classmethod
    def type_fields(cls):
        return [*(name for name, rule in FILLED_BY.items() if cls.TYPE in rule.may), "reference"]

    @classmethod
    def required_fields(cls):
        return [name for name, rule in FILLED_BY.items() if cls.TYPE in rule.must]

    def clean(self):
        super().clean()
        missing = [name for name in self.required_fields() if not getattr(self, name)]
        problems = dict.fromkeys(missing, _("This field is required."))
        if self.owner_id or self.direction:
            problems = consignment_problems(self) | problems
        if problems:
            raise ValidationError(problems)

    def give_owner_to_lines(self):
        """Let the lines belong to the document's owner; those of stocktaking keep their own."""
        if "owner" in self.type_fields():
            self.lines.exclude(owner=self.owner_id).update(owner=self.owner_id)


@cache
def types_by_value():
    """Return the class of each type of documents; they are declared after their table."""
    return {model.TYPE: model for model in WarehouseDocument.__subclasses__()}
