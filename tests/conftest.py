import os

import pytest
from django.contrib.auth import get_user_model
from django.test import TransactionTestCase

from backoffice import append_only

# Playwright keeps an event loop in the main thread, in which Django would refuse its queries.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")


@pytest.fixture
def make_user(db):
    """Return a function that makes a member of staff with the given permissions."""
    from django.contrib.auth.models import Permission

    def make(username, *permissions, **kwargs):
        user = get_user_model().objects.create_user(username, is_staff=True, **kwargs)
        for name in permissions:
            app, codename = name.split(".")
            user.user_permissions.add(
                Permission.objects.get(content_type__app_label=app, codename=codename)
            )
        return user

    return make


@pytest.fixture(scope="session", autouse=True)
def flush_past_append_only():
    """Let a test with real transactions empty the log behind it, which its triggers forbid."""
    table, flush = "backoffice_lockevent", TransactionTestCase._fixture_teardown

    def unprotected_flush(self):
        append_only.unprotect(table)
        flush(self)
        append_only.protect(table)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", unprotected_flush)
        yield
