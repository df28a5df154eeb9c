"""Where may this instance connect? Decided by the address itself, not by the text that names it.

A callback URL is chosen by another organisation, so its syntax is checked when it is saved, and every address its name
resolves to is checked again at each connect.
"""

import ipaddress
import re
import socket
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit

from urllib3.util import parse_url

from bridge.errors import RefusedAddress

URL_LIMIT = 2000

# Written out because `is_global` of Python 3.11 lets several of these through. 168.63.129.16 is public in the registry
# and a host agent on Azure.
_DENIED_RANGES = """
    0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 168.63.129.16/32 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24
    192.0.2.0/24 192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4
    ::/96 ::ffff:0:0/96 64:ff9b::/96 64:ff9b:1::/48 100::/64 2001::/23 2001:db8::/32 2002::/16 3fff::/20 5f00::/16
    fc00::/7 fe80::/10 fec0::/10 ff00::/8
"""
_DENIED = tuple(ipaddress.ip_network(cidr) for cidr in _DENIED_RANGES.split())
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")

_ALLOWED = "networks that this installation's operator allows by the setting SXG_EGRESS_ALLOW, such as 127.0.0.0/8"
_PLAIN = f"plain http is only for {_ALLOWED}"

_UNSAFE_IN_URL = re.compile(r"[\x00-\x20\x7f-\xa0\\]|\s")
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


class Target(NamedTuple):
    """Where a URL leads: the part of it that names a connection. An IPv6 `host` has no brackets."""

    scheme: str
    host: str
    port: int


@lru_cache(maxsize=256)
def parse_target(url: str) -> Target:
    """The one reading of a URL that check and connection share; RefusedAddress when two readers could disagree."""
    if len(url) > URL_LIMIT or _UNSAFE_IN_URL.search(url):
        raise RefusedAddress(f"a URL has at most {URL_LIMIT} characters, no spaces, control characters or backslashes")
    try:
        parts, other = urlsplit(url), parse_url(url)
        port = parts.port
    except ValueError as error:  # LocationParseError is one as well
        raise RefusedAddress("the URL cannot be read") from error
    scheme, host = parts.scheme, parts.hostname or ""
    if scheme not in ("http", "https"):
        raise RefusedAddress("the URL must start with https://")
    if "@" in parts.netloc or "#" in url:
        raise RefusedAddress("the URL must not carry a user, a password or a fragment")
    if (other.scheme, (other.host or "").strip("[]"), other.port) != (scheme, host, port):
        raise RefusedAddress("the host of the URL can be read in two ways")
    _check_host(host)
    if port == 0:
        raise RefusedAddress("port 0 does not exist")
    return Target(scheme, host, port or (443 if scheme == "https" else 80))


def _check_host(host: str) -> None:
    if ":" in host:
        if _literal_address(host) is None:
            raise RefusedAddress("the host is not an IPv6 address")
        return
    labels = host.split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise RefusedAddress("the host is missing or not a valid name; write an international name in its xn-- form")
    # A resolver may read 1.2.3.4.5 or 0x7f.1 as an address or as a name: only what is surely one of them may pass.
    if _NUMBER.fullmatch(labels[-1]) and _literal_address(host) is None:
        raise RefusedAddress("the host ends in a number but is not an address")


def _literal_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address a host spells out, in any form that C libraries accept (2130706433, 0x7f.1, 0177.0.0.1), or None."""
    try:
        return ipaddress.IPv6Address(host) if ":" in host else ipaddress.IPv4Address(socket.inet_aton(host))
    except (OSError, ValueError):
        return None


class AddressGuard:
    """Which addresses may be connected to: public ones over https, those that `allowed_cidrs` names over http as well.

    An allowed network wins over every refusal, loopback included: a private deployment lists its own ranges, the demo
    lists loopback. ValueError for a CIDR with host bits set.
    """

    def __init__(self, allowed_cidrs: tuple[str, ...] = ()) -> None:
        self._allowed = tuple(ipaddress.ip_network(cidr) for cidr in allowed_cidrs)

    def check_url(self, url: str) -> None:
        """Refuse (RefusedAddress) what can be refused without asking DNS; for the moment a URL is saved."""
        target = parse_target(url)
        if target.scheme == "http" and not self._allowed:
            raise RefusedAddress(f"the URL must start with https://; {_PLAIN}")
        literal = _literal_address(target.host)
        if literal is not None:
            self.check_addresses(target.scheme, [str(literal)])

    def check_addresses(self, scheme: str, addresses: Sequence[str]) -> None:
        """Refuse (RefusedAddress) unless every address may be used: a good answer of DNS does not excuse a bad one."""
        if not addresses:
            raise RefusedAddress("the name has no address")
        for text in addresses:
            reason = self._refusal(scheme, text)
            if reason:
                raise RefusedAddress(f"{text}: {reason}")

    def _refusal(self, scheme: str, text: str) -> str | None:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return "not an address"
        if isinstance(address, ipaddress.IPv6Address):
            if address.scope_id is not None:
                return "an address bound to one network interface"
            address = address.ipv4_mapped or address
        if any(address in network for network in self._allowed):
            return None
        if scheme != "https":
            return _PLAIN
        if any(address in network for network in _DENIED) or (address.version == 6 and address not in _GLOBAL_UNICAST):
            return f"not a public address; others are only called in {_ALLOWED}, there also over plain http"
        return None
