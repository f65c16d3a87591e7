"""What staff are asked before seats change hands."""

from django import forms
from django.utils.translation import gettext_lazy as _

from reservations import layout
from reservations.models import Reservation, Seat


class SeatForm(forms.ModelForm):
    def clean_price(self):
        seat = Seat.objects.filter(pk=self.instance.pk)
        if "price" in self.changed_data and self.instance.pk and layout.taken(seat):
            raise forms.ValidationError(_("The price stays, because somebody has the seat"))
        return self.cleaned_data["price"]


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label=_("Reason"), max_length=200, widget=forms.TextInput(attrs={"class": "vTextField"})
    )


class OptionalReasonForm(ReasonForm):
    """For holds that ran out: nobody loses anything."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["reason"].required = False


class CustomerForm(forms.ModelForm):
    class Meta:
        model = Reservation
        fields = ("customer", "phone")
        help_texts = {"customer": _("optional"), "phone": _("optional")}
        widgets = {
            "customer": forms.TextInput(attrs={"class": "vTextField"}),
            "phone": forms.TextInput(
                attrs={"class": "vTextField", "dir": "ltr", "inputmode": "tel"}
            ),
        }


class ReservationForm(CustomerForm):
    hold_id = forms.UUIDField(widget=forms.HiddenInput)
    payment_method = forms.ChoiceField(
        label=_("payment method"),
        choices=Reservation.PaymentMethod.choices,
        widget=forms.RadioSelect,
    )

    class Meta(CustomerForm.Meta):
        fields = ("customer", "phone", "payment_method")
