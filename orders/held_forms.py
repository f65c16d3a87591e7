"""What people send from the screen of held orders: which they look for, what they decide."""

from dataclasses import dataclass

from django import forms
from django.core.exceptions import BadRequest
from django.db.models import BigIntegerField
from django.utils.translation import gettext_lazy as _

from backoffice.persian_forms import DecimalField, IntegerField
from orders import held, settling
from orders.deciding import Typed
from orders.decisions import REASON_LENGTH
from orders.models import ProviderIntegration, Tenant

MOST_AT_ONCE = 100  # a page, and what was left alone beside it
LARGEST_KEY = BigIntegerField.MAX_BIGINT  # what is more, no database takes as a parameter
BUTTONS = {
    settling.CHECK: _("Check status"),
    settling.SEND_ELSEWHERE: _("Send to another provider"),
    settling.DELIVER: _("Register delivery by hand"),
    settling.REFUND: _("Cancel and register a refund"),
    settling.CLOSE: _("Close the incident"),
}
CODE = {"dir": "ltr", "autocomplete": "off", "spellcheck": "false"}


class WantedForm(forms.Form):
    """Which held orders the screen shows."""

    q = forms.CharField(label=_("Search"), required=False)
    tenant = forms.ModelChoiceField(
        Tenant.objects.all(), label=_("tenant"), required=False, empty_label=_("all")
    )
    integration = forms.ModelChoiceField(
        ProviderIntegration.objects.all(),
        label=_("integration"),
        required=False,
        empty_label=_("all"),
    )
    reason = forms.CharField(required=False, widget=forms.HiddenInput)

    def rows(self):
        """Return the orders that are wanted, for whatever reason held; refuse what no page asks."""
        if not self.is_valid():
            raise BadRequest("The held orders can't be narrowed to this")
        told = self.cleaned_data
        keys = {name: told[name] and told[name].pk for name in ("tenant", "integration")}
        return held.find(words=told["q"], **keys)


class SharedForm(forms.Form):
    """What holds for each chosen order for which nothing else was typed."""

    reason = forms.CharField(
        label=_("Reason"), required=False, widget=forms.TextInput({"maxlength": REASON_LENGTH})
    )
    integration = IntegerField(label=_("provider"), required=False, widget=forms.Select)

    def offer(self, ways):
        """Let people choose among these ways: (key, what is said of it)."""
        self.fields["integration"].widget.choices = [("", "—"), *ways]
        return self

    def typed(self, name):
        """Return what was typed; None where it is nothing that can be read."""
        return self.cleaned_data.get(name)


class OrderForm(SharedForm):
    """What a person types for one order."""

    pin = forms.CharField(label=_("PIN code"), required=False, widget=forms.TextInput(CODE))
    amount = DecimalField(
        label=_("amount given back"),
        required=False,
        max_digits=14,
        decimal_places=2,
        show_hidden_initial=True,  # tells what was typed from what the page proposed
    )


@dataclass(frozen=True)
class Posted:
    """A decision that was sent: which, on which orders, and what was typed for these and others."""

    choice: str
    chosen: list[int]
    ticked: set[int]
    seen: dict[int, str]
    shared: SharedForm
    forms: dict[int, OrderForm]
    is_bulk: bool

    @classmethod
    def read(cls, content):
        """Return what was sent; refuse what no page of ours sends."""
        choice, _colon, single = content.get("do", "").partition(":")
        if choice not in BUTTONS:
            raise BadRequest("No such decision")
        sent = [name.removesuffix("-seen") for name in content if name.endswith("-seen")]
        seen = {pk: content[f"{pk}-seen"] for pk in _keys(sent)[:MOST_AT_ONCE]}
        ticked = {pk for pk in _keys(content.getlist("order")) if pk in seen}
        if "everything" in content:
            ticked = set(seen)
        shared = SharedForm(content, prefix="shared")
        typed = {pk: OrderForm(content, prefix=str(pk)) for pk in seen}
        for form in (shared, *typed.values()):
            form.full_clean()  # what can't be read is told beside it, and by the decision
        chosen = [pk for pk in _keys([single]) if pk in seen] if single else sorted(ticked)
        return cls(choice, chosen, ticked, seen, shared, typed, is_bulk=not single)

    def of_order(self, pk):
        """Return what was typed for an order; from the shared fields where its own are empty."""
        form, shared = self.forms[pk], self.shared
        return Typed(
            order_id=pk,
            seen=self.seen[pk],
            reason=form.typed("reason") or shared.typed("reason") or "",
            integration_id=form.typed("integration") or shared.typed("integration"),
            pin=form.typed("pin") or "",
            amount=form.typed("amount"),
        )

    def is_begun(self, pk):
        """Return whether something was typed or ticked for an order."""
        return pk in self.ticked or self.forms[pk].has_changed()


def _keys(texts):
    plain = (text for text in texts if text.isascii() and text.isdigit() and len(text) < 20)
    return [pk for pk in map(int, plain) if 0 < pk <= LARGEST_KEY]
