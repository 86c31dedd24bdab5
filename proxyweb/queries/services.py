"""Services that people bring to work themselves: how much each was used and by how many, and what the admins say of it.

A service is a name that the catalogue gave to hosts when they were first met.
"""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from proxyweb.queries.masked_clients import MASKED, groups_of_masked
from proxyweb.queries.selection import Mask
from proxyweb.queries.windows import Window, counted_by

# Service by service and in each bucket by bucket, as the primary key has them: half the time of sorting all by service.
# The condition is no comparison, since SQLite would carry `> 0` over to the rollup and look for that instead of the id.
_USED = """
    WITH {buckets}, used AS MATERIALIZED (
        SELECT s.id AS service_id, sum(requests) AS requests, sum(blocked) AS blocked, sum(bytes) AS bytes,
               sum(elapsed_ms) AS elapsed_ms, count(DISTINCT {client}) AS clients, max(last_ms) AS last_ms
        FROM services AS s CROSS JOIN buckets
        CROSS JOIN {table} AS l ON l.{bucket} = buckets.bucket AND l.service_id = s.id
        WHERE s.id GROUP BY s.id
    )
    SELECT s.name, u.requests, u.blocked, u.bytes, u.elapsed_ms, u.clients, f.first_ms, u.last_ms
    FROM used AS u JOIN services AS s ON s.id = u.service_id
    JOIN first_seen AS f ON f.subject = 'service' AND f.subject_id = s.id AND f.of_client_id = 0
    ORDER BY u.requests DESC, s.name
"""


class Use(NamedTuple):
    """What a service was used in a window. `elapsed_ms` is how long all requests took; `first_ms` (ever, by anyone) and
    `last_ms` are Unix milliseconds."""

    name: str
    requests: int
    blocked: int
    bytes: int
    elapsed_ms: int
    clients: int
    first_ms: int
    last_ms: int


def used_services(conn: sqlite3.Connection, window: Window, mask_client: Mask | None = None) -> list[Use]:
    """Every service that was used, most requests first. With a mask, clients that it makes the same count as one."""
    by_service = counted_by(conn, "services", window)
    client, arguments = "l.client_id", dict[str, object](by_service.bounds)
    if mask_client is not None:
        client, arguments["groups"] = MASKED, groups_of_masked(conn, mask_client)
    return [Use(*row) for row in conn.execute(by_service.sql(_USED, client=client), arguments)]


def service_named(conn: sqlite3.Connection, name: str) -> str | None:
    """The spelling of a service that the log knows, letters in either case; None for one it doesn't."""
    folded = name.casefold()
    names = (known for (known,) in conn.execute("SELECT name FROM services WHERE id > 0 ORDER BY id"))
    return next((known for known in names if known.casefold() == folded), None)


def service_statuses(conn: sqlite3.Connection) -> dict[str, str]:
    """What the admins said of services: status by case-folded name."""
    return {name.casefold(): status for name, status in conn.execute("SELECT name, status FROM service_statuses")}


def set_service_status(conn: sqlite3.Connection, name: str, status: str, now: float) -> str:
    """Store what an admin says of a service; returns what was said before, nothing at first. `now` in Unix seconds."""
    folded = name.casefold()
    said = conn.execute("SELECT name, status FROM service_statuses").fetchall()
    # Perhaps in another spelling: the catalogue's may have changed.
    known, before = next(((known, old) for known, old in said if known.casefold() == folded), ("", ""))
    if status != before:
        conn.execute("DELETE FROM service_statuses WHERE name = ?", (known,))
        conn.execute("INSERT INTO service_statuses VALUES (?, ?, ?)", (name, status, int(now)))
    return before
