"""Where this installation may send to: not into its own network, unless it was told that it may.

A name is resolved once, every address of it is checked, and the connection goes to the checked address; so a name
that means another address a moment later leads nowhere else. Addresses of the link itself are refused always: clouds
hand out a machine's credentials there.
"""

import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from ner.errors import InvalidInput

_PORTS = {"https": 443, "http": 80}
_METADATA = ipaddress.ip_network("fd00:ec2::/32")  # where Amazon's machines find their own credentials by IPv6
_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")  # IPv4 behind a NAT64 gateway, RFC 6052
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class RefusedAddress(InvalidInput):
    """An address that must not be sent to; the message says why."""


@dataclass(frozen=True, slots=True)
class Target:
    """An address that was checked: connect to `ip` and `port`, in the name of `host`."""

    scheme: str
    host: str
    ip: str
    port: int
    path: str

    @property
    def url(self) -> str:
        """The address with the number in the place of the name."""
        ip = f"[{self.ip}]" if ":" in self.ip else self.ip
        return f"{self.scheme}://{ip}:{self.port}{self.path}"

    @property
    def host_header(self) -> str:
        """The name as the receiver expects it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def resolve(url: str, *, may_be_private: bool, allowed_by: str) -> Target:
    """Check an address, and find the number that it stands for now. `allowed_by` names the setting that lets it be a
    private one. Raises RefusedAddress.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise RefusedAddress("This is not a web address; write it like https://example.org/path.") from None
    host = parts.hostname
    if parts.scheme not in _PORTS or not host or parts.username is not None:
        raise RefusedAddress("An address to send to begins with https:// and a host, and holds no user and password.")
    if parts.scheme == "http" and not may_be_private:
        raise RefusedAddress("An address to send to begins with https://, so that nobody on the way reads it.")
    number = port or _PORTS[parts.scheme]
    addresses = _addresses(host, number)
    if any(is_of_the_link(address) for address in addresses):
        raise RefusedAddress(f"{host} is an address of the link itself, where a machine's own credentials may lie.")
    if not may_be_private and any(is_private(address) for address in addresses):
        raise RefusedAddress(f"{host} is an address inside a private network; NER_{allowed_by.upper()}=true allows it.")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, str(addresses[0]), number, path)


def is_of_the_link(address: Address) -> bool:
    """Whether an address is link-local, or one of a cloud's metadata service."""
    inner = _inner(address)
    return is_of_the_link(inner) if inner is not None else address.is_link_local or address in _METADATA


def is_private(address: Address) -> bool:
    """Whether an address is not one of the public internet: private, loopback, link-local, multicast, reserved."""
    inner = _inner(address)
    return is_private(inner) if inner is not None else not address.is_global or address.is_multicast


def _inner(address: Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 address stands for, where it does."""
    if not isinstance(address, ipaddress.IPv6Address):
        return None
    inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
    return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if inner is None and address in _TRANSLATED else inner


def _addresses(host: str, port: int) -> list[Address]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise RefusedAddress(f"The name {host} is not known.") from None
    return [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
