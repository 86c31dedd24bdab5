"""Who said no, status texts, and how a destination is split."""

from __future__ import annotations

import sqlite3
from http import HTTPStatus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proxyweb.ingest.record import (
    AUTH,
    BLOCKING_REASONS,
    ORIGIN,
    POLICY,
    TERMINATED,
    WAF,
    ResultKind,
    answered_by_proxy,
    host_of,
    is_address,
    reason_for,
    split_destination,
    status_text,
)


def kind(
    result: str, hierarchy: str = "HIER_NONE", origin: int = 0, error: str = "", bump: str = "", method: str = "GET"
) -> ResultKind:
    """A kind from `code/status`."""
    code, _, status = result.partition("/")
    return ResultKind(method, code, int(status), hierarchy, "text/html", origin, error, bump)


# What Squid 5.7 wrote in each case, hierarchies as the built-in formats (DIRECT: somebody was asked) name them.
SAYS_NO = {
    "access rule": (kind("TCP_DENIED/403", error="ERR_ACCESS_DENIED"), POLICY),
    "deny_info 451": (kind("TCP_DENIED/451", error="451:ERR_ACCESS_DENIED"), POLICY),
    "deny_info 404": (kind("TCP_DENIED/404", error="404:ERR_ACCESS_DENIED"), POLICY),
    "deny_info URL": (kind("TCP_DENIED/302", error="http://other.test/why"), POLICY),
    "deny_info TCP_RESET": (kind("TCP_DENIED/000", error="TCP_RESET"), POLICY),
    "challenge": (kind("TCP_DENIED/407", error="ERR_CACHE_ACCESS_DENIED"), AUTH),
    "http_reply_access": (kind("TCP_DENIED_REPLY/403", "HIER_DIRECT", 200, "ERR_ACCESS_DENIED"), POLICY),
    "a denied reply is no challenge": (kind("TCP_DENIED_REPLY/407", "HIER_DIRECT", 200), POLICY),
    "ICAP": (kind("NONE_NONE/403"), POLICY),
    "ICAP, Squid 4": (kind("NONE/403"), POLICY),
    "ICAP, Squid 3.5": (kind("TAG_NONE/403"), POLICY),
    "rewritten": (kind("TCP_REDIRECT/302"), ""),
    "ssl_bump terminate": (kind("NONE_NONE/200", bump="terminate", method="CONNECT"), TERMINATED),
    "ssl_bump terminate in the native format": (kind("NONE_NONE/200", method="CONNECT"), ""),
    "manager page": (kind("TCP_MISS/403", error="ERR_ACCESS_DENIED"), POLICY),
    "manager page in the native format": (kind("TCP_MISS/403"), POLICY),
    "the origin's own": (kind("TCP_MISS/403", "HIER_DIRECT", 403), ORIGIN),
    "the origin's own in the native format": (kind("TCP_MISS/403", "HIER_DIRECT"), ORIGIN),
    "the origin's own, cached": (kind("TCP_MEM_HIT/403"), ORIGIN),
    "the origin's own, cached as an error": (kind("TCP_NEGATIVE_HIT/403"), ORIGIN),
    "a parent proxy's": (kind("TCP_MISS/403", "FIRSTUP_PARENT", 403), ORIGIN),
    "a parent's challenge": (kind("TCP_MISS/407", "FIRSTUP_PARENT", 407), ""),
    "the origin's own 401": (kind("TCP_MISS/401", "HIER_DIRECT", 401), ""),
    "allowed": (kind("TCP_MISS/200", "HIER_DIRECT", 200), ""),
    "failed": (kind("NONE_NONE/503", error="ERR_DNS_FAIL"), ""),
    "tunnel": (kind("TCP_TUNNEL/200", "HIER_DIRECT", method="CONNECT"), ""),
}


@pytest.mark.parametrize(("said", "reason"), SAYS_NO.values(), ids=SAYS_NO)
def test_who_said_no(said: ResultKind, reason: str) -> None:
    assert reason_for(said) == reason


def test_what_the_helper_marked_and_squid_denied_was_the_waf() -> None:
    assert reason_for(kind("TCP_DENIED/403"), waf_blocked=True) == WAF
    assert reason_for(kind("TCP_DENIED/407"), waf_blocked=True) == AUTH
    assert reason_for(kind("TCP_MISS/200", "HIER_DIRECT"), waf_blocked=True) == ""


def test_a_challenge_blocks_nobody() -> None:
    assert set(BLOCKING_REASONS) == {POLICY, WAF, ORIGIN, TERMINATED}


