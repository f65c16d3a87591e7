"""The files of orders: their columns, and the codes that their rows are known by."""

from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from import_export.fields import Field

from backoffice.imports import (
    CodeKeyWidget,
    LockAwareResource,
    OfficeResource,
    TextWidget,
    WholeNumberWidget,
)
from orders import intake, prices
from orders.models import Package, PackageRouting, Product, ProductOrder, Tenant


class TenantResource(OfficeResource):
    class Meta:
        model = Tenant
        import_id_fields = ("code",)
        fields = ("code", "name", "is_active")


class ProductResource(OfficeResource):
    class Meta:
        model = Product
        import_id_fields = ("code",)
        fields = ("code", "name", "is_active")


class PackageResource(LockAwareResource):
    class Meta:
        model = Package
        import_id_fields = ("code",)
        fields = ("code", "product", "name", "price", "extra_field_label", "is_active")


class PackageRoutingResource(LockAwareResource):
    """Part of their packages: whoever edits a package keeps its routings, too."""

    package = Field("package", _("package"), CodeKeyWidget(Package))
    version = Field("package__version", _("version"), WholeNumberWidget(), readonly=True)

    class Meta:
        model = PackageRouting
        import_id_fields = ("package", "integration")
        fields = (
            "package",
            "integration",
            "priority",
            "provider_package_id",
            "is_active",
            "version",
        )

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.packages = set()

    def before_save_instance(self, instance, row, **kwargs):
        self.guard(instance.package, row, by=kwargs.get("user"))
        self.packages.add(instance.package_id)

    def after_import(self, dataset, result, **kwargs):
        super().after_import(dataset, result, **kwargs)
        prices.remember_costs_of(self.packages)


class ProductOrderResource(OfficeResource):
    """New orders come in; what is stored never changes by a file. Secrets are no columns."""

    public_id = Field("public_id", _("order number"), TextWidget(), readonly=True)

    class Meta:
        model = ProductOrder
        import_id_fields = ("tenant", "external_key")
        fields = (
            "tenant",
            "external_key",
            "package",
            "user_identifier",
            "extra_field",
            "public_id",
            "price",
            "external_status",
            "integration",
            "provider_referans",
            "created_at",
            "sent_at",
            "completed_at",
            "review_reason",
        )

    def before_import(self, dataset, **kwargs):
        super().before_import(dataset, **kwargs)
        self.user = kwargs.get("user")

    def get_import_fields(self, *args, **kwargs):
        """Return what a file may say of a new order; of the rest its preview shows nothing."""
        return [field for field in super().get_import_fields(*args, **kwargs) if not field.readonly]

    def import_instance(self, instance, row, **kwargs):
        super().import_instance(instance, row, **kwargs)
        if not instance.external_key:  # by it the same file brings no order twice
            needed = ProductOrder._meta.get_field("external_key").error_messages["blank"]
            raise ValidationError({"external_key": ValidationError(needed, code="blank")})
        if instance._state.adding and instance.package_id:
            instance.price = instance.package.price

    def before_save_instance(self, instance, row, **kwargs):
        super().before_save_instance(instance, row, **kwargs)
        if not instance._state.adding:
            raise ValidationError(
                gettext(
                    "This order was taken already, with other content. Nothing of it is changed."
                )
            )

    def do_instance_save(self, instance, is_create):
        intake.accept(instance, by=self.user)
