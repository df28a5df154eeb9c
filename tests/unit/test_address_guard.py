"""Which addresses does the guard refuse, however they are spelled? Every host here is numeric: no DNS is asked."""

import random
import re
import socket
from urllib.parse import urlsplit

import pytest
from urllib3.util import parse_url

from bridge.egress import AddressGuard, RefusedAddress, parse_target

NUMERIC_SPELLINGS = [
    # loopback, in every form getaddrinfo reads
    "127.0.0.1", "127.0.0.2", "127.255.255.254", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1",
    "0x7f.0x0.0x0.0x1", "0177.0.0.1", "0177.1", "017700000001", "0x7F.0.0.1", "127.0x1", "0000177.0.0.1",
    # "this host"
    "0", "0.0.0.0", "0.0", "0x0", "00", "0.1.2.3",
    # private, carrier-grade NAT, link-local, metadata services
    "10.0.0.1", "10.255.255.255", "10.1", "167772161", "0xa.1", "012.0.0.1", "172.16.0.1", "172.31.255.254",
    "192.168.0.1", "192.168.1", "0xc0a80001", "3232235521", "100.64.0.1", "100.100.100.200", "169.254.169.254",
    "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.254.43518", "0xa9.254.0xa9.0376", "169.254.170.2",
    "168.63.129.16", "192.0.0.192",
    # documentation, benchmarking, 6to4 relays, multicast, reserved
    "192.0.2.1", "198.51.100.7", "203.0.113.9", "198.18.0.1", "198.19.255.255", "192.88.99.1", "224.0.0.1",
    "239.255.255.250", "240.0.0.1", "255.255.255.255", "0xffffffff", "4294967295",
    # IPv6: loopback, unspecified, mapped, compatible, NAT64, 6to4, Teredo, local, multicast, not yet assigned
    "[::1]", "[0:0:0:0:0:0:0:1]", "[0000::0001]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]",
    "[::ffff:10.0.0.1]", "[0:0:0:0:0:ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]", "[::127.0.0.1]", "[::7f00:1]",
    "[64:ff9b::7f00:1]", "[64:ff9b::169.254.169.254]", "[64:ff9b:1::1]", "[2002:7f00:1::]", "[2002:a9fe:a9fe::1]",
    "[2001::1]", "[2001:db8::1]", "[fc00::1]", "[fd00:ec2::254]", "[fd12:3456::1]", "[fe80::1]", "[fe80::a9fe:a9fe]",
    "[fec0::1]", "[ff02::1]", "[100::1]", "[3fff::1]", "[5f00::1]", "[4000::1]",
]  # fmt: skip

MALFORMED = [
    "", "https://", "https:///path", "ftp://example.com/", "file:///etc/passwd", "//example.com/", "example.com",
    "https:example.com", "gopher://127.0.0.1/", "javascript:alert(1)", "https://user@example.com/",
    "https://user:secret@example.com/", "https://example.com@127.0.0.1/", "https://example.com/#part",
    "https://example.com/#", "https://evil.com\\@127.0.0.1/", "https://example.com\\.evil.com/",
    "https://exam ple.com/", "https://example.com/a b", " https://example.com/", "https://example.com/\r\nHost: evil",
    "https://example.com/\x00", "https://example.com\t/", "https://example.com/\x7f", "https://example.com/\u2028",
    "https://①②⑦.0.0.1/", "https://127。0。0。1/", "https://münchen.example/", "https://example.com:0/",
    "https://example.com:65536/", "https://example.com:-1/", "https://example.com:x/", "https://example.com./",
    "https://.example.com/", "https://a..b/", "https://-a.example/", "https://a-.example/",
    f"https://{'a' * 64}.example/", f"https://{'a.' * 127}example/", "https://example.com/" + "a" * 2000,
    "https://127.0.0.1%2f@example.com/", "https://%31%32%37.0.0.1/", "https://[::1", "https://[fe80::1%25eth0]/",
    "https://[fe80::1%eth0]/", "https://[v1.fe80::]/", "https://[127.0.0.1]/", "https://[::g]/", "https://[]/",
    "https://1.2.3.4.5/", "https://256.256.256.256/", "https://0x7g.1/", "https://127.0.0.1.1/", "https://evil.0x7f/",
]  # fmt: skip


