import pytest
from django.core.exceptions import ValidationError

from orders.addresses import is_allowed, validate_base_url

PRIVATE = ["127.0.0.1", "10.1.2.3", "192.168.1.1", "169.254.169.254", "::1", "fd00::1", "0.0.0.0"]


@pytest.mark.parametrize("address", [*PRIVATE, "::ffff:127.0.0.1"])
def test_internal_addresses_are_called_only_where_the_setting_says_so(address, settings):
    assert is_allowed(address)
    settings.PROVIDER_PRIVATE_ADDRESSES = False
    assert not is_allowed(address)


def test_a_public_address_is_allowed(settings):
    settings.PROVIDER_PRIVATE_ADDRESSES = False
    assert is_allowed("93.184.216.34")


@pytest.mark.parametrize(
    "text",
    [
        "ftp://provider.example",
        "provider.example",
        "http://user:password@provider.example",
        "http://provider.example/?a=b",
        "http://[::1",
        "http://provider..example",
        "http://provider example",
        "http://127.0.0.1:8700",
        "http://localhost",
    ],
)
def test_a_base_url_that_may_not_be_called_is_refused(text, settings):
    settings.PROVIDER_PRIVATE_ADDRESSES = False
    with pytest.raises(ValidationError):
        validate_base_url(text)


def test_a_dealers_address_is_accepted(settings):
    settings.PROVIDER_PRIVATE_ADDRESSES = False
    validate_base_url("http://bayi.provider.example")
