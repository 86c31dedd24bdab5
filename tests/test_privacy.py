"""Masking: no address leaves whole, what is masked stays as it is, and equal stays equal."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proxyweb.privacy import is_masked_address, is_whole_address, mask_address, mask_mail, mask_user

KEY = b"k" * 32
IPV4 = st.ip_addresses(v=4).map(str)
IPV6 = st.ip_addresses(v=6)


@pytest.mark.parametrize(
    ("address", "masked"),
    [
        ("192.168.1.77", "192.168.1.x"),
        ("10.0.0.255", "10.0.0.x"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::x"),
        ("2001:DB8:0001::77", "2001:db8:1::x"),
        ("2001:db8::1", "2001:db8::x"),
        ("fe80::1%eth0", "fe80::x"),
        ("::1", "::x"),
        ("::ffff:192.168.1.77", "192.168.1.x"),
        ("::ffff:c0a8:14d", "192.168.1.x"),
        ("[2001:db8:1::7]", "2001:db8:1::x"),
        (" 192.168.1.77 ", "192.168.1.x"),
        ("", ""),
    ],
)
def test_known_addresses(address: str, masked: str) -> None:
    assert mask_address(address) == masked


def test_a_host_name_becomes_a_stable_pseudonym() -> None:
    masked = mask_address("laptop-of-eve.example.com", KEY)
    assert masked == mask_address("LAPTOP-of-eve.example.com", KEY)
    assert masked != mask_address("laptop-of-eve.example.com", b"another key")
    assert masked.startswith("host-")
    assert "eve" not in masked
    for odd in ("3232235853", "192.168.001.077", "192.168.1.77:80", "192.168.1.77,10.0.0.1"):
        assert mask_address(odd).startswith("host-")


@given(IPV4)
def test_ipv4_keeps_three_octets(address: str) -> None:
    masked = mask_address(address)
    assert masked == address.rpartition(".")[0] + ".x"
    assert mask_address(f"::ffff:{address}") == masked


@given(IPV6)
def test_ipv6_keeps_48_bits(address: IPv6Address) -> None:
    masked = mask_address(address.exploded)
    assert masked == mask_address(address.compressed)
    if address.ipv4_mapped is None:
        assert masked.endswith("::x")
        assert int(IPv6Address(masked[:-1])) == int(address) >> 80 << 80
    else:
        assert masked == mask_address(str(address.ipv4_mapped))


@given(IPV4 | IPV6.map(str) | st.text(max_size=60))
def test_masking_twice_is_masking_once(text: str) -> None:
    masked = mask_address(text)
    assert mask_address(masked) == masked
    assert is_masked_address(masked) == bool(text)
    assert not is_whole_address(masked)


@given(IPV4 | IPV6.map(str))
def test_whole_addresses_are_known_as_such(address: str) -> None:
    assert is_whole_address(address)
    assert not is_masked_address(address)
    assert mask_address(address) != address


@pytest.mark.parametrize(
    "text",
    ["192.168.1.X", "192.168.1.x.", "192.168.x", "256.1.1.x", "1.2.3.4x", "2001:DB8::x", "2001:db8:1:2::x", "::ffff::x",
     "x", "::xx", "host-1A2B3C4D", "01.2.3.x", "1.2.3.x\n"],
)  # fmt: skip
def test_what_only_looks_masked(text: str) -> None:
    assert not is_masked_address(text)


def test_users_become_pseudonyms() -> None:
    masked = mask_user("eve", KEY)
    assert masked == mask_user("eve", KEY) == mask_user(masked, KEY)
    assert masked.startswith("user-")
    assert len(masked) == 13
    assert mask_user("eve", b"another key") != masked
    assert mask_user("", KEY) == ""


@given(st.text(min_size=1, max_size=30))
@example("user")
def test_a_user_name_never_shows(name: str) -> None:
    masked = mask_user(name, KEY)
    assert mask_user(masked, KEY) == masked
    assert len(name) < 4 or name not in masked.removeprefix("user-") or name == masked


@given(st.ip_addresses(v=4))
def test_neighbours_are_masked_alike(address: IPv4Address) -> None:
    neighbour = IPv4Address(int(address) ^ 1)
    assert mask_address(str(address)) == mask_address(str(neighbour))


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("http://a.test/?m=eve.x+y@mail.example.org&b=1", "http://a.test/?m=e-mail&b=1"),
        ("http://a.test/eve%40mail.example", "http://a.test/e-mail"),
        ("http://a.test/eve%2540mail.example;x", "http://a.test/e-mail;x"),
        ("http://a.test/@user/40.html?at=@", "http://a.test/@user/40.html?at=@"),
        ("a.test:443", "a.test:443"),
        ("http://a.test/40", "http://a.test/40"),
    ],
)
def test_e_mail_addresses_in_urls(url: str, masked: str) -> None:
    assert mask_mail(url) == masked == mask_mail(masked)
