import os

import pytest
from django.contrib.auth import get_user_model

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
