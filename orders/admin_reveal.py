"""The one page that shows a PIN."""

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.decorators import method_decorator
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from orders import desk
from orders.encryption import Undecryptable


class RevealPinMixin:
    change_form_template = "admin/orders/productorder/change_form.html"

    def get_urls(self):
        reveal = self.admin_site.admin_view(self.reveal_view)
        name = "orders_productorder_reveal"
        return [path("<int:order_id>/reveal/", reveal, name=name), *super().get_urls()]

    @method_decorator(require_POST)
    @method_decorator(never_cache)
    def reveal_view(self, request, order_id):
        """Show an order's PIN once, recorded, to whoever may see it."""
        if not request.user.has_perm("orders.reveal_pin_productorder"):
            raise PermissionDenied
        order = self.get_object(request, str(order_id))
        if order is None or not self.has_view_permission(request, order):
            raise Http404
        pin, told = None, gettext("This order has no PIN.")
        try:
            pin = desk.reveal_pin(order_id, by=request.user)
        except Undecryptable:
            told = gettext("This PIN can't be opened: its encryption key is missing.")
        if pin is None:
            self.message_user(request, told, messages.WARNING)
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("PIN code"),
            "opts": self.opts,
            "original": order,
            "pin": pin,
        }
        return TemplateResponse(request, "admin/orders/productorder/pin.html", context)
