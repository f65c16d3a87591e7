"""How the office answers programs: in JSON, and every refusal in words."""

import logging
import time
from functools import wraps

from django.core.cache import cache
from django.http import JsonResponse
from django.utils.translation import gettext as _t
from django.views import csrf

logger = logging.getLogger(__name__)
MINUTE = 60


def refuse(status, error, **headers):
    """Return the answer to a request that was not served."""
    return JsonResponse({"success": False, "error": error}, status=status, headers=headers)


def endpoint(permission, *, calls_a_minute=30):
    """Decorate a view that changes something: POST alone, by who may, and not without end."""

    def decorate(view):
        name = f"{view.__module__}.{view.__name__}"

        @wraps(view)
        def guarded(request):
            if not request.user.is_authenticated:
                return refuse(401, _t("Log in first."))
            if request.method != "POST":
                return refuse(405, _t("Only POST is accepted here."), Allow="POST")
            if not (request.user.is_staff and request.user.has_perm(permission)):
                return refuse(403, _t("You do not have the right to do this."))
            if _calls(name, request.user) > calls_a_minute:
                wait = str(MINUTE - int(time.time()) % MINUTE)
                text = _t("Too many requests; try again in a minute.")
                return refuse(429, text, **{"Retry-After": wait})
            try:
                return view(request)
            except Exception:  # its text may hold an address or a secret
                logger.exception("%s failed", name)
                return refuse(500, _t("This could not be done. The fault is recorded."))

        return guarded

    return decorate


def _calls(name, user):
    """Count this call; return how many the user made in this minute."""
    key = f"calls:{name}:{user.pk}:{int(time.time()) // MINUTE}"
    cache.add(key, 0, 2 * MINUTE)
    return cache.incr(key)


def csrf_failure(request, reason=""):
    """Answer a request without the page's token: in JSON under /api/, elsewhere Django's page."""
    if not request.path.startswith("/api/"):
        return csrf.csrf_failure(request, reason)
    if not request.user.is_authenticated:
        return refuse(401, _t("Log in first."))
    return refuse(403, _t("This request did not come from a page of the office."))
