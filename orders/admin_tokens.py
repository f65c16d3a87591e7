"""The keys of shops' programs in the admin: made, shown once, and revoked."""

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.decorators import method_decorator
from django.utils.formats import localize
from django.utils.html import format_html
from django.utils.timezone import localtime
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from backoffice.persian import code
from backoffice.site import ReadOnlyAdmin
from orders import tokens
from orders.forms import NewTokenForm
from orders.models import TenantToken


class RevokedFilter(admin.SimpleListFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request, model_admin):
        return [("valid", _("valid")), ("revoked", _("revoked"))]

    def queryset(self, request, queryset):
        if self.value() not in ("valid", "revoked"):
            return queryset
        return queryset.filter(revoked_at__isnull=self.value() == "valid")


@admin.register(TenantToken)
class TenantTokenAdmin(ReadOnlyAdmin):
    """Nothing of a key changes but that it is revoked, which is no form."""

    form = NewTokenForm

    list_display = [
        "name",
        "tenant",
        "ending",
        "created_by_name",
        "created_at",
        "last_used_at",
        "state",
    ]
    list_filter = [RevokedFilter, "tenant"]
    list_select_related = ["tenant"]
    search_fields = ["name", "tenant__name", "tenant__code", "=last_four"]
    search_help_text = _("Name, tenant or the last four")
    autocomplete_fields = ["tenant"]

    class Media:
        css = {"all": ["orders/token.css"]}

    @admin.display(description=_("last four"))
    def ending(self, token):
        return code(token.last_four)

    @admin.display(description=_("state"), ordering="revoked_at")
    def state(self, token):
        if token.revoked_at is None:
            return _t("valid")
        told = {"time": localize(localtime(token.revoked_at)), "name": token.revoked_by_name}
        return format_html("{}", _t("revoked %(time)s by %(name)s") % told)

    def get_fields(self, request, obj=None):
        return self.list_display if obj else ["tenant", "name", "of_page"]

    def has_add_permission(self, request):
        return request.user.has_perm("orders.add_tenanttoken")

    def has_revoke_permission(self, request):
        return request.user.has_perm("orders.change_tenanttoken")

    def get_urls(self):
        revoke = self.admin_site.admin_view(self.revoke_view)
        name = "orders_tenanttoken_revoke"
        return [path("<int:token_id>/revoke/", revoke, name=name), *super().get_urls()]

    def render_change_form(self, request, context, *args, **kwargs):
        token = context.get("original")
        valid = token is not None and token.revoked_at is None
        context["may_revoke"] = valid and self.has_revoke_permission(request)
        return super().render_change_form(request, context, *args, **kwargs)

    # Made

    def add_view(self, request, form_url="", extra_context=None):
        return super().add_view(request, form_url, {"title": _t("Make a token")})

    def save_model(self, request, obj, form, change):
        page = form.cleaned_data["of_page"]
        token, request.plain_token = tokens.issue(obj.tenant, obj.name, by=request.user, page=page)
        obj.pk = token.pk

    def response_add(self, request, obj, post_url_continue=None):
        """Show the key: here alone, and never again."""
        return self._page(request, "issued", obj, _t("Token made"), plain=request.plain_token)

    # Revoked

    @method_decorator(require_http_methods(["GET", "POST"]))
    @method_decorator(never_cache)
    def revoke_view(self, request, token_id):
        """Ask before a key is revoked, then revoke it for good, recorded."""
        if not self.has_revoke_permission(request):
            raise PermissionDenied
        token = self.get_object(request, str(token_id))
        if token is None or not self.has_view_permission(request, token):
            raise Http404
        if request.method == "POST":
            self._revoke(request, token)
        elif token.revoked_at is None:
            return self._page(request, "revoke", token, _t("Revoke the token"))
        return HttpResponseRedirect(reverse("admin:orders_tenanttoken_change", args=[token.pk]))

    def _revoke(self, request, token):
        if tokens.revoke(token, by=request.user):
            told = _t("The token was revoked.")
            self.log_change(request, token, told)
            self.message_user(request, told, messages.SUCCESS)
        else:
            told = _t("This token was revoked before; nothing is changed.")
            self.message_user(request, told, messages.WARNING)

    def _page(self, request, name, token, title, **shown):
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "opts": self.opts,
            "original": token,
            "media": self.media,
            **shown,
        }
        return TemplateResponse(request, f"admin/orders/tenanttoken/{name}.html", context)
