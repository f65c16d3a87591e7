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
from orders.models import OrderEvent, Status


class RevealForm(forms.Form):
    reason = forms.CharField(
        label=_("Reason"),
        max_length=300,
        widget=forms.TextInput(attrs={"class": "vTextField"}),
        error_messages={"required": _("Say why the PIN is needed.")},
    )
    # Of an attempt that keeps a PIN beside its order; empty: the order's own
    attempt = forms.IntegerField(required=False, min_value=1, widget=forms.HiddenInput)

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
        if order and request.user.has_perm("orders.reveal_pin_productorder"):
            context["reveal_forms"] = list(reveal_forms(order))
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
        own = not request.POST.get("attempt")
        form = RevealForm(request.POST, delivers=own and delivers(order))
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
        typed = {"by": request.user, "reason": form.cleaned_data.get("reason", "")}
        number = form.cleaned_data["attempt"]
        try:
            if number:
                pin = desk.reveal_kept_pin(order.pk, number, **typed)
            else:
                pin = desk.reveal_pin(order.pk, **typed)
            if pin:
                return pin
        except Undecryptable:
            told = gettext("This PIN can't be opened: its encryption key is missing.")
        except desk.ReasonNeeded:
            told = gettext("Somebody was faster: this PIN was shown just now.")
        self.message_user(request, told, messages.WARNING)
        return None


def reveal_forms(order):
    """Yield a form for each PIN of an order, with what its button says."""
    if order.has_pin:
        shown = order.events.filter(what=OrderEvent.What.REVEALED).exists()
        again = gettext("Show the PIN again") if shown else gettext("Show the PIN")
        says = gettext("Show the PIN and deliver") if delivers(order) else again
        yield RevealForm(delivers=delivers(order)), says
    for attempt in desk.kept_pins(order.pk).select_related("integration"):
        form = RevealForm(delivers=False, initial={"attempt": attempt.number}, auto_id=False)
        name = {"integration": attempt.integration}
        yield form, gettext("Show the second PIN, of %(integration)s") % name


def delivers(order):
    """Return whether showing the PIN now is the delivery, which takes no reason."""
    return order.external_status == Status.COMPLETED
