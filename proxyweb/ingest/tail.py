"""A plain log file, looked at again and again while it grows."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from proxyweb.ingest import squid
from proxyweb.ingest.batch import Batch
from proxyweb.ingest.batches import TRANSACTION_BYTES, encode
from proxyweb.ingest.content import BLOCK_BYTES, LineReader
from proxyweb.ingest.encoder import Encoder
from proxyweb.ingest.logfile import LogFile
from proxyweb.ingest.sources import CHUNK, Checkpoint, Hasher

REMEMBERED_BYTES = 512  # in front of where reading goes on; when they change, the file's content was replaced


class Tail(LogFile):
    """Reads on from `offset`; what stands between the checkpoint's position and it is a line without an end.

    `passed_over` is how much of the content was found to be known from a longer one. `grown_at`: when the file was
    last seen to change.
    """

    def __init__(self, descriptor: int, name: Path, pulse: Callable[[], None], now: float) -> None:
        super().__init__(descriptor, name, pulse, now)
        self.grown_at = now
        self.offset = 0
        self.passed_over = 0
        self._compared_size = -1
        self._first = self._remembered = b""
        self._lines = LineReader(0)
        self._hasher = Hasher()

    def look(self, now: float) -> None:
        status = os.fstat(self.descriptor)
        if (status.st_size, status.st_mtime_ns) != (self.size, self.mtime_ns):
            self.cut = self.cut or status.st_size < self.size or not self._as_remembered()
            self.size, self.mtime_ns, self.grown_at = status.st_size, status.st_mtime_ns, now
        if not self.offset:
            self._first = self.read_at(REMEMBERED_BYTES, 0)
        if not self.unread:
            self.behind_since = now

    @property
    def unread(self) -> int:
        return max(self.size - max(self.stored_to, self.passed_over), 0)

    @property
    def waiting(self) -> int:
        if self.checkpoint is None:
            return 0 if self.size == self._compared_size else self.size
        return self.size - self.offset + (len(self._lines.held) if self.ending else 0)

    def recognisable(self) -> bool:
        beginning = self.read_at(squid.MAX_LINE, 0)
        return b"\n" in beginning or len(beginning) == squid.MAX_LINE or (self.ending and bool(beginning))

    def adopt(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint, or behind what was passed over where that is further."""
        self.checkpoint, self.stored_to = checkpoint, checkpoint.position
        self._hasher = Hasher(checkpoint.position, checkpoint.tail_crc)
        while data := self.read_at(min(CHUNK, max(self.passed_over - self._hasher.position, 0)), self._hasher.position):
            crcs = self._hasher.update(data)
            checkpoint.take(self._hasher.position, crcs, self._hasher.tail_crc)
        self.offset = self._hasher.position
        before = min(self.offset, REMEMBERED_BYTES)
        self._remembered = self.read_at(before, self.offset - before)
        self._lines = LineReader(self.offset, within_line=before > 0 and not self._remembered.endswith(b"\n"))

    def first_unread_time(self) -> float | None:
        line, end, _ = self.read_at(squid.MAX_LINE, self.offset).partition(b"\n")
        try:
            return squid.parse_line(line).time_ms / 1000 if end else None
        except squid.Rejected:
            return None

    def pass_over(self) -> None:
        self._compared_size = self.size
        end = self.read_at(squid.MAX_LINE, max(self.size - squid.MAX_LINE, 0))
        self.passed_over = self.size - len(end) + end.rfind(b"\n") + 1

    def forget(self) -> None:
        self.checkpoint = None
        self._compared_size = -1

    def restart(self) -> None:
        super().restart()
        self.offset = self.passed_over = 0
        self._first = self._remembered = b""
        self._lines = LineReader(0)

    def batches(self, encoder: Encoder) -> Iterator[Batch]:
        limit = self.offset + TRANSACTION_BYTES
        while self.offset < limit:
            data = self.read_at(BLOCK_BYTES, self.offset)
            if not self._as_remembered():  # looked at behind the read, so that nothing replaced is taken
                self.cut = True
                return
            if not data:
                break
            self.offset += len(data)
            self._remembered = (self._remembered + data)[-REMEMBERED_BYTES:]
            for piece in self._lines.feed(data):
                yield encode(piece, encoder, self._hasher)
        if self.ending and self.offset < limit:
            for piece in self._lines.finish():
                yield encode(piece, encoder, self._hasher)

    def stored(self, now: float) -> None:
        if self.checkpoint:
            self.stored_to = self.checkpoint.position
        if self.offset >= self.size:
            self.read_mtime_ns = self.mtime_ns
            self.behind_since = now

    def _as_remembered(self) -> bool:
        """Whether what was read last still stands there, or what stands at the beginning when nothing was read."""
        if not self.offset:
            return self.read_at(len(self._first), 0) == self._first
        size = len(self._remembered)
        return self.read_at(size, self.offset - size) == self._remembered
