"""One followed path, and every file that stood there and may still hold something new."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

from proxyweb.ingest.archive import Archive
from proxyweb.ingest.compressed import MAGIC_BYTES, compression
from proxyweb.ingest.logfile import LogFile, open_regular
from proxyweb.ingest.recognition import recognised
from proxyweb.ingest.siblings import Sibling, siblings
from proxyweb.ingest.sources import Checkpoint, followed_sources, last_read
from proxyweb.ingest.tail import Tail

log = logging.getLogger("proxyweb.follower")

IDLE_SECONDS = 60.0  # how long a renamed file is looked at after it grew last: Squid writes to it until it is told
MOST_OPEN = 8  # of one path; beyond that, files that were renamed long ago and read to their end are let go
MOST_LOOKED_AT = 64
REOPEN_SECONDS = 2.0
CLOCK_SLACK_NS = 2_000_000_000


class Watch:
    """A followed path. `files` are open, oldest first; `current` is the one that was at the path last.

    `trouble` says why there is none that can be read, `present` whether there is one at all.
    """

    def __init__(self, path: Path, followed: Sequence[Path], pulse: Callable[[], None]) -> None:
        self.path = path
        self.files: list[LogFile] = []
        self.current: Tail | None = None
        self.present = False
        self.trouble = ""
        self.started = False
        self._open_at = float("-inf")
        self._followed = followed
        self._pulse = pulse

    @property
    def unread(self) -> int:
        """Bytes on disk that are not stored."""
        return sum(file.unread for file in self.files)

    @property
    def waiting(self) -> int:
        """Bytes that can be read now."""
        return sum(file.waiting for file in self.files)

    def lag_seconds(self, now: float) -> float:
        """How old the oldest byte is that is not stored."""
        return max((now - file.behind_since for file in self.files if file.unread), default=0.0)

    def look(self, now: float) -> None:
        """Take notice of what became of the path and of the open files; open what is new. Asks no database."""
        self._close_done()
        empty = [file for file in self.files if not file.size]
        for file in list(self.files):
            try:
                file.look(now)
            except OSError as error:
                self.drop(file, error, now)
        if now < self._open_at:
            return
        try:
            for file in [file for file in self.files if file.cut]:
                self._begin_anew(file, now)
            for file in filter(lambda file: file.size, empty):  # another content may have come and gone before this one
                self._add_missed(file.read_mtime_ns, file, now)
            status = self.path.stat()
            if self.current is None or self.current.identity != (status.st_dev, status.st_ino):
                self._open(now)
        except FileNotFoundError:
            self.present, trouble = False, ""
        except OSError as error:
            self.present, trouble = False, f"{self.path} can't be read: {error.strerror}."
        else:
            self.present, trouble = True, ""
        if trouble and trouble != self.trouble:
            log.error("%s", trouble)
        self.trouble = trouble
        self._retire(now)

    def start(self, conn: sqlite3.Connection, now: float) -> None:
        """Open what was rotated away while nobody followed: all since the file that was read last.

        A path that was never followed has no such past: what lies beside it is for `proxyweb import`.
        """
        known = followed_sources(conn, str(self.path))
        if known:
            rotated = not (self.current and self._was_followed(conn, self.current))
            for file in self._rotated(conn, known, now) if rotated else self._unfinished(known, now):
                self._insert(file, self.current)
        for file in self.files:
            file.existed = True
        self.started = True

    def drop(self, file: LogFile, error: OSError, now: float) -> None:
        """Let go of a file that the disk does not give; what stands at the path is opened again in a while."""
        self.trouble = f"{file.name} can't be read: {error.strerror}."
        log.error("%s", self.trouble)
        self._open_at = now + REOPEN_SECONDS
        self._close(file)

    def close(self) -> None:
        while self.files:
            self._close(self.files[-1])

    def _close(self, file: LogFile) -> None:
        self.files.remove(file)
        file.close()
        if file is self.current:
            self.current = None

    def _close_done(self) -> None:
        for file in [file for file in self.files if file.done or (file.ending and not file.waiting)]:
            self._close(file)

    def _open(self, now: float) -> None:
        opened = Tail(open_regular(self.path), self.path, self._pulse, now)
        before, self.current = self.current, opened
        renamed = self._open_already(opened.identity)
        if isinstance(renamed, Tail):  # it has its name again
            opened.close()
            self.files.remove(renamed)
            self.current = renamed
        self.files.append(self.current)
        if before and before is not self.current:
            log.info("%s is a new file; the one before it is read to its end", self.path)
            self._add_missed(before.read_mtime_ns, self.current, now)

    def _begin_anew(self, file: LogFile, now: float) -> None:
        """What was not read of a content that was replaced is in the copy that was made of it."""
        log.info("%s holds another content now: what was not read yet is looked for in a copy", file.name)
        since_ns = file.read_mtime_ns
        file.restart()
        self._add_missed(since_ns, file, now)

    def _add_missed(self, since_ns: int, before: LogFile, now: float) -> None:
        """Open what was written at `since_ns` or later, beside the files that are open: those that came and went
        between two looks, and copies. Repeated while files are being renamed."""
        listing: list[Sibling] = []
        for _ in range(5):
            if listing == (listing := siblings(self.path, self._followed)):
                break
            heads = {file.head() for file in self.files if file.size}
            for sibling in reversed(listing):
                if sibling.mtime_ns >= since_ns and (file := self._opened(sibling, now)):
                    if file.head() in heads:  # a copy of what is being read
                        file.close()
                    else:
                        self._insert(file, before)

    def _rotated(self, conn: sqlite3.Connection, known: list[Checkpoint], now: float) -> list[LogFile]:
        """From the latest file back to the one that was followed last, whatever clocks say; oldest first.

        When that one is nowhere, those that were written to since it was read last.
        """
        reached_ns: int | None = None
        opened: list[LogFile] = []
        unknown: list[LogFile] = []
        try:
            for sibling in siblings(self.path, self._followed)[:MOST_LOOKED_AT]:
                if reached_ns is not None and sibling.mtime_ns < reached_ns:
                    break
                file = self._open_already(sibling.identity)
                if file is None and (file := self._opened(sibling, now)):
                    opened.append(file)
                if file is None:
                    continue
                source, all_read = recognised(conn, file) or (None, False)
                if source is None:
                    unknown.append(file)
                elif source.followed:
                    reached_ns = sibling.mtime_ns
                if file in opened:
                    file.done = all_read
        except BaseException:
            for file in opened:
                file.close()
            raise
        if reached_ns is None:
            since_ns = last_read(conn, known[0]) * 1_000_000_000 - CLOCK_SLACK_NS
            for file in unknown:
                file.done = file.mtime_ns < since_ns
        return opened[::-1]

    def _unfinished(self, known: list[Checkpoint], now: float) -> list[LogFile]:
        """Renamed files that were not read to their end."""
        positions = {(source.device, source.inode): source.position for source in reversed(known)}
        found = [
            self._opened(sibling, now)
            for sibling in siblings(self.path, self._followed)
            if positions.get(sibling.identity, sibling.size) < sibling.size
        ]
        return [file for file in reversed(found) if file]

    def _was_followed(self, conn: sqlite3.Connection, file: Tail) -> bool:
        found = recognised(conn, file) if file.recognisable() else None
        return found is not None and found[0].followed

    def _opened(self, sibling: Sibling, now: float) -> LogFile | None:
        """A sibling that is not open yet; None when it can't be opened, or is gone again."""
        if self._open_already(sibling.identity):
            return None
        try:
            descriptor = open_regular(sibling.path)
        except FileNotFoundError:
            return None
        except OSError as error:
            log.error("%s can't be read: %s", sibling.path, error.strerror)
            return None
        kind = Archive if compression(os.pread(descriptor, MAGIC_BYTES, 0)) else Tail
        file = kind(descriptor, sibling.path, self._pulse, now)
        if self._open_already(file.identity):  # it was renamed since it was listed
            file.close()
            return None
        return file

    def _open_already(self, identity: tuple[int, int]) -> LogFile | None:
        return next((file for file in self.files if file.identity == identity), None)

    def _insert(self, file: LogFile, before: LogFile | None) -> None:
        self.files.insert(self.files.index(before) if before in self.files else len(self.files), file)

    def _retire(self, now: float) -> None:
        """Expect nothing more of renamed files that are no longer written to, once there is something newer."""
        if not self.files or not self.files[-1].size:
            return
        for index, file in enumerate(self.files[:-1]):
            crowded = len(self.files) - index > MOST_OPEN and not file.waiting
            if isinstance(file, Tail) and (crowded or now - file.grown_at > IDLE_SECONDS):
                file.ending = True
