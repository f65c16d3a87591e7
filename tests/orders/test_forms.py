import pytest

from orders.forms import ProviderIntegrationForm

pytestmark = pytest.mark.django_db
FORM = {
    "code": "store",
    "name": "Store",
    "provider": "barakat",
    "base_url": "https://store.example",
    "exchange_rate": "1",
}


def errors(credentials, **changes):
    form = ProviderIntegrationForm({**FORM, "new_credentials": credentials, **changes})
    return sorted(form.errors)


@pytest.mark.parametrize("option", ["", "\naccepted=completed", "\naccepted=processing"])
def test_an_option_of_the_provider_may_stand_beside_its_credentials(option):
    assert errors(f"api_token=secret{option}") == []


@pytest.mark.parametrize(
    "text", ["accepted=completed", "api_token=secret\naccepted=maybe", "api_token=s\nother=x"]
)
def test_an_unknown_option_or_value_is_refused(text):
    assert errors(text) == ["new_credentials"]


def test_what_another_provider_needs_is_refused():
    assert errors("kod=a\nsifre=b") == ["new_credentials"]


@pytest.mark.parametrize(
    "hosts", ["other.example", "store.example:8080", "a/b", "user@store.example"]
)
def test_hosts_without_the_base_address_are_refused(hosts):
    assert errors("api_token=secret", allowed_hosts=hosts) == ["allowed_hosts"]


@pytest.mark.parametrize("hosts", ["", "STORE.example.", "other.example store.example:443"])
def test_hosts_with_the_base_address_are_taken(hosts):
    assert errors("api_token=secret", allowed_hosts=hosts) == []
