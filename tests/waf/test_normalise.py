"""Disguises come off, whatever they are, and nothing else changes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxyweb.waf.normalise import LONGEST, normal
from proxyweb.waf.request import Value, split, values


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("plain text", "plain text"),
        ("%27", "'"),
        ("%2527", "'"),
        ("%252527", "'"),
        ("100%", "100%"),
        ("%zz", "%zz"),
        ("%u0027", "'"),
        ("%uff07", "'"),
        ("%c0%af", "/"),
        ("%c0%2f", "/"),
        ("%e0%80%af", "/"),
        ("%f0%80%80%af", "/"),
        ("%c3%a9", "é"),
        ("%ff'", "\ufffd'"),
        ("%bf%27", "\ufffd'"),
        ("&#39;", "'"),
        ("&#x27", "'"),
        ("&lt;b&gt;", "<b>"),
        ("%26lt%3Bb", "<b"),
        ("a&b", "a&b"),
        ("\\u0027", "'"),
        ("\\x27", "'"),
        ("\\u{27}", "'"),
        ("\\ud800", "\ufffd"),
        ("＜ｓcript＞", "<script>"),
        ("‘ or ’", "' or '"),
        ("раypal", "paypal"),
        ("se\u200blect", "select"),
        ("se\x00lect", "select"),
        ("a\x01b\x0bc", "a b c"),
        ("a\tb\nc", "a\tb\nc"),
        ("a+b", "a+b"),
    ],
)
def test_normal_form(written: str, meant: str) -> None:
    assert normal(written) == meant


def test_a_plus_is_a_blank_in_a_query_alone() -> None:
    assert normal("a+b%2Bc", plus=True) == "a b+c"


@given(st.text())
def test_any_text_has_a_normal_form(text: str) -> None:
    assert len(normal(text)) <= 18 * LONGEST  # NFKC makes at most 18 characters of one
    assert "\x00" not in normal(text)


@pytest.mark.parametrize(
    ("method", "url", "parts"),
    [
        ("GET", "http://a.test/b?c=d", ("a.test", "/b", "c=d")),
        ("GET", "http://u:p@A.test:80/b", ("A.test", "/b", "")),
        ("GET", "http://a.test", ("a.test", "", "")),
        ("GET", "http://a.test?b", ("a.test", "", "b")),
        ("GET", "http://[::1]:80/", ("[::1]", "/", "")),
        ("GET", "/b?c?d", ("", "/b", "c?d")),
        ("CONNECT", "a.test:443", ("a.test", "", "")),
        ("GET", "urn:foo:bar", ("", "urn:foo:bar", "")),
        ("GET", "", ("", "", "")),
    ],
)
def test_split(method: str, url: str, parts: tuple[str, str, str]) -> None:
    assert split(method, url) == parts


def test_each_value_is_there_once() -> None:
    found = list(values("GET", "http://a.test/p%2fq?b=%27&c&d[e]=f&amp;g=h", {"Referer": "http://r.test/?s=t"}))
    assert found == [
        Value("method", "GET"),
        Value("raw", "http://a.test/p%2fq?b=%27&c&d[e]=f&amp;g=h"),
        Value("path", "/p/q"),
        Value("query", "'", "b"),
        Value("query", "c"),
        Value("query", "d[e]"),
        Value("query", "f", "d[e]"),
        Value("query", "h", "g"),
        Value("referer", "http://r.test/"),
        Value("referer", "t", "s"),
        Value("host", "a.test"),
    ]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("PHNjcmlwdD5mKCk8L3NjcmlwdD4=", "<script>f()</script>"),
        ("PHNjcmlwdD5mKCk8L3NjcmlwdD4", "<script>f()</script>"),
        ("Jy0-Jy0-Jy0-Jy0-", "'->'->'->'->"),
        ("internationalisation", "internationalisation"),
        ("PHNjcmlwdD4=", "PHNjcmlwdD4="),  # too short to tell from a word
        ("a b c d e f g h i j k l m", "a b c d e f g h i j k l m"),
    ],
)
def test_base_64_is_opened_where_it_holds_text(written: str, meant: str) -> None:
    found = [value.text for value in values("GET", f"/?q={written.replace(' ', '+')}", {}) if value.target == "query"]
    assert found == [meant]
