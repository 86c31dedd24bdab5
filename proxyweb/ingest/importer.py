"""Reads whole files into the store: history, from plain or compressed files or from a pipe."""

from __future__ import annotations

import gc
import io
import os
import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cache
from itertools import chain, islice
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, cast

from proxyweb.db.connection import file_of, transaction
from proxyweb.errors import ProxywebError
from proxyweb.ingest import sources
from proxyweb.ingest.batch import Batch
from proxyweb.ingest.batches import BATCHES_AHEAD, TRANSACTION_BYTES, Batches, BatchSource, parsed_aside
from proxyweb.ingest.compressed import MAGIC_BYTES, compression
from proxyweb.ingest.content import BLOCK_BYTES, decompressed, read_exactly
from proxyweb.ingest.encoder import Encoder
from proxyweb.ingest.enrichment import BUILT_IN, Enrichment
from proxyweb.ingest.examination import Believed, Examined, examine
from proxyweb.ingest.scorer import Scorer
from proxyweb.ingest.sources import Checkpoint, Overtaken
from proxyweb.ingest.store import Store

STILL_WRITTEN_SECONDS = 2.0  # a last line without its end, in a file that changed this lately, is not taken


class ImportFailed(ProxywebError):
    """A file that can't be read at all."""


@dataclass
class Summary:
    """What one import did. `skipped` counts bytes of content that had been read before, `on_disk` bytes of the file,
    `reasons` the rejected lines by why they were."""

    rows: int = 0
    rejected: int = 0
    skipped: int = 0
    on_disk: int = 0
    unfinished: int = 0
    damage: str = ""
    reasons: Counter[str] = field(default_factory=Counter)

    def noting(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """The same batches; why lines of them were rejected is noted as they pass by."""
        for batch in batches:
            self.reasons.update(reason for _, reason, _ in batch.rejected)
            yield batch


Progress = Callable[[int], None]


class Importer:
    """Imports files one after another; `progress` is told bytes of the files as they lie on disk."""

    def __init__(
        self,
        conn: sqlite3.Connection,
        progress: Progress = lambda size: None,
        parallel: bool | None = None,
        enrichment: Enrichment = BUILT_IN,
        instance: Path | None = None,
    ) -> None:
        """`instance` is the folder with the WAF's own rules and cache; without it, nothing is scored."""
        self.conn = conn
        self.parallel = len(os.sched_getaffinity(0)) > 1 if parallel is None else parallel
        self.store = Store(conn)
        self.progress = progress
        self.enrichment = enrichment
        self.scorer = Scorer(instance)

    def import_file(self, path: Path, again: bool = False) -> Summary:
        """Everything in a file that was not read before. `again` reads it all, whatever was read before."""
        try:
            with path.open("rb", buffering=0) as raw:
                if not raw.seekable():
                    return self.import_stream(cast(BinaryIO, raw))
                return self._import_open(cast(BinaryIO, raw), path.absolute(), again)
        except OSError as error:
            raise ImportFailed(f"{path} can't be read: {error.strerror or error}.") from error

    def import_stream(self, stream: BinaryIO) -> Summary:
        """Everything that comes out of a pipe and was not read before. A pipe can't be read twice: content that begins
        like a known one, and differs later than its first 64 KiB, is refused. What is compressed is kept in a file
        first, since it has to be examined before it is read."""
        summary = Summary()
        magic = read_exactly(stream, MAGIC_BYTES)
        content = raw = cast(BinaryIO, _Peeked(magic, stream))
        if compression(magic):
            return self._import_kept(raw)
        head = read_exactly(content, sources.CHUNK)
        content = cast(BinaryIO, _Peeked(head, content))
        checkpoint, _ = self._identify(Checkpoint("-"), lambda: io.BytesIO(head), False)
        agreed = sources.agreement(self.conn, checkpoint, content)
        if agreed is None:
            raise ImportFailed(
                "What comes in begins like something that was read before, and differs later. "
                "Save it to a file and import that."
            )
        summary.skipped = checkpoint.position
        try:
            if agreed == checkpoint.position:
                self._import(content, raw, checkpoint, True, summary, patient=False)
        except Overtaken:
            raise ImportFailed("Another process reads the same content. Import it again when it is done.") from None
        return summary

    def _import_kept(self, stream: BinaryIO) -> Summary:
        try:
            with TemporaryFile(dir=file_of(self.conn).parent, buffering=0) as kept:
                shutil.copyfileobj(stream, kept, BLOCK_BYTES)
                kept.seek(0)
                return self._import_open(cast(BinaryIO, kept), Path("-"), False)
        except OSError as error:
            raise ImportFailed(f"What comes in can't be kept: {error.strerror or error}.") from error

    def _import_open(self, raw: BinaryIO, path: Path, again: bool) -> Summary:
        summary = Summary()
        status = os.fstat(raw.fileno())
        kind = compression(raw.read(MAGIC_BYTES))
        finished = kind is not None or time.time() - status.st_mtime > STILL_WRITTEN_SECONDS

        @cache
        def examined() -> Examined:
            return examine(raw, kind) if kind else Examined(0)

        def believed(content: BinaryIO, position: int = 0, unexamined: int = 0) -> BinaryIO:
            return cast(BinaryIO, Believed(content, examined, position, unexamined)) if kind else content

        def from_the_beginning() -> BinaryIO:
            raw.seek(0)
            own = cast(BinaryIO, open(os.dup(raw.fileno()), "rb", buffering=0))  # noqa: SIM115
            return believed(decompressed(own, kind), unexamined=sources.BLOCK)

        while True:
            new = Checkpoint(str(path), device=status.st_dev, inode=status.st_ino)
            try:
                checkpoint, known = self._identify(new, from_the_beginning, again)
                summary.skipped = summary.skipped or checkpoint.position
                if known:
                    summary.damage = examined().told()
                    self._tell(summary, status.st_size)
                    return summary
                raw.seek(0)
                content = decompressed(raw, kind)
                within_line = _skip(content, checkpoint.position)
                content = believed(content, checkpoint.position)
                self._import(content, raw, checkpoint, finished, summary, within_line)
                return summary
            except Overtaken:
                again = False  # another process reads the same content: go on behind what it stored

    def _import(
        self, content: BinaryIO, raw: BinaryIO, checkpoint: Checkpoint, finished: bool, summary: Summary,
        within_line: bool = False, patient: bool = True,
    ) -> None:  # fmt: skip
        """What follows the checkpoint, where `content` stands. `patient` waits for more inside of a transaction, which
        a pipe could hold up for hours."""
        # With an encoder of its own: a batch that was parsed and then not stored leaves one ahead of the store.
        self.scorer.renew(self.conn)
        encoder = Encoder(self.enrichment, self.scorer.scoring)
        batches = Batches(content, raw, checkpoint.position, checkpoint.tail_crc, encoder, finished, within_line)
        with _without_collection(), parsed_aside(batches) if self.parallel else nullcontext(batches) as parsed:
            while not parsed.ended:
                ahead = list(islice(parsed, BATCHES_AHEAD))
                if ahead:
                    more = _up_to(parsed, ahead[-1].end + TRANSACTION_BYTES) if patient else ()
                    group = summary.noting(chain(ahead, more))
                    rows, rejected = self.store.commit_source(checkpoint, group, int(time.time()))
                    summary.rows += rows
                    summary.rejected += rejected
                self._tell(summary, parsed.on_disk)
            summary.damage, summary.unfinished = parsed.damage, parsed.unfinished

    def _tell(self, summary: Summary, on_disk: int) -> None:
        if on_disk > summary.on_disk:
            self.progress(on_disk - summary.on_disk)
            summary.on_disk = on_disk

    def _identify(self, new: Checkpoint, reopen: Callable[[], BinaryIO], again: bool) -> tuple[Checkpoint, bool]:
        """The checkpoint to go on from, and whether all of the content was read already."""
        if again:
            with closing(reopen()) as content:
                head = read_exactly(content, sources.BLOCK)
            with transaction(self.conn):
                sources.begin(self.conn, new, head, int(time.time()))
            return new, False
        found, known = sources.find_or_begin(self.conn, new, reopen, int(time.time()))
        if not found.followed:  # the follower knows its files by these
            found.path, found.device, found.inode = new.path, new.device, new.inode
        return found, known


@contextmanager
def _without_collection() -> Iterator[None]:
    """Without looking for reference cycles: nothing here makes any, and it costs a sixth of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _skip(content: BinaryIO, size: int) -> bool:
    """Pass over what was read before; says whether that ended within a line."""
    if isinstance(content, io.FileIO) and size:
        content.seek(size - 1)
        size = 1
    data = b""
    while size > 0:
        data = read_exactly(content, min(size, BLOCK_BYTES))
        if not data:
            raise ImportFailed("The file changed while it was read. Import it again.")
        size -= len(data)
    return data[-1:] not in (b"", b"\n")


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

    def read(self, size: int) -> bytes:
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
