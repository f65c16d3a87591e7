"""What staff look for in the list of orders, and what they do with many at once."""

from django.contrib import admin
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from backoffice.persian import digits_shown
from orders import claims, polling


class ClaimFilter(admin.SimpleListFilter):
    title = _("claim")
    parameter_name = "claim"

    def lookups(self, request, model_admin):
        return [("live", _("active")), ("stale", _("run out"))]

    def queryset(self, request, queryset):
        return getattr(queryset, self.value())() if self.value() else queryset


class AttentionFilter(admin.SimpleListFilter):
    title = _("attention")
    parameter_name = "attention"

    def lookups(self, request, model_admin):
        return [
            ("needing_a_person", _("for review")),
            ("open", _("open")),
            ("overdue", _("overdue")),
        ]

    def queryset(self, request, queryset):
        return getattr(queryset, self.value())() if self.value() else queryset


@admin.action(description=_("Check status"), permissions=["check"])
def check_status(modeladmin, request, queryset):
    count = polling.check_now(queryset, by=request.user)
    text = ngettext(
        "%(count)s open order is being checked.", "%(count)s open orders are being checked.", count
    )
    modeladmin.message_user(request, text % {"count": digits_shown(str(count))})


@admin.action(description=_("Release lock"), permissions=["release"])
def release_locks(modeladmin, request, queryset):
    count = claims.force_release(queryset, by=request.user, reason=gettext("From the list"))
    text = ngettext("%(count)s lock was released.", "%(count)s locks were released.", count)
    modeladmin.message_user(request, text % {"count": digits_shown(str(count))})


@admin.action(description=_("Clear stale locks"), permissions=["release"])
def clear_stale_locks(modeladmin, request, queryset):
    count = claims.clear_stale(queryset, by=request.user)
    text = ngettext(
        "%(count)s stale lock was cleared.", "%(count)s stale locks were cleared.", count
    )
    modeladmin.message_user(request, text % {"count": digits_shown(str(count))})


class OrderActionsMixin:
    actions = [check_status, release_locks, clear_stale_locks]

    def has_check_permission(self, request):
        return request.user.has_perm("orders.check_productorder")

    def has_release_permission(self, request):
        return request.user.has_perm("orders.release_productorder")
