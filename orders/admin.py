"""Orders in the admin: their list and their page."""

from django.contrib import admin
from django.db.models import BigIntegerField, BooleanField, Case, DateTimeField, F, Value, When
from django.db.models.functions import Concat
from django.utils.translation import gettext_lazy as _

from backoffice.claims import ClaimKind, Figure, register, unknown
from backoffice.clock import database_now
from backoffice.imports import OfficeImportExportMixin
from backoffice.persian import code
from orders import (  # noqa: F401 - some only register, too
    admin_catalogue,
    admin_prices,
    admin_provider,
    admin_states,
    admin_tokens,
    claims,
    intake,
    monitoring,
)
from orders.admin_actions import OrderActionsMixin
from orders.admin_held import HeldOrdersMixin
from orders.admin_history import OrderHistoryMixin
from orders.admin_list import OrderListMixin
from orders.admin_reveal import RevealPinMixin
from orders.forms import NewOrderForm
from orders.models import ProductOrder
from orders.resources import ProductOrderResource

TAKEN = ("tenant", "package", "user_identifier", "extra_field", "external_key", "page")
SHOWN = ("tenant", "package", "player", "extra_field", "external_key")
FIELDSETS = [
    (None, {"fields": ["number", *SHOWN, "price", "created_at", "created_by"]}),
    (
        _("At the provider"),
        {
            "fields": [
                "state",
                "review_reason",
                "integration",
                "reference",
                "message",
                "last_four",
                "sent_at",
                "last_sync_at",
                "completed_at",
            ]
        },
    ),
    (
        _("Checks and claim"),
        {"fields": ["next_check_at", "tries", "transport_errors", "claim", "claimed_until"]},
    ),
]


@admin.register(ProductOrder)
class ProductOrderAdmin(
    OrderListMixin,
    HeldOrdersMixin,
    OrderActionsMixin,
    RevealPinMixin,
    OrderHistoryMixin,
    OfficeImportExportMixin,
    admin.ModelAdmin,
):
    form = NewOrderForm
    resource_classes = [ProductOrderResource]
    autocomplete_fields = ["tenant", "package"]
    fieldsets = FIELDSETS

    class Media:
        css = {"all": ["orders/order.css"]}
        js = ["orders/reveal.js"]

    @admin.display(description=_("order number"))
    def number(self, obj):
        return code(obj.public_id)

    @admin.display(description=_("provider reference"))
    def reference(self, obj):
        return code(obj.provider_referans)

    def get_fieldsets(self, request, obj=None):
        return super().get_fieldsets(request, obj) if obj else [(None, {"fields": TAKEN})]

    def has_change_permission(self, request, obj=None):
        return False  # an order that was taken is changed by what happens to it

    def has_delete_permission(self, request, obj=None):
        return False

    def save_model(self, request, obj, form, change):
        intake.accept(obj, by=request.user)


def orders_claimed():
    """Return the orders that are being sent or asked about, as the lock desk reads claims."""
    return ProductOrder.objects.claimed().annotate(
        claim_name=Concat("user_identifier", Value(" · "), "package__name"),
        claim_holder_id=unknown(BigIntegerField()),
        claim_holder=F("claimed_by"),
        claim_since=F("claimed_at"),
        claim_seen=unknown(DateTimeField()),
        claim_input=unknown(DateTimeField()),
        claim_until=F("claimed_until"),
        claim_live=Case(When(claimed_until__gt=database_now(), then=True), default=False),
        claim_unsaved=unknown(BooleanField()),
    )


register(
    ClaimKind(
        name="order",
        label=_("Orders"),
        model=ProductOrder,
        rows=orders_claimed,
        release=claims.force_release,
        permission="orders.release_productorder",
        clear_permission="orders.release_productorder",
        view_permission="orders.view_productorder",
        live_url="orders/productorder/?claim=live",
        stale_url="orders/productorder/?claim=stale",
    )
)
for name, label, address, alarming in (
    ("needing_a_person", _("Orders for review"), "held/", True),
    ("open", _("Open orders"), "?attention=open", False),
    ("overdue", _("Overdue orders"), "?attention=overdue", True),
):
    register(
        Figure(
            name=f"orders:{name}",
            label=label,
            count=getattr(ProductOrder.objects, name)().count,
            view_permission="orders.view_productorder",
            url=f"orders/productorder/{address}",
            alarming=alarming,
        )
    )
for figure in admin_prices.FIGURES:  # after those of the orders
    register(figure)
