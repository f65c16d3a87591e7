import json
import uuid

from django import forms
from django.contrib.admin.widgets import AdminTextInputWidget
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from orders import providers
from orders.addresses import origin_of, validate_allowed_hosts
from orders.models import ProductOrder, ProviderIntegration, TenantToken

ADDRESSED = ("provider", "base_url")


class CredentialsWidget(forms.Textarea):
    """Takes secrets and never gives them back, not even after a mistake elsewhere in the form."""

    holds_secret = True  # no draft keeps it

    def format_value(self, value):
        return ""


class CredentialsField(forms.CharField):
    """Lines ``name=value``; becomes the text that is stored, '' where nothing was typed."""

    widget = CredentialsWidget(attrs={"rows": 3, "dir": "ltr", "autocomplete": "off"})

    def clean(self, value):
        lines = [line for line in super().clean(value).splitlines() if line.strip()]
        if not all("=" in line for line in lines):
            raise ValidationError(_("Write one name=value on each line."))
        pairs = (line.split("=", 1) for line in lines)
        known = {name.strip(): secret.strip() for name, secret in pairs}
        return json.dumps(known) if known else ""

    def has_changed(self, initial, data):
        return bool(data)


def provider_choices():
    return [(name, name) for name in providers.names()]


class ProviderIntegrationForm(forms.ModelForm):
    provider = forms.ChoiceField(label=_("provider"), choices=provider_choices)
    # Not the model's field: what is stored is not even read for this form.
    new_credentials = CredentialsField(
        label=_("credentials"),
        required=False,
        help_text=_(
            "One name=value on each line: for znet kod and sifre, for barakat api_token and, if "
            "its word accepted means done, accepted=completed. They are kept encrypted and never "
            "shown again; leave this empty to keep those that are stored. "
            "Another base address needs them anew."
        ),
    )

    class Meta:
        model = ProviderIntegration
        fields = (
            "code",
            "name",
            "provider",
            "base_url",
            "allowed_hosts",
            "calls_per_second",
            "low_balance",
            "exchange_rate",
            "is_active",
        )
        widgets = {
            "base_url": AdminTextInputWidget(attrs={"dir": "ltr"}),
            "allowed_hosts": AdminTextInputWidget(attrs={"dir": "ltr"}),
        }

    def clean_allowed_hosts(self):
        hosts, address = self.cleaned_data["allowed_hosts"], self.cleaned_data.get("base_url")
        validate_allowed_hosts(hosts)  # before the model's own, as it is read here
        if hosts and address and not origin_of(address).is_among(hosts.split()):
            raise ValidationError(_("The base address is not among these hosts."))
        return hosts

    def clean(self):
        data = super().clean()
        given = json.loads(data.get("new_credentials") or "{}")
        provider = data.get("provider")
        # To another address the stored ones are not sent: they would be shown to whoever has it.
        moved = any(data[n] != getattr(self.instance, n) for n in ADDRESSED if n in data)
        wanted = self.instance.pk is None or given or moved
        if provider and "new_credentials" in data and wanted:
            self._require_credentials(given, providers.get_adapter(provider))
        return data

    def _require_credentials(self, given, adapter):
        """Refuse credentials that are not the provider's, or an option with an unknown value."""
        needed, options = set(adapter.credential_names), adapter.optional_values
        if set(given) - set(options) != needed or not all(given.values()):
            text = _("This provider needs exactly: %(names)s.")
            names = ", ".join(sorted(needed))
            self.add_error("new_credentials", ValidationError(text, params={"names": names}))
        elif not _can_be_sent(adapter, given):
            text = _("These credentials can't be sent to the provider. Use Latin letters only.")
            self.add_error("new_credentials", ValidationError(text, code="unsendable"))
        for name, values in options.items():
            if name in given and given[name] not in values:
                text = _("The value of %(name)s is one of: %(values)s.")
                params = {"name": name, "values": ", ".join(values)}
                self.add_error("new_credentials", ValidationError(text, params=params))

    def save(self, commit=True):
        if self.cleaned_data["new_credentials"]:
            self.instance.credentials = self.cleaned_data["new_credentials"]
        return super().save(commit)


def _can_be_sent(adapter, creds):
    try:
        adapter.balance_request(creds)
    except ValueError:
        return False
    return True


class NewOrderForm(forms.ModelForm):
    """Brings the order's number from its page, so that a page sent twice orders once."""

    page = forms.UUIDField(label="", widget=forms.HiddenInput, initial=uuid.uuid4, required=False)

    def clean(self):
        data = super().clean()
        number = data.get("page")
        if number and ProductOrder.objects.filter(public_id=number).exists():
            raise ValidationError(_("This order was taken already."))
        self.instance.public_id = number or self.instance.public_id
        return data


class NewTokenForm(forms.ModelForm):
    """Brings the number of its page, so that a page sent twice makes one key."""

    of_page = forms.UUIDField(
        label="", widget=forms.HiddenInput, initial=uuid.uuid4, required=False
    )

    def clean_of_page(self):
        page = self.cleaned_data["of_page"]
        if page and TenantToken.objects.filter(page=page).exists():
            text = _(
                "This token was made already, and is shown only once. If nobody copied it, "
                "revoke it in the list and make another one."
            )
            self.add_error(None, ValidationError(text, code="made_already"))
        return page
