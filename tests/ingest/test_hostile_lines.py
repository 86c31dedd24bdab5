"""What clients do to a log: forged fields, broken lines, and lines that are to keep a reader busy."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from time import process_time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proxyweb.ingest.squid import Rejected, parse_line
from tests.ingest.factory import FORMATS, Request
from tests.ingest.test_squid import REAL_LINES


@pytest.mark.parametrize("log_format", FORMATS)
@pytest.mark.parametrize(
    "forged",
    [
        "http://a.test/x - HIER_NONE/- text/html", "http://a.test/x admin HIER_NONE/- image/png -",
        "http://a.test/x - HIER_NONE/- text/html pw1 1 200 ua ref ERR_X -",
        "http://a.test/x - HIER_NONE/- text/html pw1 1 200 ua ref - - sqli 99 1",
        "http://a.test/x TCP_DENIED:HIER_NONE",
    ],
)  # fmt: skip
def test_a_url_forges_no_fields(forged: str, log_format: str) -> None:
    for it in (Request(url=forged), Request(url=forged, content_type="")):
        assert parse_line(it.line(log_format)) == it.record(log_format)


def test_a_user_agent_forges_no_fields_around_it() -> None:
    for agent in ('x" TCP_DENIED:HIER_NONE', 'GET http://b.test/ HTTP/1.1" 403 9 "-" "x', '" "', '"'):
        record = parse_line(Request(user_agent=agent).line("combined"))
        assert replace(record, user_agent="", referer="") == replace(Request().record("combined"))
    it = Request(user_agent="ua ref - - sqli 99 1 pw1", referer='a"b\\c\td %41')
    assert parse_line(it.line("proxyweb")) == it.record("proxyweb")


@given(st.binary(max_size=300))
@example(b'1.2.3.4 - - [22/Nov/2026:20:48:15 +0000] "GET  HTTP/1.1" 400 0 NONE_NONE:HIER_NONE')
def test_random_bytes_are_read_or_rejected(line: bytes) -> None:
    try:
        parse_line(line)
    except Rejected as rejected:
        assert str(rejected)


_EDIT = st.tuples(
    st.integers(0, 10_000), st.integers(0, 12), st.one_of(st.binary(max_size=4), st.sampled_from([b" ", b'"', b"%"]))
)


@given(st.sampled_from(REAL_LINES), st.lists(_EDIT, min_size=1, max_size=4))
def test_mutated_lines_are_read_or_rejected(line: bytes, edits: list[tuple[int, int, bytes]]) -> None:
    for at, size, new in edits:
        at %= len(line) + 1
        line = line[:at] + new + line[at + size :]
    try:
        record = parse_line(line)
    except Rejected:
        return
    assert record.url
    assert "\0" not in record.url + record.user + record.user_agent + record.referer
    assert min(record.elapsed_ms, record.bytes, record.bytes_in, record.kind.status_code) >= 0


_MOMENT = '[02/Feb/2026:02:40:00 +0000] "GET '


@pytest.mark.parametrize(
    "line",
    [
        "1.2.3.4 - " + _MOMENT * 15 + ' HTTP/1.1" 200 1 "' * 3400,
        "1.2.3.4 - - " + _MOMENT + ' HTTP/1.1" 200 1' * 3900,
        Request(url=" HIER_NONE/" * 5500).line().decode() + "\x0b",
        Request(url=" [" * 30_000).line().decode() + "]",
        Request(url=" " * 60_000, user=" " * 4000).line().decode(),
    ],
)
def test_no_line_takes_long(line: str) -> None:
    assert len(line) < 65_536
    before = process_time()
    with suppress(Rejected):
        parse_line(line.encode())
    assert process_time() - before < 1
