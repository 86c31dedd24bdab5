"""Dimension tables: text that repeats, kept once. Numbers of a batch's vocabulary are mapped to the database's ids."""

from __future__ import annotations

import sqlite3
from collections.abc import Hashable, Iterable
from typing import Any

from proxyweb.ingest.record import BLOCKING_REASONS, ResultKind, status_text
from proxyweb.ingest.rollups import outcome_class

MAX_REMEMBERED = 300_000  # rows of one table kept in memory; a larger table is asked value by value
_ABSENT = {"peer": "", "user": "", "agent": "", "waf": (0, "", "")}  # number 0 of these is id 0


class DimensionTable:
    """One table: its id, the columns by which a row is known, and those that follow from them."""

    def __init__(
        self,
        conn: sqlite3.Connection,
        table: str,
        known_by: tuple[str, ...],
        more: tuple[str, ...] = (),
        refers_to: DimensionTable | None = None,
    ) -> None:
        self.conn = conn
        self.table = table
        self.refers_to = refers_to
        self.known_by = known_by
        columns = ("id", *known_by, *more)
        self._insert = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
        self._select = f"SELECT id FROM {table} WHERE {' AND '.join(f'{column} = ?' for column in known_by)}"
        self.known: dict[Any, int] | None = {}
        self.next_id = 1
        self._new: list[tuple[Any, ...]] = []

    def load(self) -> None:
        """Take up what the table holds now."""
        self.known = {}
        self.next_id = 0
        self.load_new()

    def load_new(self) -> None:
        """Take up what others have added."""
        self._new = []
        if self.known is not None:
            rows = self.conn.execute(
                f"SELECT id, {', '.join(self.known_by)} FROM {self.table} WHERE id >= ? LIMIT {MAX_REMEMBERED + 1}",
                (self.next_id,),
            )
            if len(self.known_by) == 1:
                self.known.update((value, number) for number, value in rows)
            else:
                self.known.update((tuple(value), number) for number, *value in rows)
            if len(self.known) > MAX_REMEMBERED:
                self.known = None
        last = self.conn.execute(f"SELECT max(id) FROM {self.table}").fetchone()[0]
        self.next_id = (last or 0) + 1

    def find(self, value: Any) -> int | None:
        """The id of a value, if it has one."""
        if self.known is not None:
            return self.known.get(value)
        self.flush()
        row = self.conn.execute(self._select, value if isinstance(value, tuple) else (value,)).fetchone()
        return row[0] if row else None

    def add(self, value: Any, *more: Any) -> int:
        """Give a new value its id."""
        number = self.next_id
        self.next_id += 1
        if self.known is not None:
            self.known[value] = number
        self._new.append((number, *(value if isinstance(value, tuple) else (value,)), *more))
        return number

    def flush(self) -> None:
        if self._new:
            if self.refers_to:
                self.refers_to.flush()
            self.conn.executemany(self._insert, self._new)
            self._new = []
            if self.known is not None and len(self.known) > MAX_REMEMBERED:
                self.known = None


class Dimensions:
    """The ids of everything a batch refers to by number: `ids[name][number]` is the row in that dimension's table.

    Beside them: a site's host by site id, the sites whose host is an address, and a kind's outcome class by kind id.
    """

    def __init__(self, conn: sqlite3.Connection) -> None:
        hosts = DimensionTable(conn, "hosts", ("host",), ("is_address",))
        self.tables = {
            "client": DimensionTable(conn, "clients", ("address",)),
            "host": hosts,
            "site": DimensionTable(conn, "sites", ("prefix",), ("host_id",), refers_to=hosts),
            "kind": DimensionTable(conn, "result_kinds", ResultKind._fields, ("status", "blocked")),
            "peer": DimensionTable(conn, "peers", ("address",)),
            "user": DimensionTable(conn, "users_seen", ("name",)),
            "agent": DimensionTable(conn, "user_agents", ("agent",)),
            "waf": DimensionTable(conn, "waf_verdicts", ("score", "categories", "rules")),
        }
        self.values: dict[str, list[Hashable]] = {}
        self.ids: dict[str, list[int]] = {}
        self.host_of_site: dict[int, int] = {}
        self.address_sites: set[int] = set()
        self.class_of_kind: dict[int, int] = {}
        self.restart()

    def restart(self) -> None:
        """Forget the numbering."""
        self.host_of_site, self.address_sites, self.class_of_kind = {}, set(), {}
        self.values = {name: [_ABSENT[name]] if name in _ABSENT else [] for name in self.tables}
        self.ids = {name: [0] if name in _ABSENT else [] for name in self.tables}

    def reload(self) -> None:
        """Take up the tables as they are now, and give the values that were numbered their ids again."""
        for table in self.tables.values():
            table.load()
        values = self.values
        self.restart()
        self.learn({name: known[len(self.values[name]) :] for name, known in values.items()})

    def load_new(self) -> None:
        """Take up what other processes have added to the tables."""
        for table in self.tables.values():
            table.load_new()

    def learn(self, fresh: dict[str, list[Hashable]]) -> None:
        """Give ids to the values that a batch brings, in their order; new ones are inserted."""
        for name, values in fresh.items():
            if values:
                self.values[name].extend(values)
                self.ids[name].extend(self._resolve(name, values))
        for table in self.tables.values():
            table.flush()

    def _resolve(self, name: str, values: Iterable[Any]) -> list[int]:
        if name == "site":
            return [self._site(*site) for site in values]
        if name == "kind":
            return [self._kind(ResultKind(*kind)) for kind in values]
        table = self.tables[name]
        return [table.find(value) or table.add(value) for value in values]

    def _site(self, prefix: str, host: str, to_address: bool) -> int:
        hosts, sites = self.tables["host"], self.tables["site"]
        host_id = hosts.find(host) or hosts.add(host, to_address)
        site_id = sites.find(prefix) or sites.add(prefix, host_id)
        self.host_of_site[site_id] = host_id
        if to_address:
            self.address_sites.add(site_id)
        return site_id

    def _kind(self, kind: ResultKind) -> int:
        kinds = self.tables["kind"]
        number = kinds.find(kind) or kinds.add(kind, status_text(kind), kind.reason in BLOCKING_REASONS)
        self.class_of_kind[number] = outcome_class(kind.reason, False)
        return number
