"""The values of what the log can be sorted by, in order: clients, methods, statuses, destinations."""

from __future__ import annotations

import ipaddress
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from proxyweb.queries.selection import Mask, Selection


@dataclass(frozen=True)
class Group:
    """Rows that have the same place in the order: those with one of `values` in `dimension`. `key` is what a cursor
    remembers, `place` sorts. A site's rows (`site`) are sorted further by what follows its prefix."""

    key: str
    place: Any
    dimension: str
    values: frozenset[int]
    site: int | None = None

    def narrow(self, selection: Selection) -> Selection | None:
        """The selection's rows that are in this group; None when there can be none."""
        values = self.values
        if self.dimension in selection.values:
            values &= selection.values[self.dimension]
        if not values:
            return None
        return replace(selection, values={**selection.values, self.dimension: values})


def groups(
    conn: sqlite3.Connection, sort: str, descending: bool, cursor: tuple[Any, int] | None, mask_client: Mask | None
) -> Iterator[Group]:
    """All groups of a sort order; with a cursor, those from the cursor's on."""
    if sort == "destination":
        return _sites(conn, descending, cursor[0] if cursor else None)
    if sort == "client":
        rows = conn.execute("SELECT id, address FROM clients").fetchall()
        labelled = [(mask_client(address) if mask_client else address, number) for number, address in rows]
        found = _grouped(labelled, "client", address_place)
    else:
        column = {"method": "method", "status": "status"}[sort]
        rows = conn.execute(f"SELECT {column}, id FROM result_kinds").fetchall()
        found = _grouped(rows, "kind", str)
    found.sort(key=lambda group: group.place, reverse=descending)
    if cursor is not None:
        place = address_place(cursor[0]) if sort == "client" else cursor[0]
        found = [group for group in found if (group.place <= place if descending else group.place >= place)]
    return iter(found)


def address_place(address: str) -> tuple[int, int, str]:
    """Where an address stands in order: IPv4 by number, then IPv6, then names and masked addresses by text."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return 9, 0, address
    return parsed.version, int(parsed), address


def _grouped(labelled: list[tuple[str, int]], dimension: str, place: Any) -> list[Group]:
    labelled.sort()
    return [
        Group(label, place(label), dimension, frozenset(number for _, number in members))
        for label, members in groupby(labelled, key=lambda pair: pair[0])
    ]


def _sites(conn: sqlite3.Connection, descending: bool, destination: str | None) -> Iterator[Group]:
    """Sites by prefix. A cursor's destination belongs to the last site whose prefix is not behind it in the order."""
    order, compare = ("DESC", "<=") if descending else ("ASC", ">=")
    condition, arguments = "1", dict[str, str]()
    if destination is not None:
        # A destination begins with its site's prefix, so in ascending order its site may stand before it.
        start = destination if descending else _prefix(conn, destination)
        condition, arguments = f"prefix {compare} :start", {"start": start}
    rows = conn.execute(f"SELECT id, prefix, host_id FROM sites WHERE {condition} ORDER BY prefix {order}", arguments)
    for site, prefix, host in rows:
        yield Group(prefix, prefix, "host", frozenset((host,)), site)


def _prefix(conn: sqlite3.Connection, destination: str) -> str:
    row = conn.execute(
        "SELECT prefix FROM sites WHERE prefix <= :destination AND substr(:destination, 1, length(prefix)) = prefix"
        " ORDER BY prefix DESC LIMIT 1",
        {"destination": destination},
    ).fetchone()
    return str(row[0]) if row else destination
