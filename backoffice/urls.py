"""The addresses of the office: its admin, and what is not a page of it."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from backoffice.health import healthz
from backoffice.metrics import metrics
from backoffice.openapi import described

urlpatterns = [
    path("healthz", healthz),
    path("metrics", metrics),
    path("i18n/", include("django.conf.urls.i18n")),
    path("api/openapi.json", described, name="openapi"),
    path("api/", include("reservations.urls")),
    path("api/", include("orders.urls")),
    path("admin/", admin.site.urls),
    path("", RedirectView.as_view(pattern_name="admin:index")),
]
