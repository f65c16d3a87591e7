"""How the program of a tenant's shop comes in: by its key, and never by a session of staff.

Every refusal is JSON: ``error`` in words of the language that the program asks for, ``code`` for
itself, and ``fields`` where they are to blame.
"""

import logging
import traceback

from django.conf import settings
from django.http import JsonResponse
from django.utils import translation
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _t
from django.utils.translation.trans_real import parse_accept_lang_header
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_variables

from backoffice import json_api
from orders import tokens

logger = logging.getLogger(__name__)
LANGUAGE = "en"  # of who names none: its reader is a programmer
CHALLENGE = 'Bearer realm="orders"'


class Refused(Exception):
    """A request is not served; holds the whole answer to it."""

    def __init__(self, status, code, error, *, fields=None, **headers):
        super().__init__(code)
        self.status = status
        self.content = {"error": error, "code": code} | ({"fields": fields} if fields else {})
        self.headers = headers

    def answer(self):
        return JsonResponse(self.content, status=self.status, headers=self.headers)


def resource(**handlers):
    """Return the view of an address of the API: for each method, who answers it.

    A handler takes the request and the key that it came with, beside what the address holds.
    """

    @csrf_exempt
    def view(request, **kwargs):
        language = language_of(request)
        with translation.override(language):
            response = _answer(request, handlers, kwargs)
        response.headers["Content-Language"] = language
        response.headers["Cache-Control"] = "no-store"
        patch_vary_headers(response, ["Accept-Language", "Authorization"])
        return response

    view.handlers = handlers
    return view


def language_of(request):
    """Return the language of the answer: of the office's, the one that the request likes best."""
    for code, _weight in parse_accept_lang_header(request.headers.get("Accept-Language", "")):
        try:
            return translation.get_supported_language_variant(code)
        except LookupError:
            continue
    return LANGUAGE


def _answer(request, handlers, kwargs):
    try:
        token = _token_of(request)
        handler = handlers.get(request.method)
        if handler is None:
            text = _t("This way of asking is not accepted here.")
            raise Refused(405, "method_not_allowed", text, Allow=", ".join(handlers))
        _count(token)
        return handler(request, token, **kwargs)
    except Refused as refusal:
        return refusal.answer()
    except Exception as problem:
        # Where it broke, without its words: they may hold a key, a PIN or a customer.
        trace = "".join(traceback.format_tb(problem.__traceback__))
        logger.error("%s: %s\n%s", request.resolver_match.route, type(problem).__name__, trace)
        text = _t("This could not be done. The fault is recorded.")
        return Refused(500, "server_error", text).answer()


@sensitive_variables()
def _token_of(request):
    scheme, _space, plain = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not plain.strip():
        challenge = {"WWW-Authenticate": CHALLENGE}
        raise Refused(401, "token_needed", _t("Send the shop's token."), **challenge)
    token = tokens.holder_of(plain.strip())
    if token is None:
        challenge = {"WWW-Authenticate": f'{CHALLENGE}, error="invalid_token"'}
        raise Refused(401, "token_invalid", _t("This token is not valid."), **challenge)
    return token


def _count(token):
    wait = json_api.seconds_to_wait(__name__, token.pk, settings.ORDER_API_CALLS_A_MINUTE)
    if wait:
        text = _t("Too many requests; try again in a minute.")
        raise Refused(429, "too_many_requests", text, **{"Retry-After": str(wait)})
