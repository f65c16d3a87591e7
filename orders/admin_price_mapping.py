"""Mapping in the admin: from the list of prices, and for the field on a package's page."""

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelect
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.http import Http404, HttpResponseRedirect, JsonResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import translation
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.text import capfirst
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from backoffice import locks
from orders import price_mapping, price_words
from orders.models import Package, PackageRouting

ISOLATED = "\u2066{}\u2069"  # what stands in it runs left to right
RIGHTS = ("change_package", "add_packagerouting", "change_packagerouting")


class ConnectForm(forms.Form):
    package = forms.ModelChoiceField(
        Package.objects,
        label=_("package"),
        widget=AutocompleteSelect(PackageRouting._meta.get_field("package"), admin.site),
    )
    replace = forms.BooleanField(
        label=_("Replace the number that the package has at this integration"), required=False
    )


class PriceMappingMixin:
    """The pages of a list of prices on which a package is chosen for a row, and a row sought."""

    def has_connect_permission(self, request):
        return all(request.user.has_perm(f"orders.{name}") for name in RIGHTS)

    def get_list_display(self, request):
        shown = super().get_list_display(request)
        return [*shown, "connecting"] if self.has_connect_permission(request) else shown

    @admin.display(description=_("connecting"))
    def connecting(self, row):
        page = reverse("admin:orders_pricelisting_connect", args=[row.pk])
        told = _t("Connect “%(name)s” to a package") % {"name": row.name}
        words = _t("Connect to a package")
        return format_html('<a href="{}" aria-label="{}">{}</a>', page, told, words)

    def get_urls(self):
        views = {
            "<int:listing_id>/connect/": ("connect", self.connect_view),
            "suggestions/": ("suggestions", self.suggestions_view),
        }
        return [
            path(route, self.admin_site.admin_view(view), name=f"orders_pricelisting_{name}")
            for route, (name, view) in views.items()
        ] + super().get_urls()

    @method_decorator(require_GET)
    @method_decorator(never_cache)
    def suggestions_view(self, request):
        """Tell which rows of an integration's list match what is typed."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        integration = request.GET.get("integration", "")
        if not (integration.isascii() and integration.isdigit() and len(integration) < 19):
            raise Http404
        rows = price_mapping.suggest(int(integration), request.GET.get("term", ""))
        found = [
            {
                "number": row.provider_package_id,
                "name": row.name,
                "cost": price_words.amount(row.cost),
                "more": price_words.more(row.extra),
            }
            for row in rows
        ]
        return JsonResponse({"listings": found})

    @method_decorator(require_http_methods(["GET", "POST"]))
    @method_decorator(never_cache)
    def connect_view(self, request, listing_id):
        """Let a package be chosen for a row, and have it ordered by that row's number."""
        if not (self.has_view_permission(request) and self.has_connect_permission(request)):
            raise PermissionDenied
        listing = self.get_object(request, str(listing_id))
        if listing is None:
            raise Http404
        form = ConnectForm(request.POST or None)
        if form.is_valid() and self._connect(request, listing, form):
            return HttpResponseRedirect(reverse("admin:orders_pricelisting_changelist"))
        context = {
            **self.admin_site.each_context(request),
            "title": _t("Connect to a package"),
            "opts": self.opts,
            "original": listing,
            "form": form,
            "more": price_words.more(listing.extra),
            "our_cost": price_words.ours(listing.cost, listing.integration),
            "media": self.media + form.media,
        }
        return TemplateResponse(request, "admin/orders/pricelisting/connect.html", context)

    def _connect(self, request, listing, form):
        """Connect as the form says; return whether that was done, and say why not in the form."""
        package = form.cleaned_data["package"]
        replace = form.cleaned_data["replace"]
        try:
            with transaction.atomic():
                routing, before = price_mapping.connect(
                    listing, package, by=request.user, replace=replace
                )
                if routing.provider_package_id != before:
                    self.log_change(request, package, _history(routing, added=not before))
        except locks.Refused as refused:
            locks.record_refusal(Package, package.pk, refused, by=request.user)
            form.add_error(None, refused.message)
        except price_mapping.MappedAlready as mapped:
            text = _t(
                "This package is ordered here by the number %(number)s. Say whether to replace it."
            )
            form.add_error("replace", text % {"number": ISOLATED.format(mapped.number)})
        except ValidationError as problem:
            form.add_error(None, problem.messages)
        else:
            told = _t("“%(package)s” is ordered by the number %(number)s from now on.")
            number = ISOLATED.format(routing.provider_package_id)
            self.message_user(request, told % {"package": package, "number": number})
            return True
        return False


def _history(routing, *, added):
    """Return what the package's history tells, as its own page would write it."""
    with translation.override(None):
        line = {"name": str(routing._meta.verbose_name), "object": str(routing)}
        if added:
            return [{"added": line}]
        label = str(capfirst(routing._meta.get_field("provider_package_id").verbose_name))
        return [{"changed": line | {"fields": [label]}}]
