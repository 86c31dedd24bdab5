"""Registrable domains: those most asked for."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from proxyweb.queries.windows import Window, counted_by

# First by requests alone, then the rest for the few that are shown: three sums over all hosts take half as long again.
_TOP = """
    WITH {buckets}, top(domain_id, domain, requests) AS MATERIALIZED (
        SELECT o.id, o.domain, sum(d.requests) AS requests
        FROM (SELECT host_id, sum(requests) AS requests FROM {table} WHERE {bucket} BETWEEN :first AND :last
              GROUP BY host_id) AS d
        CROSS JOIN hosts AS h ON h.id = d.host_id CROSS JOIN domains AS o ON o.id = h.domain_id
        WHERE o.domain != '' GROUP BY o.id ORDER BY requests DESC, o.domain LIMIT :limit
    ), few(host_id, domain_id) AS MATERIALIZED (
        SELECT id, domain_id FROM hosts WHERE domain_id IN (SELECT domain_id FROM top)
    ), more(domain_id, blocked, bytes, elapsed_ms) AS MATERIALIZED (
        SELECT few.domain_id, sum(blocked), sum(bytes), sum(elapsed_ms)
        FROM few CROSS JOIN buckets CROSS JOIN {table} AS d
        ON d.{bucket} = buckets.bucket AND d.host_id = few.host_id
        GROUP BY few.domain_id
    )
    SELECT top.domain, top.requests, more.blocked, more.bytes, more.elapsed_ms
    FROM top JOIN more ON more.domain_id = top.domain_id
    ORDER BY top.requests DESC, top.domain
"""


class DomainUse(NamedTuple):
    """Requests to a domain's hosts, how many of them were blocked, the bytes sent to clients, and how long all of it
    took."""

    domain: str
    requests: int
    blocked: int
    bytes: int
    elapsed_ms: int


def top_domains(conn: sqlite3.Connection, window: Window, limit: int) -> list[DomainUse]:
    """The registrable domains, and the addresses, with the most requests; requests without a host count nowhere."""
    by_host = counted_by(conn, "hosts", window)
    return [DomainUse(*row) for row in conn.execute(by_host.sql(_TOP), {**by_host.bounds, "limit": limit})]
