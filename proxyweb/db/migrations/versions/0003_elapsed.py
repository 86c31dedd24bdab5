"""`elapsed_ms` is how long the requests of a rollup's row took, all together; added up of what is in the log already.
URLs have it too, so those counted before are counted anew.

Everything is written out as it was at this version, since the rollups' declaration goes on. SQLite sorts in temporary
files, in memory as large as its page cache: 5 µs a row for all of them together.
"""

from __future__ import annotations

from typing import NamedTuple

from alembic import op

from proxyweb.catalogue.file_types import extension_of
from proxyweb.db.migrations import statements

revision = "0003"
down_revision = "0002"

_ALL = "proxy_logs AS l"
_RECENT_MS = "(SELECT value * 3600000 FROM counters WHERE name = 'recent_from')"
_RECENT = f"""
    log_zones AS z CROSS JOIN proxy_logs AS l
    ON z.max_ms >= {_RECENT_MS} AND l.id BETWEEN z.zone * 1024 AND z.zone * 1024 + 1023 AND l.time_ms >= {_RECENT_MS}
"""
_SITE = " CROSS JOIN sites AS s ON s.id = l.site_id"
_SERVICE = f"{_SITE} CROSS JOIN hosts AS h ON h.id = s.host_id AND h.service_id > 0"
_EXTENSION = f"""
    {_SITE} AND substr(s.prefix, -1) NOT IN ('?', '#') AND instr(l.rest, '.')
    CROSS JOIN extensions AS x ON x.extension = extension_of(l.rest)
"""
_AGENT = " CROSS JOIN user_agents AS a ON a.id = l.agent_id AND a.id > 0"


class Dimension(NamedTuple):
    """What requests are counted by, beside the time: columns, their values, and what has to be joined for these."""

    name: str
    keys: dict[str, str]
    joins: str = ""


_DIMENSIONS = (
    Dimension("clients", {"client_id": "l.client_id"}),
    Dimension("kinds", {"kind_id": "l.kind_id"}),
    Dimension("extensions", {"extension_id": "x.id"}, _EXTENSION),
    Dimension("agents", {"agent_id": "a.id"}, _AGENT),
    Dimension("hosts", {"host_id": "s.host_id"}, _SITE),
    Dimension("services", {"service_id": "h.service_id", "client_id": "l.client_id"}, _SERVICE),
)


def upgrade() -> None:
    for statement in statements(revision):
        op.execute(statement)
    conn = op.get_bind().connection.driver_connection
    assert conn is not None
    conn.create_function("extension_of", 1, extension_of, deterministic=True)
    op.execute(_added_up("hourly_requests", {"hour": "l.time_ms / 3600000"}, _ALL))
    for dimension in _DIMENSIONS:
        by_day = {"day": "l.time_ms / 86400000"} | dimension.keys
        by_hour = {"hour": "l.time_ms / 3600000"} | dimension.keys
        op.execute(_added_up(f"daily_{dimension.name}", by_day, _ALL + dimension.joins))
        op.execute(_added_up(f"hourly_{dimension.name}", by_hour, _RECENT + dimension.joins))


def _added_up(table: str, keys: dict[str, str], rows: str) -> str:
    """SQL that fills in a rollup's new column; rows without a duration add nothing, and needn't be sorted."""
    values = ", ".join(f"{value} AS {name}" for name, value in keys.items())
    places = ", ".join(str(place) for place in range(1, len(keys) + 1))
    return f"""
        UPDATE {table} AS counted SET elapsed_ms = found.elapsed_ms
        FROM (
            SELECT {values}, sum(l.elapsed_ms) AS elapsed_ms
            FROM {rows} WHERE l.elapsed_ms > 0 GROUP BY {places}
        ) AS found
        WHERE {" AND ".join(f"counted.{name} = found.{name}" for name in keys)}
    """
