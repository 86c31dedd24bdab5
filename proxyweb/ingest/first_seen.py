"""When something was first met: a domain and a client by anyone, a service by anyone and by each client.

No rollup: retention doesn't touch it, only clearing everything does. Whatever arrives later with an earlier time (an
older log imported afterwards) moves it back.
"""

from __future__ import annotations

import sqlite3

import numpy as np

from proxyweb.ingest.groups import Flags, Ints, Rows, first_rows

DOMAIN, SERVICE, CLIENT = "domain", "service", "client"
MAX_REMEMBERED = 400_000
CLIENT_BITS = 32
FOREVER = 1 << 62
_UPSERT = """
    INSERT INTO first_seen (subject, subject_id, of_client_id, client_id, first_ms) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (subject, subject_id, of_client_id) DO UPDATE
    SET client_id = excluded.client_id, first_ms = excluded.first_ms WHERE excluded.first_ms < first_ms
"""


class FirstSeen:
    """What rows tell. It remembers what is stored: each subject by its id, with this time or an earlier one."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """What was written may be gone."""
        self._known: dict[str, Ints] = {name: np.zeros(0, np.int64) for name in (DOMAIN, SERVICE, CLIENT)}
        self._pairs = self._pairs_ms = np.zeros(0, np.int64)  # services' clients, in order; since when

    def add(self, conn: sqlite3.Connection, rows: Rows) -> None:
        """Store what was not met before some rows, or later."""
        in_order = np.argsort(rows["time_ms"], kind="stable")
        of_services = in_order[rows["service_id"][in_order] > 0]
        for subject, order in ((DOMAIN, in_order), (CLIENT, in_order), (SERVICE, of_services)):
            ids = rows[f"{subject}_id"]
            first = first_rows(order, ids)
            new = self._earlier(subject, ids[first], rows["time_ms"][first])
            self._store(conn, subject, ids, 0, rows, first[new])
        ids, clients = rows["service_id"], rows["client_id"]
        first = first_rows(of_services, ids, clients)
        new = self._earlier_of_clients(ids[first] << CLIENT_BITS | clients[first], rows["time_ms"][first])
        self._store(conn, SERVICE, ids, clients, rows, first[new])
        if len(self._pairs) > MAX_REMEMBERED:
            self.forget()

    def _earlier(self, subject: str, ids: Ints, time_ms: Ints) -> Flags:
        """Which of these ids were not met so early; they are now."""
        known = self._known[subject]
        if len(ids) and ids.max() >= len(known):
            room = np.full(2 * int(ids.max()) + 1, FOREVER)
            room[: len(known)] = known
            known = self._known[subject] = room
        earlier = time_ms < known[ids]
        known[ids[earlier]] = time_ms[earlier]
        return earlier

    def _earlier_of_clients(self, pairs: Ints, time_ms: Ints) -> Flags:
        """The same for pairs, each given once."""
        places = np.searchsorted(self._pairs, pairs)
        is_known = np.zeros(len(pairs), np.bool_)
        within = places < len(self._pairs)
        is_known[within] = self._pairs[places[within]] == pairs[within]
        earlier = ~is_known
        earlier[is_known] = time_ms[is_known] < self._pairs_ms[places[is_known]]
        moved = is_known & earlier
        self._pairs_ms[places[moved]] = time_ms[moved]
        new = np.flatnonzero(~is_known)
        if len(new):
            new = new[np.argsort(pairs[new])]
            self._pairs = np.insert(self._pairs, places[new], pairs[new])
            self._pairs_ms = np.insert(self._pairs_ms, places[new], time_ms[new])
        return earlier

    def _store(
        self, conn: sqlite3.Connection, subject: str, ids: Ints, of_clients: Ints | int, rows: Rows, first: Ints
    ) -> None:
        of_client = np.broadcast_to(of_clients, ids.shape)
        columns = (column[first].tolist() for column in (ids, of_client, rows["client_id"], rows["time_ms"]))
        conn.executemany(_UPSERT, ((subject, *values) for values in zip(*columns, strict=True)))
