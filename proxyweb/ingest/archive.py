"""A compressed log file: one that was rotated and compressed before all of it was read. It does not grow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

from proxyweb.ingest.batch import Batch
from proxyweb.ingest.batches import TRANSACTION_BYTES, Batches
from proxyweb.ingest.compressed import MAGIC_BYTES, compression
from proxyweb.ingest.content import read_exactly
from proxyweb.ingest.encoder import Encoder
from proxyweb.ingest.examination import Believed, Examined, examine
from proxyweb.ingest.logfile import LogFile
from proxyweb.ingest.sources import BLOCK, CHUNK, Checkpoint


class Archive(LogFile):
    """Read once, from where its content was left to its end or to where it is damaged."""

    def __init__(self, descriptor: int, name: Path, pulse: Callable[[], None], now: float) -> None:
        super().__init__(descriptor, name, pulse, now)
        self.ending = True
        self._batches: Batches | None = None
        self._found: Examined | None = None

    def open_content(self) -> BinaryIO:
        """The content from its beginning, as far as it may be believed."""
        return cast(BinaryIO, Believed(super().open_content(), self._examined, unexamined=BLOCK))

    @property
    def damage(self) -> str:
        """Where and how the content could not be decompressed."""
        return self._batches.damage if self._batches else ""

    @property
    def unread(self) -> int:
        return 0 if self.done else max(self.size - (self._batches.on_disk if self._batches else 0), 0)

    @property
    def waiting(self) -> int:
        return 0 if self.done else max(self.unread, 1)

    def look(self, now: float) -> None:
        pass

    def recognisable(self) -> bool:
        return True

    def adopt(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint

    def pass_over(self) -> None:
        self.done = True

    def batches(self, encoder: Encoder) -> Iterator[Batch]:
        assert self.checkpoint is not None
        if self._batches is None:
            self._batches = self._opened(self.checkpoint, encoder)
        self._batches.encoder = encoder
        limit = self._batches.lines.position + TRANSACTION_BYTES
        for batch in self._batches:
            yield batch
            if batch.end >= limit:
                return

    def stored(self, now: float) -> None:
        self.done = self._batches is None or self._batches.ended

    def forget(self) -> None:
        self.checkpoint = self._batches = None

    def _examined(self) -> Examined:
        if not self._found:
            kind = compression(self.read_at(MAGIC_BYTES, 0))
            assert kind
            self._found = examine(self.raw(), kind)
        return self._found

    def _opened(self, checkpoint: Checkpoint, encoder: Encoder) -> Batches:
        raw = self.raw()
        content, left = self.decompress(raw), checkpoint.position
        while data := read_exactly(content, min(left, CHUNK)):
            left -= len(data)
        believed = cast(BinaryIO, Believed(content, self._examined, checkpoint.position))
        return Batches(believed, raw, checkpoint.position, checkpoint.tail_crc, encoder, finished=True)
