"""What the tests of all apps share. The database is the one of ``DATABASE_URL``."""

import contextlib
import ipaddress
import os
import shutil
import socket

import psycopg
import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from psycopg import sql

from tests import emptying
from tests.processes import RealOffice

# Playwright keeps an event loop in the main thread, in which Django would refuse its queries.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")


USE_DATABASE = {"db", "transactional_db", "live_server", "databases"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Mark tests without a database: they have nothing to do with its kind."""
    for item in items:
        asks = item.get_closest_marker("django_db") or USE_DATABASE & set(item.fixturenames)
        if not asks and not any(map(item.get_closest_marker, ("processes", "benchmark"))):
            item.add_marker("anywhere")


@pytest.fixture
def make_user(db):
    """Return a function that makes a member of staff with the given permissions."""

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
def fresh_database():
    """Let a test with real transactions find, and leave, the rows of the migrations alone."""
    with pytest.MonkeyPatch.context() as patch:
        emptying.install(patch)
        yield


@pytest.fixture(scope="session", autouse=True)
def loopback_only():
    """Refuse every connection to another machine."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex"):
            patch.setattr(socket.socket, name, _only_loopback(getattr(socket.socket, name)))
        yield


def _only_loopback(connect):
    def guarded(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6):
            host = address[0]
            if host != "localhost" and not ipaddress.ip_address(host).is_loopback:
                raise RuntimeError(f"A test may not reach {address}")
        return connect(self, address)

    return guarded


# Real processes


@pytest.fixture(scope="session")
def collected_static(tmp_path_factory):
    """A folder in which the first office leaves its static files for all others."""
    return tmp_path_factory.mktemp("static")


@pytest.fixture(scope="session")
def databases():
    """Makes empty databases of the kind that the tests run on, or copies; drops them at the end."""
    address = os.environ.get("DATABASE_URL", "")
    databases = Postgresql(address) if address.startswith("postgres") else Sqlite()
    yield databases
    databases.drop()


class Sqlite:
    kind = "sqlite"

    def make(self, folder):
        return f"sqlite:///{folder}/office.sqlite3"

    def copy(self, url, folder):
        shutil.copy(url.removeprefix("sqlite://"), folder)
        return self.make(folder)

    def drop(self):
        """The folders go by themselves."""


class Postgresql:
    kind = "postgresql"

    def __init__(self, address):
        self.address = address
        self.names = []

    def make(self, folder, template="template0"):
        name = f"office_{os.getpid()}_{len(self.names)}"
        self.run("CREATE DATABASE {} TEMPLATE {}", name, template)
        self.names.append(name)
        return f"{self.address.rsplit('/', 1)[0]}/{name}"

    def copy(self, url, folder):
        return self.make(folder, template=url.rsplit("/", 1)[1])

    def drop(self):
        for name in self.names:
            self.run("DROP DATABASE {} WITH (FORCE)", name)

    def run(self, statement, *names):
        with psycopg.connect(self.address, autocommit=True) as server:
            server.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


@pytest.fixture(scope="session")
def empty_office(tmp_path_factory, collected_static, databases):
    """An office without demo that was set up and never started, for others to be copied from."""
    return set_up(tmp_path_factory.mktemp("empty-office"), collected_static, databases, demo="no")


@pytest.fixture(scope="session")
def demo_office(tmp_path_factory, collected_static, databases):
    """The demo office, set up and never started, for others to be copied from."""
    return set_up(tmp_path_factory.mktemp("demo-office"), collected_static, databases, demo="yes")


def set_up(folder, collected_static, databases, *, demo):
    share_static(folder, collected_static)
    office = RealOffice(folder, database_url=databases.make(folder), DEMO=demo)
    done = office.manage("set_up_office")
    assert done.returncode == 0, done.stderr
    return office


@pytest.fixture
def make_office(tmp_path, collected_static, databases):
    """Return a function that makes an office of real processes; they are gone after the test.

    With a ``copy_of`` another office, which must not run, it begins with that one's data.
    """
    with offices(tmp_path, collected_static, databases) as make:
        yield make


@contextlib.contextmanager
def offices(parent, collected_static, databases):
    """Yield what ``make_office`` returns; its offices are gone at the end."""
    made = []

    def make(name="office", *, copy_of=None, **environment):
        folder = parent / name
        folder.mkdir()
        share_static(folder, collected_static)
        if copy_of is None:
            url = databases.make(folder)
        else:
            url = databases.copy(copy_of.database_url, folder)
            # The orders in the database are at the simulator of this port.
            environment["SIMULATOR_PORT"] = copy_of.environment["SIMULATOR_PORT"]
            for pattern in ("*.env", "demo-passwords.txt", "simulator.sqlite3*"):
                for file in copy_of.folder.glob(pattern):
                    shutil.copy(file, folder)
        made.append(RealOffice(folder, database_url=url, **environment))
        return made[-1]

    try:
        yield make
    finally:
        for office in made:
            office.destroy()


def share_static(folder, collected):
    """Let an office find the static files that another has collected, which takes seconds."""
    (folder / "static").symlink_to(collected)
    (folder / "static.digest").symlink_to(collected / "digest.txt")


# A browser

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM_ADVICE = "Chromium is not on this machine: apt install chromium"
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",  # it refuses to start as root otherwise
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def chromium():
    """The machine's own Chromium; without one the test is left out, or fails under CI."""
    found = next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if found is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(CHROMIUM_ADVICE)
    from playwright.sync_api import sync_playwright  # only where there is a browser to drive

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def make_page(chromium, live_server):
    """Return a function that opens a page of the live server, logged in as a user or as nobody.

    ``viewport`` is (width, height). Each page has its own cookies, as another person's would.
    """
    contexts = []

    def make(user=None, *, viewport=(1440, 900)):
        width, height = viewport
        context = chromium.new_context(
            base_url=live_server.url,
            locale="fa-IR",
            timezone_id="Asia/Tehran",
            viewport={"width": width, "height": height},
        )
        contexts.append(context)
        if user is not None:
            context.add_cookies([session_cookie(user, live_server.url)])
        return context.new_page()

    yield make
    for context in contexts:
        context.close()


def session_cookie(user, url):
    """Return the cookie that logs a user in, for a browser."""
    client = Client()
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    name = settings.SESSION_COOKIE_NAME
    return {"name": name, "value": client.cookies[name].value, "url": url}
