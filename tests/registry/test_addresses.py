"""Where webhooks may go."""

import ipaddress
import socket
from typing import Any

import pytest

from registry.addresses import RefusedAddress, is_private, resolve

PRIVATE = (
    *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1"),
    *("224.0.0.1", "255.255.255.255", "::1", "fe80::1", "fc00::1", "ff02::1", "::"),
    *("::ffff:10.0.0.1", "2002:0a00:0001::1", "64:ff9b::a00:1", "64:ff9b::7f00:1"),
)
PUBLIC = ("93.184.216.34", "8.8.8.8", "2606:2800:220:1:248:1893:25c8:1946", "::ffff:8.8.8.8", "64:ff9b::808:808")


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_is_private_when_it_is_not_of_the_public_internet(address: str) -> None:
    assert is_private(ipaddress.ip_address(address))
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(RefusedAddress, match=r"private network|the link itself"):
        resolve(f"https://{host}/hook", may_be_private=False, allowed_by="webhook_private_addresses")


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_of_the_public_internet_is_not_private(address: str) -> None:
    assert not is_private(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        *("ftp://example.org", "https://", "example.org", "https://user:word@8.8.8.8/", "http://8.8.8.8/"),
        *("https://8.8.8.8:99999/", "https://[broken/", "file:///etc/passwd", "https://no such host/"),
    ],
)
def test_an_address_is_refused_when_it_is_no_plain_https_address(url: str) -> None:
    with pytest.raises(RefusedAddress):
        resolve(url, may_be_private=False, allowed_by="webhook_private_addresses")


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "127.1", "localhost", "0177.0.0.1"])
def test_another_way_of_writing_a_private_address_is_refused_all_the_same(host: str) -> None:
    with pytest.raises(RefusedAddress):
        resolve(f"https://{host}/", may_be_private=False, allowed_by="webhook_private_addresses")


def test_a_name_is_refused_when_any_of_its_addresses_is_private(monkeypatch: pytest.MonkeyPatch) -> None:
    def both(*_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, 1, 6, "", (number, 443)) for number in ("93.184.216.34", "10.0.0.1")]

    monkeypatch.setattr(socket, "getaddrinfo", both)
    with pytest.raises(RefusedAddress):
        resolve("https://two-faced.example/", may_be_private=False, allowed_by="webhook_private_addresses")


def test_the_connection_goes_to_the_number_that_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["93.184.216.34", "127.0.0.1"])

    def changing(*_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, 1, 6, "", (next(answers), 8443))]

    monkeypatch.setattr(socket, "getaddrinfo", changing)
    target = resolve("https://hook.example:8443/a/b?c=d", may_be_private=False, allowed_by="webhook_private_addresses")
    assert (target.url, target.host_header) == ("https://93.184.216.34:8443/a/b?c=d", "hook.example:8443")


def test_a_private_address_and_plain_http_are_taken_when_they_may_be() -> None:
    target = resolve("http://127.0.0.1:8080/hook", may_be_private=True, allowed_by="webhook_private_addresses")
    assert (target.url, target.host_header) == ("http://127.0.0.1:8080/hook", "127.0.0.1:8080")


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "[fe80::1]", "[::ffff:169.254.169.254]", "[fd00:ec2::254]", "2852039166"]
)
def test_an_address_of_the_link_is_refused_even_where_private_ones_may_be(host: str) -> None:
    with pytest.raises(RefusedAddress, match="credentials"):
        resolve(f"http://{host}/latest/meta-data", may_be_private=True, allowed_by="webhook_private_addresses")
