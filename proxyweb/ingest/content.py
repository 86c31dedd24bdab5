"""What is in a log file: decompressed whatever its name says, and cut into blocks of whole lines."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import zstandard

from proxyweb.ingest.squid import MAX_LINE

BLOCK_BYTES = 32_768  # larger blocks fall out of the processor's cache and halve the rate
_MAGIC = {b"\x1f\x8b": "gz", b"BZh": "bz2", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zst"}
DAMAGE = (OSError, EOFError, zlib.error, lzma.LZMAError, zstandard.ZstdError, ValueError)


def compression(head: bytes) -> str | None:
    """gz, bz2, xz or zst by a file's first bytes; None for plain text."""
    return next((name for magic, name in _MAGIC.items() if head.startswith(magic)), None)


def decompressed(raw: BinaryIO, kind: str | None) -> BinaryIO:
    """The content of an open file of that compression."""
    match kind:
        case "gz":
            return cast(BinaryIO, gzip.GzipFile(fileobj=raw, mode="rb"))
        case "bz2":
            return cast(BinaryIO, bz2.BZ2File(raw))
        case "xz":
            return cast(BinaryIO, lzma.LZMAFile(raw))
        case "zst":
            return cast(BinaryIO, zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True))
    return raw


def open_content(path: Path) -> BinaryIO:
    """A file's content from its beginning. Closing it closes the file."""
    raw = path.open("rb", buffering=0)
    kind = compression(raw.read(6))
    raw.seek(0)
    if kind is None:
        return cast(BinaryIO, raw)
    content = decompressed(cast(BinaryIO, raw), kind)
    close = content.close

    def close_both() -> None:
        close()
        raw.close()

    content.close = close_both  # type: ignore[method-assign]
    return content


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
    """

    def __init__(self, position: int) -> None:
        self.position = position
        self.held = b""
        self._skipping = False

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