def resolve_numeric(host: str) -> list[str]:
    """What the C library makes of a numeric host; nothing for the spellings it does not take."""
    try:
        answers = socket.getaddrinfo(host.strip("[]"), 443, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        return []
    return [str(answer[4][0]) for answer in answers]


def test_there_are_enough_spellings() -> None:
    assert len(set(NUMERIC_SPELLINGS)) >= 60


@pytest.mark.parametrize("host", NUMERIC_SPELLINGS)
def test_an_internal_address_is_refused_when_its_url_is_saved(host: str) -> None:
    with pytest.raises(RefusedAddress):
        AddressGuard().check_url(f"https://{host}/hook")


@pytest.mark.parametrize("host", NUMERIC_SPELLINGS)
def test_an_internal_address_is_refused_when_it_is_connected_to(host: str) -> None:
    addresses = resolve_numeric(host)
    with pytest.raises(RefusedAddress):
        AddressGuard().check_addresses("https", addresses)


@pytest.mark.parametrize("url", MALFORMED)
def test_a_url_that_two_readers_could_read_differently_is_refused(url: str) -> None:
    # With every network allowed only the syntax can be what is refused.
    with pytest.raises(RefusedAddress):
        AddressGuard(("0.0.0.0/0", "::/0")).check_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com",
        "https://example.com/",
        "https://EXAMPLE.com:8443/hook?key=value",
        "https://xn--mnchen-3ya.example/",
        "https://a_b.example/",
        "https://1password.example/",
        "https://8.8.8.8/",
        "https://134744072/",
        "https://[2606:4700::1111]/",
        "https://example.com/%23/caf%C3%A9",
        "HTTPS://example.com/",
    ],
)
def test_a_public_https_url_passes(url: str) -> None:
    AddressGuard().check_url(url)


def test_two_readers_agree_on_whatever_passes() -> None:
    chance = random.Random(20261121)
    pieces = [
        "a.example",
        "127.0.0.1",
        "@",
        ":",
        "/",
        "\\",
        "?",
        "#",
        "[",
        "]",
        "::1",
        "%40",
        "%2f",
        "8443",
        ".",
        "//",
        ";",
    ]
    passed = 0
    for _ in range(20_000):
        url = "https://" + "".join(chance.choices(pieces, k=chance.randint(1, 5)))
        try:
            target = parse_target(url)
        except RefusedAddress:
            continue
        passed += 1
        assert target.host == urlsplit(url).hostname == (parse_url(url).host or "").strip("[]"), url
    assert passed > 500


def test_plain_http_needs_an_allowed_network() -> None:
    with pytest.raises(RefusedAddress, match="https"):
        AddressGuard().check_url("http://example.com/")
    guard = AddressGuard(("127.0.0.0/8",))
    guard.check_url("http://127.0.0.1:8000/")
    guard.check_url("http://localhost:8000/")  # a name: decided by its addresses, when connecting
    with pytest.raises(RefusedAddress, match="plain http"):
        guard.check_url("http://8.8.8.8/")
    with pytest.raises(RefusedAddress, match="plain http"):
        guard.check_addresses("http", ["8.8.8.8"])


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000/", "https://127.0.0.1/", "https://10.1.2.3/", "http://a.example/"]
)
def test_a_refusal_says_who_can_allow_such_an_address_and_how(url: str) -> None:
    with pytest.raises(RefusedAddress, match=re.escape("allows by the setting SXG_EGRESS_ALLOW, such as 127.0.0.0/8")):
        AddressGuard().check_url(url)


def test_an_allowed_network_wins_and_covers_nothing_else() -> None:
    guard = AddressGuard(("10.20.0.0/16", "::1/128"))
    guard.check_addresses("https", ["10.20.3.4", "::1", "::ffff:10.20.3.4", "8.8.8.8"])
    for refused in ("10.21.0.1", "127.0.0.1", "::2", "::ffff:10.21.0.1", "169.254.169.254"):
        with pytest.raises(RefusedAddress):
            guard.check_addresses("https", [refused])


def test_one_bad_answer_spoils_the_good_ones() -> None:
    for bad in ("10.0.0.1", "fd00::1", "junk"):
        for addresses in (["8.8.8.8", bad], [bad, "8.8.8.8"]):
            with pytest.raises(RefusedAddress):
                AddressGuard().check_addresses("https", addresses)


def test_no_answer_is_no_address() -> None:
    with pytest.raises(RefusedAddress):
        AddressGuard().check_addresses("https", [])


def test_a_scoped_address_is_refused_even_in_an_allowed_network() -> None:
    with pytest.raises(RefusedAddress, match="interface"):
        AddressGuard(("fe80::/10",)).check_addresses("https", ["fe80::1%eth0"])


def test_a_network_with_host_bits_is_a_mistake_of_the_installation() -> None:
    with pytest.raises(ValueError, match="host bits"):
        AddressGuard(("10.0.0.1/8",))


def test_a_target_names_the_connection() -> None:
    assert parse_target("https://EXAMPLE.com/a") == ("https", "example.com", 443)
    assert parse_target("http://[::1]:8080/a?b") == ("http", "::1", 8080)
