"""Reads whole files into the store: history, from plain or compressed files or from a pipe."""

from __future__ import annotations

import gc
import os
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO, cast

from proxyweb.db.connection import transaction
from proxyweb.errors import ProxywebError
from proxyweb.ingest import sources
from proxyweb.ingest.batch import Batch, Encoder
from proxyweb.ingest.batches import Batches, BatchSource, parsed_aside
from proxyweb.ingest.content import BLOCK_BYTES, DAMAGE, compression, decompressed, open_content
from proxyweb.ingest.sources import Checkpoint, Overtaken
from proxyweb.ingest.store import Store

TRANSACTION_BYTES = 6_000_000  # about 50,000 lines, stored in a quarter of a second
BATCHES_AHEAD = 10  # parsed before the write lock is taken, so that other writers get their turn
STILL_WRITTEN_SECONDS = 2.0  # a last line without its end, in a file that changed this lately, is not taken


class ImportFailed(ProxywebError):
    """A file that can't be read at all."""


@dataclass
class Summary:
    """What one import did. `skipped` counts bytes of content that had been read before."""

    rows: int = 0
    rejected: int = 0
    skipped: int = 0
    unfinished: int = 0
    damage: str = ""


Progress = Callable[[int], None]


class Importer:
    """Imports files one after another; `progress` is told bytes of the files as they lie on disk."""

    def __init__(
        self, conn: sqlite3.Connection, progress: Progress = lambda size: None, parallel: bool | None = None
    ) -> None:
        self.conn = conn
        self.parallel = len(os.sched_getaffinity(0)) > 1 if parallel is None else parallel
        self.store = Store(conn)
        self.encoder = Encoder()
        self.progress = progress

    def import_file(self, path: Path, again: bool = False) -> Summary:
        """Everything in a file that was not read before. `again` reads it all, whatever was read before."""
        try:
            with path.open("rb", buffering=0) as raw:
                status = path.stat()
                kind = compression(raw.read(6))
                raw.seek(0)
                checkpoint = Checkpoint(str(path.absolute()), device=status.st_dev, inode=status.st_ino)
                finished = kind is not None or time.time() - status.st_mtime > STILL_WRITTEN_SECONDS
                while True:
                    raw.seek(0)
                    try:
                        return self._import(
                            cast(BinaryIO, raw), kind, lambda: open_content(path), checkpoint, again, finished
                        )
                    except Overtaken:
                        again = False  # another process reads the same content: go on behind what it stored
        except OSError as error:
            raise ImportFailed(f"{path} can't be read: {error.strerror}.") from error

    def import_stream(self, stream: BinaryIO) -> Summary:
        """Everything that comes out of a pipe, which can't be read twice: content known in part is refused."""
        head = stream.read(BLOCK_BYTES)
        checkpoint = Checkpoint("-")
        reader = _Peeked(head, stream)
        kind = compression(head)
        return self._import(cast(BinaryIO, reader), kind, None, checkpoint, False, True)

    def _import(
        self, raw: BinaryIO, kind: str | None, reopen: Callable[[], BinaryIO] | None, checkpoint: Checkpoint,
        again: bool, finished: bool,
    ) -> Summary:  # fmt: skip
        summary = Summary()
        told = 0
        content = decompressed(raw, kind)
        if reopen:
            checkpoint, known = self._identify(checkpoint, reopen, again)
            summary.skipped = checkpoint.position
            if known:
                return summary
            _skip(content, checkpoint.position)
        else:
            head = content.read(sources.BLOCK)
            content = cast(BinaryIO, _Peeked(head, content))
            self._begin(checkpoint, head)
        gc.disable()  # nothing here makes cycles, and looking for them costs a sixth of the time
        batches = Batches(content, raw, checkpoint.position, checkpoint.tail_crc, self.encoder, finished)
        with parsed_aside(batches) if self.parallel else nullcontext(batches) as parsed:
            while not parsed.ended:
                ahead = list(islice(parsed, BATCHES_AHEAD))
                if ahead:
                    group = chain(ahead, _up_to(parsed, ahead[-1].end + TRANSACTION_BYTES))
                    rows, rejected = self.store.commit_source(checkpoint, group, int(time.time()))
                    summary.rows += rows
                    summary.rejected += rejected
                self.progress(parsed.on_disk - told)
                told = parsed.on_disk
            summary.damage, summary.unfinished = parsed.damage, parsed.unfinished
        return summary

    def _identify(self, new: Checkpoint, reopen: Callable[[], BinaryIO], again: bool) -> tuple[Checkpoint, bool]:
        """The checkpoint to go on from, and whether all of the content was read already. In a write transaction, so
        that of two processes with the same new file one records it and the other finds it."""
        with transaction(self.conn):
            found = None if again else sources.find(self.conn, reopen)
            if found:
                found[0].path, found[0].device, found[0].inode = new.path, new.device, new.inode
                return found
            content = reopen()
            try:
                sources.begin(self.conn, new, _head(content), int(time.time()))
            finally:
                content.close()
            return new, False

    def _begin(self, checkpoint: Checkpoint, head: bytes) -> None:
        with transaction(self.conn):
            sources.begin(self.conn, checkpoint, head, int(time.time()))


def _head(content: BinaryIO) -> bytes:
    try:
        return content.read(sources.BLOCK)
    except DAMAGE:
        return b""


def _skip(content: BinaryIO, size: int) -> None:
    if size and content.seekable() and isinstance(content, type(sys.stdin.buffer.raw)):
        content.seek(size)
        return
    while size > 0:
        size -= len(content.read(min(size, BLOCK_BYTES)))


def _up_to(batches: BatchSource, end: int) -> Iterator[Batch]:
    """Batches until the position `end` has passed."""
    for batch in batches:
        yield batch
        if batch.end >= end:
            return


class _Peeked:
    """A stream whose first bytes were read already."""

    def __init__(self, head: bytes, stream: BinaryIO) -> None:
        self.head = head
        self.stream = stream
        self.at = 0

    def read(self, size: int = -1) -> bytes:
        if self.head:
            data, self.head = self.head[:size], self.head[size:]
        else:
            data = self.stream.read(size)
        self.at += len(data)
        return data

    def tell(self) -> int:
        return self.at

    def readable(self) -> bool:
        return True
