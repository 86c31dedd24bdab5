"""Whole files into the database: every line once, whatever a file is called and however it grew."""

from __future__ import annotations

import gzip
import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, cast

import pytest

from proxyweb.db.connection import connect
from proxyweb.ingest import sources
from proxyweb.ingest.importer import Importer, ImportFailed, Summary
from proxyweb.ingest.sources import BLOCK, CHUNK, Checkpoint
from proxyweb.ingest.store import REJECTED_KEPT
from tests.ingest.factory import FORMATS, Request, log, new_database, traffic
from tests.ingest.importing import BORDERS, IN_A_CHUNK, LINES, LOG, load, positions, urls, urls_in, write
from tests.ingest.recount import assert_adds_up
from tests.ingest.test_content import COMPRESS
from tests.ingest.test_squid import LOGS


@pytest.fixture
def conn(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A database with nothing in it; what a test leaves there adds up."""
    conn = new_database(tmp_path / "proxyweb.sqlite")
    yield conn
    assert_adds_up(conn)
    conn.close()


def everything(conn: sqlite3.Connection) -> dict[str, list[Any]]:
    """What a database holds, without ids of texts and times of reading."""
    questions = {
        "entries": "SELECT * FROM proxy_log_entries ORDER BY id",
        "sources": "SELECT id, path, position, first_size, first_crc, tail_crc, rows, rejected FROM sources",
        "rejected": "SELECT id, path, position, reason, line FROM rejected_lines",
        "counters": "SELECT * FROM counters WHERE name != 'last_import'",
        **{
            name: f"SELECT * FROM {name}"
            for name in ("hourly_requests", "log_zones", "source_marks", "rejected_counts")
        },
    }
    return {name: conn.execute(question).fetchall() for name, question in questions.items()}


def test_parsed_aside_or_here_is_the_same(tmp_path: Path) -> None:
    mixed = b"".join(log(*traffic(400, 400 * number), log_format=name) for number, name in enumerate(FORMATS * 3))
    content = b"\n" + mixed + b"garbage\n" * 1500 + b"".join(LOGS.values()) + b"x" * 200_000 + b"\n" + LOG
    held = []
    for parallel in (False, True):
        conn = new_database(tmp_path / "proxyweb.sqlite")
        told: list[int] = []
        for path in (write(tmp_path / "a", content), write(tmp_path / "b.gz", gzip.compress(content[:-9] + b"9" * 8))):
            summary = Importer(conn, told.append, parallel).import_file(path)
            held.append((summary, everything(conn), sum(told) == summary.on_disk == path.stat().st_size))
            told.clear()
        conn.close()
    assert held[:2] == held[2:]
    assert held[0][0].rows > 7000
    assert held[0][2]


COPIES: dict[str, Callable[[bytes], bytes]] = {
    "access.log": bytes,
    "access.log.1": bytes,
    "members.gz": lambda content: gzip.compress(content[:500]) + gzip.compress(content[500:]),
    **{f"access.log.1.{kind}": compress for kind, compress in COMPRESS.items()},
}


@pytest.mark.parametrize("first", COPIES)
def test_the_same_content_again_adds_nothing(first: str, conn: sqlite3.Connection, tmp_path: Path) -> None:
    assert load(conn, write(tmp_path / first, COPIES[first](LOG))).rows == LINES
    for name, compress in COPIES.items():
        path = write(tmp_path / name, compress(LOG))
        assert load(conn, path) == Summary(skipped=len(LOG), on_disk=path.stat().st_size)
    assert urls(conn) == urls_in(LOG)


@pytest.mark.parametrize("parallel", [False, True])
def test_a_pipe_adds_what_was_not_read_before(parallel: bool, conn: sqlite3.Connection, tmp_path: Path) -> None:
    for name, content in (("part", LOG[: BORDERS[2000]]), ("gz", gzip.compress(LOG)), ("zst", COMPRESS["zst"](LOG))):
        with subprocess.Popen(["cat", write(tmp_path / name, content)], stdout=subprocess.PIPE) as cat:
            assert cat.stdout
            summary = Importer(conn, parallel=parallel).import_stream(cast(BinaryIO, cat.stdout))
        assert summary.damage == ""
    assert urls(conn) == urls_in(LOG)
    differing = LOG[: BORDERS[IN_A_CHUNK + 1]] + LOG[BORDERS[IN_A_CHUNK + 2] :]
    with pytest.raises(ImportFailed, match="differs later"):
        Importer(conn, parallel=parallel).import_stream(BytesIO(differing))
    early = LOG[: BORDERS[20]] + LOG[BORDERS[21] :]
    assert Importer(conn, parallel=parallel).import_stream(BytesIO(early)).rows == LINES - 1


def test_a_named_pipe_is_read_like_a_pipe(conn: sqlite3.Connection, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with subprocess.Popen(["sh", "-c", 'cat "$0" > "$1"', write(tmp_path / "log", LOG), tmp_path / "fifo"]):
        assert load(conn, tmp_path / "fifo").rows == LINES
    assert load(conn, tmp_path / "log").rows == 0


class Watched(BytesIO):
    """A stream that, whenever it is read from, sees to it that nobody holds the write lock."""

    def __init__(self, content: bytes, conn: sqlite3.Connection) -> None:
        super().__init__(content)
        self.conn = conn

    def read(self, size: int | None = -1) -> bytes:
        self.conn.execute("BEGIN IMMEDIATE")
        self.conn.execute("ROLLBACK")
        return super().read(size)


def test_nothing_slow_happens_under_the_write_lock(conn: sqlite3.Connection, tmp_path: Path) -> None:
    other = connect(tmp_path / "proxyweb.sqlite", busy_seconds=0)
    content = LOG * 3
    assert Importer(conn, parallel=False).import_stream(Watched(content, other)).rows == LINES * 3
    found = sources.find_or_begin(conn, Checkpoint("x"), lambda: Watched(content, other), 0)
    assert (found[0].position, found[1]) == (len(content), False)
    other.close()


@pytest.mark.parametrize("lines", [0, 1, 3, 4, 5, 6, 100, IN_A_CHUNK, IN_A_CHUNK + 1, LINES - 1, LINES])
def test_of_a_file_that_grew_only_the_rest_is_added(lines: int, conn: sqlite3.Connection, tmp_path: Path) -> None:
    assert load(conn, write(tmp_path / "access.log", LOG[: BORDERS[lines]])).rows == lines
    summary = load(conn, write(tmp_path / "access.log", LOG))
    assert (summary.rows, summary.skipped) == (LINES - lines, BORDERS[lines])
    assert urls(conn) == urls_in(LOG)
    assert len(positions(conn)) == 1


@pytest.mark.parametrize("size", [BLOCK, BLOCK + 1, 10_000, CHUNK - 1, CHUNK, CHUNK + 1, len(LOG) - 1])
def test_the_beginning_of_a_file_that_was_read_adds_nothing(
    size: int, conn: sqlite3.Connection, tmp_path: Path
) -> None:
    load(conn, write(tmp_path / "access.log", LOG))
    for content in (LOG[:size], gzip.compress(LOG[:size])):
        assert load(conn, write(tmp_path / "copy", content)).rows == 0
    assert load(conn, write(tmp_path / "access.log", LOG + log(Request()))).rows == 1


@pytest.mark.parametrize("same", [0, 1, 4, 8, IN_A_CHUNK, LINES - 10])
def test_another_file_with_the_same_first_lines_is_read_whole(
    same: int, conn: sqlite3.Connection, tmp_path: Path
) -> None:
    load(conn, write(tmp_path / "a.log", LOG))
    other = LOG[: BORDERS[same]] + log(*traffic(20, 9000))
    for _ in range(2):
        load(conn, write(tmp_path / "b.log", other))
        assert urls(conn) == urls_in(LOG + other)


def test_files_that_differ_behind_the_last_block_of_512_bytes(conn: sqlite3.Connection, tmp_path: Path) -> None:
    assert len(LOG[: BORDERS[11]]) // BLOCK == len(LOG[: BORDERS[12]]) // BLOCK
    load(conn, write(tmp_path / "a.log", LOG[: BORDERS[12]]))
    assert load(conn, write(tmp_path / "b.log", LOG[: BORDERS[11]] + LOG[BORDERS[12] :])).rows == LINES - 1


def test_a_last_line_without_its_end_counts_when_nobody_writes_any_more(
    conn: sqlite3.Connection, tmp_path: Path
) -> None:
    content, path = LOG[:-1], tmp_path / "access.log"
    summary = load(conn, write(path, content, age=0))
    assert (summary.rows, summary.unfinished) == (LINES - 1, len(LOG.splitlines()[-1]))
    assert load(conn, write(path, content, age=0)).rows == 0
    assert (load(conn, write(path, content)).rows, load(conn, write(path, content)).rows) == (1, 0)
    assert load(conn, write(path, content + b"/and-more\n" + LOG)).rows == LINES
    assert urls(conn) == urls_in(LOG + LOG)
    assert conn.execute("SELECT count(*) FROM rejected_lines").fetchone() == (0,)


def test_an_empty_file(conn: sqlite3.Connection, tmp_path: Path) -> None:
    for name in ("empty", "another"):
        assert load(conn, write(tmp_path / name, b"")) == Summary()
    assert load(conn, write(tmp_path / "a.log", LOG)).rows == LINES
    assert load(conn, write(tmp_path / "b.log", log(*traffic(50, 9000)))).rows == 50
    assert load(conn, write(tmp_path / "empty.gz", gzip.compress(b""))).rows == 0


def test_rejected_lines_are_counted_and_the_last_thousand_kept(conn: sqlite3.Connection, tmp_path: Path) -> None:
    assert load(conn, write(tmp_path / "garbage", b"garbage\n" * 2000 + b"\n" * 500)).rejected == 2500
    numbers = b"".join(b"%d\n" % number for number in range(600))
    summary = load(conn, write(tmp_path / "more", numbers + LOG + b"\0x\n"))
    assert (summary.rows, summary.rejected) == (LINES, 602)
    assert summary.reasons == {"not a line of Squid's access log": 601, "blank": 1}
    counts = dict(conn.execute("SELECT reason, lines FROM rejected_counts"))
    assert counts == {"not a line of Squid's access log": 2601, "blank": 501}
    kept = conn.execute("SELECT path, position, line FROM rejected_lines ORDER BY id").fetchall()
    assert len(kept) == REJECTED_KEPT
    assert kept[-3] == (str(tmp_path / "more"), len(numbers) - 4, "599")
    assert kept[-1] == (str(tmp_path / "more"), len(numbers) + len(LOG) + 1, "x")
    assert load(conn, tmp_path / "garbage").rejected == 0


def test_again_reads_everything_again(conn: sqlite3.Connection, tmp_path: Path) -> None:
    path = write(tmp_path / "access.log", LOG)
    assert [load(conn, path).rows, load(conn, path, again=True).rows] == [LINES, LINES]
    assert load(conn, path).rows == 0
    assert load(conn, write(path, LOG + log(Request()))).rows == 1
    assert len(positions(conn)) == 2
