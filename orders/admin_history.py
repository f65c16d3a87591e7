"""What happened to an order, on its page: its attempts, its incidents, and its life in steps."""

import re
from decimal import Decimal

from django.contrib import admin
from django.core.paginator import Paginator
from django.http import HttpResponseRedirect
from django.urls import reverse
from django.utils import formats
from django.utils.html import format_html
from django.utils.timezone import localtime
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from backoffice.persian import code, digits_shown
from orders import timeline
from orders.models import (
    OrderAttempt,
    OrderDecision,
    OrderEvent,
    OrderIncident,
    ReviewReason,
    Status,
)

A_PAGE = 50
# What a person wrote is told as it is, and not as words of the provider.
BY_PEOPLE = (
    OrderEvent.What.REVEALED,
    OrderEvent.What.INCIDENT_END,
    OrderEvent.What.RESENT,
    OrderEvent.What.BY_HAND,
    OrderEvent.What.REFUNDED,
    *timeline.ACTIONS,
)


COST_ABOVE_PRICE = re.compile(r"([0-9.]+) > ([0-9.]+)")


def told(text):
    """Return words of ours in the reader's language, and those of a provider as they came."""
    if text in ReviewReason.values:
        return ReviewReason(text).label
    if text in OrderIncident.Kind.values:
        return OrderIncident.Kind(text).label
    if text in Status.values:
        return Status(text).label
    translated = gettext(text) if text else ""
    return translated if translated != text else code(text)


def incident_told(incident):
    """Return the details of an incident in the reader's language."""
    figures = COST_ABOVE_PRICE.fullmatch(incident.text)
    if not figures:
        return told(incident.text)
    cost, price = (formats.number_format(Decimal(figure)) for figure in figures.groups())
    return gettext("the cost %(cost)s is above the price %(price)s") % {
        "cost": cost,
        "price": price,
    }


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
    fields = [
        "number",
        "integration",
        "reference",
        "state",
        "cost",
        "balance",
        "last_four",
        "masked",
    ]
    readonly_fields = fields

    def get_queryset(self, request):
        rows = super().get_queryset(request).select_related("integration")
        return rows.defer("integration__credentials", "pin_code")

    @admin.display(description=_("our reference"))
    def reference(self, obj):
        return code(obj.referans)

    @admin.display(description=_("PIN kept beside the order"))
    def last_four(self, obj):
        if obj.delivered_at is None:
            return "-"
        return code(f"…{obj.pin_last_four}") if obj.pin_last_four else _("delivered after all")

    @admin.display(description=_("request and answer"))
    def masked(self, obj):
        return format_html("{}<br>{}", code(obj.request), code(obj.answer))


class OrderIncidentInline(ReadOnlyInline):
    model = OrderIncident
    fields = ["kind", "details", "opened_at", "closed_at", "closed_by_name", "closing_word"]
    readonly_fields = fields

    @admin.display(description=_("details"))
    def details(self, obj):
        return incident_told(obj)


class OrderDecisionInline(ReadOnlyInline):
    model = OrderDecision
    fields = ["kind", "amount", "integration", "reason", "by_name", "at"]
    readonly_fields = fields

    def get_queryset(self, request):
        rows = super().get_queryset(request).select_related("integration")
        return rows.defer("integration__credentials")


class OrderHistoryMixin:
    inlines = [OrderAttemptInline, OrderDecisionInline, OrderIncidentInline]

    def history_view(self, request, object_id, extra_context=None):
        """Lead to the order's own page: all that happened to it is there."""
        page = reverse("admin:orders_productorder_change", args=[object_id])
        return HttpResponseRedirect(f"{page}#order-life")

    def get_inlines(self, request, obj):
        if obj is None:
            return []
        decided = obj.decisions.exists()
        return [inline for inline in self.inlines if inline is not OrderDecisionInline or decided]

    def render_change_form(self, request, context, *args, **kwargs):
        order = context.get("original")
        if order:
            page = Paginator(timeline.of(order), A_PAGE).get_page(request.GET.get("life"))
            context |= {"life": [shown(step) for step in page], "life_page": page}
        return super().render_change_form(request, context, *args, **kwargs)


def shown(step):
    """Return what the page says of a step."""
    status = step.status and Status(step.status).label
    text = step.text if step.what in BY_PEOPLE else told(step.text)
    times = {"at": instant(step.at), "last_at": instant(step.last_at)}
    return {"step": step, "status": status, "text": step.text and text, **times}


def instant(moment):
    """Return an instant to the second, as the office's clocks showed it."""
    local = localtime(moment)
    day = formats.date_format(local, "SHORT_DATE_FORMAT")
    return gettext("%(day)s at %(time)s") % {"day": day, "time": digits_shown(f"{local:%H:%M:%S}")}
