"""The lines of warehouse documents, and how a quantity becomes one of the base unit."""

from decimal import ROUND_HALF_UP, Decimal

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Coalesce, Round
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from inventory.checked import CheckedInWords
from inventory.documents import WarehouseDocument
from inventory.fields import QuantityField, not_negative, plain, validate_not_negative
from inventory.master_data import OURSELVES, PERMISSIONS, Item, ItemUnit, Party, Unit

LIMIT = 10**9  # what a quantity stays below
# Of some types' lines, in the base unit.
FURTHER = ("approved_quantity", "rejected_quantity", "expected_quantity", "counted_quantity")


def further_quantity(label):
    """Return a column for a quantity that only some types fill."""
    return QuantityField(label, null=True, blank=True, validators=[validate_not_negative])


class DocumentLine(CheckedInWords):
    """An item of a document: as it was entered, and in the base unit, rounded once."""

    document = models.ForeignKey(
        WarehouseDocument, models.CASCADE, related_name="lines", verbose_name=_("document")
    )
    row_no = models.PositiveIntegerField(_("row"), validators=[MinValueValidator(1)])
    item = models.ForeignKey(Item, models.PROTECT, related_name="+", verbose_name=_("item"))
    owner = models.ForeignKey(
        Party,
        models.PROTECT,
        default=OURSELVES,
        related_name="+",
        verbose_name=_("owner of the consigned goods"),
    )
    unit = models.ForeignKey(Unit, models.PROTECT, related_name="+", verbose_name=_("unit"))
    entered_quantity = QuantityField(_("entered quantity"))
    factor = models.DecimalField(
        _("conversion factor"), max_digits=18, decimal_places=9, blank=True, editable=False
    )
    quantity = QuantityField(_("quantity (base unit)"), blank=True, editable=False)
    approved_quantity = further_quantity(_("approved quantity"))
    rejected_quantity = further_quantity(_("rejected quantity"))
    expected_quantity = further_quantity(_("book stock"))
    counted_quantity = further_quantity(_("counted quantity"))
    notes = models.CharField(pgettext_lazy("document", "notes"), max_length=300, blank=True)

    class Meta:
        verbose_name = _("document line")
        verbose_name_plural = _("document lines")
        default_permissions = PERMISSIONS
        ordering = ["document", "row_no"]
        constraints = [
            models.UniqueConstraint(fields=["document", "row_no"], name="line_row_once"),
            models.CheckConstraint(condition=Q(row_no__gte=1), name="line_row_positive"),
            models.CheckConstraint(
                condition=Q(entered_quantity__gt=0, quantity__gt=0, factor__gt=0),
                name="line_quantity_positive",
            ),
            models.CheckConstraint(
                condition=not_negative(*FURTHER),
                name="line_quantities_not_negative",
            ),
            models.CheckConstraint(
                # Rounded, as SQLite adds decimals as floats.
                condition=Q(
                    quantity__gte=Round(
                        Coalesce("approved_quantity", Decimal(0))
                        + Coalesce("rejected_quantity", Decimal(0)),
                        6,
                    )
                ),
                name="line_inspected_at_most_all",
            ),
        ]

    def __str__(self):
        return f"{self.row_no}"

    def clean(self):
        entered = self.entered_quantity
        # A number out of range was refused with its field.
        if self.item_id and self.unit_id and entered is not None and abs(entered) < LIMIT:
            self.convert()

    def convert(self):
        """Set factor and quantity from what was entered; refuse what the units do not allow."""
        check_decimals(self, self.unit, "entered_quantity")
        base_unit, factor = self.unit, Decimal(1)
        if self.unit_id != self.item.base_unit_id:
            base_unit, factor = self.item.base_unit, factor_of(self.item, self.unit)
        step = Decimal(1).scaleb(-base_unit.decimal_places)
        quantity = (self.entered_quantity * factor).quantize(step, ROUND_HALF_UP)
        if quantity <= 0:
            raise ValidationError({"entered_quantity": _("A quantity is above zero.")})
        if quantity >= LIMIT:
            raise ValidationError({"entered_quantity": _("The quantity is too large.")})
        self.factor, self.quantity = factor, quantity
        check_decimals(self, base_unit, *FURTHER)
        if (self.approved_quantity or 0) + (self.rejected_quantity or 0) > quantity:
            told = _("More was approved and rejected than came in.")
            raise ValidationError({"approved_quantity": told})


def factor_of(item, unit):
    """Return how many base units of the item one such unit is; refuse a unit it does not have."""
    factor = ItemUnit.objects.filter(item=item, unit=unit).values_list("factor", flat=True).first()
    if factor is None:
        raise ValidationError(
            {
                "unit": ValidationError(
                    _("Item %(item)s is not measured in %(unit)s."),
                    params={"item": item.name, "unit": unit.name},
                )
            }
        )
    return factor


def check_decimals(line, unit, *names):
    """Refuse the first of a line's quantities that has more decimals than the unit."""
    message = (
        _("Unit %(unit)s takes at most %(places)s decimals.")
        if unit.decimal_places
        else _("Unit %(unit)s takes no decimals.")
    )
    for name in names:
        quantity = getattr(line, name)
        # A number out of range was refused with its field.
        if quantity is None or abs(quantity) >= LIMIT:
            continue
        if -plain(quantity).as_tuple().exponent > unit.decimal_places:
            params = {"unit": unit.name, "places": unit.decimal_places}
            raise ValidationError({name: ValidationError(message, params=params)})
