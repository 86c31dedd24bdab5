"""An open log file. It is read through its descriptor, so that it gives its rest whatever becomes of its name."""

from __future__ import annotations

import errno
import io
import os
import stat
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import BinaryIO, cast

from proxyweb.ingest import squid
from proxyweb.ingest.batch import Batch
from proxyweb.ingest.compressed import MAGIC_BYTES, compression
from proxyweb.ingest.content import decompressed, read_exactly
from proxyweb.ingest.encoder import Encoder
from proxyweb.ingest.sources import BLOCK, Checkpoint


def open_regular(path: Path) -> int:
    """A descriptor of a regular file. Never waits, whatever stands at the path: a FIFO is not even opened.

    Raises OSError.
    """
    _check_regular(path.stat())
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        _check_regular(os.fstat(descriptor))
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _check_regular(status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "Not a regular file")


class LogFile(ABC):
    """A file from its discovery to its last byte.

    `checkpoint` is how far it was stored; None until its content has been recognised, and again after a failure.
    `stored_to` is the same as a number, by what was known last. `read_mtime_ns`: what was not read yet was written at
    this time of the file system's clock or later.
    `cut`: what was read of it stands there no more. `ending`: nothing more is expected, so a last line counts without
    its end. `behind_since`: when all of it had been read for the last time, in seconds of the monotonic clock, as are
    all times here. `existed`: it was there when following began, so that its unread lines may be older than that.
    `compare_at`: when its content may be compared with what is known. `pulse` is called while much is read.
    """

    def __init__(self, descriptor: int, name: Path, pulse: Callable[[], None], now: float) -> None:
        status = os.fstat(descriptor)
        self.descriptor = descriptor
        self.name = name
        self.pulse = pulse
        self.device, self.inode = status.st_dev, status.st_ino
        self.size, self.mtime_ns = status.st_size, status.st_mtime_ns
        self.checkpoint: Checkpoint | None = None
        self.stored_to = 0
        self.read_mtime_ns = self.mtime_ns
        self.cut = False
        self.ending = False
        self.done = False
        self.behind_since = self.compare_at = now
        self.existed = False

    @property
    def identity(self) -> tuple[int, int]:
        """What tells it from every other file that exists."""
        return self.device, self.inode

    def read_at(self, size: int, position: int) -> bytes:
        """Bytes as they lie on disk; fewer at the end of the file."""
        return os.pread(self.descriptor, size, position)

    def raw(self) -> BinaryIO:
        """The file as it lies on disk, from its beginning."""
        return cast(BinaryIO, _Raw(self.descriptor, self.pulse))

    def open_content(self) -> BinaryIO:
        """The content from its beginning, decompressed."""
        return self.decompress(self.raw())

    def decompress(self, raw: BinaryIO) -> BinaryIO:
        """The content of what `raw` gave."""
        return decompressed(raw, compression(self.read_at(MAGIC_BYTES, 0)))

    def head(self) -> bytes:
        """The first 512 bytes of the content."""
        with closing(self.decompress(self.raw())) as content:
            return read_exactly(content, BLOCK)

    def holds_log_lines(self) -> bool:
        """Whether a line of an access log stands among the first ones."""
        with closing(self.decompress(self.raw())) as content:
            lines = read_exactly(content, squid.MAX_LINE).split(b"\n")
        return any(map(_is_log_line, lines))

    def close(self) -> None:
        os.close(self.descriptor)

    @property
    @abstractmethod
    def unread(self) -> int:
        """Bytes on disk that are not stored."""

    @property
    @abstractmethod
    def waiting(self) -> int:
        """Bytes that can be read now."""

    @abstractmethod
    def look(self, now: float) -> None:
        """Take notice of what became of the file."""

    @abstractmethod
    def recognisable(self) -> bool:
        """Whether there is enough to know the content by."""

    @abstractmethod
    def adopt(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint."""

    @abstractmethod
    def pass_over(self) -> None:
        """All that is there now was read already, as the beginning of a longer content."""

    @abstractmethod
    def batches(self, encoder: Encoder) -> Iterator[Batch]:
        """What was not read yet, up to the size of a transaction."""

    @abstractmethod
    def stored(self, now: float) -> None:
        """What was read is committed; `now` is when the file had been looked at before it was read."""

    def first_unread_time(self) -> float | None:
        """When the first unread line was written, in Unix seconds, if it says so."""
        return None

    @abstractmethod
    def forget(self) -> None:
        """After a failure: what is stored is to be asked for anew."""

    def restart(self) -> None:
        """The content was replaced: begin with what is there now."""
        self.forget()
        self.cut = False
        self.stored_to = 0
        self.read_mtime_ns = self.mtime_ns


def _is_log_line(line: bytes) -> bool:
    try:
        squid.parse_line(line)
    except squid.Rejected:
        return False
    return True


class _Raw(io.RawIOBase):
    """A descriptor's file from its beginning. Leaves the descriptor's own position alone, and does not close it."""

    def __init__(self, descriptor: int, pulse: Callable[[], None]) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._pulse = pulse
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: os.fstat(self._descriptor).st_size}
        self._at = base[whence] + offset
        return self._at

    def read(self, size: int = -1) -> bytes:
        self._pulse()
        data = os.pread(self._descriptor, size, self._at) if size >= 0 else self.readall()
        self._at += len(data)
        return data

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)
