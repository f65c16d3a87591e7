"""What documents speak of: items and their units, warehouses, parties, fiscal years."""

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from backoffice.persian import digits_shown, jalali
from inventory.fields import (
    CodeField,
    QuantityField,
    SearchTextField,
    not_negative,
    validate_exact,
    validate_not_negative,
)

PERMISSIONS = ("add", "change", "delete", "view", "import", "export")
# The party that stands for the office itself; a migration puts it in.
OURSELVES = 1


def plausible(field):
    """Return the condition that keeps dates out of the year 1405 of the wrong calendar."""
    return Q(**{f"{field}__gte": "1900-01-01"}) & Q(**{f"{field}__lte": "2200-12-31"})


class MasterData(models.Model):
    """A row that files know by its code and people by its name."""

    code = CodeField(_("code"), unique=True)
    name = models.CharField(_("name"), max_length=150)

    class Meta:
        abstract = True
        ordering = ["code"]

    def __str__(self):
        return self.name


class Unit(MasterData):
    decimal_places = models.PositiveSmallIntegerField(
        _("decimal places"),
        default=0,
        validators=[MaxValueValidator(6)],
        help_text=_("How many decimals a quantity in this unit may have; 0 for pieces."),
    )

    class Meta(MasterData.Meta):
        verbose_name = _("unit of measure")
        verbose_name_plural = _("units of measure")
        default_permissions = PERMISSIONS
        constraints = [
            models.CheckConstraint(
                condition=Q(decimal_places__lte=6), name="unit_decimal_places_to_6"
            )
        ]


class ItemCategory(MasterData):
    class Meta(MasterData.Meta):
        verbose_name = _("item category")
        verbose_name_plural = _("item categories")
        default_permissions = PERMISSIONS


class Item(MasterData):
    category = models.ForeignKey(ItemCategory, models.PROTECT, verbose_name=_("item category"))
    base_unit = models.ForeignKey(
        Unit, models.PROTECT, related_name="+", verbose_name=_("base unit")
    )
    national_code = models.CharField(_("national item code"), max_length=30, blank=True)
    barcode = models.CharField(_("barcode"), max_length=50, blank=True)
    minimum_stock = QuantityField(
        _("minimum stock"), null=True, blank=True, validators=[validate_not_negative]
    )
    maximum_stock = QuantityField(
        _("maximum stock"), null=True, blank=True, validators=[validate_not_negative]
    )
    is_active = models.BooleanField(_("active"), default=True)
    search_text = SearchTextField(sources=("code", "name", "national_code", "barcode"))

    class Meta(MasterData.Meta):
        verbose_name = _("item")
        verbose_name_plural = _("items")
        default_permissions = PERMISSIONS
        constraints = [
            models.UniqueConstraint(
                fields=["barcode"],
                condition=~Q(barcode=""),
                name="item_barcode_once",
                violation_error_message=_("Another item has this barcode."),
            ),
            models.CheckConstraint(
                condition=not_negative("minimum_stock", "maximum_stock"),
                name="item_stock_not_negative",
                violation_error_message=_("A quantity is not below zero."),
            ),
            models.CheckConstraint(
                condition=Q(maximum_stock__isnull=True)
                | Q(minimum_stock__isnull=True)
                | Q(maximum_stock__gte=F("minimum_stock")),
                name="item_maximum_from_minimum",
                violation_error_message=_("The maximum stock is not below the minimum stock."),
            ),
        ]

    def __str__(self):
        return f"{self.code} {self.name}"


class ItemUnit(models.Model):
    """A second unit of an item: a carton of 24 pieces."""

    item = models.ForeignKey(
        Item, models.CASCADE, related_name="second_units", verbose_name=_("item")
    )
    unit = models.ForeignKey(Unit, models.PROTECT, related_name="+", verbose_name=_("second unit"))
    factor = models.DecimalField(
        _("conversion factor"),
        max_digits=18,
        decimal_places=9,
        validators=[validate_exact],
        help_text=_("How many base units one second unit is."),
    )

    class Meta:
        verbose_name = _("second unit of an item")
        verbose_name_plural = _("second units of items")
        default_permissions = PERMISSIONS
        ordering = ["item", "unit"]
        constraints = [
            models.UniqueConstraint(fields=["item", "unit"], name="itemunit_once"),
            models.CheckConstraint(
                condition=Q(factor__gt=0),
                name="itemunit_factor_positive",
                violation_error_message=_("The conversion factor is above zero."),
            ),
        ]

    def __str__(self):
        return str(self.unit)

    def clean(self):
        if self.unit_id and self.item_id and self.unit_id == self.item.base_unit_id:
            raise ValidationError({"unit": _("This is the base unit of the item.")})


