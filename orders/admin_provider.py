"""The states of providers in the admin: their list, and of each a page with its switch."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.decorators import method_decorator
from django.utils.formats import localize
from django.utils.html import format_html
from django.utils.timezone import localtime
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from backoffice.clock import database_now
from backoffice.site import ReadOnlyAdmin
from orders import provider_health as health
from orders import provider_page, stopping
from orders.admin_history import told
from orders.integration_events import REASON_LENGTH
from orders.limits import Limit
from orders.models import IntegrationEvent, IntegrationState

A_PAGE = 10  # lines of the log


class SwitchForm(forms.Form):
    """What a page sends that stops calls or lets them go again."""

    seen = forms.IntegerField(min_value=0)
    reason = forms.CharField(max_length=REASON_LENGTH, required=False)


class ProviderPageMixin:
    """The page of a provider: how it does, and the switch of its calls."""

    def get_urls(self):
        views = {"stop": self.stop_view, "resume": self.resume_view}
        return [
            path(
                f"<int:integration_id>/{name}/",
                self.admin_site.admin_view(view),
                name=f"orders_integrationstate_{name}",
            )
            for name, view in views.items()
        ] + super().get_urls()

    def render_change_form(self, request, context, *args, **kwargs):
        state = context["original"]
        span = request.GET.get("span")
        shown = page_of(state, span if span in provider_page.SPANS else provider_page.HOURS)
        log = Paginator(IntegrationEvent.objects.filter(integration=state.pk), A_PAGE)
        context |= {
            **shown,
            "log": log.get_page(request.GET.get("log")),
            "may_switch": may_switch(request),
            "reason_length": REASON_LENGTH,
        }
        return super().render_change_form(request, context, *args, **kwargs)

    @method_decorator(require_POST)
    def stop_view(self, request: HttpRequest, integration_id: int) -> HttpResponse:
        """Stop the calls to a provider, for a reason."""
        form = self._form(request, integration_id)
        try:
            done = form.is_valid() and stopping.stop(
                integration_id, by=request.user, **form.cleaned_data
            )
        except stopping.ReasonNeeded:
            text = _t("Nothing was stopped: say why.")
            self.message_user(request, text, messages.ERROR)
        else:
            self._tell(request, done, _t("Nothing is sent there and asked there any more."))
        return self._back_to(integration_id)

    @method_decorator(require_POST)
    def resume_view(self, request: HttpRequest, integration_id: int) -> HttpResponse:
        """Let the calls to a provider go again."""
        form = self._form(request, integration_id)
        done = form.is_valid() and stopping.resume(
            integration_id, seen=form.cleaned_data["seen"], by=request.user
        )
        self._tell(request, done, _t("Calls go again, and what waited is sent."))
        return self._back_to(integration_id)

    def _form(self, request, integration_id):
        if not may_switch(request) or not self.has_view_permission(request):
            raise PermissionDenied
        if not IntegrationState.objects.filter(pk=integration_id).exists():
            raise Http404
        return SwitchForm(request.POST)

    def _tell(self, request, done, text):
        if not done:
            text = _t("Nothing was changed: this page was out of date. This is how it is now.")
        self.message_user(request, text, messages.SUCCESS if done else messages.WARNING)

    def _back_to(self, integration_id):
        page = reverse("admin:orders_integrationstate_change", args=[integration_id])
        return HttpResponseRedirect(page)


@admin.register(IntegrationState)
class IntegrationStateAdmin(ProviderPageMixin, ReadOnlyAdmin):
    change_form_template = "admin/orders/integrationstate/page.html"
    list_display = [
        "shown_integration",
        "breaker",
        "failures",
        "opened_times",
        "shown_balance",
        "mark",
        "balance_at",
    ]
    list_select_related = ["integration"]
    search_fields = ["integration__code", "integration__name"]
    fields = []

    class Media:
        css = {"all": ["orders/order.css"]}

    def get_queryset(self, request):
        rows = super().get_queryset(request).annotate(read_at=database_now())
        return rows.select_related("integration").defer("integration__credentials")

    @admin.display(description=_("integration"), ordering="integration__name")
    def shown_integration(self, state):
        return str(state.integration)

    @admin.display(description=_("calls"), ordering="open_until")
    def breaker(self, state):
        return calls_of(limit_of(state))

    @admin.display(description=_("balance"), ordering="balance")
    def shown_balance(self, state):
        return balance_of(limit_of(state))

    @admin.display(description=_("low balance"), ordering="integration__low_balance")
    def mark(self, state):
        return state.integration.low_balance


def may_switch(request: HttpRequest) -> bool:
    return bool(request.user.has_perm("orders.stop_providerintegration"))


def limit_of(state: Any) -> Limit:
    """Return the limits of a state that was read with ``read_at``."""
    return Limit(state.integration, state, state.read_at)


def calls_of(limit: Limit) -> str:
    """Return whether a provider is called, in words."""
    state = limit.state
    if limit.is_stopped:
        at = localize(localtime(state.stopped_at))
        text = _t("stopped by %(name)s at %(time)s") % {"name": state.stopped_by_name, "time": at}
    elif limit.is_open:
        until = localize(localtime(state.open_until))
        text = _t("left alone until %(time)s") % {"time": until}
    else:
        return _t("one call is tried") if limit.is_half_open else _t("as usual")
    return format_html('<strong class="order-mark">{}</strong>', text)


def balance_of(limit: Limit) -> Any:
    """Return our money at a provider, with a mark where it is low."""
    balance = limit.state.balance
    if not limit.is_low:
        return balance
    return format_html('{} <strong class="order-mark">{}</strong>', localize(balance), _t("low"))


def page_of(state: Any, span: str) -> dict[str, Any]:
    """Return what the page of a provider shows of a span."""
    bounds = provider_page.bounds_of(span, state.read_at)
    parts = health.figures(state.pk, bounds)
    limit, total = limit_of(state), provider_page.row(health.together(parts), span)
    charts = [provider_page.success_chart(parts, span), provider_page.answer_chart(parts, span)]
    refusals = health.last_refusals(state.pk, bounds)
    return {
        "title": str(state.integration),
        "subtitle": None,
        "span": span,
        "spans": provider_page.SPANS.items(),
        "limit": limit,
        "calls": calls_of(limit),
        "balance": balance_of(limit),
        "total": total,
        "charts": [chart for chart in charts if chart],
        "rows": [provider_page.row(part, span) for part in reversed(parts) if part.sent],
        "half_label": provider_page.half_label(),
        "most_label": provider_page.most_label(),
        "open_rows": provider_page.open_rows(state.pk, health.open_orders(state.pk)),
        "cost_of_today": health.cost_of_today(state.pk, state.read_at),
        "refusals": [(row, told(row.reason or row.answer)) for row in refusals],
    }
