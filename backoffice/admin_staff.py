"""Staff accounts and roles, which superusers keep."""

from itertools import groupby
from operator import attrgetter

from django import forms
from django.contrib import admin
from django.contrib.auth import admin as auth_admin
from django.contrib.auth.models import Group, Permission, User
from django.db import models
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from backoffice.site import SuperusersOnly

# What only superusers open; a permission on these would give nothing.
NOT_FOR_STAFF = (
    "admin",
    "admin_interface",
    "auth",
    "axes",
    "contenttypes",
    "django_q",
    "sessions",
)
ACTIONS = {
    "view": _("view"),
    "add": _("add"),
    "change": _("change"),
    "delete": _("delete"),
    "import": _("import"),
    "export": _("export"),
}


class PermissionsByModel(forms.models.ModelChoiceIterator):
    def __iter__(self):
        rows = self.queryset.select_related("content_type").order_by("content_type", "pk")
        for content_type, permissions in groupby(rows, key=attrgetter("content_type")):
            model = content_type.model_class()
            if model:
                name = f"{model._meta.app_config.verbose_name}: {model._meta.verbose_name}"
                yield name, [self.choice(permission) for permission in permissions]


class PermissionsField(forms.ModelMultipleChoiceField):
    """Permissions in the language of the page; their rows keep the English of ``migrate``."""

    widget = forms.CheckboxSelectMultiple
    iterator = PermissionsByModel

    def label_from_instance(self, permission):
        model = permission.content_type.model_class()
        names = dict(model._meta.permissions) | {
            f"{action}_{model._meta.model_name}": label for action, label in ACTIONS.items()
        }
        return names.get(permission.codename, permission.codename)


@admin.register(Group)
class RoleAdmin(SuperusersOnly, auth_admin.GroupAdmin):
    filter_horizontal = []

    class Media:
        css = {"all": ["backoffice/roles.css"]}

    def formfield_for_manytomany(self, db_field, request=None, **kwargs):
        permissions = Permission.objects.exclude(content_type__app_label__in=NOT_FOR_STAFF)
        return PermissionsField(permissions, required=False, label=db_field.verbose_name)


@admin.register(User)
class StaffAdmin(SuperusersOnly, auth_admin.UserAdmin):
    """Accounts are deactivated, not deleted: the history names them. Rights come from roles."""

    list_display = ["username", "full_name", "roles", "is_active", "is_superuser", "last_login"]
    list_filter = ["is_active", "is_superuser", "groups", "last_login"]
    actions = ["deactivate", "activate"]
    fieldsets = [
        (None, {"fields": ["username", "password"]}),
        (_("Personal info"), {"fields": ["first_name", "last_name", "email"]}),
        (_("Roles"), {"fields": ["is_active", "groups", "is_superuser"]}),
        (_("Important dates"), {"fields": ["last_login", "date_joined"]}),
    ]
    add_fieldsets = [
        (None, {"fields": ["username", "first_name", "last_name", "password1", "password2"]}),
        (_("Roles"), {"fields": ["groups"]}),
    ]
    readonly_fields = ["last_login", "date_joined"]
    filter_horizontal = []
    formfield_overrides = {models.ManyToManyField: {"widget": forms.CheckboxSelectMultiple}}

    def has_delete_permission(self, request, obj=None):
        return False

    def get_queryset(self, request):
        return super().get_queryset(request).prefetch_related("groups")

    def get_readonly_fields(self, request, obj=None):
        # Whoever shuts himself out has nobody to let him in again.
        own = ["is_active", "is_superuser"] if obj == request.user else []
        return [*super().get_readonly_fields(request, obj), *own]

    def save_model(self, request, obj, form, change):
        if not change:
            obj.is_staff = True
        super().save_model(request, obj, form, change)

    @admin.display(description=_("name"))
    def full_name(self, user):
        return user.get_full_name() or "-"

    @admin.display(description=_("roles"))
    def roles(self, user):
        return "، ".join(group.name for group in user.groups.all()) or "-"

    @admin.action(permissions=["change"], description=_("Deactivate"))
    def deactivate(self, request, queryset):
        self.switch(request, queryset.exclude(pk=request.user.pk), False, _t("Deactivated."))

    @admin.action(permissions=["change"], description=_("Activate"))
    def activate(self, request, queryset):
        self.switch(request, queryset, True, _t("Activated."))

    def switch(self, request, accounts, active, message):
        """Open or close accounts, each with a line in its history; one's own stays as it is."""
        changed = list(accounts.exclude(is_active=active))
        for user in changed:
            self.log_change(request, user, message)
        accounts.filter(pk__in=[user.pk for user in changed]).update(is_active=active)
        self.message_user(
            request,
            ngettext(
                "%(count)s account was changed.", "%(count)s accounts were changed.", len(changed)
            )
            % {"count": len(changed)},
        )
