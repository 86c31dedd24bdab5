"""Names of hosts: made up by a program, or posing as somebody."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxyweb.waf.hosts import brands, dga
from proxyweb.waf.hosts.names import parse


@pytest.mark.parametrize(
    "host", ["qxkvbzjtwphgfd.com", "a8f3kq92xz7v1b.net", "3f2a9c7be1d04586.com", "www.kwtjlmrspvqxz.co.uk"]
)
def test_made_up(host: str) -> None:
    assert dga.likely(host)


@pytest.mark.parametrize(
    "host",
    [
        "windowsupdate.com", "stackoverflow.com", "bundesfinanzministerium.de", "d111111abcdef8.cloudfront.net",
        "192.0.2.1", "localhost", "", ".", "x.test", "volkswagen.de", "schweizerische-post.ch", "xn--bcher-kva.example",
    ],
)  # fmt: skip
def test_chosen(host: str) -> None:
    assert not dga.likely(host)


@pytest.mark.parametrize("domain", sorted(brands.load().domains))
def test_a_brands_own_domains_pose_as_nobody(domain: str) -> None:
    assert brands.posing(domain) == 0
    assert brands.posing(f"www.{domain}") == 0
    assert not dga.sure(domain)


@pytest.mark.parametrize(
    ("host", "sure"),
    [
        ("microsft.com", False),
        ("microsofft.com", True),
        ("mircosoft.com", True),
        ("rnicrosoft.com", True),
        ("paypa1.com", True),
        ("g00gle.com", True),
        ("xn--pypal-4ve.com", True),  # with a Cyrillic a
        ("аpple.com", True),
        ("paypal.com.account.test", True),
        ("login-paypal.com.x.test", True),
        ("paypal-login.com", False),
        ("secure-netflix-account.info", False),
        ("facebok.com", False),
    ],
)
def test_posing(host: str, sure: bool) -> None:
    assert brands.posing(host) == (1.0 if sure else 0.5)


@pytest.mark.parametrize(
    "host",
    [
        "amazing.com", "stream.com", "googleblog.com", "appletree.com", "chaser.com", "visage.com", "t-mobile.com",
        "paypal.example", "netflix.fr", "docs.google.com", "mail.google.com.ar", "192.0.2.1", "paypalm",
        "pal.com", "wiser.com",
    ],
)  # fmt: skip
def test_posing_as_nobody(host: str) -> None:
    assert brands.posing(host) == 0


@given(st.text() | st.from_regex(r"(xn--)?[a-z0-9-]{0,20}\.[a-z]{0,5}", fullmatch=True))
def test_any_text_is_taken(host: str) -> None:
    assert 0 <= dga.probability(host) <= 1
    assert brands.posing(host) in (0, 0.5, 1)
    parse(host)
