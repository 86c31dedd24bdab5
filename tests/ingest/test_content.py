"""Streams to whole lines, in bounded memory, out of whatever a file is compressed with."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tracemalloc
import zlib
from collections.abc import Callable
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from proxyweb.ingest.compressed import DAMAGE, MAGIC_BYTES, compression
from proxyweb.ingest.content import BLOCK_BYTES, LineReader, Lines, open_content, read_exactly
from proxyweb.ingest.squid import MAX_LINE
from tests.ingest.factory import log, traffic

LOG = log(*traffic(5000))
COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zstandard.ZstdCompressor(write_checksum=True).compress,  # as the command does
}


def pieces(chunks: list[bytes], position: int = 0) -> list[Lines]:
    """What a reader makes of a stream that arrives in these chunks."""
    reader = LineReader(position)
    found = [piece for chunk in chunks for piece in reader.feed(chunk)]
    return [*found, *reader.finish()]


_CHUNKS = st.lists(
    st.one_of(
        st.binary(max_size=20),
        st.sampled_from([b"\n", b"\n\n", b"line\n", b"begin", b"x" * 30_000, b"x" * 65_537 + b"\n", b"x" * 32_768]),
    ),
    max_size=20,
)


@given(_CHUNKS, st.integers(0, 10**12))
def test_pieces_cover_everything_and_hold_whole_lines(chunks: list[bytes], position: int) -> None:
    content = b"".join(chunks)
    found = pieces(chunks, position)
    assert b"".join(piece.raw for piece in found) == content
    for piece in found:
        assert (piece.start, piece.end) == (position, position + len(piece.raw))
        assert piece.text in (piece.raw, b"")
        position = piece.end
    read = [line for piece in found for line in piece.text.split(b"\n")]
    written = content.split(b"\n")
    assert [line for line in read if line and len(line) <= MAX_LINE] == [
        line for line in written if line and len(line) <= MAX_LINE
    ]
    assert sum(len(line) > MAX_LINE for line in read) == sum(len(line) > MAX_LINE for line in written)


@given(st.lists(st.integers(0, len(LOG)), max_size=20))
def test_lines_are_whole_however_a_stream_arrives(cuts: list[int]) -> None:
    borders = [0, *sorted(cuts), len(LOG)]
    found = pieces([LOG[first:last] for first, last in pairwise(borders)])
    assert b"".join(piece.text for piece in found) == LOG
    assert all(piece.text.endswith(b"\n") for piece in found)


def test_the_end_of_a_stream_without_a_line_end_waits() -> None:
    reader = LineReader(0)
    assert [piece.text for piece in reader.feed(b"one\ntwo")] == [b"one\n"]
    assert (reader.position, reader.held) == (4, b"two")
    assert [piece.text for piece in reader.feed(b"!\n")] == [b"two!\n"]
    assert list(reader.finish()) == []


@pytest.mark.parametrize("chunk", [700, BLOCK_BYTES, 10_000_000])
def test_of_a_line_of_a_megabyte_only_the_beginning_is_read(chunk: int) -> None:
    content = b"before\n" + b"y" * 1_000_000 + b"\nafter\n"
    found = pieces([content[at : at + chunk] for at in range(0, len(content), chunk)])
    assert b"".join(piece.raw for piece in found) == content
    lines = [line for piece in found for line in piece.text.splitlines()]
    assert (lines[0], lines[-1], len(lines)) == (b"before", b"after", 3)
    assert len(lines[1]) > MAX_LINE


def test_memory_does_not_grow_with_a_line() -> None:
    reader, chunk = LineReader(0), b"y" * BLOCK_BYTES
    tracemalloc.start()
    for _ in range(2000):  # 65 MB without a line end
        for piece in reader.feed(chunk):
            assert len(piece.raw) <= MAX_LINE + BLOCK_BYTES
        assert len(reader.held) <= MAX_LINE
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * MAX_LINE
    assert [piece.text for piece in reader.feed(b"end\nnext\n")] == [b"", b"next\n"]


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def read_all(path: Path) -> tuple[bytes, bool]:
    """A file's content up to its end or to damage, and whether there was damage."""
    parts = []
    with closing(open_content(path)) as content:
        try:
            while data := content.read(BLOCK_BYTES):
                parts.append(data)
        except DAMAGE:
            return b"".join(parts), True
    return b"".join(parts), False


def test_plain_text(tmp_path: Path) -> None:
    assert read_all(write(tmp_path / "access.log.gz", LOG)) == (LOG, False)
    assert read_all(write(tmp_path / "empty", b"")) == (b"", False)


@pytest.mark.parametrize("kind", COMPRESS)
def test_compressed_whatever_the_name(kind: str, tmp_path: Path) -> None:
    path = write(tmp_path / "access.log", COMPRESS[kind](LOG))
    assert compression(path.read_bytes()[:MAGIC_BYTES]) == kind
    assert read_all(path) == (LOG, False)


@pytest.mark.parametrize("kind", COMPRESS)
def test_several_members_one_after_another(kind: str, tmp_path: Path) -> None:
    compress = COMPRESS[kind]
    assert read_all(write(tmp_path / "log", compress(LOG) + compress(b"") + compress(b"end\n"))) == (
        LOG + b"end\n",
        False,
    )


def test_a_zstandard_frame_to_be_skipped(tmp_path: Path) -> None:
    skippable = b"\x50\x2a\x4d\x18" + (3).to_bytes(4, "little") + b"abc"
    content = zstandard.compress(LOG) + skippable + zstandard.compress(b"end\n")
    assert read_all(write(tmp_path / "log", content)) == (LOG + b"end\n", False)


@pytest.mark.parametrize("kind", COMPRESS)
@pytest.mark.parametrize("left", [0.02, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_damaged(kind: str, left: float, tmp_path: Path) -> None:
    whole = COMPRESS[kind](LOG)
    found, damaged = read_all(write(tmp_path / "log", whole[: int(len(whole) * left)]))
    assert damaged
    assert LOG.startswith(found)


def test_everything_before_the_damage_is_given(tmp_path: Path) -> None:
    for left in (100, 1000, 20_000):
        part = gzip.compress(LOG)[:left]
        assert read_all(write(tmp_path / "log", part)) == (zlib.decompressobj(31).decompress(part), True)
    flushed = zlib.compressobj(wbits=31)
    whole = flushed.compress(LOG) + flushed.flush(zlib.Z_SYNC_FLUSH)  # what a writer that still runs has written
    assert read_all(write(tmp_path / "log", whole)) == (LOG, True)


@pytest.mark.parametrize("kind", COMPRESS)
def test_flipped_bits_are_damage(kind: str, tmp_path: Path) -> None:
    whole = COMPRESS[kind](LOG)
    for at in range(MAGIC_BYTES + 6, len(whole), len(whole) // 23):
        flipped = whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :]
        assert read_all(write(tmp_path / "log", flipped))[1]


def test_what_can_be_read_of_a_damaged_file(tmp_path: Path) -> None:
    with closing(open_content(write(tmp_path / "log", gzip.compress(LOG)[:-9]))) as content:
        assert read_exactly(content, 10_000) == LOG[:10_000]
        assert read_exactly(content, len(LOG)) == LOG[10_000:]
        assert read_exactly(content, 1) == b""


def test_a_bomb_is_read_in_bounded_pieces(tmp_path: Path) -> None:
    path = write(tmp_path / "log", zstandard.compress(b"\n" * 50_000_000, level=19))
    tracemalloc.start()
    with closing(open_content(path)) as content:
        while data := content.read(BLOCK_BYTES):
            assert len(data) <= BLOCK_BYTES
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100_000_000
