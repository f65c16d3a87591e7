"""The one page that shows a PIN."""

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.decorators import method_decorator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from orders import desk
from orders.encryption import Undecryptable
from orders.models import Status


class RevealForm(forms.Form):
    reason = forms.CharField(
        label=_("Reason"),
        max_length=300,
        widget=forms.TextInput(attrs={"class": "vTextField"}),
        error_messages={"required": _("Say why the PIN is needed again.")},
    )

    def __init__(self, *args, delivers, **kwargs):
        super().__init__(*args, **kwargs)
        if delivers:
            del self.fields["reason"]


class RevealPinMixin:
    change_form_template = "admin/orders/productorder/change_form.html"

    def get_urls(self):
        reveal = self.admin_site.admin_view(self.reveal_view)
        name = "orders_productorder_reveal"
        return [path("<int:order_id>/reveal/", reveal, name=name), *super().get_urls()]

    def render_change_form(self, request, context, *args, **kwargs):
        order = context.get("original")
        if order and order.has_pin and request.user.has_perm("orders.reveal_pin_productorder"):
            context["reveal_form"] = RevealForm(delivers=delivers(order))
        return super().render_change_form(request, context, *args, **kwargs)

    @method_decorator(require_POST)
    @method_decorator(never_cache)
    def reveal_view(self, request, order_id):
        """Show an order's PIN once, recorded, to whoever may see it; again only for a reason."""
        if not request.user.has_perm("orders.reveal_pin_productorder"):
            raise PermissionDenied
        order = self.get_object(request, str(order_id))
        if order is None or not self.has_view_permission(request, order):
            raise Http404
        form = RevealForm(request.POST, delivers=delivers(order))
        pin = self._reveal(request, order, form) if form.is_valid() else None
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("PIN code"),
            "opts": self.opts,
            "original": order,
            "pin": pin,
            "form": form,
        }
        return TemplateResponse(request, "admin/orders/productorder/pin.html", context)

    def _reveal(self, request, order, form):
        """Return the PIN; None where it is not shown, and why is told."""
        told = gettext("This order has no PIN.")
        try:
            pin = desk.reveal_pin(
                order.pk, by=request.user, reason=form.cleaned_data.get("reason", "")
            )
            if pin:
                return pin
        except Undecryptable:
            told = gettext("This PIN can't be opened: its encryption key is missing.")
        except desk.ReasonNeeded:
            told = gettext("Somebody was faster: this PIN was shown just now.")
        self.message_user(request, told, messages.WARNING)
        return None


def delivers(order):
    """Return whether showing the PIN now is the delivery, which takes no reason."""
    return order.external_status == Status.COMPLETED
