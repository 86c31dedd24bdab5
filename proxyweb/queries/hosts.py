"""The hosts most asked for, by everybody. Requests without a host (`error:…`) are left out."""

from __future__ import annotations

import json
import sqlite3
from typing import NamedTuple

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
    SELECT h.host, sum(d.requests) AS requests, sum(d.blocked), sum(d.bytes), sum(d.elapsed_ms)
    FROM buckets CROSS JOIN json_each(:hosts) AS j
    CROSS JOIN {table} AS d ON d.{bucket} = buckets.bucket AND d.host_id = j.value
    CROSS JOIN hosts AS h ON h.id = d.host_id
    GROUP BY d.host_id ORDER BY requests DESC, h.host
"""


class HostFigures(NamedTuple):
    """A host's requests in a window. `bytes` were sent to clients; `elapsed_ms` is how long all of them took."""

    host: str
    requests: int
    blocked: int
    bytes: int
    elapsed_ms: int


def busiest_hosts(conn: sqlite3.Connection, window: Window, limit: int) -> list[HostFigures]:
    """Most requests first, then by name.

    Hosts are ranked by requests alone, and the other figures looked up for the few that are left: summing all of them
    for every host takes half as long again.
    """
    by_host = counted_by(conn, "hosts", window)
    ranked = [host for (host,) in conn.execute(by_host.sql(_RANKED), {**by_host.bounds, "limit": limit})]
    found = conn.execute(by_host.sql(_SUMS), {**by_host.bounds, "hosts": json.dumps(ranked)})
    return [HostFigures(*row) for row in found]
