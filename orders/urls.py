from pathlib import Path

from django.urls import path

from backoffice import openapi
from orders import api, monitoring

openapi.register(Path(__file__).with_name("openapi.json"))
urlpatterns = [
    path("orders/", api.orders, name="api-orders"),
    # Django would lead here from there, and a POST that is led on arrives as a GET.
    path("orders", api.orders),
    path("monitoring/orders/", monitoring.orders_now, name="orders-now"),
    path("orders/<str:public_id>/", api.order, name="api-order"),
]
