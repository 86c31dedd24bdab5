"""Batches into the database: rows, posting lists, zones, rollups and the reader's checkpoint, in one transaction."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from operator import itemgetter

import numpy as np

from proxyweb.db.connection import transaction
from proxyweb.db.database import advance, generation
from proxyweb.ingest import totals
from proxyweb.ingest.batch import Batch
from proxyweb.ingest.dimensions import Dimensions
from proxyweb.ingest.entropy import entropies
from proxyweb.ingest.first_seen import FirstSeen
from proxyweb.ingest.groups import Ints, Rows, joined
from proxyweb.ingest.postings import OpenSegment
from proxyweb.ingest.rollups import forget_hours
from proxyweb.ingest.sources import Checkpoint
from proxyweb.ingest.zones import add_to_zones

REJECTED_KEPT = 1000
NATIVE = ("id", "time_ms", "elapsed_ms", "client_id", "kind_id", "site_id", "bytes", "peer_id", "user_id", "rest")
OWN = ("agent_id", "bytes_in", "referer")
INSPECTED = ("waf_id",)


class Store:
    """The one way rows come in. Several processes may each have one: the write lock orders them."""

    def __init__(self, conn: sqlite3.Connection, clock: Callable[[], float] = time.time) -> None:
        self.conn = conn
        self.clock = clock
        self.dimensions = Dimensions(conn)
        self.segment = OpenSegment()
        self.first_seen = FirstSeen()
        self.rows: list[Rows] = []  # of the transaction under way
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
            self.rows.clear()
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
        first, self.next_id = self.next_id, self.next_id + count
        rows = self._understood(batch)
        users = dimensions.ids["user"].of(batch.user)
        native = (
            range(first, self.next_id), batch.time_ms.tolist(), batch.elapsed_ms.tolist(), rows["client_id"].tolist(),
            rows["kind_id"].tolist(), dimensions.ids["site"].of(batch.site).tolist(), batch.bytes.tolist(),
            dimensions.ids["peer"].of(batch.peer).tolist(), users.tolist(), batch.rest,
        )  # fmt: skip
        own = (rows["agent_id"].tolist(), batch.bytes_in.tolist(), batch.referer) if batch.extended else ()
        inspected = (rows["waf_id"].tolist(),) if batch.waf.any() else ()
        names = (*NATIVE, *(OWN if own else ()), *(INSPECTED if inspected else ()))
        self.conn.executemany(_insert(names), zip(*native, *own, *inspected, strict=True))
        posted = {"client": rows["client_id"], "host": rows["host_id"], "kind": rows["kind_id"], "user": users}
        self.segment.add(self.conn, self.next_id - 1, posted)
        self.rows.append(rows)

    def _understood(self, batch: Batch) -> Rows:
        """The rows of a batch as they are counted."""
        ids, of_site = self.dimensions.ids, self.dimensions.of_site
        columns = {column: numbers.of(batch.site) for column, numbers in of_site.items()}
        for dimension in ("client", "kind", "extension"):
            columns[f"{dimension}_id"] = ids[dimension].of(getattr(batch, dimension))
        columns |= {"time_ms": batch.time_ms, "bytes": batch.bytes, "elapsed_ms": batch.elapsed_ms}
        nothing = np.zeros(len(batch), np.int64)
        columns["agent_id"] = ids["agent"].of(batch.agent) if batch.extended else nothing
        columns["bytes_in"] = batch.bytes_in if batch.extended else nothing
        columns["waf_id"] = ids["waf"].of(batch.waf) if len(batch.waf) else nothing
        columns["entropy"] = self._entropies(batch) if batch.waf.any() else nothing
        return Rows(columns, self.dimensions.facts_of_kind)

    def _entropies(self, batch: Batch) -> Ints:
        """Of the URLs that the WAF looked at, 0 for the others. Those that are nothing but a site repeat."""
        found = self.dimensions.entropies_of_sites(batch.site)
        longer = np.fromiter(map(bool, batch.rest), np.bool_, len(batch))
        sites = map(self.dimensions.values["site"].__getitem__, batch.site[longer].tolist())
        prefixes, rests = map(itemgetter(0), sites), filter(None, batch.rest)
        found[longer] = entropies(list(map("".join, zip(prefixes, rests, strict=True))))
        found[batch.waf == 0] = 0
        return found

    def _flush(self) -> None:
        if self.rows:
            rows = joined(self.rows)
            self.rows.clear()
            add_to_zones(self.conn, self.next_id - len(rows), rows["time_ms"], rows["bytes"])
            totals.add(self.conn, rows, self.recent_from)
            self.first_seen.add(self.conn, rows)
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


@cache
def _insert(names: tuple[str, ...]) -> str:
    return f"INSERT INTO proxy_logs ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
