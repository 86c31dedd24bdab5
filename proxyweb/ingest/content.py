"""What is in a log file: decompressed whatever its name says, and cut into blocks of whole lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from proxyweb.ingest.compressed import DAMAGE, MAGIC_BYTES, Decompressed, compression
from proxyweb.ingest.squid import MAX_LINE

BLOCK_BYTES = 262_144  # so many lines that columns of them pay, and still so few that they fit the processor's cache


def decompressed(raw: BinaryIO, kind: str | None) -> BinaryIO:
    """The content of an open file of that compression. Closing it closes the file.

    A read gives at most what was asked for, and may give less before the end: so damage takes nothing of what stands
    before it.
    """
    return cast(BinaryIO, Decompressed(raw, kind)) if kind else raw


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
