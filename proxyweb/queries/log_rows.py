"""Rows of the log by their ids, with everything that the API shows of them."""

from __future__ import annotations

import json
import sqlite3
from typing import Any, NamedTuple

from proxyweb import json_text

_COLUMNS = """
    l.id, l.time_ms, c.address, k.method, s.prefix || l.rest, k.status, l.bytes, k.status_code, k.result_code,
    k.blocked, k.reason, h.host, l.elapsed_ms, u.name, k.content_type, a.agent, l.waf_id, w.score, w.categories
"""
_JOINS = """
    CROSS JOIN clients AS c ON c.id = l.client_id
    CROSS JOIN result_kinds AS k ON k.id = l.kind_id
    CROSS JOIN sites AS s ON s.id = l.site_id
    CROSS JOIN hosts AS h ON h.id = s.host_id
    CROSS JOIN users_seen AS u ON u.id = l.user_id
    CROSS JOIN user_agents AS a ON a.id = l.agent_id
    CROSS JOIN waf_verdicts AS w ON w.id = l.waf_id
"""


class Row(NamedTuple):
    """One request as stored. Time in Unix milliseconds; absent texts are empty, `waf_id` 0 means no verdict."""

    id: int
    time_ms: int
    client: str
    method: str
    destination: str
    status: str
    bytes: int
    status_code: int
    result_code: str
    blocked: int
    reason: str
    host: str
    elapsed_ms: int
    user: str
    content_type: str
    user_agent: str
    waf_id: int
    waf_score: int
    waf_categories: str


def rows_by_id(conn: sqlite3.Connection, ids: list[int]) -> list[Row]:
    """The rows with these ids, in the order of the ids.

    They come out of SQLite as one JSON text: fetched one by one, every row would hand the interpreter's lock around
    between the threads of a busy worker.
    """
    if not ids:
        return []
    found = conn.execute(
        f"SELECT json_group_array(json_array({_COLUMNS}))"
        f" FROM json_each(?) AS j CROSS JOIN proxy_logs AS l ON l.id = j.value {_JOINS}",
        (json.dumps(ids),),
    ).fetchone()[0]
    rows: list[Any] = json_text.loads(found)
    return [Row(*row) for row in rows]
