"""What a database holds, counted anew from its rows."""

from __future__ import annotations

import sqlite3
from array import array
from collections import defaultdict
from typing import Any

from proxyweb.ingest import postings, rollups, zones
from proxyweb.ingest.record import Record, ResultKind, WafVerdict


def assert_adds_up(conn: sqlite3.Connection) -> None:
    """Everything that follows from the rows is what the rows say."""
    assert rollups.differences(conn) == []
    bounds = (0, 1 << 62)
    assert (
        conn.execute("SELECT * FROM log_zones ORDER BY zone").fetchall()
        == conn.execute(zones.RECOUNT, bounds).fetchall()
    )
    assert posting_lists(conn) == posting_lists_of_rows(conn)
    assert hosts_beside_clients(conn) == hosts_of_rows(conn)
    ids = [number for (number,) in conn.execute("SELECT id FROM proxy_logs ORDER BY id")]
    next_id = conn.execute("SELECT value FROM counters WHERE name = 'next_id'").fetchone()[0]
    assert ids == list(range(next_id - len(ids), next_id))
    assert conn.execute("PRAGMA foreign_key_check").fetchall() == []
    for column, table in (("client", "clients"), ("kind", "result_kinds"), ("site", "sites"), ("peer", "peers")):
        orphans = f"SELECT count(*) FROM proxy_logs WHERE {column}_id NOT IN (SELECT id FROM {table})"
        assert conn.execute(orphans).fetchone() == (0,)


def posting_lists(conn: sqlite3.Connection) -> dict[tuple[str, int, int], list[int]]:
    """Column, segment and value → ids."""
    found = {}
    for name, table in postings.TABLES.items():
        for key, offsets in conn.execute(f"SELECT id, offsets FROM {table}"):
            segment, value = divmod(key, 1 << postings.VALUE_BITS)
            found[name, segment, value] = [segment * postings.SEGMENT_ROWS + at for at in array("H", offsets)]
    return found


def posting_lists_of_rows(conn: sqlite3.Connection) -> dict[tuple[str, int, int], list[int]]:
    """The same, counted anew; only full segments have lists, and nobody's has none."""
    found: defaultdict[tuple[str, int, int], list[int]] = defaultdict(list)
    next_id = conn.execute("SELECT value FROM counters WHERE name = 'next_id'").fetchone()[0]
    rows = conn.execute(
        "SELECT l.id, client_id, host_id, kind_id, user_id FROM proxy_logs AS l JOIN sites AS s ON s.id = l.site_id"
        " WHERE l.id < ? ORDER BY l.id",
        (next_id // postings.SEGMENT_ROWS * postings.SEGMENT_ROWS,),
    )
    for number, *values in rows:
        for name, value in zip(("client", "host", "kind", "user"), values, strict=True):
            if value:
                found[name, number // postings.SEGMENT_ROWS, value].append(number)
    return found


def hosts_beside_clients(conn: sqlite3.Connection) -> dict[int, int]:
    """Id → host, as it stands beside the clients' lists."""
    found: dict[int, int] = {}
    for key, offsets, hosts in conn.execute("SELECT id, offsets, hosts FROM client_postings"):
        first = (key >> postings.VALUE_BITS) * postings.SEGMENT_ROWS
        beside = postings.hosts_beside(offsets, hosts).tolist()
        found |= {first + at: host for at, host in zip(array("H", offsets), beside, strict=True)}
    return found


def hosts_of_rows(conn: sqlite3.Connection) -> dict[int, int]:
    """The same, of the rows of full segments."""
    next_id = conn.execute("SELECT value FROM counters WHERE name = 'next_id'").fetchone()[0]
    rows = "SELECT l.id, host_id FROM proxy_logs AS l JOIN sites AS s ON s.id = l.site_id WHERE l.id < ?"
    return dict(conn.execute(rows, (next_id // postings.SEGMENT_ROWS * postings.SEGMENT_ROWS,)).fetchall())


def dump(conn: sqlite3.Connection) -> dict[str, list[Any]]:
    """Every table."""
    tables = [name for (name,) in conn.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    return {table: conn.execute(f"SELECT * FROM {table}").fetchall() for table in tables}


def records(conn: sqlite3.Connection) -> list[Record]:
    """All rows as what was read."""
    kind = ", ".join(f"k.{name}" for name in ResultKind._fields)
    rows = conn.execute(
        "SELECT l.time_ms, l.elapsed_ms, c.address, s.prefix || l.rest, l.bytes, p.address, u.name, a.agent,"
        f" l.bytes_in, l.referer, w.score, w.categories, w.rules, {kind} FROM proxy_logs AS l"
        " JOIN clients AS c ON c.id = client_id JOIN sites AS s ON s.id = site_id"
        " JOIN peers AS p ON p.id = peer_id JOIN users_seen AS u ON u.id = user_id"
        " JOIN user_agents AS a ON a.id = agent_id JOIN waf_verdicts AS w ON w.id = waf_id"
        " JOIN result_kinds AS k ON k.id = kind_id ORDER BY l.id"
    )
    return [
        Record(
            time_ms, elapsed_ms, client, ResultKind(*kind), url, size, peer, user, agent, bytes_in, referer,
            WafVerdict(score, categories, rules),
        )
        for time_ms, elapsed_ms, client, url, size, peer, user, agent, bytes_in, referer, score, categories, rules,
        *kind in rows
    ]  # fmt: skip
