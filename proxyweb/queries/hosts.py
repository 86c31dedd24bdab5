"""The hosts most asked for: by everybody, and by one client. Requests without a host (`error:…`) are left out."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection
from typing import NamedTuple

from proxyweb.queries.matches import ids_in, open_from, segments
from proxyweb.queries.selection import Selection
from proxyweb.queries.windows import Window, counted_by

_RANKED = """
    WITH counted AS MATERIALIZED (
        SELECT host_id, sum(requests) AS requests FROM {table} WHERE {bucket} BETWEEN :first AND :last GROUP BY host_id
    ), least AS (
        SELECT coalesce((SELECT requests FROM counted ORDER BY requests DESC LIMIT 1 OFFSET :limit), 0) AS requests
    )
    SELECT h.id FROM least JOIN counted AS c ON c.requests >= least.requests JOIN hosts AS h ON h.id = c.host_id
    WHERE h.host <> '' ORDER BY c.requests DESC, h.host LIMIT :limit
"""
_SUMS = """
    WITH {buckets}
    SELECT h.host, sum(d.requests) AS requests, sum(d.blocked), sum(d.bytes)
    FROM buckets CROSS JOIN json_each(:hosts) AS j
    CROSS JOIN {table} AS d ON d.{bucket} = buckets.bucket AND d.host_id = j.value
    CROSS JOIN hosts AS h ON h.id = d.host_id
    GROUP BY d.host_id ORDER BY requests DESC, h.host
"""
_OF_ROWS = """
    SELECT h.host, sum(g.requests) AS requests, sum(g.blocked), sum(g.bytes)
    FROM (
        SELECT l.site_id, count(*) AS requests, sum(k.blocked) AS blocked, sum(l.bytes) AS bytes
        FROM json_each(:ids) AS j CROSS JOIN proxy_logs AS l ON l.id = j.value
        CROSS JOIN result_kinds AS k ON k.id = l.kind_id
        WHERE l.time_ms >= :since_ms AND l.time_ms < :end_ms GROUP BY l.site_id
    ) AS g CROSS JOIN sites AS s ON s.id = g.site_id CROSS JOIN hosts AS h ON h.id = s.host_id
    WHERE h.host <> '' GROUP BY h.id ORDER BY requests DESC, h.host LIMIT :limit
"""


class HostFigures(NamedTuple):
    """A host's requests in a window. `bytes` were sent to clients."""

    host: str
    requests: int
    blocked: int
    bytes: int


def busiest_hosts(conn: sqlite3.Connection, window: Window, limit: int) -> list[HostFigures]:
    """Most requests first, then by name.

    Hosts are ranked by requests alone, and the other figures looked up for the few that are left: summing all of them
    for every host takes half as long again.
    """
    by_host = counted_by(conn, "hosts", window)
    ranked = [host for (host,) in conn.execute(by_host.sql(_RANKED), {**by_host.bounds, "limit": limit})]
    found = conn.execute(by_host.sql(_SUMS), {**by_host.bounds, "hosts": json.dumps(ranked)})
    return [HostFigures(*row) for row in found]


def hosts_of_clients(
    conn: sqlite3.Connection, clients: Collection[int], window: Window, limit: int
) -> list[HostFigures]:
    """The hosts that these clients asked for most; most requests first, then by name.

    No rollup has clients by host, so their rows are read, found through the posting lists, at about 1.5 µs a row:
    8 ms for a client with 2,500 in a week, 220 ms for one with 160,000, 2 s for a masked network with a million.
    """
    bounds = window.row_bounds
    since_ms, end_ms = bounds["since_ms"], bounds["end_ms"]
    selection = Selection({"client": frozenset(clients)})
    still_open = open_from(conn)
    ids = [
        row_id
        for segment in segments(conn)
        if segment.max_ms >= since_ms and segment.min_ms < end_ms
        for row_id in ids_in(conn, segment, selection, segment.first_id >= still_open)
    ]
    found = conn.execute(_OF_ROWS, {**bounds, "ids": json.dumps(ids), "limit": limit})
    return [HostFigures(*row) for row in found]
