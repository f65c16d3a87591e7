from axes.apps import AppConfig as AxesConfig
from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps
from django.utils.translation import gettext_lazy as _


class BackofficeConfig(AppConfig):
    name = "backoffice"
    verbose_name = _("Back office")

    def ready(self):
        from backoffice import checks  # noqa: F401, PLC0415 - it needs the models loaded


class OfficeAdminConfig(admin_apps.AdminConfig):
    default_site = "backoffice.site.OfficeAdminSite"


class SignInGuardConfig(AxesConfig):
    verbose_name = _("Sign-in guard")
