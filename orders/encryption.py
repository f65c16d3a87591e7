"""Text that is encrypted in its column and plain through its attribute.

The first of ``settings.ENCRYPTION_KEYS`` encrypts, every one of them decrypts: a new key is put
in front, and the old one stays until no value needs it. An empty text stays empty, so that rows
without a value can be told apart in SQL.
"""

from functools import cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import FieldError
from django.db import models

MARK = "fernet$"  # what every encrypted value begins with
LONG_ENOUGH = 8  # of a shorter PIN, four characters are half of it


class Undecryptable(Exception):
    """No key opens a stored value; the text names neither the value nor a key."""


@cache
def _ring(keys):
    return MultiFernet([Fernet(key) for key in keys])


def encrypt(text):
    """Return the text as it is stored; '' stays ''."""
    if not text:
        return ""
    return MARK + _ring(tuple(settings.ENCRYPTION_KEYS)).encrypt(text.encode()).decode()


def decrypt(stored):
    """Return the plain text of a stored value; raise ``Undecryptable`` where no key opens it."""
    if not stored:
        return ""
    try:
        token = stored.removeprefix(MARK).encode()
        return _ring(tuple(settings.ENCRYPTION_KEYS)).decrypt(token).decode()
    except InvalidToken:
        raise Undecryptable("A stored value can't be opened with ENCRYPTION_KEYS.") from None


def is_of_first_key(stored: str, keys: tuple[str, ...]) -> bool:
    """Return whether the first of some keys opens a stored value, as all are to be in the end."""
    try:
        Fernet(keys[0]).decrypt(stored.removeprefix(MARK).encode())
    except InvalidToken:
        return False
    return True


def reencrypt(stored: str, keys: tuple[str, ...]) -> str:
    """Return a stored value encrypted anew with the first of some keys.

    Raises ``Undecryptable`` where none of them opens it.
    """
    try:
        token: bytes = _ring(keys).rotate(stored.removeprefix(MARK).encode())
        return MARK + token.decode()
    except InvalidToken:
        raise Undecryptable("A stored value can't be opened with ENCRYPTION_KEYS.") from None


def last_four(text):
    """Return what lists may show of a secret: its last four characters, of a short one none."""
    return text[-4:] if len(text) >= LONG_ENOUGH else ""


class EncryptedTextField(models.TextField):
    """A text whose column holds ciphertext. It can't be searched, only compared with ''."""

    def from_db_value(self, value, expression, connection):
        return value if value is None else decrypt(value)

    def get_prep_value(self, value):
        value = super().get_prep_value(value)
        return value if value is None else encrypt(value)

    def value_to_string(self, obj):
        # What dumpdata writes: a dump is a file on somebody's disk.
        return encrypt(self.value_from_object(obj))

    def to_python(self, value):
        value = super().to_python(value)
        return decrypt(value) if value and value.startswith(MARK) else value

    def get_lookup(self, lookup_name):
        if lookup_name not in ("exact", "isnull"):
            raise FieldError(f"An encrypted text has no lookup {lookup_name}.")
        return super().get_lookup(lookup_name)
