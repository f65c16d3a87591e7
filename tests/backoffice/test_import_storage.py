"""A brought file between its preview and its confirmation."""

from datetime import timedelta

import pytest
from django.utils import timezone

from backoffice.import_storage import DatabaseStorage, ImportUpload

pytestmark = pytest.mark.django_db


def save(data=b"data"):
    storage = DatabaseStorage()
    storage.save(data)
    return storage.name


def test_a_file_is_there_for_whoever_knows_its_name():
    assert DatabaseStorage(name=save(b"\x00\xff")).read() == b"\x00\xff"
    assert DatabaseStorage(name="another").read() is None


def test_a_file_is_taken_once():
    name = save()
    assert [DatabaseStorage(name=name).take() for _time in range(2)] == [b"data", None]
    assert not ImportUpload.objects.exists()


def test_a_file_that_nobody_confirmed_goes_when_the_next_one_comes():
    old, young = save(), save()
    yesterday = timezone.now() - timedelta(days=1, seconds=1)
    ImportUpload.objects.filter(key=old).update(uploaded_at=yesterday)
    name = save()
    assert set(ImportUpload.objects.values_list("key", flat=True)) == {young, name}
