"""What is sold and who delivers it, in the admin."""

from django import forms
from django.contrib import admin
from django.db import models
from django.urls import reverse_lazy
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from backoffice.admin import EditLockAdminMixin, EditLockInlineMixin, edit_lock_kind
from backoffice.claims import register
from backoffice.imports import OfficeImportExportMixin
from backoffice.persian import code
from orders import price_words, prices
from orders.forms import ProviderIntegrationForm
from orders.models import (
    Package,
    PackageRouting,
    Product,
    ProviderCost,
    ProviderIntegration,
    Tenant,
)
from orders.reconciliation_page import ReconciliationPage
from orders.resources import (
    PackageResource,
    PackageRoutingResource,
    ProductResource,
    TenantResource,
)

# Of a field that offers what a provider's price list has; ``prices.js`` reads it.
SUGGESTED = {
    "data-suggestions": reverse_lazy("admin:orders_pricelisting_suggestions"),
    "data-label": _("what the provider sells"),
    "data-nothing": _("Nothing of the price list matches. A number can be typed."),
    "role": "combobox",
    "aria-expanded": "false",
    "aria-autocomplete": "list",
    "aria-controls": "price-suggestions",
    "autocomplete": "off",
}


class CodeColumnMixin:
    @admin.display(description=_("code"), ordering="code")
    def shown_code(self, obj):
        return code(obj.code)


@admin.register(Tenant)
class TenantAdmin(CodeColumnMixin, OfficeImportExportMixin, admin.ModelAdmin):
    resource_classes = [TenantResource]
    list_display = ["shown_code", "name", "is_active"]
    list_filter = ["is_active"]
    search_fields = ["code", "name"]


@admin.register(Product)
class ProductAdmin(CodeColumnMixin, OfficeImportExportMixin, admin.ModelAdmin):
    resource_classes = [ProductResource]
    list_display = ["shown_code", "name", "is_active"]
    list_filter = ["is_active"]
    search_fields = ["code", "name"]


class PackageRoutingInline(EditLockInlineMixin, admin.TabularInline):
    model = PackageRouting
    extra = 0
    readonly_fields = ["known_cost"]
    formfield_overrides = {
        models.JSONField: {"widget": forms.Textarea(attrs={"rows": 2, "cols": 24, "dir": "ltr"})}
    }

    class Media:
        css = {"all": ["orders/order.css", "orders/prices.css"]}
        js = ["orders/prices.js"]

    def formfield_for_dbfield(self, db_field, request, **kwargs):
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "provider_package_id" and request.user.has_perm(
            "orders.view_pricelisting"
        ):
            field.widget.attrs |= SUGGESTED
        return field

    def get_queryset(self, request):
        known = ProviderCost.objects.filter(
            package=models.OuterRef("package"), integration=models.OuterRef("integration")
        )
        rows = super().get_queryset(request).select_related("package", "integration")
        rows = rows.defer("integration__credentials")
        return rows.annotate(last_cost=models.Subquery(known.values("cost")[:1]))

    def get_readonly_fields(self, request, obj=None):
        shown = request.user.has_perm("orders.view_providercost")
        return self.readonly_fields if shown else []

    @admin.display(description=_("cost and margin"))
    def known_cost(self, routing):
        cost = getattr(routing, "last_cost", None)
        if cost is None:
            return "-"
        margin = price_words.margin(cost, routing.integration, routing.package.price)
        return format_html("{}<br>{}", price_words.amount(cost), margin)


@admin.register(Package)
class PackageAdmin(EditLockAdminMixin, CodeColumnMixin, OfficeImportExportMixin, admin.ModelAdmin):
    resource_classes = [PackageResource, PackageRoutingResource]
    list_display = ["shown_code", "name", "product", "price", "is_active"]
    list_filter = ["is_active", "product"]
    list_select_related = ["product"]
    search_fields = ["code", "name", "product__name"]
    inlines = [PackageRoutingInline]

    def save_related(self, request, form, formsets, change):
        super().save_related(request, form, formsets, change)
        prices.remember_costs_of([form.instance.pk])


@admin.register(ProviderIntegration)
class ProviderIntegrationAdmin(
    EditLockAdminMixin, ReconciliationPage, CodeColumnMixin, admin.ModelAdmin
):
    form = ProviderIntegrationForm
    fieldsets = [
        (
            None,
            {"fields": ["code", "name", "provider", "base_url", "new_credentials", "is_active"]},
        ),
        (
            _("Limits"),
            {"fields": ["allowed_hosts", "calls_per_second", "low_balance", "exchange_rate"]},
        ),
    ]
    list_display = ["shown_code", "name", "provider", "is_active"]
    list_filter = ["is_active", "provider"]
    search_fields = ["code", "name"]


for model in (Package, ProviderIntegration):
    register(edit_lock_kind(model, models.F("name")))
