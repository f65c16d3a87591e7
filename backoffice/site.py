from django.contrib import admin


class OfficeAdminSite(admin.AdminSite):
    pass
