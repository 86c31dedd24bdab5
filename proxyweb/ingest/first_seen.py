"""When something was first met: a domain and a client by anyone, a service by anyone and by each client.

No rollup: retention doesn't touch it, only clearing everything does. Whatever arrives later with an earlier time (an
older log imported afterwards) moves it back.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

from proxyweb.ingest.totals import Uses

DOMAIN, SERVICE, CLIENT = "domain", "service", "client"
MAX_REMEMBERED = 400_000
_UPSERT = """
    INSERT INTO first_seen (subject, subject_id, of_client_id, client_id, first_ms) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (subject, subject_id, of_client_id) DO UPDATE
    SET client_id = excluded.client_id, first_ms = excluded.first_ms WHERE excluded.first_ms < first_ms
"""
Subject = tuple[str, int, int]


class FirstSeen:
    """What the rows of a transaction tell. It remembers what is stored, so that most batches cost one look."""

    known: dict[Subject, int]
    """Stored with this time or an earlier one, in Unix milliseconds."""
    found: dict[Subject, tuple[int, int]]
    hosts: set[int]
    clients: set[int]
    """Which are in `known`, hosts by their domains."""
    newest: int
    """Nothing in `known` is later."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """What was written may be gone."""
        self.known, self.found, self.hosts, self.clients, self.newest = {}, {}, set(), set(), 0

    def add(
        self, time_ms: Sequence[int], hosts: Sequence[int], clients: Sequence[int],
        domain_of_host: Mapping[int, int], uses: Uses,
    ) -> None:  # fmt: skip
        """A batch's rows, by ids, and what `group_services` found in them."""
        rows: Iterable[int] = ()
        if min(time_ms) < self.newest:  # what is known may turn out to be older
            rows = [at for at, moment in enumerate(time_ms) if moment < self.newest]
        if not self.hosts.issuperset(hosts):
            new_hosts = set(hosts) - self.hosts
            self.hosts |= new_hosts
            rows = chain(rows, [at for at, host in enumerate(hosts) if host in new_hosts])
        if not self.clients.issuperset(clients):
            new_clients = set(clients) - self.clients
            self.clients |= new_clients
            rows = chain(rows, [at for at, client in enumerate(clients) if client in new_clients])
        for at in rows:
            moment, client = time_ms[at], clients[at]
            self._note((DOMAIN, domain_of_host[hosts[at]], 0), client, moment)
            self._note((CLIENT, client, 0), client, moment)
        for (_, service, client), use in uses.items():
            self._note((SERVICE, service, 0), client, use.first_ms)
            self._note((SERVICE, service, client), client, use.first_ms)

    def _note(self, subject: Subject, client: int, moment: int) -> None:
        known = self.known.get(subject)
        if known is None or moment < known:
            self.known[subject] = moment
            self.found[subject] = (client, moment)
            self.newest = max(self.newest, moment)

    def flush(self, conn: sqlite3.Connection) -> None:
        conn.executemany(_UPSERT, ((*subject, *found) for subject, found in self.found.items()))
        self.found.clear()
        if len(self.known) + len(self.hosts) > MAX_REMEMBERED:
            self.forget()
