"""With which programs requests were made, and by which methods."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from proxyweb.queries.windows import Window, counted_by


class AgentUse(NamedTuple):
    """Requests with one user agent, how long all of them took, and what it says: the program, its system and device
    (each empty where it says nothing), and what kind of program that is."""

    agent: str
    name: str
    system: str
    device: str
    service_type: str
    requests: int
    elapsed_ms: int


def agents(conn: sqlite3.Connection, window: Window) -> list[AgentUse]:
    """Every user agent, most requests first. Requests that came without one are not among them."""
    by_agent = counted_by(conn, "agents", window)
    rows = conn.execute(
        "SELECT a.agent, a.name, a.system, a.device, a.service_type, h.requests, h.elapsed_ms"
        f" FROM (SELECT agent_id, sum(requests) AS requests, sum(elapsed_ms) AS elapsed_ms FROM {by_agent.table}"
        f" WHERE {by_agent.bucket} BETWEEN :first AND :last"
        " GROUP BY agent_id) AS h CROSS JOIN user_agents AS a ON a.id = h.agent_id ORDER BY h.requests DESC, a.agent",
        by_agent.bounds,
    )
    return [AgentUse(*row) for row in rows]


def methods(conn: sqlite3.Connection, window: Window) -> list[tuple[str, int, int]]:
    """`(method, requests, elapsed_ms)`, most first; together they are all requests of the window."""
    by_kind = counted_by(conn, "kinds", window)
    return conn.execute(
        "SELECT k.method, sum(d.requests) AS requests, sum(d.elapsed_ms) FROM"
        f" (SELECT kind_id, sum(requests) AS requests, sum(elapsed_ms) AS elapsed_ms FROM {by_kind.table}"
        f" WHERE {by_kind.bucket} BETWEEN :first AND :last GROUP BY 1) AS d"
        " CROSS JOIN result_kinds AS k ON k.id = d.kind_id GROUP BY k.method ORDER BY requests DESC, k.method",
        by_kind.bounds,
    ).fetchall()
