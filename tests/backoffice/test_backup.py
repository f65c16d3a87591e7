"""Backup and restore, with the commands that ``make backup`` and ``make restore`` call."""

import io
import stat
import tarfile

import pytest

from backoffice import environment

pytestmark = pytest.mark.processes
STORE = """
from orders.models import ProviderIntegration
ProviderIntegration.objects.create(
    code="kept", name="kept", provider="znet", base_url="https://provider.example",
    credentials="the word is friend",
)
"""
OPEN = """
from orders.models import ProviderIntegration
print([row.credentials for row in ProviderIntegration.objects.all()])
"""


def shell(office, code):
    done = office.manage("shell", "-v0", "-c", code)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def back_up(office):
    done = office.manage("backup_office")
    assert done.returncode == 0, done.stderr
    (path,) = (office.folder / "backups").iterdir()
    return path


@pytest.fixture
def office(make_office, empty_office):
    office = make_office(copy_of=empty_office)
    shell(office, STORE)
    return office


def test_an_encrypted_value_opens_in_an_empty_folder_after_a_restore(office, make_office):
    office.start().wait_until_open()
    path = back_up(office)
    office.stop()
    other = make_office("other")
    assert other.manage("restore_office", str(path)).returncode == 0
    assert shell(other, OPEN) == "['the word is friend']"
    assert (other.folder / "secrets.env").read_text() == (office.folder / "secrets.env").read_text()
    other.start().wait_until_open()
    assert "Setting up" not in other.output
    assert other.stop() == 0


def test_a_backup_is_for_its_owner_alone_and_leaves_nothing_unfinished(office):
    path = back_up(office)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    with tarfile.open(path) as archive:
        names = set(archive.getnames())
        secrets = archive.extractfile("secrets.env").read().decode()
    assert names - {"database.sqlite3", "database.dump"} == {"secrets.env", "office.env"}
    assert [line.split("=")[0] for line in secrets.splitlines()] == list(environment.SECRET_NAMES)


def test_secrets_that_stand_in_the_environment_are_in_the_backup_too(office):
    office.environment["METRICS_TOKEN"] = "from the environment"
    with tarfile.open(back_up(office)) as archive:
        secrets = archive.extractfile("secrets.env").read().decode()
    assert "METRICS_TOKEN=from the environment\n" in secrets


def test_an_office_that_is_not_empty_is_not_overwritten_without_the_word(office):
    path = back_up(office)
    shell(office, "from orders.models import ProviderIntegration as P; P.objects.all().delete()")
    refused = office.manage("restore_office", str(path))
    assert refused.returncode == 1
    assert refused.stderr.startswith("CommandError: The database is not empty:")
    assert shell(office, OPEN) == "[]"
    done = office.manage("restore_office", str(path), "--replace")
    assert done.returncode == 0, done.stderr
    assert shell(office, OPEN) == "['the word is friend']"
    assert len(list(path.parent.iterdir())) == 2  # what was there is kept


def test_a_running_office_is_not_restored_over(office, make_office):
    path = back_up(office)
    office.start().wait_until_open()
    refused = office.manage("restore_office", str(path), "--replace")
    assert refused.returncode == 1
    assert f"Port {office.port} on 127.0.0.1 is taken" in refused.stderr
    assert office.stop() == 0


def test_a_secret_of_the_environment_that_differs_is_refused(office, make_office):
    path = back_up(office)
    other = make_office("other")
    refused = other.manage("restore_office", str(path), ENCRYPTION_KEYS="another")
    assert refused.returncode == 1
    assert "ENCRYPTION_KEYS is set in the environment and differs" in refused.stderr


def archive(path, **files):
    with tarfile.open(path, "w:gz") as made:
        for name, content in files.items():
            member = tarfile.TarInfo(name.replace("__", "."))
            member.size = len(content)
            made.addfile(member, io.BytesIO(content))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "is no backup that can be read: [Errno 2]"),
        (b"not an archive", "is no backup that can be read:"),
        ({"holiday__jpg": b"."}, "is no backup of an office."),
        ({"secrets__env": b"", "database__other": b""}, "is no backup of an office."),
    ],
)
def test_what_is_no_backup_is_refused_and_nothing_changes(make_office, tmp_path, content, told):
    office = make_office()
    secrets = (office.folder / "secrets.env").read_text()
    path = tmp_path / "some.tar.gz"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content:
        archive(path, **content)
    refused = office.manage("restore_office", str(path))
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert told in refused.stderr
    assert (office.folder / "secrets.env").read_text() == secrets


def test_a_backup_of_another_kind_of_database_is_refused(make_office, tmp_path, databases):
    other = {"sqlite": "database__dump", "postgresql": "database__sqlite3"}[databases.kind]
    archive(tmp_path / "other.tar.gz", secrets__env=b"", **{other: b""})
    refused = make_office().manage("restore_office", str(tmp_path / "other.tar.gz"))
    assert refused.returncode == 1
    assert f"another kind of database than {databases.kind}" in refused.stderr


def test_a_damaged_backup_is_refused(office, make_office, tmp_path):
    whole = back_up(office).read_bytes()
    (tmp_path / "half.tar.gz").write_bytes(whole[: len(whole) // 2])
    refused = make_office("other").manage("restore_office", str(tmp_path / "half.tar.gz"))
    assert refused.returncode == 1
    assert "is damaged" in refused.stderr
