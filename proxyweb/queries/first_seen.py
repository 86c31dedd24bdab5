"""What was never seen before: domains and services, newest first. Deleting old logs doesn't make it new again."""

from __future__ import annotations

import json
import sqlite3
from typing import NamedTuple

_CLIENTS = "(SELECT value FROM json_each(:clients))"
_DOMAINS = """
    SELECT d.domain, c.address, f.first_ms
    FROM first_seen AS f CROSS JOIN domains AS d ON d.id = f.subject_id CROSS JOIN clients AS c ON c.id = f.client_id
    WHERE f.subject = 'domain' AND f.of_client_id = 0 AND f.first_ms >= :since_ms AND d.domain != '' {condition}
    ORDER BY f.first_ms DESC, d.domain LIMIT :limit
"""
_SERVICES = """
    SELECT s.name, c.address, f.first_ms
    FROM first_seen AS f CROSS JOIN services AS s ON s.id = f.subject_id CROSS JOIN clients AS c ON c.id = f.client_id
    WHERE f.subject = 'service' AND f.of_client_id = 0 AND f.first_ms >= :since_ms
    ORDER BY f.first_ms DESC, s.name LIMIT :limit
"""
# A service is new to several clients, as one mask makes them, when none of them used it before. The address is that of
# the client with the least time.
_SERVICES_OF_CLIENTS = f"""
    SELECT s.name, c.address, f.first_ms
    FROM (SELECT subject_id, client_id, min(first_ms) AS first_ms FROM first_seen
          WHERE subject = 'service' AND of_client_id IN {_CLIENTS}
          GROUP BY subject_id HAVING min(first_ms) >= :since_ms) AS f
    CROSS JOIN services AS s ON s.id = f.subject_id CROSS JOIN clients AS c ON c.id = f.client_id
    ORDER BY f.first_ms DESC, s.name LIMIT :limit
"""


class FirstUse(NamedTuple):
    """A domain's or service's first request: its client's address, and its time in Unix milliseconds."""

    name: str
    client: str
    first_ms: int


def new_domains(
    conn: sqlite3.Connection, since_ms: int, limit: int, clients: frozenset[int] | None = None
) -> list[FirstUse]:
    """Domains that nobody used before `since_ms` (Unix milliseconds); of some clients, by id: those that one of them
    was the first to use."""
    condition, arguments = "", dict[str, object](since_ms=since_ms, limit=limit)
    if clients is not None:
        condition = f"AND f.client_id IN {_CLIENTS}"
        arguments["clients"] = json.dumps(sorted(clients))
    return [FirstUse(*row) for row in conn.execute(_DOMAINS.format(condition=condition), arguments)]


def new_services(
    conn: sqlite3.Connection, since_ms: int, limit: int, clients: frozenset[int] | None = None
) -> list[FirstUse]:
    """Services that nobody used before `since_ms`; of some clients: those that none of them did, whoever else."""
    arguments: dict[str, object] = {"since_ms": since_ms, "limit": limit}
    if clients is None:
        return [FirstUse(*row) for row in conn.execute(_SERVICES, arguments)]
    arguments["clients"] = json.dumps(sorted(clients))
    return [FirstUse(*row) for row in conn.execute(_SERVICES_OF_CLIENTS, arguments)]
