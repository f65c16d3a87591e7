"""Two things every answer of the office obeys: its policy for content, and its language."""

from django.conf import settings
from django.utils import translation

# Styles only may be inline: the theme writes its colours into a <style> element.
POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
)


def content_security_policy(get_response):
    """Forbid scripts and addresses that are not the office's own."""

    def middleware(request):
        response = get_response(request)
        response.headers.setdefault("Content-Security-Policy", POLICY)
        return response

    return middleware


def chosen_language(get_response):
    """Speak Persian, unless this user chose another language in the switcher.

    Django's own middleware would follow the browser's header and greet half the staff in English.
    """
    known = dict(settings.LANGUAGES)

    def middleware(request):
        chosen = request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME)
        language = chosen if chosen in known else settings.LANGUAGE_CODE
        with translation.override(language):
            request.LANGUAGE_CODE = language
            response = get_response(request)
        response.headers.setdefault("Content-Language", language)
        return response

    return middleware
