import stat

import pytest
from django.contrib.auth import get_user_model

from backoffice import set_up
from backoffice.roles import ROLES, ensure_roles

COUNTS = """
from django.contrib.auth.models import User
from inventory.models import Item, WarehouseDocument
from reservations.models import Event, Seat
from orders.models import ProductOrder
models = (User, Item, WarehouseDocument, Event, Seat, ProductOrder)
print([model.objects.count() for model in models])
"""


def counts(office):
    """Return how many users, items, documents, events, seats and orders there are."""
    return office.manage("shell", "-v0", "-c", COUNTS).stdout.strip()


@pytest.mark.django_db
def test_the_demo_has_one_account_for_each_role_with_a_password_in_the_file_alone(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(set_up, "DEMO_PASSWORDS", tmp_path / "passwords.txt")
    ensure_roles()
    set_up.make_demo_staff()
    assert stat.S_IMODE((tmp_path / "passwords.txt").stat().st_mode) == 0o600
    lines = [line.split("\t") for line in (tmp_path / "passwords.txt").read_text().splitlines()]
    assert {role for _name, _password, role in lines} == set(ROLES)
    for username, password, role in lines:
        user = get_user_model().objects.get(username=username)
        assert user.check_password(password)
        assert [group.name for group in user.groups.all()] == [role]
        assert user.is_staff
        assert not user.is_superuser


@pytest.mark.processes
def test_the_first_set_up_loads_the_demo_and_a_second_changes_nothing(demo_office):
    before = counts(demo_office)
    assert before.startswith("[7, 200, ")
    assert before.endswith(", 2, 600, 60]")
    again = demo_office.manage("set_up_office")
    assert again.returncode == 0
    assert again.stdout == ""
    assert counts(demo_office) == before


@pytest.mark.processes
def test_a_new_postgresql_database_gets_the_demo_only_when_it_is_asked_for(make_office, databases):
    office = make_office()
    if databases.kind != "postgresql":
        pytest.skip("a new SQLite database gets it unasked")
    assert office.manage("set_up_office").returncode == 0
    assert counts(office) == "[1, 0, 0, 0, 0, 0]"


@pytest.mark.processes
def test_demo_data_never_goes_into_a_database_that_is_not_new(make_office, empty_office):
    office = make_office(copy_of=empty_office, DEMO="yes")
    assert office.manage("set_up_office").returncode == 0
    assert counts(office) == "[1, 0, 0, 0, 0, 0]"
    assert not (office.folder / "demo-passwords.txt").exists()


@pytest.mark.processes
def test_a_first_set_up_that_failed_never_counts_as_an_office(make_office, databases):
    office = make_office(DEMO="yes", PROVIDER_PRIVATE_ADDRESSES="no")  # the last loader refuses
    failed = office.manage("set_up_office")
    assert failed.returncode == 1
    assert "CommandError: The demo office could not be loaded: load_orders_demo" in failed.stderr
    assert "Administrator" not in failed.stdout
    again = office.manage("set_up_office", DEMO="no")
    if databases.kind == "sqlite":  # the unfinished file was removed, so this is a first time
        assert again.returncode == 0
        assert counts(office) == "[1, 0, 0, 0, 0, 0]"
    else:
        assert again.returncode == 1
        assert again.stderr.startswith("CommandError: The first set-up of this database was broken")


def test_static_files_are_collected_only_when_one_changed(tmp_path, settings, monkeypatch):
    source = tmp_path / "source"
    source.mkdir()
    (source / "office.css").write_text("a {}")
    settings.STATICFILES_DIRS = [source]
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    settings.STATIC_ROOT = tmp_path / "static"
    settings.VAR_DIR = tmp_path
    assert set_up.collect_static() is True
    assert set_up.collect_static() is False
    (source / "office.css").write_text("a { color: red }")
    assert set_up.collect_static() is True
    assert (tmp_path / "static" / "office.css").read_text() == "a { color: red }"
