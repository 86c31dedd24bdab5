"""The blacklists: domains that may not be asked for, and clients' addresses that may not ask."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import NamedTuple

from proxyweb.queries.selection import Mask

LARGEST_ID = 2**63 - 1


@dataclass(frozen=True)
class Blacklist:
    """Where a list is kept, and in which column what it blocks."""

    table: str
    column: str


DOMAINS = Blacklist("domain_blacklist", "domain")
NETWORKS = Blacklist("ip_blacklist", "network")


class Entry(NamedTuple):
    """Something that is blocked, since `added_at` (Unix seconds)."""

    id: int
    name: str
    description: str
    added_at: int


def entries(
    conn: sqlite3.Connection, of: Blacklist, limit: int, offset: int, search: str = "", mask: Mask | None = None
) -> tuple[int, list[Entry]]:
    """How many entries contain `search` in their name or description (ASCII letters in either case), and `limit` of
    them after the newest `offset`. With a mask, names are shown and searched as it makes them."""
    name = of.column
    if mask is not None:
        conn.create_function("masked", 1, mask, deterministic=True)
        name = f"masked({name})"
    found = f"FROM {of.table} WHERE {name} LIKE :contains ESCAPE '\\' OR description LIKE :contains ESCAPE '\\'"
    arguments = {"contains": f"%{_literal(search)}%", "limit": limit, "offset": offset}
    total = conn.execute(f"SELECT count(*) {found}", arguments).fetchone()[0]
    rows = conn.execute(
        f"SELECT id, {name}, description, added_at {found} ORDER BY id DESC LIMIT :limit OFFSET :offset", arguments
    )
    return total, [Entry(*row) for row in rows]


def add(conn: sqlite3.Connection, to: Blacklist, name: str, description: str, now: float) -> int | None:
    """Add an entry and return its id; None when it is there already. `name` is in the form in which it is stored."""
    row = conn.execute(
        f"INSERT INTO {to.table} ({to.column}, description, added_at) VALUES (?, ?, ?)"
        f" ON CONFLICT ({to.column}) DO NOTHING RETURNING id",
        (name, description, int(now)),
    ).fetchone()
    return int(row[0]) if row else None


def remove(conn: sqlite3.Connection, of: Blacklist, entry_id: int) -> str | None:
    """Remove an entry and return what it blocked; None when there is none of that id."""
    row = conn.execute(
        f"DELETE FROM {of.table} WHERE id = ? RETURNING {of.column}", (min(entry_id, LARGEST_ID),)
    ).fetchone()
    return str(row[0]) if row else None


def count(conn: sqlite3.Connection, of: Blacklist) -> int:
    """How many entries a list has, whether it is in force or not."""
    return int(conn.execute(f"SELECT count(*) FROM {of.table}").fetchone()[0])


def _literal(text: str) -> str:
    """A text as LIKE takes it, nothing in it standing for something else."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
