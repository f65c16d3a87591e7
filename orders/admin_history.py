"""What happened to an order, on its page: the attempts to place it, and its journal."""

from django.contrib import admin
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from backoffice.persian import code
from orders.models import OrderAttempt, OrderEvent, ReviewReason, Status


def told(text):
    """Return words of ours in the reader's language, and those of a provider as they came."""
    if text in ReviewReason.values:
        return ReviewReason(text).label
    translated = gettext(text) if text else ""
    return translated if translated != text else code(text)


class ReadOnlyInline(admin.TabularInline):
    extra = 0
    can_delete = False

    def has_view_permission(self, request, obj=None):
        return True  # whoever may see the order

    def has_add_permission(self, request, obj=None):
        return False

    def has_change_permission(self, request, obj=None):
        return False


class OrderAttemptInline(ReadOnlyInline):
    model = OrderAttempt
    fields = ["number", "integration", "reference", "state", "cost", "balance", "masked"]
    readonly_fields = fields

    def get_queryset(self, request):
        rows = super().get_queryset(request).select_related("integration")
        return rows.defer("integration__credentials")

    @admin.display(description=_("our reference"))
    def reference(self, obj):
        return code(obj.referans)

    @admin.display(description=_("request and answer"))
    def masked(self, obj):
        return format_html("{}<br>{}", code(obj.request), code(obj.answer))


class OrderEventInline(ReadOnlyInline):
    model = OrderEvent
    fields = ["at", "what", "state", "details", "times", "last_at", "by_name"]
    readonly_fields = fields

    @admin.display(description=_("provider status"))
    def state(self, obj):
        return Status(obj.status).label

    @admin.display(description=_("details"))
    def details(self, obj):
        return told(obj.text)
