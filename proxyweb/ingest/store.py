"""Batches into the database: rows, posting lists, zones, rollups and the reader's checkpoint, in one transaction."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from proxyweb.db.connection import transaction
from proxyweb.db.database import advance, generation
from proxyweb.ingest.batch import Batch
from proxyweb.ingest.dimensions import Dimensions
from proxyweb.ingest.first_seen import FirstSeen
from proxyweb.ingest.groups import DAY_MS, HOUR_MS, Columns, group_services
from proxyweb.ingest.postings import OpenSegment
from proxyweb.ingest.rollups import forget_hours
from proxyweb.ingest.sources import Checkpoint
from proxyweb.ingest.totals import Totals
from proxyweb.ingest.zones import OpenZones

REJECTED_KEPT = 1000
_INSERT_NATIVE = """
    INSERT INTO proxy_logs (id, time_ms, elapsed_ms, client_id, kind_id, site_id, bytes, peer_id, user_id, rest)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_INSERT = """
    INSERT INTO proxy_logs (id, time_ms, elapsed_ms, client_id, kind_id, site_id, bytes, peer_id, user_id, rest,
                            agent_id, bytes_in, waf_id, referer)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""


class Store:
    """The one way rows come in. Several processes may each have one: the write lock orders them."""

    def __init__(self, conn: sqlite3.Connection, clock: Callable[[], float] = time.time) -> None:
        self.conn = conn
        self.clock = clock
        self.dimensions = Dimensions(conn)
        self.segment = OpenSegment()
        self.zones = OpenZones()
        self.totals = Totals()
        self.first_seen = FirstSeen()
        self.recent_from = 0
        self.next_id = -1
        self.generation = self.deletions = -1

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything added inside is committed together, or not at all."""
        try:
            with transaction(self.conn):
                self._take_up()
                yield
                self._flush()
        except BaseException:
            self.generation = -1  # what was learnt inside is gone with the transaction
            self.zones.bounds.clear()
            self.totals.clear()
            self.first_seen.forget()
            raise

    def _take_up(self) -> None:
        """Notice what other processes did since this one's last transaction: rows are added to what is known, but after
        a deletion, as after a failure of its own, everything is loaded anew."""
        conn, stored, deletions = self.conn, generation(self.conn, "logs"), generation(self.conn, "deletions")
        if deletions != self.deletions or self.generation < 0:
            self.next_id = generation(conn, "next_id")
            self.dimensions.reload()
            self.first_seen.forget()
            self.segment.load(conn, self.next_id)
        elif stored != self.generation:
            before, self.next_id = self.next_id, generation(conn, "next_id")
            self.dimensions.load_new()
            self.segment.load_new(conn, before, self.next_id)
        self.recent_from = forget_hours(conn, self.clock())
        advance(conn, "logs")
        self.generation, self.deletions = stored + 1, deletions

    def add(self, batch: Batch) -> None:
        """The rows of a batch, in its order."""
        dimensions = self.dimensions
        if batch.restart:
            dimensions.restart()
        dimensions.learn(batch.fresh)
        count = len(batch)
        if not count:
            return
        ids = dimensions.ids
        clients = list(map(ids["client"].__getitem__, batch.client))
        kinds = list(map(ids["kind"].__getitem__, batch.kind))
        sites = list(map(ids["site"].__getitem__, batch.site))
        users = list(map(ids["user"].__getitem__, batch.user)) if any(batch.user) else batch.user
        first, self.next_id = self.next_id, self.next_id + count
        numbers = range(first, self.next_id)
        native = (
            numbers, batch.time_ms, batch.elapsed_ms, clients, kinds, sites, batch.bytes,
            map(ids["peer"].__getitem__, batch.peer), users, batch.rest,
        )  # fmt: skip
        if batch.extended:
            agents = map(ids["agent"].__getitem__, batch.agent)
            wafs = map(ids["waf"].__getitem__, batch.waf)
            self.conn.executemany(_INSERT, zip(*native, agents, batch.bytes_in, wafs, batch.referer, strict=True))
        else:
            self.conn.executemany(_INSERT_NATIVE, zip(*native, strict=True))
        hosts = list(map(dimensions.host_of_site.__getitem__, batch.site))
        self.segment.add(self.conn, self.next_id - 1, {"client": clients, "host": hosts, "kind": kinds, "user": users})
        self.zones.add(first, batch.time_ms, batch.bytes)
        self.totals.add(batch.groups, ids, dimensions.host_of_site)
        columns = Columns(batch.time_ms, clients, kinds, sites, batch.bytes, batch.rest)
        services, weight_of_kind = dimensions.service_of_host, dimensions.weight_of_kind
        uses = group_services(columns, hosts, services, weight_of_kind, DAY_MS)
        self.totals.add_services("day", uses)
        if uses and max(batch.time_ms) >= self.recent_from * HOUR_MS:
            self.totals.add_services("hour", group_services(columns, hosts, services, weight_of_kind, HOUR_MS))
        self.first_seen.add(batch.time_ms, hosts, clients, dimensions.domain_of_host, uses)

    def _flush(self) -> None:
        self.zones.flush(self.conn)
        self.totals.flush(self.conn, self.dimensions.facts_of_kind, self.recent_from)
        self.first_seen.flush(self.conn)
        self.conn.execute("UPDATE counters SET value = ? WHERE name = 'next_id'", (self.next_id,))

    def reject(self, batch: Batch, path: str, now: int) -> None:
        """Count a batch's rejected lines by reason, and keep the last thousand of all with their text."""
        if not batch.rejected:
            return
        counts: dict[str, int] = {}
        for _, reason, _ in batch.rejected:
            counts[reason] = counts.get(reason, 0) + 1
        self.conn.executemany(
            "INSERT INTO rejected_counts VALUES (?, ?)"
            " ON CONFLICT (reason) DO UPDATE SET lines = lines + excluded.lines",
            counts.items(),
        )
        self.conn.executemany(
            "INSERT INTO rejected_lines (path, position, reason, line, rejected_at) VALUES (?, ?, ?, ?, ?)",
            ((path, position, reason, line, now) for position, reason, line in batch.rejected[-REJECTED_KEPT:]),
        )
        self.conn.execute(
            "DELETE FROM rejected_lines WHERE id <= (SELECT max(id) FROM rejected_lines) - ?", (REJECTED_KEPT,)
        )

    def commit_source(self, checkpoint: Checkpoint, batches: Iterable[Batch], now: int) -> tuple[int, int]:
        """Store batches read from one source together with the position behind them; `now` in Unix seconds.

        `batches` may be parsed while they are stored. Returns how many rows and rejected lines these were. Raises
        sources.Overtaken, and stores nothing, when another process has read this source further meanwhile.
        """
        rows = rejected = 0
        with self.transaction():
            checkpoint.expect(self.conn)
            for batch in batches:
                checkpoint.take(batch.end, batch.crcs, batch.tail_crc)
                self.add(batch)
                self.reject(batch, checkpoint.path, now)
                rows += len(batch)
                rejected += len(batch.rejected)
            checkpoint.save(self.conn, rows, rejected, now)
            self.conn.execute("UPDATE counters SET value = ? WHERE name = 'last_import'", (now,))
        checkpoint.saved()
        return rows, rejected
