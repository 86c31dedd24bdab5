"""What is in a log file: decompressed whatever its name says, and cut into blocks of whole lines."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, cast

import zstandard

from proxyweb.ingest.squid import MAX_LINE

BLOCK_BYTES = 262_144  # so many lines that columns of them pay, and still so few that they fit the processor's cache
_MAGIC = {b"\x1f\x8b": "gz", b"BZh": "bz2", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zst"}
MAGIC_BYTES = max(map(len, _MAGIC))
_ZSTANDARD_BYTES = 1024  # compressed, taken at once: few, since they may stand for ten thousand times as many
DAMAGE = (OSError, EOFError, zlib.error, lzma.LZMAError, zstandard.ZstdError, ValueError)


def compression(head: bytes) -> str | None:
    """gz, bz2, xz or zst by a file's first bytes; None for plain text."""
    return next((name for magic, name in _MAGIC.items() if head.startswith(magic)), None)


def decompressed(raw: BinaryIO, kind: str | None) -> BinaryIO:
    """The content of an open file of that compression. Closing it closes the file.

    A read gives at most what was asked for, and may give less before the end: so damage takes nothing of what stands
    before it.
    """
    match kind:
        case "gz":
            return cast(BinaryIO, _Content(gzip.GzipFile(fileobj=raw, mode="rb"), raw))
        case "bz2":
            return cast(BinaryIO, _Content(bz2.BZ2File(raw), raw))
        case "xz":
            return cast(BinaryIO, _Content(lzma.LZMAFile(raw), raw))
        case "zst":
            return cast(BinaryIO, _Content(_Zstandard(raw), raw))
    return raw


def open_content(path: Path) -> BinaryIO:
    """A file's content from its beginning. Closing it closes the file."""
    raw = path.open("rb", buffering=0)
    kind = compression(raw.read(MAGIC_BYTES))
    raw.seek(0)
    return decompressed(cast(BinaryIO, raw), kind)


def read_exactly(content: BinaryIO, size: int) -> bytes:
    """`size` bytes, or what there is until the end or until damage in a compressed file."""
    parts = []
    while size > 0:
        try:
            data = content.read(size)
        except DAMAGE:
            break
        if not data:
            break
        parts.append(data)
        size -= len(data)
    return b"".join(parts)


class _Decompressor(Protocol):
    def read1(self, size: int, /) -> bytes: ...
    def close(self) -> None: ...


class _Content:
    def __init__(self, decompressor: _Decompressor, raw: BinaryIO) -> None:
        self.read = decompressor.read1  # `read` would lose what it had gathered when it meets damage
        self.decompressor = decompressor
        self.raw = raw

    def close(self) -> None:
        self.decompressor.close()
        self.raw.close()


class _Zstandard:
    """Frames one after another. The library's own reader takes a file that ends within a frame for a whole one."""

    def __init__(self, raw: BinaryIO) -> None:
        self.raw = raw
        self.frame: zstandard.ZstdDecompressionObj | None = None
        self.compressed = b""
        self.ready = io.BytesIO()

    def read1(self, size: int, /) -> bytes:
        while not (data := self.ready.read(size)):
            self.compressed = self.compressed or self.raw.read(_ZSTANDARD_BYTES)
            if not self.compressed:
                if self.frame:
                    raise EOFError("the file ends within a frame")
                return b""
            self.frame = self.frame or zstandard.ZstdDecompressor().decompressobj()
            self.ready = io.BytesIO(self.frame.decompress(self.compressed))
            self.compressed = self.frame.unused_data
            if self.frame.eof:
                self.frame = None
        return data

    def close(self) -> None:
        self.ready.close()


@dataclass(frozen=True, slots=True)
class Lines:
    """The content from its last position up to `end`: `raw` as it stands there, `text` as whole lines to parse."""

    start: int
    end: int
    text: bytes
    raw: bytes


class LineReader:
    """Cuts a stream into blocks of whole lines, in memory that does not grow with the length of a line.

    Of a line over 64 KiB only the beginning is handed on. What follows the last line end waits until more comes.
    `within_line` says that `position` stands behind the beginning of a line that was counted already: its rest is
    passed over.
    """

    def __init__(self, position: int, within_line: bool = False) -> None:
        self.position = position
        self.held = b""
        self._skipping = within_line

    def feed(self, data: bytes) -> Iterator[Lines]:
        """Take the bytes that follow; give what they complete."""
        if self._skipping:
            end = data.find(b"\n") + 1
            self._skipping = not end
            yield self._lines(data[: end or len(data)], b"")
            data = data[end:] if end else b""
        data = self.held + data if self.held else data
        end = data.rfind(b"\n") + 1
        self.held = data[end:]
        if end:
            whole = data if end == len(data) else data[:end]
            yield self._lines(whole, whole)
        if len(self.held) > MAX_LINE:
            yield from self.finish()
            self._skipping = True

    def finish(self) -> Iterator[Lines]:
        """What is held, as a line, though it has no end."""
        if self.held:
            held, self.held = self.held, b""
            yield self._lines(held, held)

    def _lines(self, raw: bytes, text: bytes) -> Lines:
        start, self.position = self.position, self.position + len(raw)
        return Lines(start, self.position, text, raw)
