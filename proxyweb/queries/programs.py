"""With which programs requests were made, and by which methods."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from proxyweb.queries.windows import IN_WINDOW, ROWS_OF_WINDOW, Window

_METHODS_OF_DAYS = (
    "SELECT kind_id, sum(requests) AS requests FROM daily_kinds WHERE day BETWEEN :first AND :last GROUP BY 1"
)
_METHODS_OF_ROWS = f"SELECT l.kind_id, count(*) AS requests FROM {ROWS_OF_WINDOW} WHERE {IN_WINDOW} GROUP BY 1"


class AgentUse(NamedTuple):
    """Requests with one user agent, and what it says: the program, its system and device (each empty where it says
    nothing), and what kind of program that is."""

    agent: str
    name: str
    system: str
    device: str
    service_type: str
    requests: int


def agents(conn: sqlite3.Connection, window: Window) -> list[AgentUse]:
    """Every user agent, most requests first. Requests that came without one are not among them."""
    rows = conn.execute(
        "SELECT a.agent, a.name, a.system, a.device, a.service_type, h.requests"
        " FROM (SELECT agent_id, sum(requests) AS requests FROM hourly_agents WHERE hour BETWEEN :first AND :last"
        " GROUP BY agent_id) AS h CROSS JOIN user_agents AS a ON a.id = h.agent_id ORDER BY h.requests DESC, a.agent",
        window.hours,
    )
    return [AgentUse(*row) for row in rows]


def methods(conn: sqlite3.Connection, window: Window) -> list[tuple[str, int]]:
    """`(method, requests)`, most first; together they are all requests of the window."""
    counted, bounds = (_METHODS_OF_DAYS, window.days) if window.of_whole_days else (_METHODS_OF_ROWS, window.row_bounds)
    return conn.execute(
        f"SELECT k.method, sum(d.requests) AS requests FROM ({counted}) AS d"
        " CROSS JOIN result_kinds AS k ON k.id = d.kind_id GROUP BY k.method ORDER BY requests DESC, k.method",
        bounds,
    ).fetchall()
