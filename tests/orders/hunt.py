"""Looks for secrets wherever something is kept or shown, however it is wrapped up."""

import base64
import binascii
import html
import io
import re
import zlib
from functools import cache
from urllib.parse import quote, quote_plus

from django.contrib import admin
from django.core.management import call_command
from django.db import connection
from django.test import RequestFactory

from tests.pages import render

WRAPPED = re.compile(rb"[A-Za-z0-9+/_-]{16,}={0,2}")
DEEPEST = 4


def layers(data, depth=0):
    """Yield bytes and all that is wrapped in them: base64 in any alphabet, compressed or not.

    Pickles keep texts as they are, and need no opening.
    """
    yield data
    if depth == DEEPEST:
        return
    for wrapped in set(WRAPPED.findall(data)):
        body = wrapped.rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
        for start in range(2):  # a sign before it, such as that of a compressed one
            try:
                inner = base64.b64decode(body[start:] + b"=" * (-len(body[start:]) % 4))
            except binascii.Error:
                continue
            yield from layers(inner, depth + 1)
            try:
                yield from layers(zlib.decompress(inner), depth + 1)
            except zlib.error:
                continue


@cache
def forms(secret):
    """Return the ways in which a secret may be written out."""
    plain = {secret, secret.lower(), secret.upper(), quote(secret), quote_plus(secret)}
    plain.add(html.escape(secret))
    escaped = {text.encode("unicode_escape").decode() for text in plain}
    compact = secret.replace("-", "")
    return {text.encode() for text in plain | escaped | {compact}}


def found_in(value, secrets):
    """Return the names of the secrets that a value holds."""
    data = value if isinstance(value, bytes) else str(value).encode()
    wanted = {name: forms(secret) for name, secret in secrets.items()}
    return {
        name
        for layer in layers(data)
        for name, written in wanted.items()
        if any(form in layer for form in written)
    }


def in_tables(secrets):
    """Return the columns of the whole database in which a secret can be read."""
    leaks = set()
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')
            names = [column[0] for column in cursor.description]
            for row in cursor.fetchall():
                for name, value in zip(names, row, strict=True):
                    value = bytes(value) if isinstance(value, memoryview) else value
                    leaks |= {f"{table}.{name}: {leak}" for leak in found_in(value, secrets)}
    return leaks


def in_pages(secrets, user):
    """Return the pages of the admin that show a secret; those that show a PIN take a POST."""
    pages = render(user)
    assert len(pages) > 100
    return {f"{name}: {leak}" for name, text in pages.items() for leak in found_in(text, secrets)}


def in_exports(secrets, user):
    """Return the exports that hold a secret, of every admin that has one."""
    leaks = set()
    request = RequestFactory().get("/")
    request.user = user
    for model_admin in admin.site._registry.values():
        if not hasattr(model_admin, "get_export_resource_classes"):
            continue
        for resource in model_admin.get_export_resource_classes(request):
            name, told = resource.__name__, resource().export().csv
            leaks |= {f"{name}: {leak}" for leak in found_in(told, secrets)}
    return leaks


def in_dump(secrets):
    """Return the secrets that a dump of all data holds."""
    told = io.StringIO()
    call_command("dumpdata", "--all", stdout=told)
    return found_in(told.getvalue(), secrets)


def in_records(secrets, records):
    """Return the loggers that told a secret: in words, arguments, tracebacks or what goes along."""
    leaks = set()
    for record in records:
        told = [record.getMessage(), record.exc_text, record.stack_info]
        told += [value for name, value in vars(record).items() if name != "request"]
        leaks |= {
            f"{record.name}: {leak}" for value in told if value for leak in found_in(value, secrets)
        }
    return leaks
