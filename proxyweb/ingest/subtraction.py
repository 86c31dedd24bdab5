"""Rows that are about to be deleted, taken out of the rollups: grouped as when they came, and stored with a minus."""

from __future__ import annotations

import sqlite3

from proxyweb.catalogue.file_types import extension_of
from proxyweb.db.database import generation
from proxyweb.ingest.groups import HOUR_MS, Columns, Known, group, group_services
from proxyweb.ingest.record import WAF
from proxyweb.ingest.rollups import DAY, HOUR, ROLLUPS, KindFacts
from proxyweb.ingest.totals import Totals
from proxyweb.ingest.weights import BLOCKED, REQUEST
from proxyweb.ingest.zones import IN_ZONE

_ROWS = """
    SELECT l.time_ms, l.client_id, l.kind_id, l.site_id, l.bytes, l.rest, l.agent_id, l.bytes_in, l.waf_id, s.host_id
    FROM proxy_logs AS l JOIN sites AS s ON s.id = l.site_id
    WHERE l.id BETWEEN ? AND ? AND l.time_ms < ?
"""
_ADDRESSES = "SELECT s.id FROM hosts AS h JOIN sites AS s ON s.host_id = h.id WHERE h.is_address"
_PATHLESS = "SELECT id FROM sites WHERE substr(prefix, -1) IN ('?', '#')"


class _Same(dict[int, int]):
    """Every number is its own id."""

    def __missing__(self, number: int) -> int:
        return number


class Subtraction:
    """The rows with ids from `first` to `last` and times before `before_ms`, as they are when it is made.

    Reading and grouping them takes most of the time, and needs no write lock. `last_id` is the last id that was looked
    at: what came behind it since is left alone.
    """

    def __init__(self, conn: sqlite3.Connection, first: int, last: int, before_ms: int) -> None:
        self.deletions = generation(conn, "deletions")
        self.last_id = min(last, generation(conn, "next_id") - 1)
        self.totals = Totals()
        self.facts: dict[int, KindFacts] = {}
        self.bounds: tuple[int, int] | None = None
        rows = conn.execute(_ROWS, (first, self.last_id, before_ms)).fetchall()
        if rows:
            *values, hosts = zip(*rows, strict=True)
            self._group(conn, Columns(*values), hosts)

    def _group(self, conn: sqlite3.Connection, columns: Columns, hosts: tuple[int, ...]) -> None:
        self.bounds = min(columns.time_ms), max(columns.time_ms)
        kinds = conn.execute("SELECT id, reason, cache, opaque, blocked FROM result_kinds").fetchall()
        self.facts = {kind: KindFacts(reason, cache, bool(opaque)) for kind, reason, cache, opaque, _ in kinds}
        weight_of_kind = {kind: REQUEST | BLOCKED if blocked else REQUEST for kind, *_, blocked in kinds}
        extensions: dict[str, int] = dict(conn.execute("SELECT extension, id FROM extensions"))
        known = Known(
            lambda rest: extensions[extension_of(rest)],
            weight_of_kind,
            {kind for kind, reason, *_ in kinds if reason == WAF},
            {site for (site,) in conn.execute(_ADDRESSES)},
            {site for (site,) in conn.execute(_PATHLESS)},
        )
        groups = group(columns, known, generation(conn, "recent_from") * HOUR_MS)
        same = dict.fromkeys(("client", "kind", "extension", "agent", "waf"), _Same())
        self.totals.add(groups, same, dict(zip(columns.site, hosts, strict=True)))
        services = dict(conn.execute("SELECT id, service_id FROM hosts WHERE service_id > 0"))
        for bucket in (DAY, HOUR):
            uses = group_services(columns, hosts, services, weight_of_kind, bucket.ms)
            self.totals.add_services(bucket.name, uses)

    def is_current(self, conn: sqlite3.Connection) -> bool:
        """Whether these rows are still there, and understood as they were."""
        return generation(conn, "deletions") == self.deletions

    def take_away(self, conn: sqlite3.Connection) -> None:
        """Take them out of every rollup, in the transaction that deletes them."""
        self.totals.take_away(conn, self.facts, generation(conn, "recent_from"))


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
