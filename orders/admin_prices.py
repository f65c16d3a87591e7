"""Price lists and costs in the admin: to be read, fetched anew, and mapped to packages."""

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Subquery
from django.http import HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import path, reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from backoffice.claims import Figure
from backoffice.persian import code, digits_shown
from backoffice.site import ReadOnlyAdmin
from orders import price_words, prices
from orders.admin_history import told
from orders.admin_price_mapping import PriceMappingMixin
from orders.catalogue import ProviderIntegration
from orders.models import PriceListing, ProviderCost
from orders.price_listings import routings_of_row

SHOWN = {
    "unmapped": _("without a package"),
    "mapped": _("with a package"),
    "news": _("cost of a package changed in the last seven days"),
    "changed": _("cost changed in the last seven days"),
    "above_price": _("above the price"),
    "gone": _("no longer in the list"),
}


class ShownFilter(admin.SimpleListFilter):
    title = _("state")
    parameter_name = "show"

    def lookups(self, request, model_admin):
        return list(SHOWN.items())

    def queryset(self, request, queryset):
        return getattr(queryset, self.value())() if self.value() in SHOWN else queryset


class AboveFilter(admin.SimpleListFilter):
    title = _("margin")
    parameter_name = "show"

    def lookups(self, request, model_admin):
        return [("above_price", _("above the price"))]

    def queryset(self, request, queryset):
        return queryset.above_price() if self.value() == "above_price" else queryset


class PriceColumnsMixin:
    """What the list and the page of a row tell of it."""

    @admin.display(description=_("name at the provider"), ordering="name")
    def shown_name(self, row):
        more = price_words.more(row.extra)
        gone = row.missing_since and _t("no longer in the list")
        return format_html(
            "<bdi>{}</bdi>{}{}",
            row.name,
            format_html(' <strong class="order-mark">{}</strong>', gone) if gone else "",
            format_html('<br><span class="price-more"><bdi>{}</bdi></span>', more) if more else "",
        )

    @admin.display(description=_("number at the provider"), ordering="provider_package_id")
    def number(self, row):
        return code(row.provider_package_id)

    @admin.display(description=_("last change"), ordering="changed_at")
    def change(self, row):
        return price_words.per_cent(row.change())

    @admin.display(description=_("cost in our money"))
    def our_cost(self, row):
        return price_words.ours(row.cost, row.integration)

    @admin.display(description=_("package"))
    def shown_package(self, row):
        if row.package_key is None:
            return "-"
        page = reverse("admin:orders_package_change", args=[row.package_key])
        others = row.packages - 1
        text = ngettext("and %(count)s more", "and %(count)s more", others) % {"count": others}
        return format_html(
            '<a href="{}"><bdi>{}</bdi></a> {}',
            page,
            row.package_name,
            digits_shown(text) if others else "",
        )

    @admin.display(description=_("margin"))
    def margin(self, row):
        if row.package_price is None:
            return "-"
        return price_words.margin(row.cost, row.integration, row.package_price)


class PriceFetchingMixin:
    """When the lists were fetched, above their rows, and a button for each to fetch it anew."""

    def has_fetch_permission(self, request):
        return request.user.has_perm("orders.fetch_pricelisting")

    def get_urls(self):
        view = self.admin_site.admin_view(self.fetch_view)
        name = "orders_pricelisting_fetch"
        return [path("fetch/<int:integration_id>/", view, name=name), *super().get_urls()]

    @method_decorator(require_POST)
    def fetch_view(self, request, integration_id):
        """Have the cluster fetch a price list."""
        if not self.has_fetch_permission(request):
            raise PermissionDenied
        integration = get_object_or_404(prices.with_list(), pk=integration_id)
        if prices.want(integration.pk):
            text = _t("The price list of “%(name)s” is being fetched.")
            level = messages.SUCCESS
        else:
            text = _t("The price list of “%(name)s” is on its way already.")
            level = messages.WARNING
        self.message_user(request, text % {"name": integration.name}, level)
        return HttpResponseRedirect(reverse("admin:orders_pricelisting_changelist"))

    def changelist_view(self, request, extra_context=None):
        shown = {"price_lists": states(), "may_fetch": self.has_fetch_permission(request)}
        return super().changelist_view(request, shown | (extra_context or {}))


@admin.register(PriceListing)
class PriceListingAdmin(PriceMappingMixin, PriceFetchingMixin, PriceColumnsMixin, ReadOnlyAdmin):
    list_display = [
        "shown_name",
        "number",
        "integration",
        "cost",
        "change",
        "our_cost",
        "shown_package",
        "margin",
    ]
    list_filter = ["integration", ShownFilter]
    list_select_related = ["integration"]
    list_per_page = 50
    search_fields = ["search_text"]  # shows the field; ``get_search_results`` says what is sought
    search_help_text = _("Name, number or description at the provider")
    fields = [
        "shown_name",
        "number",
        "integration",
        "cost",
        "previous_cost",
        "changed_at",
        "our_cost",
        "shown_package",
        "margin",
        "first_seen_at",
        "last_seen_at",
        "missing_since",
    ]

    class Media:
        css = {"all": ["orders/order.css", "orders/prices.css"]}

    def get_queryset(self, request):
        first = routings_of_row().order_by(
            "-is_active", "-package__is_active", "package__price", "package"
        )
        count = routings_of_row().order_by().values("integration").annotate(count=Count("pk"))
        rows = super().get_queryset(request).defer("integration__credentials")
        return rows.annotate(
            package_key=Subquery(first.values("package")[:1]),
            package_name=Subquery(first.values("package__name")[:1]),
            package_price=Subquery(first.values("package__price")[:1]),
            packages=Subquery(count.values("count")),
        )

    def get_search_results(self, request, queryset, search_term):
        return queryset.matching(search_term), False


def states():
    """Return of each active integration (itself, whether it has a list, its state, its fault)."""
    rows = ProviderIntegration.objects.filter(is_active=True).select_related("price_list")
    found = []
    for row in rows.defer("credentials"):
        state = getattr(row, "price_list", None)
        problem = told(state.problem) if state and state.problem else ""
        found.append((row, prices.offers_list(row.provider), state, problem))
    return found


@admin.register(ProviderCost)
class ProviderCostAdmin(ReadOnlyAdmin):
    list_display = ["package", "integration", "cost", "our_cost", "price", "margin", "at"]
    list_filter = [AboveFilter, "integration"]
    list_select_related = ["package", "integration"]
    search_fields = ["package__code", "package__name"]
    fields = list_display

    class Media:
        css = {"all": ["orders/order.css"]}

    def get_queryset(self, request):
        return super().get_queryset(request).defer("integration__credentials")

    @admin.display(description=_("cost in our money"))
    def our_cost(self, row):
        return price_words.ours(row.cost, row.integration)

    @admin.display(description=_("price"), ordering="package__price")
    def price(self, row):
        return row.package.price

    @admin.display(description=_("margin"))
    def margin(self, row):
        return price_words.margin(row.cost, row.integration, row.package.price)


def costs_above_price():
    return ProviderCost.objects.above_price().count()


def changed_costs():
    return PriceListing.objects.news().count()


FIGURES = (
    Figure(
        name="orders:above_price",
        label=_("Costs above the price"),
        count=costs_above_price,
        view_permission="orders.view_providercost",
        url="orders/providercost/?show=above_price",
        alarming=True,
    ),
    Figure(
        name="orders:changed_costs",
        label=_("Changed costs"),
        count=changed_costs,
        view_permission="orders.view_pricelisting",
        url="orders/pricelisting/?show=news",
    ),
)
