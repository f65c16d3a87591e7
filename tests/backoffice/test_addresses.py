import pytest
from django.test import RequestFactory

from backoffice.addresses import client_address


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "1.1.1.1", "10.0.0.9"),
        (1, "1.1.1.1", "1.1.1.1"),
        (1, "6.6.6.6, 1.1.1.1", "1.1.1.1"),
        (2, "6.6.6.6, 1.1.1.1, 2.2.2.2", "1.1.1.1"),
        (1, "2001:db8::1", "2001:db8::1"),
        (2, "1.1.1.1", "10.0.0.9"),
        (1, "nonsense", "10.0.0.9"),
        (1, None, "10.0.0.9"),
    ],
)
def test_the_address_is_the_one_that_the_outermost_proxy_wrote(
    settings, proxies, forwarded, address
):
    settings.PROXIES = proxies
    headers = {} if forwarded is None else {"x-forwarded-for": forwarded}
    request = RequestFactory(REMOTE_ADDR="10.0.0.9").get("/", headers=headers)
    assert client_address(request) == address
