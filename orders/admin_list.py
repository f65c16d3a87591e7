"""The list of orders: its columns and filters; and of it the part that needs a person, and why."""

from datetime import timedelta

from django.contrib import admin
from django.db.models import Case, When
from django.utils.html import format_html
from django.utils.timesince import timesince
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from backoffice.admin_events import NewestPaginator
from backoffice.clock import database_now
from backoffice.persian import code, digits_shown
from orders import lookup
from orders.admin_history import told
from orders.held import in_review_since
from orders.states import OVERDUE_AFTER

FOR_REVIEW = "needing_a_person"
MINUTE = timedelta(minutes=1)


class ClaimFilter(admin.SimpleListFilter):
    title = _("claim")
    parameter_name = "claim"

    def lookups(self, request, model_admin):
        return [("live", _("active")), ("stale", _("run out"))]

    def queryset(self, request, queryset):
        known = self.value() in ("live", "stale")
        return getattr(queryset, self.value())() if known else queryset


class AttentionFilter(admin.SimpleListFilter):
    title = _("attention")
    parameter_name = "attention"

    def lookups(self, request, model_admin):
        return [(FOR_REVIEW, _("for review")), ("open", _("open")), ("overdue", _("overdue"))]

    def queryset(self, request, queryset):
        known = self.value() in (FOR_REVIEW, "open", "overdue")
        return getattr(queryset, self.value())() if known else queryset


class OrderListMixin:
    change_list_template = "admin/orders/productorder/change_list.html"
    list_display = [
        "player",
        "package",
        "state",
        "age",
        "next_check",
        "tries",
        "integration",
        "claim",
        "last_four",
        "review_reason",
        "tenant",
    ]
    # Of those that need a person: why, since when, and what the provider said last.
    for_review = [
        "player",
        "package",
        "tenant",
        "review_reason",
        "waiting_since",
        "message",
        "state",
        "integration",
        "age",
        "claim",
    ]
    list_filter = [
        AttentionFilter,
        "external_status",
        "review_reason",
        "outcome_unknown",
        ClaimFilter,
        "tenant",
        "integration",
        "created_at",
    ]
    list_select_related = ["package", "tenant", "integration"]
    search_fields = ["user_identifier"]  # shows the field; ``lookup`` says what is sought
    search_help_text = _(
        "Our reference, user identifier, order number, the tenant's own number or the PIN's last "
        "four; of a user identifier its beginning is enough"
    )
    paginator = NewestPaginator
    show_full_result_count = False

    def get_queryset(self, request):
        has_pin = Case(When(pin_code="", then=False), default=True)
        rows = super().get_queryset(request).annotate(has_pin=has_pin, read_at=database_now())
        if is_for_review(request):
            rows = rows.annotate(in_review_since=in_review_since())
        return rows.defer("pin_code", "integration__credentials")

    def get_list_display(self, request):
        return self.for_review if is_for_review(request) else self.list_display

    def get_search_results(self, request, queryset, search_term):
        return lookup.find(queryset, search_term), False

    def changelist_view(self, request, extra_context=None):
        title = {"title": _t("Orders for review")} if is_for_review(request) else {}
        return super().changelist_view(request, title | (extra_context or {}))

    @admin.display(description=_("user identifier"), ordering="user_identifier")
    def player(self, obj):
        return code(obj.user_identifier)

    @admin.display(description=_("provider status"), ordering="external_status")
    def state(self, obj):
        label = obj.get_external_status_display()
        if not obj.outcome_unknown:
            return label
        return format_html('{} <span class="order-mark">{}</span>', label, _t("outcome unknown"))

    @admin.display(description=_("age"), ordering="created_at")
    def age(self, obj):
        return span(obj.created_at, obj.read_at)

    @admin.display(description=_("next check"), ordering="next_check_at")
    def next_check(self, obj):
        return when(obj.next_check_at, obj.read_at)

    @admin.display(description=_("claimed by"), ordering="claimed_by")
    def claim(self, obj):
        if obj.claimed_until is None:
            return "-"
        if obj.claimed_until > obj.read_at:
            return code(obj.claimed_by)
        return format_html("{} ({})", code(obj.claimed_by), _t("run out"))

    @admin.display(description=_("PIN's last four"), ordering="pin_last_four")
    def last_four(self, obj):
        return code(obj.pin_last_four and f"…{obj.pin_last_four}")

    @admin.display(description=_("waiting for a person since"), ordering="in_review_since")
    def waiting_since(self, obj):
        return obj.in_review_since

    @admin.display(description=_("the provider's words"))
    def message(self, obj):
        return told(obj.provider_message)


def is_for_review(request):
    """Return whether the list of what needs a person is asked for."""
    return request.GET.get(AttentionFilter.parameter_name) == FOR_REVIEW


def span(first, last):
    """Return how much time lies between two instants, in its largest unit."""
    if last - first < MINUTE:
        seconds = max(0, int((last - first).total_seconds()))
        text = ngettext("%(count)s second", "%(count)s seconds", seconds) % {"count": seconds}
    else:
        text = timesince(first, last, depth=1)
    return digits_shown(text)


def when(moment, now):
    """Return how far ahead the next check of an order is, and how late where that was missed."""
    if moment is None:
        return "-"
    if moment > now:
        return _t("in %(time)s") % {"time": span(now, moment)}
    if now - moment < OVERDUE_AFTER:
        return _t("due now")
    late = _t("overdue for %(time)s") % {"time": span(moment, now)}
    return format_html('<strong class="order-mark">{}</strong>', late)