STATUS_TEXTS = [
    (kind("TCP_MISS/200", "HIER_DIRECT"), "200 OK"),
    (kind("TCP_MEM_HIT/304"), "304 Not Modified"),
    (kind("TCP_TUNNEL/200", "HIER_DIRECT", method="CONNECT"), "200 Connection established"),
    (kind("NONE_NONE/200", method="CONNECT"), "200 Connection established"),
    (kind("TCP_TUNNEL/503", "HIER_DIRECT", method="CONNECT"), "503 Service Unavailable"),
    (kind("TCP_DENIED/403"), "403 TCP_DENIED"),
    (kind("TCP_DENIED/407"), "407 TCP_DENIED"),
    (kind("TCP_DENIED_REPLY/403", "HIER_DIRECT", 200), "403 TCP_DENIED_REPLY"),
    (kind("NONE_NONE/400"), "400 NONE_NONE"),
    (kind("TCP_MISS/403", "HIER_DIRECT", 403), "403 Forbidden"),
    (kind("TCP_MISS/404"), "404 TCP_MISS"),
    (kind("TCP_MISS_ABORTED/000", "HIER_DIRECT"), "000 TCP_MISS_ABORTED"),
    (kind("TCP_MISS/7", "HIER_DIRECT"), "007 TCP_MISS"),
    (kind("TCP_MISS/999", "HIER_DIRECT"), "999 TCP_MISS"),
]


@pytest.mark.parametrize(("said", "text"), STATUS_TEXTS, ids=[text for _, text in STATUS_TEXTS])
def test_status_text(said: ResultKind, text: str) -> None:
    assert status_text(said) == text


@pytest.mark.parametrize("status", HTTPStatus)
def test_every_status_of_an_origin_has_its_phrase(status: HTTPStatus) -> None:
    assert status_text(kind(f"TCP_MISS/{status}", "HIER_DIRECT", status)) == f"{status} {status.phrase}"


def test_a_cached_answer_is_not_the_proxys_own() -> None:
    assert not answered_by_proxy(kind("TCP_INM_HIT/304"))
    assert answered_by_proxy(kind("TCP_MISS/503"))


_URL = st.one_of(
    st.text("ab:/?#[]@.-", max_size=12),
    st.builds(
        "{}://{}{}{}".format,
        st.sampled_from(["http", "https", "h-t+p.1", "1http", "", "ftp"]),
        st.text("ab.:@[]é日\U0001f600", max_size=4),
        st.sampled_from(["", "/", "?", "#", "/\n"]),
        st.text("ab/?#~\x01\x7fé￿\U0001f600", max_size=4),
    ),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
)


@given(_URL)
@example("http://a.test")
@example("http://a.test?b/c")
def test_a_destination_is_its_two_parts(url: str) -> None:
    prefix, rest = split_destination(url)
    assert prefix + rest == url
    assert bool(prefix) == bool(url)
    assert split_destination(prefix) == (prefix, "")


@given(st.sets(_URL, max_size=20))
@example({"http://a", "http://a/", "http://a/b", "http://a.b/", "http://a?", "http://a#x", "http:", "http://a\x01/"})
def test_parts_sort_like_the_whole(urls: set[str]) -> None:
    assert ["".join(parts) for parts in sorted(map(split_destination, urls))] == sorted(urls)


@given(st.sets(_URL.filter(lambda url: "\0" not in url), max_size=20))
def test_sqlite_sorts_parts_like_the_whole(urls: set[str]) -> None:
    conn = sqlite3.connect(":memory:")
    conn.execute("CREATE TABLE d (prefix TEXT, rest TEXT) STRICT")
    conn.executemany("INSERT INTO d VALUES (?, ?)", map(split_destination, urls))
    found = [url for (url,) in conn.execute("SELECT prefix || rest FROM d ORDER BY prefix, rest")]
    conn.close()
    assert found == sorted(urls)


@pytest.mark.parametrize(
    ("prefix", "host"),
    [
        ("http://Example.TEST/", "example.test"),
        ("http://example.test.:8080/", "example.test"),
        ("https://user:p:w@example.test:443?", "example.test"),
        ("example.test:443", "example.test"),
        ("http://[2001:DB8::1]:18080/", "2001:db8::1"),
        ("[::1]:18080", "::1"),
        ("::1", "::1"),
        ("http://192.0.2.1/", "192.0.2.1"),
        ("http://bücher.test/", "bücher.test"),
        ("http://:80*", ""),
        ("cache_object://localhost/", "localhost"),
        ("http://", ""),
        ("urn:foo:bar", ""),
        ("error:transaction-end-before-headers", ""),
        ("/local/path", ""),
        ("*", ""),
        ("ahmet", "ahmet"),
        ("https:443", "https"),
    ],
)
def test_host(prefix: str, host: str) -> None:
    assert host_of(prefix) == host


@given(_URL)
def test_every_destination_has_a_host_or_none(url: str) -> None:
    host = host_of(split_destination(url)[0])
    assert host == host.lower()
    assert not host.endswith(".")
    is_address(host)


@pytest.mark.parametrize("host", ["192.0.2.1", "0.0.0.0", "::1", "2001:db8::1", "::ffff:192.0.2.1", "fe80::1%eth0"])
def test_addresses(host: str) -> None:
    assert is_address(host)


@pytest.mark.parametrize("host", ["", "a.test", "a1", "1.2.3", "1.2.3.4.5", "1.2.3.256", "١.٢.٣.٤", ":", "a:b", "12"])
def test_names(host: str) -> None:
    assert not is_address(host)
