"""Where a request came from, whatever its headers claim."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxyweb.api.address import client_address
from tests.conftest import configuration

NOBODY = configuration(Path("/nowhere"))
PROXIES = configuration(Path("/nowhere"), TRUSTED_PROXIES="10.0.0.0/8,2001:db8::/32")


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("192.0.2.1", [], "192.0.2.1"),
        ("192.0.2.1", ["198.51.100.1"], "192.0.2.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["1.1.1.1, 198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["1.1.1.1", "198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["198.51.100.1, 10.9.9.9"], "198.51.100.1"),
        ("10.0.0.1", ["10.9.9.9, 10.8.8.8"], "10.9.9.9"),
        ("10.0.0.1", ["198.51.100.1, unknown"], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1, unknown, 10.1.1.1"], "10.1.1.1"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1:4711"], "198.51.100.1"),
        ("10.0.0.1", ["[2001:db9::1]:4711"], "2001:db9::1"),
        ("2001:db8::1", ["2001:db9::2"], "2001:db9::2"),
        ("::ffff:10.0.0.1", ["::ffff:198.51.100.1"], "198.51.100.1"),
        ("fe80::1%eth0", ["198.51.100.1"], "fe80::1"),
        ("", ["198.51.100.1"], "198.51.100.1"),
        ("", [], "local"),
        ("10.0.0.1", [", ".join(["198.51.100.1"] + ["10.0.0.2"] * 100)], "10.0.0.2"),
    ],
)
def test_the_rightmost_hop_that_is_no_trusted_proxy(peer: str, forwarded: list[str], address: str) -> None:
    assert client_address(peer, forwarded, PROXIES) == address


@given(st.lists(st.text(max_size=100), max_size=5))
def test_without_trusted_proxies_no_header_counts(forwarded: list[str]) -> None:
    assert client_address("192.0.2.1", forwarded, NOBODY) == "192.0.2.1"


@given(st.lists(st.text(max_size=100), max_size=5))
def test_any_header_gives_an_address(forwarded: list[str]) -> None:
    assert client_address("10.0.0.1", forwarded, PROXIES)
