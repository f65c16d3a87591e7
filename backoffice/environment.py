"""What the office reads from its surroundings, and the secrets it makes for itself.

A value comes from the process environment, else from ``.env`` beside ``manage.py``, else from the
data folder (``VAR_DIR``, by default ``var/``): ``office.env`` holds what the set-up remembered of
the office in this database, ``secrets.env`` the secrets. Each reader returns a checked value or
raises ``ImproperlyConfigured`` with the name and what is allowed.

``python -m backoffice.environment`` makes the data folder and the secrets that are missing.
"""

import base64
import os
import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, overload
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_NAMES = ("SECRET_KEY", "ENCRYPTION_KEYS", "METRICS_TOKEN")


def read_file(path: Path) -> dict[str, str]:
    """Return the NAME=value lines of a file as a dict; an absent file is an empty one."""
    if not path.exists():
        return {}
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    pairs = (line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    return {name.strip(): value.strip().strip("'\"") for name, value in pairs}


CHOSEN_VALUES = read_file(BASE_DIR / ".env")
FILE_VALUES = CHOSEN_VALUES


@overload
def lookup(name: str, default: str) -> str: ...
@overload
def lookup(name: str, default: None = None) -> str | None: ...
def lookup(name: str, default: str | None = None) -> str | None:
    """Return the text given for a name, or the default where it is absent or empty."""
    return os.environ.get(name) or FILE_VALUES.get(name) or default


VAR_DIR = Path(lookup("VAR_DIR", str(BASE_DIR / "var"))).resolve()
SECRETS_FILE = VAR_DIR / "secrets.env"


def remembered_name(address: str | None) -> str:
    """Return the name of the file with what the set-up remembered of the office in a database.

    One for each kind, as a demo office in a file and a real one on a server may share a data
    folder; not one for each address, as a database that is copied stays what it was.
    """
    return "office.env" if urlsplit(address or "").scheme in ("", "sqlite") else "office-server.env"


REMEMBERED_FILE = VAR_DIR / remembered_name(lookup("DATABASE_URL"))
FILE_VALUES = read_file(REMEMBERED_FILE) | CHOSEN_VALUES


def refuse(name: str, value: str | None, allowed: str) -> NoReturn:
    raise ImproperlyConfigured(f"{name}={value}: allowed is {allowed}.")


def flag(name: str, default: Any) -> Any:
    """Return True for yes, False for no."""
    value = lookup(name)
    if value is None:
        return default
    if value.lower() not in ("yes", "no"):
        refuse(name, value, "yes or no")
    return value.lower() == "yes"


def number(
    name: str, default: float, *, low: float, high: float, kind: Callable[[str], float] = int
) -> Any:
    """Return a number between low and high, both allowed."""
    value = lookup(name)
    if value is None:
        return default
    try:
        result = kind(value)
    except ValueError:
        result = None
    if result is None or not low <= result <= high:
        what = "a whole number" if kind is int else "a number"
        refuse(name, value, f"{what} from {low} to {high}")
    return result


def words(name: str, default: str) -> list[str]:
    """Return the parts of a comma-separated value."""
    return [part.strip() for part in lookup(name, default).split(",") if part.strip()]


def numbers(name: str, default: str) -> list[float]:
    """Return a comma-separated list of positive numbers of seconds."""
    parts = words(name, default)
    if not parts or not all(part.replace(".", "", 1).isdigit() for part in parts):
        refuse(name, lookup(name), "numbers of seconds with commas between, for example 30,60,120")
    return [float(part) for part in parts]


def base_url(name: str, default: str) -> str:
    """Return an http(s) address without a path or a slash at its end."""
    value = lookup(name, default).rstrip("/")
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path:
        refuse(name, value, "http://host, http://host:port or the same with https")
    return value


def database(name: str, default_file: Path) -> dict[str, Any]:
    """Return Django's settings for a database address.

    ``sqlite:///absolute/path`` or ``postgres://user:password@host:port/name?option=value``;
    without a value an SQLite file. A refusal never repeats the address: it holds a password.
    """
    value = lookup(name)
    allowed = "sqlite:///path or postgres://user:password@host:port/name"
    parts = urlsplit(value or f"sqlite:///{default_file}")
    if parts.scheme == "sqlite" and len(parts.path) > 1:
        path = parts.path if parts.path.startswith("//") else parts.path[1:]
        return sqlite(Path("/" + path.lstrip("/")))
    try:
        port = parts.port or ""
    except ValueError:
        port = None
    if parts.scheme not in ("postgres", "postgresql") or len(parts.path) < 2 or port is None:
        refuse(name, "(not shown)", allowed)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path[1:]),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(parts.hostname or ""),
        "PORT": port,
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": dict(parse_qsl(parts.query)),
    }


def sqlite(path: Path) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "CONN_MAX_AGE": 60,
        "OPTIONS": {
            "timeout": 30,
            # A deferred transaction that reads and then writes fails at once when somebody
            # else wrote in between, whatever the timeout; an immediate one waits.
            "transaction_mode": "IMMEDIATE",
            "init_command": (
                "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;PRAGMA temp_store=MEMORY;"
                "PRAGMA mmap_size=134217728;PRAGMA cache_size=-20000;"
            ),
        },
        "TEST": {"NAME": path.with_name("test.sqlite3")},
    }


def secret(name: str) -> str:
    """Return a secret; raise, naming the command that makes it, where there is none."""
    value = lookup(name) or read_file(SECRETS_FILE).get(name)
    if not value:
        raise ImproperlyConfigured(
            f"{name} is missing: set it in the environment, "
            "or run `python -m backoffice.environment` to make one."
        )
    return value


def make_secrets() -> list[str]:
    """Make the data folder and whichever secrets are missing; return the names made."""
    missing_folders = [folder for folder in (VAR_DIR, *VAR_DIR.parents) if not folder.exists()]
    for folder in reversed(missing_folders):
        # One by one: mkdir(parents=True) would leave the folders above open to everybody.
        folder.mkdir(mode=0o700, exist_ok=True)
    known = read_file(SECRETS_FILE)
    missing = [name for name in SECRET_NAMES if name not in known]
    if missing:
        made = {
            # 32 bytes are a key of Fernet; Django wants its own longer than that.
            name: base64.urlsafe_b64encode(
                secrets.token_bytes(48 if name == "SECRET_KEY" else 32)
            ).decode()
            for name in missing
        }
        text = "".join(f"{name}={value}\n" for name, value in (known | made).items())
        # Beside it first: broken off in the middle, it must not take the known secrets along.
        unfinished = SECRETS_FILE.with_name("secrets.env.unfinished")
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        unfinished.replace(SECRETS_FILE)
    return missing


def remember(name: str, value: str) -> None:
    """Keep a value for every later start on this machine; ``.env`` and the environment win."""
    values = read_file(REMEMBERED_FILE) | {name: value}
    text = "".join(f"{name}={value}\n" for name, value in values.items())
    REMEMBERED_FILE.write_text(text, encoding="utf-8")
    FILE_VALUES.update({name: value} | CHOSEN_VALUES)


if __name__ == "__main__":
    try:
        make_secrets()
    except OSError as problem:
        sys.exit(f"The data folder {VAR_DIR} can't be written: {problem.strerror}.")
