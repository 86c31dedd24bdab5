"""The same questions answered the slow way: every row in memory, filtered and sorted by Python."""

from __future__ import annotations

import ipaddress
import sqlite3
from typing import Any

from proxyweb.queries.log_groups import address_place
from proxyweb.queries.log_rows import Row, rows_by_id
from proxyweb.queries.selection import Filters

SORTS = ("time", "bytes", "client", "method", "status", "destination")


class Oracle:
    """All rows of a log, sorted once by everything."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        self.rows = rows_by_id(conn, [row_id for (row_id,) in conn.execute("SELECT id FROM proxy_logs")])
        self.sorted: dict[str, list[int]] = {}
        for sort in SORTS:
            keys = {row.id: (_key(row, sort), row.id) for row in self.rows}
            self.sorted[sort] = sorted(keys, key=keys.__getitem__)

    def page(self, selected: set[int], sort: str, descending: bool) -> list[int]:
        """The selected ids in order."""
        ids = self.sorted[sort]
        return [row_id for row_id in (reversed(ids) if descending else ids) if row_id in selected]

    def select(self, filters: Filters) -> set[int]:
        """The ids of the rows that the filters leave."""
        return {row.id for row in self.rows if holds(row, filters)}


def holds(row: Row, filters: Filters) -> bool:
    """Whether a row is what the filters ask for."""
    host, domain = row.host, filters.domain
    return all(
        (
            filters.search is None or filters.search.lower() in row.destination.lower(),
            filters.client is None or _is_client(row.client, filters.client),
            domain is None or host == domain or (host.endswith(f".{domain}") and not _is_address(host)),
            filters.method is None or row.method == filters.method,
            filters.status is None or _has_status(row, filters.status),
            filters.blocked is None or bool(row.blocked) == filters.blocked,
            filters.reason is None or row.reason == filters.reason,
            filters.user is None or row.user == filters.user,
            filters.since_ms is None or row.time_ms >= filters.since_ms,
            filters.until_ms is None or row.time_ms < filters.until_ms,
            filters.after_id is None or row.id > filters.after_id,
        )
    )


def _key(row: Row, sort: str) -> Any:
    if sort == "client":
        return address_place(row.client)
    if sort == "destination":
        return row.destination.encode()
    return getattr(row, {"time": "time_ms"}.get(sort, sort))


def _is_client(client: str, wanted: str) -> bool:
    if "/" in wanted:
        return _is_address(client) and ipaddress.ip_address(client) in ipaddress.ip_network(wanted)
    return client == wanted


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _has_status(row: Row, wanted: str) -> bool:
    if wanted.endswith("xx"):
        return row.status_code // 100 == int(wanted[0])
    return row.status_code == int(wanted) if wanted.isdigit() else row.result_code == wanted
