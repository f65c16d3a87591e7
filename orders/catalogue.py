"""What is sold, for whom, and which provider delivers it."""

from decimal import Decimal

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Round
from django.utils.translation import gettext_lazy as _

from backoffice.clock import database_now
from backoffice.locks import EditableModel, EditableQuerySet
from orders import providers
from orders.addresses import validate_allowed_hosts, validate_base_url
from orders.encryption import EncryptedTextField

WITH_FILES = ("add", "change", "delete", "view", "import", "export")
ORDER_FIELDS = ("user_identifier", "extra_field")  # of an order, what a provider may be told


class Tenant(models.Model):
    """A shop that sells through the office."""

    code = models.SlugField(_("code"), max_length=40, unique=True)
    name = models.CharField(_("name"), max_length=100)
    is_active = models.BooleanField(_("active"), default=True)

    class Meta:
        verbose_name = _("tenant")
        verbose_name_plural = _("tenants")
        ordering = ["code"]
        default_permissions = WITH_FILES

    def __str__(self):
        return self.name


def validate_provider(value):
    """Refuse a provider that has no module in ``orders/providers``."""
    if value not in providers.names():
        allowed = ", ".join(providers.names())
        raise ValidationError(
            _("There is no provider “%(value)s”. Known are: %(allowed)s."),
            params={"value": value, "allowed": allowed},
        )


class IntegrationManager(models.Manager.from_queryset(EditableQuerySet)):
    def get_queryset(self):
        """Leave the credentials unread: where no key opens them, pages and others' orders go on."""
        return super().get_queryset().defer("credentials")


class ProviderIntegration(EditableModel):
    """An account of ours at a provider."""

    code = models.SlugField(_("code"), max_length=40, unique=True)
    name = models.CharField(_("name"), max_length=100)
    # Plain text, not choices: these would cost a migration for each new provider.
    provider = models.CharField(_("provider"), max_length=40, validators=[validate_provider])
    base_url = models.CharField(_("base address"), max_length=200, validators=[validate_base_url])
    credentials = EncryptedTextField(_("credentials"), blank=True, help_text=_("kept encrypted"))
    allowed_hosts = models.CharField(
        _("allowed hosts"),
        max_length=300,
        blank=True,
        validators=[validate_allowed_hosts],
        help_text=_("separated by spaces; empty: the base address's alone"),
    )
    calls_per_second = models.DecimalField(
        _("calls a second"),
        max_digits=6,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal("0.01"))],
        help_text=_("at most, over all machines of the office; empty: no limit"),
    )
    low_balance = models.DecimalField(
        _("low balance"),
        max_digits=16,
        decimal_places=2,
        null=True,
        blank=True,
        help_text=_("in the provider's money; below it nothing is sent there"),
    )
    exchange_rate = models.DecimalField(
        _("exchange rate"),
        max_digits=18,
        decimal_places=6,
        default=1,
        validators=[MinValueValidator(Decimal("0.000001"))],
        help_text=_("how much of the prices' money one unit of the provider's money is"),
    )
    is_active = models.BooleanField(_("active"), default=True)

    objects = IntegrationManager()

    class Meta(EditableModel.Meta):
        abstract = False
        base_manager_name = "objects"
        verbose_name = _("integration")
        verbose_name_plural = _("integrations")
        ordering = ["code"]
        permissions = [("stop_providerintegration", _("Can stop and resume calls to providers"))]
        indexes = [*EditableModel.Meta.indexes]
        constraints = [
            models.CheckConstraint(
                condition=Q(calls_per_second__isnull=True) | Q(calls_per_second__gt=0),
                name="integration_rate_positive",
            ),
            models.CheckConstraint(
                condition=Q(exchange_rate__gt=0), name="integration_exchange_rate_positive"
            ),
        ]

    def __str__(self):
        return self.name


class Product(models.Model):
    code = models.SlugField(_("code"), max_length=40, unique=True)
    name = models.CharField(_("name"), max_length=100)
    is_active = models.BooleanField(_("active"), default=True)

    class Meta:
        verbose_name = _("product")
        verbose_name_plural = _("products")
        ordering = ["code"]
        default_permissions = WITH_FILES

    def __str__(self):
        return self.name


class Package(EditableModel):
    """One thing with a price that a customer can order."""

    product = models.ForeignKey(Product, models.PROTECT, "packages", verbose_name=_("product"))
    code = models.SlugField(_("code"), max_length=40, unique=True)
    name = models.CharField(_("name"), max_length=100)
    price = models.DecimalField(
        _("price"), max_digits=14, decimal_places=2, validators=[MinValueValidator(0)]
    )
    extra_field_label = models.CharField(
        _("additional information asked for"),
        max_length=100,
        blank=True,
        help_text=_("for example “phone number”; empty: an order needs none"),
    )
    is_active = models.BooleanField(_("active"), default=True)

    class Meta(EditableModel.Meta):
        abstract = False
        verbose_name = _("package")
        verbose_name_plural = _("packages")
        ordering = ["product__code", "code"]
        default_permissions = WITH_FILES
        indexes = [*EditableModel.Meta.indexes]
        constraints = [
            models.CheckConstraint(condition=Q(price__gte=0), name="package_price_not_negative")
        ]

    def __str__(self):
        return self.name


