"""What is sold and who delivers it, in the admin."""

from django import forms
from django.contrib import admin
from django.db import models
from django.utils.translation import gettext_lazy as _

from backoffice.admin import EditLockAdminMixin, EditLockInlineMixin, edit_lock_kind
from backoffice.claims import register
from backoffice.imports import OfficeImportExportMixin
from backoffice.persian import code
from orders.forms import ProviderIntegrationForm
from orders.models import Package, PackageRouting, Product, ProviderIntegration, Tenant
from orders.resources import (
    PackageResource,
    PackageRoutingResource,
    ProductResource,
    TenantResource,
)


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
    formfield_overrides = {
        models.JSONField: {"widget": forms.Textarea(attrs={"rows": 2, "cols": 24, "dir": "ltr"})}
    }


@admin.register(Package)
class PackageAdmin(EditLockAdminMixin, CodeColumnMixin, OfficeImportExportMixin, admin.ModelAdmin):
    resource_classes = [PackageResource, PackageRoutingResource]
    list_display = ["shown_code", "name", "product", "price", "is_active"]
    list_filter = ["is_active", "product"]
    list_select_related = ["product"]
    search_fields = ["code", "name", "product__name"]
    inlines = [PackageRoutingInline]


@admin.register(ProviderIntegration)
class ProviderIntegrationAdmin(EditLockAdminMixin, CodeColumnMixin, admin.ModelAdmin):
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
