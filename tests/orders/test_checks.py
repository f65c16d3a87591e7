import pytest
from cryptography.fernet import Fernet

from backoffice import environment, readiness
from orders.checks import check_keys
from orders.models import ProviderIntegration
from tests.orders.factories import make_integration


@pytest.fixture
def other_keys(db, settings):
    """An office whose database was written with other keys than those it starts with."""
    integration = make_integration()
    ProviderIntegration.objects.filter(pk=integration.pk).update(credentials="kod=1")
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]


def test_a_database_of_other_keys_does_not_start(other_keys):
    assert [fault.id for fault in check_keys(databases=["default"])] == ["orders.E001"]
    with pytest.raises(readiness.NotReady, match=r"Put back secrets\.env"):
        readiness.require_sound_rows()


def test_whoever_lost_the_keys_for_good_may_start_without_them(other_keys, settings):
    settings.ACCEPT_LOST_KEYS = True
    assert check_keys(databases=["default"]) == []


def test_a_new_key_in_front_of_the_old_one_starts(other_keys, settings):
    old = environment.secret("ENCRYPTION_KEYS").split(",")
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode(), *old]
    assert check_keys(databases=["default"]) == []


def test_an_empty_office_starts_with_any_keys(db, settings):
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    assert check_keys(databases=["default"]) == []
