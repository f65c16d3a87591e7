"""What became of orders otherwise than it should: incidents, and what people decided."""

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from import_export.fields import Field

from backoffice.imports import OfficeImportExportMixin, OfficeResource, TextWidget
from backoffice.persian import code, digits_shown
from backoffice.site import ReadOnlyAdmin
from orders import incidents
from orders.admin_history import incident_told
from orders.models import OrderDecision, OrderIncident


class ClosedFilter(admin.SimpleListFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request, model_admin):
        return [("open", _("open")), ("closed", _("closed"))]

    def queryset(self, request, queryset):
        if self.value() not in ("open", "closed"):
            return queryset
        return queryset.filter(closed_at__isnull=self.value() == "open")


class ClosingForm(ActionForm):
    """Beside the action, what came of the incidents, so that closing takes no other page."""

    word = forms.CharField(
        label=_("closing word"),
        required=False,  # refused in words by the action
        max_length=incidents.WORD_LENGTH,
        widget=forms.TextInput(attrs={"class": "closing-word"}),
    )


@admin.action(description=_("Close incidents"), permissions=["close"])
def close_incidents(modeladmin, request, queryset):
    """Close the chosen incidents, with the word that was typed beside the action."""
    word = request.POST.get("word", "")
    try:
        closed, before = incidents.close(queryset, word, by=request.user)
    except incidents.WordNeeded:
        text = _t("Nothing was closed: say beside the action what came of it.")
        modeladmin.message_user(request, text, messages.ERROR)
        return
    text = ngettext("%(count)s incident was closed.", "%(count)s incidents were closed.", closed)
    level = messages.SUCCESS if closed else messages.WARNING
    modeladmin.message_user(request, digits_shown(text % {"count": closed}), level)
    if before:
        text = ngettext(
            "%(count)s incident was closed before.",
            "%(count)s incidents were closed before.",
            before,
        )
        modeladmin.message_user(request, digits_shown(text % {"count": before}), messages.WARNING)


@admin.register(OrderIncident)
class OrderIncidentAdmin(ReadOnlyAdmin):
    action_form = ClosingForm
    actions = [close_incidents]

    class Media:
        css = {"all": ["orders/order.css"]}

    list_display = ["kind", "shown_order", "details", "opened_at", "closed_at", "closed_by_name"]
    list_filter = [ClosedFilter, "kind", "opened_at"]
    list_select_related = ["order"]
    search_fields = ["=order__user_identifier", "=order__provider_referans"]
    search_help_text = _("User identifier or the reference that the order has now")
    fields = [*list_display, "closing_word"]

    def get_queryset(self, request):
        return super().get_queryset(request).defer("order__pin_code")

    def has_close_permission(self, request):
        return request.user.has_perm("orders.close_orderincident")

    @admin.display(description=_("order"), ordering="order")
    def shown_order(self, incident):
        return order_link(incident.order)

    @admin.display(description=_("details"))
    def details(self, incident):
        return incident_told(incident)


class OrderDecisionResource(OfficeResource):
    order = Field("order__public_id", _("order number"), TextWidget(), readonly=True)
    integration = Field("integration__code", _("chosen provider"), readonly=True)

    class Meta(OfficeResource.Meta):
        model = OrderDecision
        import_id_fields = ("at",)  # the library asks for a key; nothing is imported
        fields = ("at", "kind", "order", "amount", "integration", "reason", "by_name")


@admin.register(OrderDecision)
class OrderDecisionAdmin(OfficeImportExportMixin, ReadOnlyAdmin):
    resource_classes = [OrderDecisionResource]
    list_display = ["at", "kind", "shown_order", "amount", "integration", "reason", "by_name"]
    list_filter = ["kind", "at", "integration"]
    list_select_related = ["order", "integration"]
    search_fields = ["=order__user_identifier", "by_name", "reason"]
    search_help_text = _("User identifier, who decided, or the reason")
    fields = [*list_display, "status", "review_reason"]

    def get_queryset(self, request):
        rows = super().get_queryset(request)
        return rows.defer("order__pin_code", "integration__credentials")

    def has_import_permission(self, request):
        return False

    @admin.display(description=_("order"), ordering="order")
    def shown_order(self, decision):
        return order_link(decision.order)


def order_link(order):
    """Return a link to an order's page, by its player."""
    page = reverse("admin:orders_productorder_change", args=[order.pk])
    return format_html('<a href="{}">{}</a>', page, code(order.user_identifier))
