"""Lines of logs, questions of Squid's, encodings and compressed files, mutated."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
from pathlib import Path

import pytest
import zstandard
from hypothesis import given

from proxyweb.ingest.compressed import DAMAGE, Decompressed, compression
from proxyweb.ingest.content import LineReader
from proxyweb.ingest.examination import examine
from proxyweb.ingest.squid import MAX_LINE, native_user, unescaped
from proxyweb.waf.engine import Engine
from proxyweb.waf.helper import Helper
from proxyweb.waf.helper import unescaped as sent
from proxyweb.waf.normalise import LONGEST, normal
from proxyweb.waf.policy import Policy
from proxyweb.waf.request import split, values
from proxyweb.waf.shell import form as shell_form
from proxyweb.waf.sql import form as sql_form
from tests.fuzz.mutation import SEEDS, batch, budget
from tests.ingest.factory import FORMATS, log, traffic
from tests.ingest.test_encoder import encoded, line_by_line
from tests.waf.test_helper import ANSWER, ATTACK, BENIGN

DATA = Path(__file__).parent.parent / "data"
LOGS = [
    *([line for line in path.read_bytes().splitlines() if line] for path in sorted(DATA.glob("*.log"))),
    *(log(*traffic(50), log_format=name).splitlines() for name in FORMATS),
]
LINES = [line for lines in LOGS for line in lines]
QUESTIONS = [
    b"7 " + ATTACK,
    b"8 " + BENIGN,
    b"9 shop.test:443 CONNECT 2001:db8::1 shop.test - -",
    b"10 http://a.test/%3Cscript%3Ealert(1)%3C/script%3E GET 10.0.0.7 a.test sqlmap/1.7 http://b.test/?q=%27%20or%201=1",
    b"11 http://[::1]/../../etc/passwd?cmd=%3Bcat%20/etc/passwd POST 10.0.0.7 [::1] () { :; }; -",
]
TEXTS = [
    b"1' or '1'='1", b"%2527%20union%2520select", b"%u0027%u003cscript", b"&#39;&lt;script&gt;", b"\\u0027\\x3c",
    "‘ｓｅｌｅｃｔ’ аdmin".encode(), b"%c0%a7%e0%80%af%f0%80%80%af", b"cat /etc/passwd;$(id)`ls`", b"PHNjcmlwdD4=",
    b"a=1&b=2&amp;c=%26%23x27%3B", b"sel/**/ect/*!50000 1*/--+", b"${jndi:${lower:l}dap://x}", b"\\\\host\\c$",
]  # fmt: skip
ARCHIVES = [
    compress(log(*traffic(20))) for compress in (gzip.compress, bz2.compress, lzma.compress, zstandard.compress)
]
MEGABYTES = 1 << 20


@budget(15, 4_000)
@given(SEEDS)
def test_lines_of_logs(seed: int) -> None:
    """All are records or rejected, and the fast way reads them as the careful one does."""
    content = b"\n".join(batch(seed, [*LOGS, LINES][seed % (len(LOGS) + 1)])) + b"\n"
    assert encoded([content]) == line_by_line(content)


@budget(5, 1_000)
@given(SEEDS)
def test_streams_of_lines(seed: int) -> None:
    """Whatever the pieces, they are the stream, and bounded."""
    reader, pieces, chunks = LineReader(0), [], batch(seed, [*LINES, b"\n", b"x" * 40_000])
    for chunk in chunks:
        for piece in reader.feed(chunk):
            assert piece.text in (piece.raw, b"")
            pieces.append(piece.raw)
        assert len(reader.held) <= MAX_LINE
    assert b"".join(pieces) + reader.held == b"".join(chunks)


@budget(4, 1_500)
@given(SEEDS)
def test_questions_of_squids(engine: Engine, seed: int) -> None:
    """Each line with a channel has one answer, which Squid can read, on its channel."""
    helper = Helper(lambda: Policy(inspects=True, denies_addresses=True, engine=engine), clock=lambda: 0.0)
    for line in batch(seed, QUESTIONS):
        given_lines = line.split(b"\n")
        answers = b"".join(helper.answered(given_lines)).splitlines()
        assert all(ANSWER.fullmatch(answer) for answer in answers), line
        asked = [channel for channel in map(channel_of, given_lines) if channel]
        assert [answer.split(b" ")[0] for answer in answers] == asked, line


def channel_of(line: bytes) -> bytes:
    """The number at a line's beginning, of 20 digits at most, with a blank, a CR or nothing behind."""
    digits = len(line) - len(line.lstrip(b"0123456789"))
    return line[:digits] if 0 < digits <= 20 and line[digits : digits + 1] in (b"", b" ", b"\r") else b""


@budget(10, 2_500)
@given(SEEDS)
def test_encodings(seed: int) -> None:
    """Every decoder gives bounded text, the same whenever it is asked."""
    for data in batch(seed, TEXTS):
        text = sent(data)
        for found in (text, unescaped(text), native_user(text)):
            found.encode("utf-8", "strict")
            assert len(found) <= 3 * len(data)
        for plus in (False, True):
            meant = normal(text, plus)
            assert len(meant) <= 18 * LONGEST  # NFKC makes 18 characters of one, at most
            assert meant == normal(text, plus)
            assert "\0" not in meant
            for form in (*sql_form(meant), *shell_form(meant)):
                assert len(form) <= 4 * len(meant) + 16
        judged = list(values("GET", f"http://a.test/{text}", {"User-Agent": text, "Referer": text}))
        assert len(judged) < 3 * 64 + 8
        assert all(split(method, text) for method in ("GET", "CONNECT"))


@budget(10, 500)
@given(SEEDS)
@pytest.mark.filterwarnings("error")
def test_archives(seed: int) -> None:
    """Read to the end or to damage; what is believed is not more than what there is."""
    for data in batch(seed, ARCHIVES):
        kind = compression(data)
        if kind is None:
            continue
        content, size = Decompressed(io.BytesIO(data), kind), 0
        try:
            while part := content.read(MEGABYTES):
                size += len(part)
        except DAMAGE:
            pass
        assert examine(io.BytesIO(data), kind).size <= size
