"""Stocktaking: what the books say, what was counted, and the difference."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from backoffice.locks import EditableModel
from inventory.checked import CheckedInWords
from inventory.documents import NumberedDocument, moment
from inventory.fields import (
    QuantityField,
    SearchTextField,
    not_negative,
    validate_not_negative,
)
from inventory.lines import check_decimals, further_quantity
from inventory.master_data import OURSELVES, PERMISSIONS, Item, ItemCategory, Party

ENTERED = ("book_quantity", "count_1", "count_2", "count_3")  # in the item's base unit


class StocktakingRecord(NumberedDocument):
    """A count of a warehouse, or of one category in it. It moves no stock itself."""

    category = models.ForeignKey(
        ItemCategory,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("item category"),
        help_text=_("Empty: the whole warehouse is counted."),
    )
    snapshot_at = moment(_("book stock taken at"))
    search_text = SearchTextField(sources=("draft_number", "document_number", "description"))

    class Meta(NumberedDocument.Meta):
        verbose_name = _("stocktaking record")
        verbose_name_plural = _("stocktaking records")
        default_permissions = PERMISSIONS
        indexes = [*EditableModel.Meta.indexes]
        constraints = [
            *NumberedDocument.Meta.constraints,
            models.UniqueConstraint(fields=["draft_number"], name="stocktaking_draft_number_once"),
            models.UniqueConstraint(
                fields=["fiscal_year", "document_number"],
                condition=Q(document_number__isnull=False),
                name="stocktaking_number_once",
            ),
        ]

    @classmethod
    def type_fields(cls):
        return ["category"]

    def __str__(self):
        return f"{self._meta.verbose_name} {self.document_number or self.draft_number}"


class CountLine(CheckedInWords):
    """An item of a count: once per owner; the last count that was made is the one that holds."""

    record = models.ForeignKey(
        StocktakingRecord,
        models.CASCADE,
        related_name="lines",
        verbose_name=_("stocktaking record"),
    )
    item = models.ForeignKey(Item, models.PROTECT, related_name="+", verbose_name=_("item"))
    owner = models.ForeignKey(
        Party,
        models.PROTECT,
        default=OURSELVES,
        related_name="+",
        verbose_name=_("owner of the consigned goods"),
    )
    book_quantity = QuantityField(_("book stock"), default=0, validators=[validate_not_negative])
    count_1 = further_quantity(_("first count"))
    count_2 = further_quantity(_("second count"))
    count_3 = further_quantity(_("third count"))
    final_count = QuantityField(_("counted quantity"), null=True, blank=True, editable=False)
    variance = QuantityField(_("variance"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("count line")
        verbose_name_plural = _("count lines")
        default_permissions = PERMISSIONS
        ordering = ["record", "item", "owner"]
        constraints = [
            models.UniqueConstraint(
                fields=["record", "item", "owner"],
                name="countline_once",
                violation_error_message=_("An item of an owner is counted once in a record."),
            ),
            models.CheckConstraint(
                condition=not_negative(*ENTERED, "final_count"),
                name="countline_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(final_count__isnull=True, variance__isnull=True)
                | Q(final_count__isnull=False, variance__isnull=False),
                name="countline_variance_when_counted",
            ),
        ]

    def __str__(self):
        return str(self.item)

    def clean(self):
        """Set the count that holds, and how far it is from the books."""
        if self.item_id:
            check_decimals(self, self.item.base_unit, *ENTERED)
        counts = [self.count_1, self.count_2, self.count_3]
        made = [count for count in counts if count is not None]
        self.final_count = made[-1] if made else None
        self.variance = made[-1] - self.book_quantity if made else None
