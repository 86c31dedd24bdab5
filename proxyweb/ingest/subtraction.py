"""Rows that are about to be deleted, taken out of the rollups: counted as when they came, and stored with a minus."""

from __future__ import annotations

import sqlite3

import numpy as np

from proxyweb.catalogue.file_types import extension_of
from proxyweb.db.database import generation
from proxyweb.ingest import totals
from proxyweb.ingest.groups import FactsOfKind, KindFacts, Rows, ints
from proxyweb.ingest.rollups import ROLLUPS, define_functions
from proxyweb.ingest.zones import IN_ZONE

_ROWS = """
    SELECT l.time_ms, l.client_id, l.kind_id, s.host_id, h.is_address, h.domain_id, h.service_id, l.agent_id, l.waf_id,
           l.bytes, l.bytes_in, l.elapsed_ms, CASE WHEN l.waf_id > 0 THEN entropy_of(s.prefix || l.rest) ELSE 0 END,
           CASE WHEN substr(s.prefix, -1) IN ('?', '#') THEN '' ELSE l.rest END
    FROM proxy_logs AS l JOIN sites AS s ON s.id = l.site_id JOIN hosts AS h ON h.id = s.host_id
    WHERE l.id BETWEEN ? AND ? AND l.time_ms < ?
"""
_COLUMNS = ("time_ms", "client_id", "kind_id", "host_id", "is_address", "domain_id", "service_id", "agent_id", "waf_id",
            "bytes", "bytes_in", "elapsed_ms", "entropy", "extension_id")  # fmt: skip
ROWS_AT_ONCE = 4096  # a segment of them as Python's objects takes 40 MB, which the process keeps


class Subtraction:
    """The rows with ids from `first` to `last` and times before `before_ms`, as they are when it is made.

    Reading them takes most of the time, and needs no write lock. `last_id` is the last id that was looked at: what came
    behind it since is left alone. `bounds` are their first and last time, None where there are none.
    """

    def __init__(self, conn: sqlite3.Connection, first: int, last: int, before_ms: int) -> None:
        self.deletions = generation(conn, "deletions")
        self.last_id = min(last, generation(conn, "next_id") - 1)
        self.bounds: tuple[int, int] | None = None
        define_functions(conn)
        extensions: dict[str, int] = dict(conn.execute("SELECT extension, id FROM extensions"))
        cursor, parts = conn.execute(_ROWS, (first, self.last_id, before_ms)), []
        while found := cursor.fetchmany(ROWS_AT_ONCE):
            *numbers, paths = zip(*found, strict=True)
            parts.append([*map(ints, numbers), ints([extensions[extension_of(path)] for path in paths])])
        if parts:
            columns = dict(zip(_COLUMNS, map(np.concatenate, zip(*parts, strict=True)), strict=True))
            kinds = conn.execute("SELECT id, reason, cache, opaque FROM result_kinds")
            facts = ((kind, KindFacts(reason, cache, bool(opaque))) for kind, reason, cache, opaque in kinds)
            self.rows = Rows(columns, FactsOfKind(facts))
            self.bounds = int(columns["time_ms"].min()), int(columns["time_ms"].max())

    def is_current(self, conn: sqlite3.Connection) -> bool:
        """Whether these rows are still there, and understood as they were."""
        return generation(conn, "deletions") == self.deletions

    def take_away(self, conn: sqlite3.Connection) -> None:
        """Take them out of every rollup, in the transaction that deletes them."""
        if self.bounds:
            totals.take_away(conn, self.rows, generation(conn, "recent_from"))


def renew_last_times(conn: sqlite3.Connection, deleted: tuple[int, int]) -> None:
    """After a deletion of rows at times between those of `deleted`: find the last times anew of what has only earlier
    rows left. There is none while the log is in the order of time."""
    for rollup in ROLLUPS:
        if rollup.last:
            name, length = rollup.bucket
            stale = conn.execute(
                f"SELECT DISTINCT {name} FROM {rollup.table} WHERE {name} BETWEEN ? AND ? AND last_ms <= ?",
                (deleted[0] // length, deleted[1] // length, deleted[1]),
            )
            keys = " AND ".join(f"{key.name} = ?" for key in rollup.keys)
            for (bucket,) in stale.fetchall():
                recounted = rollup.recount(
                    f"log_zones AS z CROSS JOIN proxy_logs AS l ON {IN_ZONE}",
                    "z.max_ms >= ?1 AND z.min_ms < ?2 AND l.time_ms >= ?1 AND l.time_ms < ?2",
                )
                found = conn.execute(
                    f"SELECT last_ms, {name}, {', '.join(key.name for key in rollup.keys)} FROM ({recounted})",
                    (bucket * length, (bucket + 1) * length),
                ).fetchall()
                conn.executemany(f"UPDATE {rollup.table} SET last_ms = ? WHERE {name} = ? AND {keys}", found)
