"""The fast path gives what the careful one gives, however lines are mixed and blocks are cut."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Hashable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from proxyweb.ingest import vocabularies
from proxyweb.ingest.batch import Batch
from proxyweb.ingest.encoder import Encoder
from proxyweb.ingest.record import NO_VERDICT, Record, ResultKind, WafVerdict
from proxyweb.ingest.squid import Rejected, parse_line
from tests.ingest.factory import FORMATS, Request, log, requests, traffic
from tests.ingest.test_squid import LOGS, REAL_LINES

_ABSENT: dict[str, list[Any]] = {"peer": [""], "user": [""], "agent": [("",)], "waf": [tuple(NO_VERDICT)]}


class Decoder:
    """Batches back to records: what the store does, without a database."""

    def __init__(self) -> None:
        self.known: defaultdict[str, list[Any]] = defaultdict(list)

    def records(self, batch: Batch) -> list[Record]:
        known = self.known
        if batch.restart:
            known.clear()
            known.update({name: list(values) for name, values in _ABSENT.items()})
        for name, values in batch.fresh.items():
            known[name].extend(values)
        nothing: list[Any] = [0] * len(batch)
        waf = batch.waf if len(batch.waf) else nothing
        agent, bytes_in, referer = (
            (batch.agent, batch.bytes_in, batch.referer) if batch.extended else (nothing,) * 3
        )  # fmt: skip
        columns = (
            batch.time_ms, batch.elapsed_ms, batch.client, batch.kind, batch.site, batch.rest, batch.bytes, batch.peer,
            batch.user, agent, bytes_in, waf, referer,
        )  # fmt: skip
        return [
            Record(
                time_ms, elapsed_ms, known["client"][client], ResultKind(*known["kind"][kind]),
                known["site"][site][0] + rest, size, known["peer"][peer], known["user"][user], known["agent"][agent][0],
                bytes_in, referer or "", WafVerdict(*known["waf"][waf]),
            )
            for time_ms, elapsed_ms, client, kind, site, rest, size, peer, user, agent, bytes_in, waf, referer
            in zip(*columns, strict=True)
        ]  # fmt: skip

    def used(self, name: str, batch: Batch) -> set[Hashable]:
        """The values of a vocabulary that rows refer to."""
        return {self.known[name][number] for number in getattr(batch, name)}


def line_by_line(content: bytes) -> tuple[list[Record], list[tuple[int, str]]]:
    """What `parse_line` says of every line; a NUL ends one, too."""
    records, rejected, position = [], [], 0
    for line in content.replace(b"\0", b"\n").removesuffix(b"\n").split(b"\n") if content else ():
        try:
            records.append(parse_line(line))
        except Rejected as rejection:
            rejected.append((position, str(rejection)))
        position += len(line) + 1
    return records, rejected


def encoded(blocks: list[bytes]) -> tuple[list[Record], list[tuple[int, str]]]:
    """The same from an encoder, block by block."""
    encoder, decoder, position = Encoder(), Decoder(), 0
    records, rejected = [], []
    for block in blocks:
        batch = encoder.encode(block, position)
        position += len(block)
        assert (batch.start, batch.end) == (position - len(block), position)
        records += decoder.records(batch)
        rejected += [(at, reason) for at, reason, _ in batch.rejected]
    return records, rejected


_GOOD = st.builds(Request.line, requests(), st.sampled_from(FORMATS))
WORDS = (
    b"1770000000.250 12 10.0.0.1 TCP_MISS/200 TCP_MISS/2000 99 99999999999999999 -1 GET CONNECT http://a.test/x"
    b" a.test:443 ftp://a.test/x/y http://a.test?q/r http:///x http://a.test - ayse HIER_DIRECT/192.0.2.1 HIER_NONE/-"
    b" [x] pw1 5 200 text/html x/[y] 100000000.000 1770000000.25 17700000000.25 %e9 -x"
).split()
_WORDS = st.sampled_from(WORDS)
_ODD = st.lists(_WORDS, min_size=8, max_size=22).map(b" ".join)
_ALMOST = st.builds(
    lambda line, at, word: b" ".join(
        [*(fields := line.split())[: at % len(fields)], word, *fields[at % len(fields) + 1 :]]
    ),
    _GOOD,
    st.integers(0, 30),
    _WORDS,
)
_GARBAGE = st.one_of(
    st.binary(max_size=40), st.sampled_from([b"", b" ", b"\r", b"the quick brown fox jumps over it and is gone"])
)
_SPOILT = st.builds(
    lambda line, at, byte: line[: at % len(line)] + byte + line[at % len(line) :],
    _GOOD,
    st.integers(0, 300),
    st.sampled_from([b"\0", b"\t", b"\r", b"\x0b", b"\x1c", b"\x85", b"\xe9", b"\xa0", "\u2028é".encode(), b"  "]),
)
_LINES = st.lists(
    st.one_of(_GOOD, _GOOD, _GOOD, _ALMOST, _ODD, _GARBAGE, _SPOILT, st.sampled_from(REAL_LINES)), max_size=12
)  # fmt: skip


def content_of(lines: list[bytes], repeat: int, end: bytes, last: bytes) -> bytes:
    """A file of these lines, more than once, so that what is remembered is used again."""
    return (end.join(lines) + end) * repeat + last if lines else last


@settings(deadline=None, max_examples=200)
@given(
    st.builds(
        content_of, _LINES, st.integers(1, 3), st.sampled_from([b"\n", b"\n", b"\r\n"]), st.one_of(st.just(b""), _GOOD)
    )
)
@example(b"\n" * 3)
@example(b"\0\n\0")
@example(b"1770000000.250 12 10.0.0.1 TCP_MISS/200 99 [GET http://a.test/ - HIER_DIRECT/192.0.2.1] [b]\n")  # two blocks
@example(
    Request(user_agent="[a]", referer="[b").line("proxyweb").replace(b"%5B", b"[").replace(b"%5D", b"]")[:-1] + b"r]\n"
)
def test_blocks_give_what_lines_give(content: bytes) -> None:
    assert encoded([content]) == line_by_line(content)


@pytest.mark.parametrize("log_format", ["native", "proxyweb"])
def test_any_field_may_be_odd(log_format: str) -> None:
    fields = Request(user="ayse", user_agent="a").line(log_format).split()
    lines = [b" ".join([*fields[:at], word, *fields[at + 1 :]]) for at in range(len(fields)) for word in WORDS]
    assert encoded([b"\n".join(lines)]) == encoded([line + b"\n" for line in lines]) == line_by_line(b"\n".join(lines))


@settings(deadline=None)
@given(_LINES.map(lambda lines: b"".join(line + b"\n" for line in lines)), st.sets(st.integers(1, 12)))
def test_where_blocks_are_cut_changes_nothing(content: bytes, cuts: set[int]) -> None:
    lines = re.findall(rb"[^\n]*\n", content)
    borders = [0, *sorted(cut for cut in cuts if cut < len(lines)), len(lines)]
    blocks = [b"".join(lines[first:last]) for first, last in pairwise(borders)]
    assert encoded(blocks) == line_by_line(content)


@settings(deadline=None)
@given(st.lists(st.one_of(_GOOD, _ALMOST, _ODD, _GARBAGE), max_size=12))
def test_of_rejected_lines_no_text_is_numbered(lines: list[bytes]) -> None:
    batch = Encoder().encode(b"".join(line + b"\n" for line in lines), 0)
    decoder = Decoder()
    decoder.records(batch)
    for name, values in batch.fresh.items():
        assert name in ("waf", "extension") or set(values) <= decoder.used(name, batch), name


@pytest.mark.parametrize("name", LOGS)
def test_squids_own_files(name: str) -> None:
    assert encoded([LOGS[name]]) == line_by_line(LOGS[name])


@pytest.mark.parametrize("log_format", ["native", "proxyweb"])
def test_a_block_that_fits_is_never_read_line_by_line(log_format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(line: bytes) -> Record:
        raise AssertionError(line)

    monkeypatch.setattr("proxyweb.ingest.squid.parse_line", refuse)
    content = log(*traffic(500, method="CONNECT", url="a.test:443"), *traffic(500, user="a%20b"), log_format=log_format)
    batch = Encoder().encode(content, 0)
    assert (len(batch), batch.rejected) == (1000, [])


def test_one_odd_line_among_many_stays_in_its_place() -> None:
    requests = traffic(999)
    requests[500:500] = [Request(url="ftp://a.test/pub/x", user="ayse yilmaz")]
    records, rejected = encoded([log(*requests)])
    assert records == [request.record() for request in requests]
    assert rejected == []


@pytest.mark.parametrize("lines_a_block", [1, 7, 1000])
def test_formats_change_in_the_middle(lines_a_block: int) -> None:
    parts = [(log_format, traffic(20, 20 * number)) for number, log_format in enumerate((*FORMATS, *FORMATS))]
    parts = [
        (log_format, [replace(it, user=f"{log_format}{it.size % 7}") for it in some]) for log_format, some in parts
    ]
    lines = [it.line(log_format) + b"\n" for log_format, some in parts for it in some]
    wanted = [it.record(log_format) for log_format, some in parts for it in some]
    blocks = [b"".join(lines[at : at + lines_a_block]) for at in range(0, len(lines), lines_a_block)]
    assert encoded(blocks) == (wanted, [])


@pytest.mark.parametrize("log_format", ["native", "proxyweb"])
@pytest.mark.parametrize("at", [0, 1, 37, 72, 99])
def test_the_position_of_a_rejected_line_among_good_ones(at: int, log_format: str) -> None:
    lines = [it.line(log_format) + b"\n" for it in traffic(100)]
    position = sum(map(len, lines[:at]))
    lines[at] = lines[at].replace(b"17700000", b"00000000", 1)
    _, rejected = encoded([b"".join(lines)])
    assert rejected == [(position, "timestamp out of range")]


def test_numbering_begins_anew_when_too_much_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vocabularies, "MAX_VOCABULARY", 100)
    some = [Request(client=f"10.0.{n % 99}.1", user=f"u{n % 70}", method=f"M{n}") for n in range(2000)]
    for log_format in FORMATS:
        encoder, decoder, records, restarts = Encoder(), Decoder(), [], 0
        for at in range(0, 2000, 10):
            batch = encoder.encode(log(*some[at : at + 10], log_format=log_format), 0)
            records += decoder.records(batch)
            restarts += batch.restart
            assert sum(map(len, decoder.known.values())) < 250
        assert records == [request.record(log_format) for request in some]
        assert 10 < restarts < 100


def test_the_text_of_a_rejected_line() -> None:
    batch = Encoder().encode("é".encode() * 5000 + b"\nx\xff\n" + Request().line() + b"\n", 7)
    assert batch.rejected == [
        (7, "not a line of Squid's access log", "é" * 2048),
        (10_008, "not a line of Squid's access log", "xÿ"),
    ]
