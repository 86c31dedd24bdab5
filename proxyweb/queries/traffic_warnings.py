"""What the security score is held against: the traffic of the last 24 hours, and whether a password is still the
generated one."""

from __future__ import annotations

import sqlite3

from proxyweb.ingest.record import AUTH, POLICY, TERMINATED, WAF
from proxyweb.ingest.rollups import HOUR_MS
from proxyweb.ingest.zones import IN_ZONE
from proxyweb.score import Traffic

HOURS = 24
_DENIED = f"('{POLICY}', '{WAF}', '{TERMINATED}')"
# Squid logs a CONNECT that it decrypts as NONE_NONE (older: NONE, TAG_NONE), and the requests in it after it.
_OPAQUE = "k.method = 'CONNECT' AND k.bump_mode <> 'bump' AND k.result_code NOT GLOB '*NONE*'"
_FIGURES = f"""
    WITH rows_by_kind AS MATERIALIZED (
        SELECT l.kind_id,
               l.site_id IN (SELECT s.id FROM hosts AS h JOIN sites AS s ON s.host_id = h.id WHERE h.is_address)
                   AS to_address,
               count(*) AS requests
        FROM log_zones AS z
        CROSS JOIN proxy_logs AS l ON {IN_ZONE}
        WHERE z.max_ms >= :since_ms AND z.min_ms < :until_ms AND l.time_ms >= :since_ms AND l.time_ms < :until_ms
        GROUP BY 1, 2
    ), passed AS (
        SELECT r.requests, r.to_address, k.reason, k.reason NOT IN {_DENIED} AND k.reason <> '{AUTH}' AS passed,
               {_OPAQUE} AS opaque
        FROM rows_by_kind AS r JOIN result_kinds AS k ON k.id = r.kind_id
    )
    SELECT coalesce(sum(requests), 0),
           coalesce(sum(requests) FILTER (WHERE reason IN {_DENIED}), 0),
           coalesce(sum(requests) FILTER (WHERE reason = '{AUTH}'), 0),
           coalesce(sum(requests) FILTER (WHERE passed AND to_address), 0),
           coalesce(sum(requests) FILTER (WHERE passed AND opaque), 0)
    FROM passed
"""


def last_day(conn: sqlite3.Connection, last_hour: int) -> Traffic:
    """The 24 hours that end with `last_hour`, the current one, as the timeline has them.

    Hours are Unix seconds divided by 3,600. The rows of these hours are scanned, found by the zones' bounds.
    """
    bounds = {"since_ms": (last_hour - HOURS + 1) * HOUR_MS, "until_ms": (last_hour + 1) * HOUR_MS}
    return Traffic(*conn.execute(_FIGURES, bounds).fetchone())


def is_password_generated(conn: sqlite3.Connection) -> bool:
    """Whether an admin still has the password that was generated for them."""
    found = conn.execute("SELECT EXISTS (SELECT 1 FROM users WHERE role = 'admin' AND password_generated)").fetchone()
    return bool(found[0])
