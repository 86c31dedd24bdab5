"""Dimension tables: text that repeats, kept once. Numbers of a batch's vocabulary are mapped to the database's ids."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from proxyweb.catalogue.agents import Agent
from proxyweb.ingest.entropy import entropies
from proxyweb.ingest.groups import Column, FactsOfKind, Ints, KindFacts
from proxyweb.ingest.record import BLOCKING_REASONS, NO_VERDICT, ResultKind, cache_result, is_opaque, status_text

MAX_REMEMBERED = 300_000  # rows of one table kept in memory; past that it is asked anew
FEW, MANY = 8, 200  # values that are looked up at once
_ABSENT = {"peer": "", "user": "", "agent": "", "waf": tuple(NO_VERDICT), "extension": ""}  # number 0 of these is id 0


class DimensionTable:
    """One table: its id, the columns by which a row is known, and those that follow from them."""

    def __init__(
        self,
        conn: sqlite3.Connection,
        table: str,
        known_by: tuple[str, ...],
        more: tuple[str, ...] = (),
        refers_to: tuple[DimensionTable, ...] = (),
    ) -> None:
        self.conn = conn
        self.table = table
        self.refers_to = refers_to
        self.known_by = known_by
        columns = ("id", *known_by, *more)
        self._insert = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
        self.known: dict[Any, int] = {}
        self.next_id = 0
        self._holds_more = True  # than is known
        self._new: list[tuple[Any, ...]] = []

    def load(self) -> None:
        """Know nothing: the table may have changed in any way."""
        self.known, self.next_id = {}, 0
        self.load_new()

    def load_new(self) -> None:
        """Notice what others have added."""
        self._new = []
        last = self.conn.execute(f"SELECT max(id) FROM {self.table}").fetchone()[0] or 0
        if last + 1 != self.next_id:
            self._holds_more, self.next_id = last > 0, last + 1

    def look_up(self, values: Iterable[Any]) -> None:
        """Take up what the table holds of some values, so that all ids they have are known.

        Known are the very texts that are given: whoever numbers them holds them, too, and there is one copy.
        """
        if not self._holds_more:
            return
        missing = {value: value for value in values if value not in self.known}
        if len(self.known_by) > 1:
            asked = f"SELECT id FROM {self.table} WHERE {' AND '.join(f'{column} = ?' for column in self.known_by)}"
            for value in missing:
                for (number,) in self.conn.execute(asked, value):
                    self.known[value] = number
            return
        (column,), left = self.known_by, list(missing)
        while left:
            size = MANY if len(left) > FEW else FEW
            some, left = left[:size], left[size:]
            asked = f"SELECT {column}, id FROM {self.table} WHERE {column} IN ({', '.join('?' * size)})"
            for text, number in self.conn.execute(asked, some + [None] * (size - len(some))):
                self.known[missing[text]] = number

    def add(self, value: Any, *more: Any) -> int:
        """Give a new value its id."""
        number = self.known[value] = self.next_id
        self.next_id += 1
        self._new.append((number, *(value if isinstance(value, tuple) else (value,)), *more))
        return number

    def numbered(self, values: Sequence[tuple[Any, ...]]) -> list[int]:
        """The ids of values, each given with its other columns behind it; what has none yet gets one."""
        self.look_up(value for value, *_ in values)
        known = self.known
        new = dict.fromkeys(value for value in values if value[0] not in known)
        known.update((value[0], number) for number, value in enumerate(new, self.next_id))
        self._new += ((number, *value) for number, value in enumerate(new, self.next_id))
        self.next_id += len(new)
        return [known[value[0]] for value in values]

    def flush(self) -> None:
        if self._new:
            for table in self.refers_to:
                table.flush()
            self.conn.executemany(self._insert, self._new)
            self._new = []

    def shed(self) -> None:
        """Forget what is known once that is too much."""
        if len(self.known) > MAX_REMEMBERED:
            self.known, self._holds_more = {}, True


class Host(NamedTuple):
    """What follows from a host, as it is stored."""

    host_id: int
    is_address: bool
    domain_id: int
    service_id: int


class Dimensions:
    """The ids of everything a batch refers to by number: `ids[name]` has the rows in that dimension's table.

    `of_site` has what follows from a site, by the site's number; `facts_of_kind` what counts of a kind of result, by
    its id.
    """

    def __init__(self, conn: sqlite3.Connection) -> None:
        self.conn = conn
        domains, services = DimensionTable(conn, "domains", ("domain",)), DimensionTable(conn, "services", ("name",))
        hosts = DimensionTable(
            conn, "hosts", ("host",), ("is_address", "domain_id", "service_id"), refers_to=(domains, services)
        )
        self.tables = {
            "client": DimensionTable(conn, "clients", ("address",)),
            "domain": domains,
            "service": services,
            "host": hosts,
            "site": DimensionTable(conn, "sites", ("prefix",), ("host_id",), refers_to=(hosts,)),
            "kind": DimensionTable(conn, "result_kinds", ResultKind._fields, ("status", "blocked", "cache", "opaque")),
            "peer": DimensionTable(conn, "peers", ("address",)),
            "user": DimensionTable(conn, "users_seen", ("name",)),
            "agent": DimensionTable(conn, "user_agents", ("agent",), Agent._fields),
            "waf": DimensionTable(conn, "waf_verdicts", ("score", "categories", "rules")),
            "extension": DimensionTable(conn, "extensions", ("extension",)),
        }
        self.values: dict[str, list[Any]] = {}
        self.ids: dict[str, Column] = {}
        self.of_site: dict[str, Column] = {}
        self.facts_of_kind = FactsOfKind()
        self._hosts: dict[int, Host] = {}
        self._site_entropies = Column()
        self.restart()

    def restart(self) -> None:
        """Forget the numbering."""
        self.of_site = {column: Column() for column in Host._fields}
        self.facts_of_kind, self._hosts, self._site_entropies = FactsOfKind(), {}, Column()
        self.values = {name: [_ABSENT[name]] if name in _ABSENT else [] for name in self.tables}
        self.ids = {name: Column((0,) if name in _ABSENT else ()) for name in self.tables}

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

    def learn(self, fresh: dict[str, list[Any]]) -> None:
        """Give ids to the values that a batch brings, in their order; new ones are inserted."""
        for name, values in fresh.items():
            if values:
                self.values[name].extend(values)
                self.ids[name].extend(self._resolve(name, values))
        for table in self.tables.values():
            table.flush()
            table.shed()

    def entropies_of_sites(self, numbers: NDArray[np.int32]) -> Ints:
        """The entropy of what a site is by itself, by the site's number."""
        known = self._site_entropies
        known.extend(entropies([prefix for prefix, *_ in self.values["site"][len(known) :]]))
        return known.of(numbers)

    def _resolve(self, name: str, values: Sequence[Any]) -> list[int]:
        if name == "site":
            return self._sites(values)
        if name == "kind":
            return [self._kind(ResultKind(*kind)) for kind in values]
        table = self.tables[name]
        if name == "agent":
            return table.numbered([tuple(agent) for agent in values])
        if len(table.known_by) > 1:
            table.look_up(values)
            return [table.known.get(value) or table.add(value) for value in values]
        return table.numbered([(value,) for value in values])

    def _sites(self, values: Sequence[Any]) -> list[int]:
        sites, numbers, hosts = self.tables["site"], [], []
        for table, at in (("site", 0), ("host", 1), ("domain", 3), ("service", 4)):
            self.tables[table].look_up(value[at] for value in values)
        for prefix, *of_host in values:
            host = self._host(*of_host)
            numbers.append(sites.known.get(prefix) or sites.add(prefix, host.host_id))
            hosts.append(host)
        for column, ids in zip(Host._fields, zip(*hosts, strict=True), strict=True):
            self.of_site[column].extend(ids)
        return numbers

    def _host(self, name: str, is_address: bool, domain: str, service: str) -> Host:
        hosts, domains, services = (self.tables[table] for table in ("host", "domain", "service"))
        host_id = hosts.known.get(name)
        if host_id is None:
            domain_id = domains.known.get(domain) or domains.add(domain)
            service_id = (services.known.get(service) or services.add(service)) if service else 0
            host_id = hosts.add(name, is_address, domain_id, service_id)
            self._hosts[host_id] = Host(host_id, is_address, domain_id, service_id)
        elif host_id not in self._hosts:  # what the database says counts: rows were counted by it
            hosts.flush()
            sql = "SELECT is_address, domain_id, service_id FROM hosts WHERE id = ?"
            self._hosts[host_id] = Host(host_id, *self.conn.execute(sql, (host_id,)).fetchone())
        return self._hosts[host_id]

    def _kind(self, kind: ResultKind) -> int:
        kinds = self.tables["kind"]
        blocked, cache, opaque = kind.reason in BLOCKING_REASONS, cache_result(kind), is_opaque(kind)
        kinds.look_up([kind])
        number = kinds.known.get(kind) or kinds.add(kind, status_text(kind), blocked, cache, opaque)
        self.facts_of_kind[number] = KindFacts(kind.reason, cache, opaque)
        return number
