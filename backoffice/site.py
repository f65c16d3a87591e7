"""The admin site of the office, and two kinds of access narrower than permissions."""

from django.apps import apps
from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from backoffice import admin_desk, first_page, locks

# Their admin classes are not wanted. The queue's let whoever may change a schedule run any Python,
# and repeat a purchase by "resubmit"; the office has its own for these models and for accounts.
REPLACED = {"django_q.admin", "django.contrib.auth.admin"}
BEHIND = {"backoffice", "auth", "axes", "django_q", "admin_interface"}


class OfficeAdminSite(admin.AdminSite):
    site_title = _("Back office")
    site_header = _("Back office")
    index_title = _("Today")

    def register(self, model_or_iterable, admin_class=None, **options):
        """Register, but for the admin classes that the office replaces by its own."""
        if admin_class is None or admin_class.__module__ not in REPLACED:
            super().register(model_or_iterable, admin_class, **options)

    def get_app_list(self, request, app_label=None):
        """Return the apps that staff work in before those behind them, as they are declared.

        The alphabet would tear receipts from issues, and put the queue above the warehouse.
        """
        declared = list(apps.app_configs)
        models = list(self._registry)
        listed = super().get_app_list(request, app_label)
        for app in listed:
            app["models"].sort(key=lambda row: models.index(row["model"]))
        return sorted(
            listed,
            key=lambda app: (app["app_label"] in BEHIND, declared.index(app["app_label"])),
        )

    def get_urls(self):
        return [*admin_desk.urls(self), *super().get_urls()]

    def each_context(self, request):
        """Lead to the lock desk from every page, whoever may see it."""
        return super().each_context(request) | {
            "sees_lock_desk": admin_desk.is_open_to(request.user)
        }

    def logout(self, request, extra_context=None):
        """Give back all that this person edits: whoever goes home keeps nobody waiting."""
        if request.method == "POST" and request.user.is_authenticated:
            locks.release_all_of(request.user, apps.get_models())
        return super().logout(request, extra_context)

    def index(self, request, extra_context=None):
        """Show what is claimed, what ran out and how the cluster is, above the list of apps."""
        shown = {"first_page": first_page.contents(request.user)}
        return super().index(request, shown | (extra_context or {}))

    def app_index(self, request, app_label, extra_context=None):
        """Show the numbers of one app above the list of its models."""
        shown = {"first_page": first_page.contents(request.user, app_label)}
        return super().app_index(request, app_label, shown | (extra_context or {}))


class ReadOnlyAdmin(admin.ModelAdmin):
    """Rows that come from elsewhere: nobody adds, changes or deletes them on a page."""

    show_full_result_count = False

    def has_add_permission(self, request):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False


class SuperusersOnly:
    """No permission opens this admin: who may give permissions could take them all."""

    def has_module_permission(self, request):
        return request.user.is_active and request.user.is_superuser

    def has_view_permission(self, request, obj=None):
        return self.has_module_permission(request) and super().has_view_permission(request, obj)

    def has_add_permission(self, request):
        return self.has_module_permission(request) and super().has_add_permission(request)

    def has_change_permission(self, request, obj=None):
        return self.has_module_permission(request) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request, obj=None):
        return self.has_module_permission(request) and super().has_delete_permission(request, obj)
