"""The office's settings with what only tests need: quick hashes and unhashed static files."""

from backoffice.settings import *  # noqa: F403 - the same settings, a few replaced

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # noqa: F405 - WhiteNoise warns without it
CACHES = {
    # Of each test process alone: another that empties a shared one would cost this one a query.
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
}
