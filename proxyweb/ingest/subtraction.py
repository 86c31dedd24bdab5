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


def subtract(conn: sqlite3.Connection, first: int, last: int, before_ms: int) -> tuple[int, int] | None:
    """Take the rows with ids from `first` to `last` and times before `before_ms` out of every rollup, before they are
    deleted. Returns their least and greatest time, None when there are none."""
    rows = conn.execute(_ROWS, (first, last, before_ms)).fetchall()
    if not rows:
        return None
    *values, hosts = zip(*rows, strict=True)
    columns = Columns(*values)
    kinds = conn.execute("SELECT id, reason, cache, opaque, blocked FROM result_kinds").fetchall()
    weight_of_kind = {kind: REQUEST | BLOCKED if blocked else REQUEST for kind, *_, blocked in kinds}
    extensions: dict[str, int] = dict(conn.execute("SELECT extension, id FROM extensions"))
    known = Known(
        lambda rest: extensions[extension_of(rest)],
        weight_of_kind,
        {kind for kind, reason, *_ in kinds if reason == WAF},
        {site for (site,) in conn.execute(_ADDRESSES)},
        {site for (site,) in conn.execute(_PATHLESS)},
    )
    recent_from = generation(conn, "recent_from")
    totals = Totals()
    same = dict.fromkeys(("client", "kind", "extension", "agent", "waf"), _Same())
    totals.add(group(columns, known, recent_from * HOUR_MS), same, dict(zip(columns.site, hosts, strict=True)))
    services = dict(conn.execute("SELECT id, service_id FROM hosts WHERE service_id > 0"))
    for bucket in (DAY, HOUR):
        totals.add_services(bucket.name, group_services(columns, hosts, services, weight_of_kind, bucket.ms))
    facts = {kind: KindFacts(reason, cache, bool(opaque)) for kind, reason, cache, opaque, _ in kinds}
    totals.take_away(conn, facts, recent_from)
    return min(columns.time_ms), max(columns.time_ms)


def renew_last_times(conn: sqlite3.Connection, deleted: tuple[int, int], before_ms: int) -> None:
    """After a deletion of rows before `before_ms`, at times between those of `deleted`: find the last times of what has
    only such rows left, in segments whose turn has not come."""
    for rollup in ROLLUPS:
        if rollup.last:
            name, length = rollup.bucket
            stale = conn.execute(
                f"SELECT DISTINCT {name} FROM {rollup.table} WHERE {name} BETWEEN ? AND ? AND last_ms < ?",
                (deleted[0] // length, deleted[1] // length, before_ms),
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
