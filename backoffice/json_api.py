"""How the office answers programs: in JSON, and every refusal in words."""

import logging
import time
from functools import cache, wraps

from django.conf import settings
from django.contrib.auth.models import Permission
from django.core.cache import cache as office_cache
from django.core.exceptions import PermissionDenied
from django.core.files import locks
from django.db import connection
from django.db.models import Q
from django.http import JsonResponse
from django.utils.translation import gettext as _t
from django.views import csrf

logger = logging.getLogger(__name__)
MINUTE = 60
ASKER = -1  # in a statement that was made ahead: who asks


def refuse(status, error, **headers):
    """Return the answer to a request that was not served."""
    return JsonResponse({"success": False, "error": error}, status=status, headers=headers)


def endpoint(permission, *, method="POST", calls_a_minute=None):
    """Decorate a view that answers programs and scripts: by one method, and to who may.

    Without a ``permission`` the view itself finds out which member of staff may, and raises
    ``PermissionDenied``. ``calls_a_minute`` is how often one person may call it, where that is
    worth a limit.
    """

    def decorate(view):
        name = f"{view.__module__}.{view.__name__}"

        @wraps(view)
        def guarded(request, *args, **kwargs):
            if not request.user.is_authenticated:
                return refuse(401, _t("Log in first."))
            if request.method != method:
                text = _t("This way of asking is not accepted here.")
                return refuse(405, text, Allow=method)
            if not request.user.is_staff or (permission and not may(request.user, permission)):
                return refuse(403, _t("You do not have the right to do this."))
            wait = calls_a_minute and seconds_to_wait(name, request.user.pk, calls_a_minute)
            if wait:
                text = _t("Too many requests; try again in a minute.")
                return refuse(429, text, **{"Retry-After": str(wait)})
            try:
                return view(request, *args, **kwargs)
            except PermissionDenied:
                return refuse(403, _t("You do not have the right to do this."))
            except Exception:  # its text may hold an address or a secret
                logger.exception("%s failed", name)
                return refuse(500, _t("This could not be done. The fault is recorded."))

        guarded.answers_json = True
        return guarded

    return decorate


def may(user, permission):
    """Return whether a person has a permission, by one query; ``has_perm`` takes two."""
    if user.is_superuser:
        return True
    sql, params = _asked(permission)
    with connection.cursor() as cursor:
        cursor.execute(sql, [user.pk if param == ASKER else param for param in params])
        return cursor.fetchone() is not None


@cache
def _asked(permission):
    # Made ahead: the ORM takes longer to make it than the database to answer.
    return given(ASKER, permission).values("pk")[:1].query.sql_with_params()


def given(user_id, permission):
    """Return the row of a permission where a person has it, by name or through a group."""
    app, codename = permission.split(".")
    rows = Permission.objects.filter(content_type__app_label=app, codename=codename)
    return rows.filter(Q(user=user_id) | Q(group__user=user_id))


def seconds_to_wait(name, caller, calls_a_minute):
    """Count a call; return 0 where it may be made, else how long its minute goes on.

    Counted on this machine, one call after the other: a cache of files reads and then writes,
    and of calls at once, which are what a limit is for, it would lose most.
    """
    now = int(time.time())
    key = f"calls:{name}:{caller}:{now // MINUTE}"
    with open(settings.VAR_DIR / "calls.lock", "a") as lock:
        locks.lock(lock, locks.LOCK_EX)
        calls = office_cache.get(key, 0) + 1
        office_cache.set(key, calls, 2 * MINUTE)
    return MINUTE - now % MINUTE if calls > calls_a_minute else 0


def csrf_failure(request, reason=""):
    """Answer a request without the page's token: an endpoint in JSON, else with Django's page."""
    if not getattr(request.resolver_match.func, "answers_json", False):
        return csrf.csrf_failure(request, reason)
    if not request.user.is_authenticated:
        return refuse(401, _t("Log in first."))
    return refuse(403, _t("This request did not come from a page of the office."))