class PackageRouting(models.Model):
    """Where a package is ordered, first at the lowest priority, and under which number."""

    package = models.ForeignKey(Package, models.CASCADE, "routings", verbose_name=_("package"))
    integration = models.ForeignKey(
        ProviderIntegration, models.PROTECT, "routings", verbose_name=_("integration")
    )
    priority = models.PositiveSmallIntegerField(
        _("priority"), default=1, validators=[MinValueValidator(1)]
    )
    provider_package_id = models.CharField(
        _("provider's number of the package"),
        max_length=100,
        help_text=_("for znet oyun_bilgi_id:kupur, for example 187:660"),
    )
    field_mapping = models.JSONField(
        _("field mapping"),
        default=dict,
        blank=True,
        help_text=_(
            "which field of the order the provider gets as what, for example "
            '{"oyuncu_bilgi": "user_identifier"}; empty: as is usual for the provider'
        ),
    )
    is_active = models.BooleanField(_("active"), default=True)

    class Meta:
        verbose_name = _("routing")
        verbose_name_plural = _("routings")
        ordering = ["package", "priority"]
        default_permissions = WITH_FILES
        constraints = [
            models.UniqueConstraint(fields=["package", "integration"], name="routing_integration"),
            models.UniqueConstraint(fields=["package", "priority"], name="routing_priority"),
            models.CheckConstraint(condition=Q(priority__gte=1), name="routing_priority_from_one"),
        ]
        # By it the packages of a price list's row are found.
        indexes = [
            models.Index(fields=["integration", "provider_package_id"], name="routing_number")
        ]

    def __str__(self):
        return f"{self.priority}: {self.provider_package_id}"

    def clean(self):
        """Refuse what the provider's adapter could not send."""
        if self.field_mapping is None:  # the form's word for a cell that was emptied
            self.field_mapping = {}
        if not self.integration_id:
            return
        adapter = providers.get_adapter(self.integration.provider)
        try:
            adapter.package_parameters(self.provider_package_id)
        except ValueError:
            raise ValidationError(
                {
                    "provider_package_id": _("The provider's numbers look like %(example)s.")
                    % {"example": adapter.package_id_example}
                }
            ) from None
        if not self._maps_only(adapter.default_mapping):
            raise ValidationError(
                {
                    "field_mapping": _(
                        "Allowed are the names %(names)s with the values %(values)s."
                    )
                    % {
                        "names": ", ".join(adapter.default_mapping),
                        "values": ", ".join(ORDER_FIELDS),
                    }
                }
            )

    def _maps_only(self, names):
        """Return whether the mapping gives fields of an order to some of these names."""
        return isinstance(self.field_mapping, dict) and all(
            name in names and field in ORDER_FIELDS for name, field in self.field_mapping.items()
        )


class ProviderCostQuerySet(models.QuerySet):
    def above_price(self):
        """Costs above the price of a package that is sold, of integrations that may deliver it."""
        used = PackageRouting.objects.filter(
            package=OuterRef("package"), integration=OuterRef("integration"), is_active=True
        )
        # SQLite counts in binary fractions, in which 0.1 × 3 is above 0.3.
        ours = Round(F("cost") * F("integration__exchange_rate"), precision=6)
        rows = self.filter(Exists(used), package__is_active=True, integration__is_active=True)
        return rows.alias(ours=ours).filter(ours__gt=F("package__price"))


class ProviderCost(models.Model):
    """What a package cost at an integration when that was last heard of, in the provider's money.

    A row of its own: machines write it while people edit the package under its lock.
    """

    package = models.ForeignKey(Package, models.CASCADE, "costs", verbose_name=_("package"))
    integration = models.ForeignKey(
        ProviderIntegration, models.CASCADE, "costs", verbose_name=_("integration")
    )
    cost = models.DecimalField(_("cost"), max_digits=14, decimal_places=2)
    at = models.DateTimeField(_("time"), db_default=database_now(), editable=False)

    objects = ProviderCostQuerySet.as_manager()

    class Meta:
        verbose_name = _("provider's cost")
        verbose_name_plural = _("providers' costs")
        ordering = ["package", "integration"]
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(fields=["package", "integration"], name="provider_cost_one")
        ]

    def __str__(self):
        return str(self.cost)
