import pytest
from django.core.exceptions import ValidationError

from orders.addresses import (
    host_of,
    is_allowed,
    origin_of,
    validate_allowed_hosts,
    validate_base_url,
)

PRIVATE = [
    "127.0.0.1",
    "10.1.2.3",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fd00::1",
    "fe80::1%eth0",
    "ff02::1",
]
WRAPPED = ["::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"]


@pytest.mark.parametrize("address", [*PRIVATE, *WRAPPED])
def test_internal_addresses_are_called_only_where_the_setting_says_so(address, settings):
    assert is_allowed(address)
    settings.PROVIDER_PRIVATE_ADDRESSES = False
    assert not is_allowed(address)


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:4700::1111", "64:ff9b::5db8:d822"])
def test_a_public_address_is_allowed(address, settings):
    settings.PROVIDER_PRIVATE_ADDRESSES = False
    assert is_allowed(address)


@pytest.mark.parametrize(
    "text",
    [
        "ftp://provider.example",
        "file:///etc/passwd",
        "provider.example",
        "http://user:password@provider.example",
        "http://user@provider.example",
        "http://provider.example/?a=b",
        "http://provider.example/#a",
        "http://provider.example/a b",
        "http://provider.example/%0d%0aX",
        "http://provider.example:0",
        "http://provider.example:99999",
        "http://[::1",
        "http://provider..example",
        "http://provider example",
        "http://provider.example\\@127.0.0.1",
        "http://127.0.0.1:8700",
        "http://127.0.0.1.",
        "http://2130706433",
        "http://0177.0.0.1",
        "http://127.1",
        "http://0x7f.0.0.0x1",
        "http://0x7f000001",
        "http://[::ffff:127.0.0.1]",
        "http://localhost",
        "http://LOCALHOST.",
        "http://provider.localhost",
    ],
)
def test_a_base_url_that_may_not_be_called_is_refused(text, settings):
    settings.PROVIDER_PRIVATE_ADDRESSES = False
    with pytest.raises(ValidationError):
        validate_base_url(text)


@pytest.mark.parametrize(
    "text",
    [
        "http://bayi.provider.example",
        "https://provider.example:8443/shop/v1/",
        "https://[2606:4700::1111]/",
        "https://xn--mgb.example",
    ],
)
def test_a_dealers_address_is_accepted(text, settings):
    settings.PROVIDER_PRIVATE_ADDRESSES = False
    validate_base_url(text)


def test_upper_case_the_last_dot_and_the_usual_port_make_no_other_origin():
    assert origin_of("HTTP://Provider.Example.:80/a/") == origin_of("http://provider.example/a")
    assert origin_of("https://provider.example/a/").url == "https://provider.example/a"


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        ("provider.example", True),
        ("other.example PROVIDER.example.", True),
        ("provider.example:8443", True),
        ("provider.example:443", False),
        ("example", False),
        ("a.provider.example", False),
    ],
)
def test_an_origin_is_among_hosts_by_its_whole_name_and_its_port(hosts, expected):
    assert origin_of("https://provider.example:8443").is_among(hosts.split()) is expected


def test_a_numeric_address_is_written_in_one_way():
    assert host_of("[2606:4700:0:0::1111]:80") == ("2606:4700::1111", 80)


@pytest.mark.parametrize("text", ["http://a.example", "a.example/x", "u@a.example", "a b", "*"])
def test_what_is_no_host_is_no_item_of_the_list(text):
    with pytest.raises(ValidationError):
        validate_allowed_hosts(f"good.example {text}:x" if text == "a b" else text)
