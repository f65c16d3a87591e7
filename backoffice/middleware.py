"""What every page of the office obeys: its policy for content, its language, its letters."""

from django.conf import settings
from django.contrib.sessions.middleware import SessionMiddleware
from django.utils import translation

from backoffice.persian import normalise_typed

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


class Sessions(SessionMiddleware):
    """Keeps sessions as Django does, and takes no beat of an open page for somebody's activity.

    Where every request prolongs a session, an abandoned page would keep its own alive for ever.
    """

    def process_response(self, request, response):
        if getattr(request, "is_beat", False) and not request.session.modified:
            return response
        return super().process_response(request, response)


class PersianTyping:
    """Make of every keyboard's letters and digits those that are stored, before a view reads them.

    A class for the sake of ``process_view``: only after the check against forged requests has
    read a form may its body be read. Passwords stay as typed, and so do requests of programs.
    """

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        return self.get_response(request)

    def process_view(self, request, view, args, kwargs):
        request.GET = as_stored(request.GET)
        if request.method == "POST" and not getattr(view, "csrf_exempt", False):
            request.POST = as_stored(request.POST)


def as_stored(typed):
    """Return the values of a form as they are stored; the same object where nothing changes."""
    if all(value.isascii() for _name, values in typed.lists() for value in values):
        return typed
    stored = typed.copy()
    for name, values in typed.lists():
        if "password" not in name:
            stored.setlist(name, [normalise_typed(value) for value in values])
    stored._mutable = False
    return stored
