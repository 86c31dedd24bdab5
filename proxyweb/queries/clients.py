"""Who asks the proxy, and how much: everybody, and one client. Figures come from the rollups.

A client is one address, or with a mask all addresses that the mask makes the same.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Collection
from typing import NamedTuple

from proxyweb.ingest.groups import HOUR_MS
from proxyweb.queries.selection import Filters, Mask, select
from proxyweb.queries.windows import Window, counted_by

_BY_CLIENT = """
    SELECT a.address, g.requests, g.blocked, g.bytes, g.elapsed_ms, g.last_ms
    FROM (
        SELECT client_id, sum(requests) AS requests, sum(blocked) AS blocked, sum(bytes) AS bytes,
               sum(elapsed_ms) AS elapsed_ms, max(last_ms) AS last_ms
        FROM {table} WHERE {bucket} BETWEEN :first AND :last GROUP BY client_id
    ) AS g CROSS JOIN clients AS a ON a.id = g.client_id
"""
_BY_HOUR = """
    SELECT hour, client_id, requests FROM {table}
    WHERE {bucket} BETWEEN :first AND :last AND client_id IN (SELECT value FROM json_each(:clients))
"""
_ALL_BY_HOUR = "SELECT hour, requests FROM hourly_requests WHERE hour BETWEEN :first AND :last"
_TOGETHER = """
    SELECT coalesce(sum(requests), 0), coalesce(sum(blocked), 0), coalesce(sum(bytes), 0),
           coalesce(sum(elapsed_ms), 0), max(last_ms)
    FROM {table} WHERE {bucket} BETWEEN :first AND :last AND client_id IN (SELECT value FROM json_each(:clients))
"""
_LAST_SEEN = """
    SELECT max(last_ms) FROM daily_clients
    WHERE day <= :day AND client_id IN (SELECT value FROM json_each(:clients))
"""
_FIRST_SEEN = """
    SELECT min(f.first_ms), min(a.address) FROM first_seen AS f JOIN clients AS a ON a.id = f.subject_id
    WHERE f.subject = 'client' AND f.of_client_id = 0 AND f.subject_id IN (SELECT value FROM json_each(?))
"""


class ClientFigures(NamedTuple):
    """A client's requests in a window. `bytes` were sent to it; `elapsed_ms` is how long all of them took; `last_ms` is
    the last one there, in Unix milliseconds."""

    client: str
    requests: int
    blocked: int
    bytes: int
    elapsed_ms: int
    last_ms: int


class Activity(NamedTuple):
    """Requests hour by hour: of each of the busiest clients, and of `others` together. The first hour begins at
    `since_ms`, Unix milliseconds."""

    since_ms: int
    clients: list[tuple[str, list[int]]]
    others: list[int]


class ClientDetails(NamedTuple):
    """One client in a window, and when it was seen at all: `first_ms` whatever was deleted since, `last_ms` up to the
    window's end; None when no request of it is left. `address` is written as the log has it."""

    address: str
    requests: int
    blocked: int
    bytes: int
    elapsed_ms: int
    first_ms: int
    last_ms: int | None


def busiest_clients(
    conn: sqlite3.Connection, window: Window, limit: int, mask: Mask | None = None
) -> tuple[int, list[ClientFigures]]:
    """How many clients made requests, and the figures of those with the most: most first, then by address."""
    by_client = counted_by(conn, "clients", window)
    found = [ClientFigures(*row) for row in conn.execute(by_client.sql(_BY_CLIENT), by_client.bounds)]
    if mask is not None:
        found = _added_up(found, mask)
    found.sort(key=lambda one: (-one.requests, one.client))
    return len(found), found[:limit]


def activity(conn: sqlite3.Connection, now_ms: int, hours: int, limit: int, mask: Mask | None = None) -> Activity:
    """When the busiest clients of the last hours, 48 at most, made their requests; `now_ms` is in the last one."""
    window = Window((now_ms // HOUR_MS - hours + 1) * HOUR_MS, now_ms, of_whole_days=False)
    _, busiest = busiest_clients(conn, window, limit, mask)
    by_name = {one.client: [0] * hours for one in busiest}
    label = mask or str
    named = {number: label(address) for number, address in conn.execute("SELECT id, address FROM clients")}
    ids = [number for number, name in named.items() if name in by_name]
    others, first = [0] * hours, window.hours["first"]
    for hour, requests in conn.execute(_ALL_BY_HOUR, window.hours):
        others[hour - first] = requests
    by_client = counted_by(conn, "clients", window)
    for hour, number, requests in conn.execute(
        by_client.sql(_BY_HOUR), {**by_client.bounds, "clients": json.dumps(ids)}
    ):
        by_name[named[number]][hour - first] += requests
        others[hour - first] -= requests
    return Activity(window.since_ms, list(by_name.items()), others)


def clients_called(conn: sqlite3.Connection, name: str, mask: Mask | None = None) -> frozenset[int]:
    """The ids of a client: an address in any spelling, or a host's name; with a mask, what the mask makes of them."""
    return select(conn, Filters(client=name), mask).values["client"]


def client_details(conn: sqlite3.Connection, clients: Collection[int], window: Window) -> ClientDetails | None:
    """The figures of these ids together; None when none of them was ever seen."""
    listed = json.dumps(list(clients))
    first_ms, address = conn.execute(_FIRST_SEEN, (listed,)).fetchone()
    if first_ms is None:
        return None
    by_client = counted_by(conn, "clients", window)
    arguments = {**by_client.bounds, "clients": listed}
    requests, blocked, size, elapsed_ms, last_ms = conn.execute(by_client.sql(_TOGETHER), arguments).fetchone()
    if last_ms is None:
        last_ms = conn.execute(_LAST_SEEN, {"day": window.days["first"], "clients": listed}).fetchone()[0]
    return ClientDetails(address, requests, blocked, size, elapsed_ms, first_ms, last_ms)


def _added_up(found: list[ClientFigures], mask: Mask) -> list[ClientFigures]:
    """One for all that the mask makes the same."""
    members: defaultdict[str, list[ClientFigures]] = defaultdict(list)
    for one in found:
        members[mask(one.client)].append(one)
    return [
        ClientFigures(
            label,
            sum(one.requests for one in same),
            sum(one.blocked for one in same),
            sum(one.bytes for one in same),
            sum(one.elapsed_ms for one in same),
            max(one.last_ms for one in same),
        )
        for label, same in members.items()
    ]