class Warehouse(MasterData):
    keeper = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("storekeeper"),
    )
    is_in_transit = models.BooleanField(
        _("goods in transit"),
        default=False,
        help_text=_("Holds what has left one warehouse and not yet reached the other."),
    )
    is_active = models.BooleanField(_("active"), default=True)
    search_text = SearchTextField(sources=("code", "name"))

    class Meta(MasterData.Meta):
        verbose_name = _("warehouse")
        verbose_name_plural = _("warehouses")
        default_permissions = PERMISSIONS


class OrgUnit(MasterData):
    is_active = models.BooleanField(_("active"), default=True)
    search_text = SearchTextField(sources=("code", "name"))

    class Meta(MasterData.Meta):
        verbose_name = _("organisational unit")
        verbose_name_plural = _("organisational units")
        default_permissions = PERMISSIONS


class Party(MasterData):
    """Whom goods come from or belong to; one row is ourselves, so that an owner is never null."""

    is_supplier = models.BooleanField(_("supplier"), default=True)
    is_owner = models.BooleanField(_("owner of consigned goods"), default=False)
    phone = models.CharField(_("phone"), max_length=30, blank=True)
    is_active = models.BooleanField(_("active"), default=True)
    search_text = SearchTextField(sources=("code", "name", "phone"))

    class Meta(MasterData.Meta):
        verbose_name = _("party")
        verbose_name_plural = _("parties")
        default_permissions = PERMISSIONS


class FiscalYear(models.Model):
    class Status(models.TextChoices):
        OPEN = "open", pgettext_lazy("fiscal year", "Open")
        CLOSED = "closed", pgettext_lazy("fiscal year", "Closed")

    code = CodeField(_("code"), unique=True, max_length=10)
    start_date = models.DateField(_("start date"))
    end_date = models.DateField(_("end date"))
    status = models.CharField(_("status"), max_length=10, choices=Status, default=Status.OPEN)
    stock_frozen_until = models.DateField(
        _("closed up to date"),
        null=True,
        blank=True,
        help_text=_("Documents up to and including this day are closed."),
    )

    class Meta:
        verbose_name = _("fiscal year")
        verbose_name_plural = _("fiscal years")
        default_permissions = PERMISSIONS
        ordering = ["-start_date"]
        constraints = [
            models.CheckConstraint(
                condition=Q(start_date__lt=F("end_date")),
                name="fiscalyear_start_before_end",
                violation_error_message=_("The start date is before the end date."),
            ),
            models.CheckConstraint(
                condition=plausible("start_date") & plausible("end_date"),
                name="fiscalyear_plausible",
                violation_error_message=_("A date lies between 1900 and 2200."),
            ),
            models.CheckConstraint(
                condition=Q(stock_frozen_until__isnull=True)
                | Q(stock_frozen_until__gte=F("start_date"))
                & Q(stock_frozen_until__lte=F("end_date")),
                name="fiscalyear_frozen_inside",
                violation_error_message=_("The closed days lie within the fiscal year."),
            ),
            models.CheckConstraint(
                condition=Q(status__in=["open", "closed"]), name="fiscalyear_status_known"
            ),
        ]

    def __str__(self):
        return self.code

    def clean(self):
        if not (self.start_date and self.end_date):
            return
        others = FiscalYear.objects.exclude(pk=self.pk)
        met = others.filter(start_date__lte=self.end_date, end_date__gte=self.start_date).first()
        if met:
            raise ValidationError(
                _("The days of this fiscal year overlap those of %(year)s."),
                params={"year": digits_shown(met.code)},
            )

    def check_open_on(self, date):
        """Refuse a day that takes no documents: of another year, a closed year, or closed days."""
        if self.status == self.Status.CLOSED:
            raise ValidationError(
                _("Fiscal year %(year)s is closed and takes no new documents."),
                params={"year": digits_shown(self.code)},
            )
        if not self.start_date <= date <= self.end_date:
            raise ValidationError(
                _("The date of the document lies outside fiscal year %(year)s."),
                params={"year": digits_shown(self.code)},
            )
        if self.stock_frozen_until and date <= self.stock_frozen_until:
            raise ValidationError(
                _("Documents up to %(date)s are closed."),
                params={"date": jalali(self.stock_frozen_until)},
            )
