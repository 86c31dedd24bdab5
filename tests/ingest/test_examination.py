"""Whatever happened to an archive, what is believed of it is how the log began."""

from __future__ import annotations

import bz2
import gzip
import io
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import product
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from proxyweb.ingest import examination
from proxyweb.ingest.compressed import DAMAGE, Decompressed
from proxyweb.ingest.examination import Believed, examine
from proxyweb.ingest.importer import Importer
from tests.ingest.factory import log, new_database, traffic
from tests.ingest.importing import load, urls, urls_in, write
from tests.ingest.recount import assert_adds_up
from tests.ingest.test_content import COMPRESS

LINES = 300  # so many that a bit of the first gzip member, when it is changed, makes the second a part of it
PARTS = [log(*traffic(LINES, start=number * LINES)) for number in range(2)]
CONTENT = b"".join(PARTS)
MAGIC_BYTES = 4  # what a changed bit there makes of the file is no archive any more


def believed(archive: bytes, kind: str) -> tuple[bytes, str]:
    """What is believed of an archive, and what is wrong with it."""
    examined = examine(io.BytesIO(archive), kind)
    content = Believed(cast(BinaryIO, Decompressed(io.BytesIO(archive), kind)), lambda: examined)
    parts = []
    try:
        while data := content.read(10_000):
            parts.append(data)
    except DAMAGE as error:
        assert str(error) == examined.damage
    assert sum(map(len, parts)) == examined.size
    return b"".join(parts), examined.damage


def flipped(archive: bytes, at: int, bit: int) -> bytes:
    return archive[:at] + bytes([archive[at] ^ 1 << bit]) + archive[at + 1 :]


def archive_of(kind: str, parts: list[bytes] = PARTS) -> bytes:
    return b"".join(map(COMPRESS[kind], parts))


@pytest.mark.parametrize("kind", COMPRESS)
def test_a_flipped_bit_changes_nothing_that_is_believed(kind: str) -> None:
    """Anywhere; every one of the last bytes of a member, where it may take the member's end away."""
    archive, choose = archive_of(kind), random.Random(1)
    second = len(COMPRESS[kind](PARTS[0]))
    ends = (*range(second - 60, second), *range(len(archive) - 60, len(archive)))
    anywhere = [(at, choose.randrange(8)) for at in choose.sample(range(MAGIC_BYTES, len(archive)), 250)]
    for at, bit in (*product(ends, range(8)), *anywhere):
        content, damage = believed(flipped(archive, at, bit), kind)
        assert CONTENT.startswith(content), at
        assert damage or content == CONTENT
        assert len(content) >= len(PARTS[0]) or at < second


@pytest.mark.parametrize("kind", COMPRESS)
def test_of_a_truncated_archive_almost_all_is_believed(kind: str) -> None:
    archive = archive_of(kind)
    second = len(COMPRESS[kind](PARTS[0]))
    for left in range(second + 1, len(archive), 7):
        content, damage = believed(archive[:left], kind)
        assert damage.startswith("the file ends before its content does")
        assert len(content) >= len(PARTS[0])
        assert CONTENT.startswith(content)
    assert len(believed(gzip.compress(CONTENT)[:-20], "gz")[0]) > 0.9 * len(CONTENT)


@pytest.mark.parametrize("kind", COMPRESS)
def test_what_is_whole_is_believed_as_a_whole(kind: str) -> None:
    assert believed(archive_of(kind), kind) == (CONTENT, "")
    assert believed(COMPRESS[kind](PARTS[0]) + b"\0" * 1000 + COMPRESS[kind](PARTS[1]) + b"\0" * 12, kind)[0] == CONTENT
    content, damage = believed(archive_of(kind) + b"garbage", kind)
    assert (content, bool(damage)) == (CONTENT, True)


def test_bzip2_confirms_block_by_block() -> None:
    log_of_three_blocks = log(*traffic(20_000))
    archive = bz2.compress(log_of_three_blocks)
    content, damage = believed(flipped(archive, len(archive) // 2, 3), "bz2")
    assert damage
    assert len(content) > 800_000
    assert log_of_three_blocks.startswith(content)


@pytest.fixture
def conn(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A database with nothing in it; what a test leaves there adds up."""
    with closing(new_database(tmp_path / "proxyweb.sqlite")) as conn:
        yield conn
        assert_adds_up(conn)


@pytest.mark.parametrize("kind", COMPRESS)
@pytest.mark.parametrize("part", [0.2, 0.7])
def test_with_a_flipped_bit_and_then_whole(kind: str, part: float, conn: sqlite3.Connection, tmp_path: Path) -> None:
    """Each line is counted once: those in front of the damaged member at first, the others with the whole archive."""
    archive = archive_of(kind)
    path = write(tmp_path / "access.log.1", flipped(archive, int(len(archive) * part), 4))
    first = load(conn, path)
    assert first.damage
    assert first.rows == (0 if part < 0.5 else LINES)
    again = load(conn, path)
    assert (again.rows, again.damage) == (0, first.damage)
    assert load(conn, write(tmp_path / "whole", archive)).rows == 2 * LINES - first.rows
    again = load(conn, path)
    assert (again.rows, again.damage) == (0, first.damage)
    assert urls(conn) == urls_in(CONTENT)


@pytest.mark.parametrize("kind", COMPRESS)
def test_out_of_a_pipe(kind: str, conn: sqlite3.Connection) -> None:
    archive = archive_of(kind)
    damaged = Importer(conn, parallel=False).import_stream(io.BytesIO(flipped(archive, len(archive) * 7 // 10, 4)))
    assert (damaged.rows, bool(damaged.damage)) == (LINES, True)
    assert Importer(conn, parallel=False).import_stream(io.BytesIO(archive)).rows == LINES
    assert urls(conn) == urls_in(CONTENT)


@pytest.mark.parametrize("kind", COMPRESS)
def test_what_unpacks_beyond_all_measure_is_not_believed(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Past a size up to which it may. Be it in one member or in the last of several, the content is all or nothing."""
    bomb = archive_of(kind, [PARTS[0], b"a" * 20_000_000])
    assert believed(bomb, kind) == (PARTS[0] + b"a" * 20_000_000, "")
    monkeypatch.setattr(examination, "FREE_BYTES", 10_000_000)
    assert believed(bomb, kind) == (b"", examination.TOO_DENSE)
    assert believed(archive_of(kind, PARTS * 30), kind)[1] == ""
