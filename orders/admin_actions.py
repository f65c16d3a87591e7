"""What staff do with orders, with many in the list and with one on its page."""

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html, format_html_join
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from backoffice import lock_endings
from backoffice.claims import KINDS
from backoffice.lock_desk import Claims
from backoffice.persian import code, digits_shown
from orders import claims, desk
from orders.models import ProductOrder

MOST_NAMED = 20


@admin.action(description=_("Check status"), permissions=["check"])
def check_status(modeladmin, request, queryset):
    """Have the chosen orders asked about, and say what was left alone."""
    checked = desk.check_status(queryset, by=request.user)
    count = len(checked.wanted)
    text = ngettext(
        "%(count)s order is being checked.", "%(count)s orders are being checked.", count
    )
    level = messages.SUCCESS if count else messages.WARNING
    modeladmin.message_user(request, digits_shown(text % {"count": count}), level)
    tell_left_alone(modeladmin, request, checked.left)
    if checked.more:
        text = ngettext(
            "At most %(count)s order is checked at once; the others remain.",
            "At most %(count)s orders are checked at once; the others remain.",
            desk.MOST_AT_ONCE,
        )
        told = digits_shown(text % {"count": desk.MOST_AT_ONCE})
        modeladmin.message_user(request, told, messages.WARNING)


@admin.action(description=_("Release lock"), permissions=["release"])
def release_locks(modeladmin, request, queryset):
    """End the claims of the chosen orders, after a second look at them; live ones for a reason."""
    return ask_or_release(modeladmin, request, queryset, "admin/release_locks.html")


@admin.action(description=_("Clear stale locks"), permissions=["release"])
def clear_stale_locks(modeladmin, request, queryset):
    """End the claims of the chosen orders that ran out."""
    count = claims.clear_stale(queryset, by=request.user)
    text = ngettext(
        "%(count)s stale lock was cleared.", "%(count)s stale locks were cleared.", count
    )
    modeladmin.message_user(request, digits_shown(text % {"count": count}))


def ask_or_release(modeladmin, request, queryset, template, **shown):
    """Return the page that asks before claims are ended; None once there is nothing to ask."""
    most = lock_endings.MOST_AT_ONCE
    if "confirmed" in request.POST:
        takings, more = lock_endings.shown_takings(request)[:most], False
    else:
        kind = KINDS["order"]
        keys = list(queryset.claimed().values_list("pk", flat=True)[: most + 1])
        found = Claims({kind: kind.rows().filter(pk__in=keys[:most])})
        takings, more = [claim.taking for claim in found[:]], len(keys) > most
        tell_free(modeladmin, request, queryset)
    return lock_endings.ask_or_end(
        request, takings, template, more=more, most_at_once=most, opts=modeladmin.opts, **shown
    )


def tell_free(modeladmin, request, queryset):
    """Say which of the chosen orders are nobody's."""
    free = queryset.filter(claimed_until__isnull=True).order_by("pk")
    why = _t("nobody has it")
    left = [(order, why) for order in free[:MOST_NAMED]]
    more = free[: lock_endings.MOST_AT_ONCE].count() - len(left)
    tell_left_alone(modeladmin, request, left, more)


def tell_left_alone(modeladmin, request, left, more=0):
    """Say of orders to which nothing was done why; of many only of the first."""
    more += max(0, len(left) - MOST_NAMED)
    lines = [
        format_html("{}: {}", code(order.user_identifier), why) for order, why in left[:MOST_NAMED]
    ]
    if more:
        text = ngettext("and %(count)s more", "and %(count)s more", more) % {"count": more}
        lines.append(digits_shown(text))
    if lines:
        rows = ((line,) for line in [_t("Left alone:"), *lines])
        told = format_html_join(mark_safe("<br>"), "{}", rows)
        modeladmin.message_user(request, told, messages.WARNING)


class OrderActionsMixin:
    actions = [check_status, release_locks, clear_stale_locks]

    def has_check_permission(self, request):
        return request.user.has_perm("orders.check_productorder")

    def has_release_permission(self, request):
        return request.user.has_perm("orders.release_productorder")

    def get_urls(self):
        views = {"check": self.check_view, "release": self.release_view}
        return [
            path(
                f"<int:order_id>/{name}/",
                self.admin_site.admin_view(view),
                name=f"orders_productorder_{name}",
            )
            for name, view in views.items()
        ] + super().get_urls()

    def render_change_form(self, request, context, *args, **kwargs):
        order = context.get("original")
        context |= {
            "may_check": order and self.has_check_permission(request),
            "may_release": order and order.claimed_until and self.has_release_permission(request),
        }
        return super().render_change_form(request, context, *args, **kwargs)

    @method_decorator(require_POST)
    def check_view(self, request, order_id):
        """Have one order asked about, from its page."""
        rows = self._one(request, order_id, self.has_check_permission)
        check_status(self, request, rows)
        return self._back_to(order_id)

    @method_decorator(require_POST)
    @method_decorator(never_cache)
    def release_view(self, request, order_id):
        """End the claim on one order, from its page."""
        rows = self._one(request, order_id, self.has_release_permission)
        template = "admin/orders/productorder/release.html"
        page = ask_or_release(self, request, rows, template, order=rows.get())
        return page or self._back_to(order_id)

    def _one(self, request, order_id, may):
        if not may(request):
            raise PermissionDenied
        rows = ProductOrder.objects.filter(pk=order_id).defer("pin_code")
        if not self.has_view_permission(request) or not rows.exists():
            raise Http404
        return rows

    def _back_to(self, order_id):
        page = reverse("admin:orders_productorder_change", args=[order_id])
        return HttpResponseRedirect(page)
