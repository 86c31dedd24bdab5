"""When something was first met: a domain and a client by anyone, a service by anyone and by each client.

No rollup: retention doesn't touch it, only clearing everything does. Whatever arrives later with an earlier time (an
older log imported afterwards) moves it back.
"""

from __future__ import annotations

import sqlite3

import numpy as np

from proxyweb.ingest.groups import Rows, first_rows

DOMAIN, SERVICE, CLIENT = "domain", "service", "client"
MAX_REMEMBERED = 400_000
FOREVER = 1 << 62
_UPSERT = """
    INSERT INTO first_seen (subject, subject_id, of_client_id, client_id, first_ms) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (subject, subject_id, of_client_id) DO UPDATE
    SET client_id = excluded.client_id, first_ms = excluded.first_ms WHERE excluded.first_ms < first_ms
"""
Subject = tuple[str, int, int]


class FirstSeen:
    """What rows tell. It remembers what is stored: `known` by each subject with this time or an earlier one."""

    def __init__(self) -> None:
        self.known: dict[Subject, int] = {}

    def forget(self) -> None:
        """What was written may be gone."""
        self.known = {}

    def add(self, conn: sqlite3.Connection, rows: Rows) -> None:
        """Store what was not met before some rows, or later."""
        found: dict[Subject, tuple[int, int]] = {}
        time_ms, clients = rows["time_ms"], rows["client_id"]
        in_order = np.argsort(time_ms, kind="stable")
        of_services = in_order[rows["service_id"][in_order] > 0]
        for subject, column, order, by_client in (
            (DOMAIN, "domain_id", in_order, False),
            (CLIENT, "client_id", in_order, False),
            (SERVICE, "service_id", of_services, False),
            (SERVICE, "service_id", of_services, True),
        ):
            first = first_rows(order, rows[column], *((clients,) if by_client else ()))
            values = (column[first].tolist() for column in (rows[column], clients, time_ms))
            for subject_id, client, moment in zip(*values, strict=True):
                key = (subject, subject_id, client if by_client else 0)
                if moment < self.known.get(key, FOREVER):
                    self.known[key] = moment
                    found[key] = (client, moment)
        conn.executemany(_UPSERT, ((*key, *first_met) for key, first_met in found.items()))
        if len(self.known) > MAX_REMEMBERED:
            self.forget()
