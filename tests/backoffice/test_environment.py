import os
import stat
import subprocess
import sys

import pytest
from django.core.exceptions import ImproperlyConfigured

from backoffice import environment
from tests.processes import ROOT


def run(folder, *arguments, **environ):
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "VAR_DIR": str(folder)} | environ,
        capture_output=True,
        text=True,
    )


def test_secrets_are_made_once_and_for_the_owner_alone(tmp_path):
    folder = tmp_path / "var"
    run(folder, "-m", "backoffice.environment")
    made = (folder / "secrets.env").read_text()
    run(folder, "-m", "backoffice.environment")
    assert (folder / "secrets.env").read_text() == made
    assert sorted(line.split("=")[0] for line in made.splitlines()) == sorted(
        environment.SECRET_NAMES
    )
    assert stat.S_IMODE((folder / "secrets.env").stat().st_mode) == 0o600


def test_each_folder_that_is_made_on_the_way_is_for_its_owner_alone(tmp_path):
    run(tmp_path / "var" / "test", "-m", "backoffice.environment")
    folders = [tmp_path / "var", tmp_path / "var" / "test"]
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in folders] == [0o700, 0o700]


def test_a_data_folder_that_cannot_be_written_is_told_in_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    refused = run(tmp_path / "file" / "var", "-m", "backoffice.environment")
    assert refused.returncode == 1
    assert refused.stderr.endswith("can't be written: Not a directory.\n")
    assert refused.stderr.count("\n") == 1


def test_without_secrets_the_office_names_the_command_that_makes_them(tmp_path):
    refused = run(tmp_path, "manage.py", "check")
    assert refused.returncode == 1
    assert refused.stderr == (
        "The office can't start: SECRET_KEY is missing: set it in the environment, "
        "or run `python -m backoffice.environment` to make one.\n"
    )


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("PORT", "eighty", "a whole number from 1 to 65535"),
        ("PORT", "70000", "a whole number from 1 to 65535"),
        ("DEMO", "maybe", "yes or no"),
        ("BASE_URL", "office.example", "http://host, http://host:port or the same with https"),
        ("ORDER_CHECK_DELAYS", "30,soon", "numbers of seconds with commas between"),
    ],
)
def test_a_wrong_value_stops_the_start_with_its_name_and_what_is_allowed(
    tmp_path, name, value, allowed
):
    secrets = dict.fromkeys(environment.SECRET_NAMES, "x")
    refused = run(tmp_path, "manage.py", "check", **secrets, **{name: value})
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"The office can't start: {name}={value}: allowed is")
    assert allowed in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_a_wrong_database_address_is_refused_without_its_password(tmp_path):
    secrets = dict.fromkeys(environment.SECRET_NAMES, "x")
    address = "mysql://office:hunter2@db/office"
    refused = run(tmp_path, "manage.py", "check", **secrets, DATABASE_URL=address)
    assert refused.stderr.startswith("The office can't start: DATABASE_URL=")
    assert "hunter2" not in refused.stderr


@pytest.mark.parametrize(
    ("address", "path"),
    [("sqlite:///srv/office.sqlite3", "/srv/office.sqlite3"), ("sqlite:////srv/o.db", "/srv/o.db")],
)
def test_an_sqlite_address_is_an_absolute_path(monkeypatch, address, path):
    monkeypatch.setenv("DATABASE_URL", address)
    assert str(environment.database("DATABASE_URL", None)["NAME"]) == path


def test_a_postgresql_address_is_taken_apart(monkeypatch):
    address = "postgres://off%40ice:p%2Fw@db.example:6543/office?sslmode=require"
    monkeypatch.setenv("DATABASE_URL", address)
    database = environment.database("DATABASE_URL", None)
    parts = [database[name] for name in ("USER", "PASSWORD", "HOST", "PORT", "NAME")]
    assert parts == ["off@ice", "p/w", "db.example", 6543, "office"]
    assert database["OPTIONS"] == {"sslmode": "require"}


def test_the_environment_wins_over_what_was_remembered(monkeypatch, tmp_path):
    monkeypatch.setattr(environment, "REMEMBERED_FILE", tmp_path / "office.env")
    monkeypatch.setattr(environment, "FILE_VALUES", {})
    environment.remember("SIMULATOR", "yes")
    assert environment.flag("SIMULATOR", False) is True
    monkeypatch.setenv("SIMULATOR", "no")
    assert environment.flag("SIMULATOR", False) is False


def test_what_a_new_office_remembers_holds_at_once_over_what_an_old_one_did(monkeypatch, tmp_path):
    monkeypatch.setattr(environment, "REMEMBERED_FILE", tmp_path / "office.env")
    monkeypatch.setattr(environment, "FILE_VALUES", {"SIMULATOR": "yes"})
    environment.remember("SIMULATOR", "no")
    assert environment.flag("SIMULATOR", True) is False
    assert environment.read_file(tmp_path / "office.env") == {"SIMULATOR": "no"}


def test_a_file_and_a_server_are_remembered_apart_wherever_they_move():
    name = environment.remembered_name

    assert name(None) == name("sqlite:////one/office.sqlite3") == "office.env"
    assert name("postgres://host/one") == name("postgresql://host/two") == "office-server.env"


def test_what_is_remembered_never_wins_over_the_file_of_the_operator(monkeypatch, tmp_path):
    monkeypatch.setattr(environment, "REMEMBERED_FILE", tmp_path / "office.env")
    monkeypatch.setattr(environment, "CHOSEN_VALUES", {"SIMULATOR": "no"})
    monkeypatch.setattr(environment, "FILE_VALUES", {"SIMULATOR": "no"})
    environment.remember("SIMULATOR", "yes")
    assert environment.flag("SIMULATOR", True) is False


def test_a_broken_off_making_of_secrets_leaves_those_that_were_there(tmp_path):
    (tmp_path / "secrets.env").write_text("ENCRYPTION_KEYS=known\n")
    (tmp_path / "secrets.env.unfinished").mkdir()  # as if the disk were full
    assert run(tmp_path, "-m", "backoffice.environment").returncode == 1
    assert (tmp_path / "secrets.env").read_text() == "ENCRYPTION_KEYS=known\n"


def test_a_broken_secret_is_an_error_of_the_configuration(monkeypatch, tmp_path):
    monkeypatch.setattr(environment, "SECRETS_FILE", tmp_path / "secrets.env")
    monkeypatch.setattr(environment, "FILE_VALUES", {})
    monkeypatch.delenv("SECRET_KEY", raising=False)
    with pytest.raises(ImproperlyConfigured, match="SECRET_KEY is missing"):
        environment.secret("SECRET_KEY")
