"""When knowledge changes (a new release, the owner's catalogue file), what is stored is understood anew at start."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from proxyweb.db.connection import transaction
from proxyweb.db.database import advance, generation
from proxyweb.ingest.enrichment import Enrichment
from proxyweb.ingest.rollups import DAY, HOUR, SERVICES, recount


def is_classified(conn: sqlite3.Connection, enrichment: Enrichment) -> bool:
    """Whether everything stored was understood by this very knowledge."""
    return generation(conn, "enrichment") == enrichment.fingerprint


def reclassify(conn: sqlite3.Connection, enrichment: Enrichment) -> None:
    """Look at every stored host and user agent again where knowledge has changed; nothing to do otherwise.

    One transaction. A look takes microseconds a host; where services changed, their figures are counted anew from the
    rows, which takes seconds at ten million of them. Raises ConfigError when the owner's file is not a catalogue.
    """
    if is_classified(conn, enrichment):
        return
    _ = enrichment.catalogue  # before anything is touched
    with transaction(conn):
        domains, services = _hosts(conn, enrichment)
        _agents(conn, enrichment)
        if domains:
            _note_earliest(conn, "domain", "h.domain_id")
        if services:
            for bucket in (DAY, HOUR):
                recount(conn, SERVICES.rollup(bucket))
            _note_earliest(conn, "service", "h.service_id", where="h.service_id > 0")
            _note_earliest(conn, "service", "h.service_id", "l.client_id", where="h.service_id > 0")
        conn.execute("UPDATE counters SET value = ? WHERE name = 'enrichment'", (enrichment.fingerprint,))
        advance(conn, "deletions")  # what others remember of hosts is no longer true
        advance(conn, "logs")


def _note_earliest(
    conn: sqlite3.Connection, subject: str, subject_id: str, of_client: str = "0", where: str = "true"
) -> None:
    """What the rows say of when each subject was first seen; what is known to be earlier stays."""
    conn.execute(
        f"""
        INSERT INTO first_seen (subject, subject_id, of_client_id, client_id, first_ms)
        SELECT '{subject}', {subject_id}, {of_client}, l.client_id, min(l.time_ms)
        FROM proxy_logs AS l JOIN sites AS s ON s.id = l.site_id JOIN hosts AS h ON h.id = s.host_id
        WHERE {where} GROUP BY 2, 3
        ON CONFLICT (subject, subject_id, of_client_id) DO UPDATE
        SET client_id = excluded.client_id, first_ms = excluded.first_ms WHERE excluded.first_ms < first_ms
        """
    )


def _hosts(conn: sqlite3.Connection, enrichment: Enrichment) -> tuple[int, int]:
    """How many hosts got another domain, and how many another service."""
    domain_id, service_id = _ids(conn, "domains", "domain"), _ids(conn, "services", "name")
    moved = assigned = 0
    for number, host, is_address, *before in conn.execute(
        "SELECT id, host, is_address, domain_id, service_id FROM hosts"
    ).fetchall():
        service = enrichment.service(host)
        now = [domain_id(enrichment.domain(host, is_address)), service_id(service) if service else 0]
        if now != before:
            conn.execute("UPDATE hosts SET domain_id = ?, service_id = ? WHERE id = ?", (*now, number))
            moved += now[0] != before[0]
            assigned += now[1] != before[1]
    return moved, assigned


def _agents(conn: sqlite3.Connection, enrichment: Enrichment) -> None:
    agents = conn.execute("SELECT id, agent FROM user_agents WHERE id > 0").fetchall()
    conn.executemany(
        "UPDATE user_agents SET name = ?, system = ?, device = ?, service_type = ? WHERE id = ?",
        ((*enrichment.agent(agent), number) for number, agent in agents),
    )


def _ids(conn: sqlite3.Connection, table: str, column: str) -> Callable[[str], int]:
    """From a text to its id, which is made where there is none."""
    known: dict[str, int] = {text: number for number, text in conn.execute(f"SELECT id, {column} FROM {table}")}

    def number_of(text: str) -> int:
        if text not in known:
            made = conn.execute(f"INSERT INTO {table} ({column}) VALUES (?) RETURNING id", (text,)).fetchone()
            known[text] = made[0]
        return known[text]

    return number_of
