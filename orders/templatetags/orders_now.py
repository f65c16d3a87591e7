"""How the orders are now, for the first page of their app."""

from datetime import UTC, datetime

from django import template
from django.urls import reverse

from backoffice.clock import database_now
from orders import monitoring
from orders.admin_list import span
from orders.admin_provider import balance_of, calls_of, limit_of
from orders.models import IntegrationState, Status

register = template.Library()
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


@register.inclusion_tag("admin/orders/now.html")
def orders_now():
    """Show the open orders by state, what is due, and what was completed last."""
    seen, orders = monitoring.overview(), reverse("admin:orders_productorder_changelist")
    return {
        "states": [
            (Status(state).label, count, f"{orders}?external_status__exact={state}")
            for state, count in seen.open.items()
        ],
        "unknown": (seen.unknown, f"{orders}?outcome_unknown__exact=1"),
        "due": seen.due,
        "overdue": (seen.overdue, f"{orders}?attention=overdue"),
        "oldest": seen.oldest_due_age and span_of(seen.oldest_due_age),
        "completed": [
            (order, span(order.created_at, order.completed_at)) for order in seen.completed
        ],
    }


@register.inclusion_tag("admin/orders/providers.html")
def providers_now():
    """Show of each provider whether it is called, and our money there; its page tells more."""
    states = IntegrationState.objects.filter(integration__is_active=True)
    states = states.select_related("integration").defer("integration__credentials")
    limits = [limit_of(state) for state in states.annotate(read_at=database_now())]
    return {"providers": [(limit, calls_of(limit), balance_of(limit)) for limit in limits]}


def span_of(age):
    return span(EPOCH, EPOCH + age)
