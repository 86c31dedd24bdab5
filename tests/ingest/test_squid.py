"""Lines to records: the formats, and what real files hold beside them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxyweb.ingest.encoder import Encoder
from proxyweb.ingest.record import NO_VERDICT, ORIGIN, POLICY, Record, WafVerdict
from proxyweb.ingest.squid import MAX_BYTES, Rejected, parse_line
from tests.ingest.factory import FORMATS, START_MS, Request, requests

DATA = Path(__file__).parents[1] / "data"
LOGS = {path.name: path.read_bytes() for path in sorted(DATA.glob("*.log"))}
REAL_LINES = [line for content in LOGS.values() for line in content.replace(b"\0", b"\n").splitlines()]


def rejection(line: bytes) -> str:
    """Why there is no record."""
    with pytest.raises(Rejected) as caught:
        parse_line(line)
    return str(caught.value)


@given(requests(), st.sampled_from(FORMATS))
def test_every_format_is_read_as_it_was_written(request: Request, log_format: str) -> None:
    assert parse_line(request.line(log_format)) == request.record(log_format)


@given(requests())
def test_the_same_request_is_the_same_in_every_format(request: Request) -> None:
    def shared(record: Record) -> tuple[object, ...]:
        kind = record.kind
        return (
            record.time_ms // 1000, record.client, kind.method, kind.result_code, kind.status_code, kind.hierarchy_code,
            record.url, record.bytes, record.user,
        )  # fmt: skip

    assert len({shared(parse_line(request.line(log_format))) for log_format in FORMATS}) == 1


def test_squids_own_files_tell_the_same_in_every_format() -> None:
    files = [LOGS[f"{name}.log"].splitlines() for name in FORMATS]
    for lines in zip(*files, strict=True):
        told = set()
        for record in map(parse_line, lines):
            method = unquote(record.kind.method)  # which our own format escapes where it holds quotes
            told.add((method, record.url, record.kind[1:4], record.bytes, record.user, record.time_ms // 1000))
        assert len(told) == 1


@pytest.mark.parametrize("name", LOGS)
def test_every_line_of_squids_own_files_is_a_request(name: str) -> None:
    batch = Encoder().encode(LOGS[name], 0)
    assert batch.rejected == []
    assert len(batch) == LOGS[name].count(b"\n") + LOGS[name].count(b"\0")


def test_the_record_that_was_cut_and_the_one_glued_to_it() -> None:
    assert LOGS["glued.log"].count(b"\0") == 1
    before, cut, after = map(parse_line, LOGS["glued.log"].replace(b"\0", b"\n").splitlines())
    assert before.url.endswith("/before")
    assert after.url.endswith("/after")
    assert len(cut.url) > 8000
    assert (cut.kind.status_code, cut.kind.hierarchy_code, cut.user) == (400, "", "")


def test_a_common_record_that_was_cut() -> None:
    record = parse_line(Request(url="http://a.test/" + "x" * 9000).line("common")[:8191])
    assert len(record.url) > 8000
    assert (record.kind.result_code, record.kind.status_code, record.bytes) == ("-", 0, 0)


def test_nothing_but_a_closed_connection() -> None:
    it = Request(
        method="-", url="error:transaction-end-before-headers", result_code="NONE_NONE", status=0, size=0,
        hierarchy="HIER_NONE", peer="", content_type="",
    )  # fmt: skip
    assert parse_line(it.line()) == it.record()
    assert parse_line(it.line("common").replace(b"HTTP/1.1", b"NONE/0.0")) == it.record("common")


@pytest.mark.parametrize("log_format", FORMATS)
@pytest.mark.parametrize("user", ["ayse yilmaz", 'o"neil', "dom\\bob", "jürgen", "100%", "a [b] c", "x hier_none/- y"])
def test_user_names(user: str, log_format: str) -> None:
    assert parse_line(Request(user=user).line(log_format)).user == user


def test_a_user_name_in_latin_1() -> None:
    assert parse_line(Request(user="USER").line().replace(b"USER", b"j%fcrgen")).user == "jürgen"


def test_raw_bytes() -> None:
    line = Request(url="http://bücher.test/café", content_type="té").line()
    assert parse_line(line).url == "http://bücher.test/café"
    latin = parse_line(line.decode().encode("latin-1"))
    assert (latin.url, latin.kind.content_type) == ("http://bücher.test/café", "té")
    it = Request(url="http://a.test/a b", content_type="no\xa0break")
    assert parse_line(it.line()) == parse_line(it.line().decode().encode("latin-1")) == it.record()


@pytest.mark.parametrize("log_format", FORMATS)
@pytest.mark.parametrize(
    "url",
    [
        "http://a.test/my file  name.doc", "http://a.test/search?", "cache_object://localhost/counters", "http://:80*",
        "urn:foo:bar", "[::1]:18080", "ahmet", "https:443", "a b", "http://a.test/- -",
    ],
)  # fmt: skip
def test_odd_urls(url: str, log_format: str) -> None:
    it = Request(url=url)
    assert parse_line(it.line(log_format)) == it.record(log_format)


@pytest.mark.parametrize("log_format", FORMATS)
@pytest.mark.parametrize(
    "method", ["GARBAGE", "FOO-BAR", "open", "NONE", "-", "ICP_QUERY", "HTCP_TST", "X!#$&'*+^_`|~"]
)
def test_odd_methods(method: str, log_format: str) -> None:
    assert parse_line(Request(method=method).line(log_format)).kind.method == method


def test_bumped_and_spliced_traffic_is_what_squid_wrote() -> None:
    bumped = Request(method="CONNECT", url="a.test:443", result_code="NONE_NONE", size=0, hierarchy="HIER_NONE")
    spliced = replace(bumped, result_code="TCP_TUNNEL", status=500, hierarchy="HIER_DIRECT")
    assert parse_line(bumped.line()) == bumped.record()
    assert parse_line(spliced.line()) == spliced.record()


@pytest.mark.parametrize("log_format", FORMATS)
@pytest.mark.parametrize(
    "blocks", [rb" [Host: a.test\r\nX: b\r\n] [HTTP/1.1 200 OK\r\n\r\n]", b" [] []", b" [-] [x y]"]
)
def test_appended_headers(blocks: bytes, log_format: str) -> None:
    it = Request(user="ayse yilmaz")
    assert parse_line(it.line(log_format) + blocks) == it.record(log_format)


@pytest.mark.parametrize("log_format", FORMATS)
@pytest.mark.parametrize(
    "prefix",
    [
        b"<40>Dec 21 10:11:12 gate squid[54]: ", b"Dec 27 10:11:12 (squid-1): ", b"Dec  7 10:11:12 10.0.0.1 squid:   ",
        b"2026-02-02T02:40:00.25+03:00 gate squid[54]: ", b"<134>1 2026-02-02T02:40:00Z gate (squid-1)[9]: ",
    ],
)  # fmt: skip
def test_syslog_prefixes(prefix: bytes, log_format: str) -> None:
    it = Request(url="http://a.test/a b")
    assert parse_line(prefix + it.line(log_format)) == it.record(log_format)


def test_another_programs_line_in_syslog_is_no_request() -> None:
    assert rejection(b"Dec 21 10:11:12 gate kernel: " + Request().line()) == "not a line of Squid's access log"


def test_odd_numbers() -> None:
    line = Request(elapsed_ms=777, size=555).line()
    assert parse_line(line.replace(b".250", b"")).time_ms == START_MS - 250
    assert parse_line(line.replace(b".250", b".2")).time_ms == START_MS - 50
    assert parse_line(line.replace(b"555", b"-1")).bytes == 0
    assert parse_line(line.replace(b"555", b"-")).bytes == 0
    assert parse_line(line.replace(b"   777", b"-3")).elapsed_ms == 0
    assert parse_line(line.replace(b"/200 ", b"/- ")).kind.status_code == 0
    assert rejection(line.replace(b"555", b"%d" % (MAX_BYTES + 1))) == "size out of range"
    assert rejection(line.replace(b"1770000000", b"100000000")) == "timestamp out of range"
    assert rejection(Request().line("common").replace(b"/Feb/", b"/Fev/")) == "timestamp out of range"
    assert parse_line(Request().line("common").replace(b"+0000", b"-0130")).time_ms == START_MS - 250 + 5_400_000


def test_a_field_too_few_or_too_many() -> None:
    it = Request(user="ayse", content_type="")
    assert parse_line(it.line().removesuffix(b" -")) == it.record()
    assert parse_line(it.line() + b" 0x1f") == it.record()


@pytest.mark.parametrize("hierarchy", ["TIMEOUT_HIER_DIRECT", "DIRECT", "NONE", "CARP", "TIMEOUT_FIRSTUP_PARENT"])
def test_hierarchies(hierarchy: str) -> None:
    it = Request(hierarchy=hierarchy, url="http://a.test/a b", result_code="TCP_NEGATIVE_HIT")
    assert parse_line(it.line()) == it.record()


def test_what_is_no_request() -> None:
    assert rejection(b"") == rejection(b" \r\n") == "blank"
    assert rejection(b"a\0b") == "NUL bytes"
    assert rejection(Request().line() + b" " * 65_536) == "longer than 64 KiB"
    assert rejection(Request(url="").line("common")) == "no URL"
    assert rejection(b"2026-02-02 02:40:00 [54] Request(default/adult/-) http://a.test/ 10.0.0.1/- - GET REDIRECT")


def test_what_only_our_own_format_tells() -> None:
    it = Request(result_code="TCP_DENIED", status=403, waf=WafVerdict(9, "sqli", "942100"), error_code="ERR_X")
    record = parse_line(it.line("proxyweb"))
    assert (record.kind.reason, record.waf, record.bytes_in) == ("waf", WafVerdict(9, "sqli", "942100"), 321)
    assert parse_line(it.line()).kind.reason == POLICY
    theirs = Request(result_code="TCP_MISS", status=403, origin_status=403)
    assert parse_line(theirs.line("proxyweb")).kind.reason == ORIGIN


def test_a_field_cut_inside_an_escape() -> None:
    line = Request(user_agent="AGENT").line("proxyweb")
    for cut, agent in ((b"a%e9", "aé"), (b"a%e", "a"), (b"a%", "a"), (b"a%00", "a�"), (b"%2d", "-"), (b"-", "")):
        assert parse_line(line.replace(b"AGENT", cut)).user_agent == agent
    assert parse_line(Request().line("proxyweb")).waf is NO_VERDICT
