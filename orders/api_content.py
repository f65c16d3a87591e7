"""What a shop's program sends with an order, and with its questions: read, or refused in words."""

import json
import re

from django import forms
from django.core.exceptions import ValidationError
from django.http import UnreadablePostError
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from backoffice.persian import normalise_typed
from orders.api_access import Refused
from orders.shop import Wanted

MOST_BYTES = 16_384
# Also what turns the direction of a text, so that it reads otherwise than it is; and halves of a
# sign, which are no text at all.
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
KEY = re.compile("[\x21-\x7e]{1,255}")


class Text(forms.CharField):
    """A text of JSON, as it is stored; nothing else is made a text."""

    def to_python(self, value):
        if value is not None and not isinstance(value, str):
            raise ValidationError(_("This has to be a text."), code="wrong_type")
        if value and CONTROL.search(value):
            text = _("This holds characters that are no part of a text.")
            raise ValidationError(text, code="forbidden_characters")
        return normalise_typed(super().to_python(value))


class ContentForm(forms.Form):
    productId = Text(max_length=40)
    packageId = Text(max_length=40)
    userIdentifier = Text(max_length=100)
    extraField = Text(max_length=200, required=False)


def wanted_of(request):
    """Return what a request orders; raise ``Refused`` with every field that is wrong."""
    content = _json_of(request)
    form = ContentForm(content)
    unknown = [name for name in content if name not in form.fields]
    if unknown or not form.is_valid():
        problems = {name: errors.as_data()[0] for name, errors in form.errors.items()}
        no_field = ValidationError(_("There is no such field."), code="unknown_field")
        raise invalid(problems | dict.fromkeys(unknown, no_field))
    data = form.cleaned_data
    return Wanted(data["productId"], data["packageId"], data["userIdentifier"], data["extraField"])


def invalid(problems):
    """Return the refusal of fields, each with its ValidationError."""
    fields = {
        name: {"error": " ".join(problem.messages), "code": problem.code or "invalid"}
        for name, problem in problems.items()
    }
    return Refused(400, "invalid", _t("Some of what was sent can't be accepted."), fields=fields)


def idempotency_key_of(request):
    """Return the key under which a request is known if it comes again, '' where it has none."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return ""
    if not KEY.fullmatch(key):
        text = _t("Idempotency-Key takes 1 to 255 visible ASCII characters.")
        raise Refused(400, "idempotency_key_invalid", text)
    return key


def _json_of(request):
    if request.content_type != "application/json":
        text = _t("Send JSON, as Content-Type: application/json.")
        raise Refused(415, "json_needed", text)
    if int(request.META.get("CONTENT_LENGTH") or 0) > MOST_BYTES:
        raise Refused(413, "too_large", _t("This is longer than any order."))
    try:
        content = json.loads(request.body)
    except (ValueError, RecursionError, UnreadablePostError):
        content = None
    if not isinstance(content, dict):
        raise Refused(400, "json_invalid", _t("This is no JSON object."))
    return content
