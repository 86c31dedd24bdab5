"""Registrable domains: those most asked for."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from proxyweb.queries.windows import DAYS_OF_WINDOW, IN_WINDOW, ROWS_OF_WINDOW, Window

_RANKED = "WHERE o.domain != '' GROUP BY o.id ORDER BY requests DESC, o.domain LIMIT :limit"
# First by requests alone, then the rest for the few that are shown: three sums over all hosts take half as long again.
_OF_DAYS = f"""
    WITH {DAYS_OF_WINDOW}, top(domain_id, domain, requests) AS MATERIALIZED (
        SELECT o.id, o.domain, sum(d.requests) AS requests
        FROM (SELECT host_id, sum(requests) AS requests FROM daily_hosts WHERE day BETWEEN :first AND :last
              GROUP BY host_id) AS d
        CROSS JOIN hosts AS h ON h.id = d.host_id CROSS JOIN domains AS o ON o.id = h.domain_id {_RANKED}
    ), few(host_id, domain_id) AS MATERIALIZED (
        SELECT id, domain_id FROM hosts WHERE domain_id IN (SELECT domain_id FROM top)
    ), more(domain_id, blocked, bytes) AS MATERIALIZED (
        SELECT few.domain_id, sum(blocked), sum(bytes)
        FROM few CROSS JOIN days CROSS JOIN daily_hosts AS d ON d.day = days.day AND d.host_id = few.host_id
        GROUP BY few.domain_id
    )
    SELECT top.domain, top.requests, more.blocked, more.bytes FROM top JOIN more ON more.domain_id = top.domain_id
    ORDER BY top.requests DESC, top.domain
"""
_OF_ROWS = f"""
    SELECT o.domain, sum(d.requests) AS requests, sum(d.blocked), sum(d.bytes)
    FROM (SELECT l.site_id, count(*) AS requests, sum(l.bytes) AS bytes,
                 sum(l.kind_id IN (SELECT id FROM result_kinds WHERE blocked)) AS blocked
          FROM {ROWS_OF_WINDOW} WHERE {IN_WINDOW} GROUP BY l.site_id) AS d
    CROSS JOIN sites AS s ON s.id = d.site_id CROSS JOIN hosts AS h ON h.id = s.host_id
    CROSS JOIN domains AS o ON o.id = h.domain_id {_RANKED}
"""


class DomainUse(NamedTuple):
    """Requests to a domain's hosts, how many of them were blocked, and the bytes sent to clients."""

    domain: str
    requests: int
    blocked: int
    bytes: int


def top_domains(conn: sqlite3.Connection, window: Window, limit: int) -> list[DomainUse]:
    """The registrable domains, and the addresses, with the most requests; requests without a host count nowhere."""
    sql, bounds = (_OF_DAYS, window.days) if window.of_whole_days else (_OF_ROWS, window.row_bounds)
    return [DomainUse(*row) for row in conn.execute(sql, {**bounds, "limit": limit})]
