"""Follows log files as they grow: every line is stored once, together with the position behind it."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import chain, islice
from pathlib import Path

from proxyweb.db import damage
from proxyweb.db.connection import translated
from proxyweb.db.database import generation
from proxyweb.errors import Damaged, DiskFull, ProxywebError
from proxyweb.ingest.archive import Archive
from proxyweb.ingest.batches import BATCHES_AHEAD
from proxyweb.ingest.encoder import Encoder
from proxyweb.ingest.enrichment import Enrichment
from proxyweb.ingest.logfile import LogFile
from proxyweb.ingest.recognition import recognise
from proxyweb.ingest.rotation import Watch
from proxyweb.ingest.scorer import Scorer
from proxyweb.ingest.sources import Overtaken
from proxyweb.ingest.status import FollowerStatus, StatusFile
from proxyweb.ingest.store import Store
from proxyweb.ingest.store_access import StoreAccess
from proxyweb.memory import Thrift

log = logging.getLogger("proxyweb.follower")

POLL_SECONDS = 0.1
COMMIT_SECONDS = 0.2  # between two commits of a few lines each: every one writes some forty kilobytes
MUCH_BYTES = 1_000_000  # waiting to be read: then there is no pause between commits
LOCK_SECONDS = 0.1  # waited for the write lock before the files are looked at again
BUSY_AFTER_SECONDS = 2.0
FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS = 0.25, 4.0
BEAT_SECONDS = 1.0
RATE_BEATS = 6
COMPARING_SHARE = 0.1  # of the time, spent on a content that so far only repeats a known one


class Stopped(Exception):
    """The follower is to end, in the middle of something long that has stored nothing yet."""


class Follower:
    """Reads `paths` into `database` until `stop` says so; what it says of itself goes to `status_file`.

    `clock` gives Unix seconds, `monotonic` the seconds by which it waits. Nothing ends it but `stop`: what goes wrong
    is in the status, and tried again.
    """

    def __init__(
        self,
        database: Path,
        paths: Sequence[Path],
        status_file: StatusFile,
        stop: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        shadow_it_file: Path | None = None,
        instance: Path | None = None,
    ) -> None:
        self.watches = [Watch(path, paths, self._pulse) for path in paths]
        self.trouble = ""
        self._full = False
        self.lines = 0
        self._access = StoreAccess(database)
        self._status_file = status_file
        self._stop, self._clock, self._monotonic = stop, clock, monotonic
        self._thrift = Thrift(monotonic)
        self._enrichment = Enrichment(shadow_it_file)
        self._scorer = Scorer(instance, self._pulse)
        self._encoder = self._new_encoder()
        self._deletions = self._understood_by = -1
        self._retry_at = self._retry_seconds = 0.0
        self._committed_at = self._beat_at = float("-inf")
        self._locked_since: float | None = None
        self._beats: deque[tuple[float, int]] = deque(maxlen=RATE_BEATS)

    def run(self) -> None:
        """Follow until `stop`."""
        try:
            while not self._stop():
                time.sleep(self.turn())
        except Stopped:
            pass
        finally:
            self.close()

    def turn(self) -> float:
        """Look at every file and store what is new. Returns the seconds until the next look."""
        now = self._monotonic()
        for watch in self.watches:
            watch.look(now)
        pause = POLL_SECONDS
        if self._is_due(now):
            try:
                pause = self._read_all(now)
            except (ProxywebError, sqlite3.Error, OSError) as error:
                self._failed(error, now)
        self._thrift.look()
        if self._beat() and self._access.replaced():
            log.warning("the database was replaced: reading goes on from the positions that the new one knows")
            self._start_over()
            for watch in self.watches:
                watch.started = False
        return pause

    def close(self) -> None:
        """Let go of the database and the files."""
        self._start_over()
        for watch in self.watches:
            watch.close()

    def status(self) -> FollowerStatus:
        """How it is going, since a few heartbeats ago."""
        now = self._monotonic()
        foremost = max(self.watches, key=lambda watch: (bool(watch.trouble), not watch.present, watch.unread))
        trouble = self.trouble or foremost.trouble
        self._beats.append((now, self.lines))
        since, lines = self._beats[0]
        return FollowerStatus(
            time=self._clock(),
            state="error" if trouble else "following" if foremost.present else "waiting",
            error=trouble or None,
            file=str(foremost.path),
            lag_bytes=sum(watch.unread for watch in self.watches),
            lag_seconds=round(max(watch.lag_seconds(now) for watch in self.watches), 1),
            lines_per_second=round((self.lines - lines) / (now - since), 1) if now > since else 0.0,
            full=self._full,
        )

    def _is_due(self, now: float) -> bool:
        if now < self._retry_at:
            return False
        waiting = sum(watch.waiting for watch in self.watches)
        if now - self._committed_at >= COMMIT_SECONDS:
            return waiting > 0 or not all(watch.started for watch in self.watches)
        return waiting > MUCH_BYTES

    def _read_all(self, now: float) -> float:
        store = self._access.store()
        for watch in self.watches:
            if not watch.started:
                watch.start(store.conn, now)
        if any(watch.waiting for watch in self.watches) and not self._lock_is_free(now):
            return 0.0
        pause = POLL_SECONDS
        for watch in self.watches:
            for file in list(watch.files):
                try:
                    self._read(store, watch, file, now)
                except OSError as error:
                    self._encoder = self._new_encoder()
                    watch.drop(file, error, now)
                if file.checkpoint and file.waiting:  # the older file first
                    pause = 0.0
                    break
        if self.trouble:
            log.info("reading goes on")
        self.trouble, self._full, self._retry_seconds = "", False, 0.0
        return pause

    def _read(self, store: Store, watch: Watch, file: LogFile, now: float) -> None:
        if not file.waiting or file.cut or file.done:
            return
        if file.checkpoint is None and now >= file.compare_at and file.recognisable():
            self._recognise(store, watch, file, now)
        if file.checkpoint is None:
            return
        self._forget_deleted(store)
        if self._scorer.renew(store.conn):
            self._encoder = self._new_encoder()
        batches = file.batches(self._encoder)
        ahead = list(islice(batches, BATCHES_AHEAD))
        if ahead:
            try:
                read = store.commit_source(file.checkpoint, chain(ahead, batches), int(self._clock()))
            except Overtaken:
                log.info("%s was read by another process meanwhile", file.name)
                self._encoder = self._new_encoder()
                file.forget()
                return
            self.lines += sum(read)
            self._committed_at = self._monotonic()
        file.stored(now)
        if isinstance(file, Archive) and file.damage:
            log.error("%s is %s", file.name, file.damage)

    def _recognise(self, store: Store, watch: Watch, file: LogFile, now: float) -> None:
        if file.name != watch.path and not file.holds_log_lines():
            log.warning("%s holds no line of an access log and is passed over", file.name)
            file.done = True
            return
        recognise(store.conn, file, str(watch.path), int(self._clock()))
        if file.checkpoint is None:
            file.compare_at = now + (self._monotonic() - now) / COMPARING_SHARE
            return
        log.info("reading %s from byte %d", file.name, file.checkpoint.position)
        written = file.first_unread_time() if file.existed else None
        if written is not None:
            file.behind_since = min(now, now - (self._clock() - written))
        file.existed = False

    def _new_encoder(self) -> Encoder:
        return Encoder(self._enrichment, self._scorer.scoring)

    def _forget_deleted(self, store: Store) -> None:
        """Number texts anew after rows were deleted, so that those which no row has any more are not stored again."""
        deletions = generation(store.conn, "deletions")
        if deletions != self._deletions:
            understood_by = generation(store.conn, "enrichment")
            if understood_by != self._understood_by:
                self._enrichment, self._understood_by = Enrichment(self._enrichment.override), understood_by
            self._encoder, self._deletions = self._new_encoder(), deletions
            store.dimensions.restart()

    def _lock_is_free(self, now: float) -> bool:
        if self._access.lock_is_free(LOCK_SECONDS):
            self._locked_since = None
            return True
        if self._locked_since is None:
            self._locked_since = now
        if now - self._locked_since > BUSY_AFTER_SECONDS:
            self._say("The database is busy: another program keeps it locked.")
        return False

    def _failed(self, error: ProxywebError | sqlite3.Error | OSError, now: float) -> None:
        if isinstance(error, sqlite3.Error):
            error = translated(error)
        if isinstance(error, Damaged):
            damage.suspect(self._access.database)
        self._full = isinstance(error, DiskFull)
        self._say(error.detail if isinstance(error, ProxywebError) else f"A log can't be read: {error.strerror}.")
        self._start_over()
        self._retry_seconds = min(max(self._retry_seconds * 2, FIRST_RETRY_SECONDS), LAST_RETRY_SECONDS)
        self._retry_at = now + self._retry_seconds

    def _start_over(self) -> None:
        """Memory may be ahead of what is stored: ask for all of it anew. The files stay open."""
        self._access.close()
        self._encoder = self._new_encoder()
        for watch in self.watches:
            for file in watch.files:
                file.forget()

    def _say(self, trouble: str) -> None:
        if trouble != self.trouble:
            log.error("%s", trouble)
            self._beat_at = float("-inf")  # at once
        self.trouble = trouble

    def _pulse(self) -> None:
        """Called in the middle of what takes long."""
        if self._stop():
            raise Stopped
        self._beat()

    def _beat(self) -> bool:
        """Write the status when it is time; whether it was."""
        now = self._monotonic()
        if now - self._beat_at < BEAT_SECONDS:
            return False
        self._beat_at = now
        self._status_file.write(self.status())
        return True
