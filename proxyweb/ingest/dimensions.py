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

MAX_REMEMBERED = 300_000  # rows of one table kept in memory; a larger table is asked value by value
_ABSENT = {"peer": "", "user": "", "agent": "", "waf": tuple(NO_VERDICT), "extension": ""}  # number 0 of these is id 0
_IN_SITE = {"host": 1, "domain": 3, "service": 4}  # where a site's value has the texts of other tables


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
        self._select = f"SELECT id FROM {table} WHERE {' AND '.join(f'{column} = ?' for column in known_by)}"
        self.known: dict[Any, int] | None = {}
        self.next_id = 1
        self._new: list[tuple[Any, ...]] = []

    def load(self, held: Iterable[str] = ()) -> None:
        """Take up what the table holds now. Of texts that are held elsewhere, `held`, no second copy is kept."""
        self.known = {}
        self.next_id = 0
        self.load_new(held)

    def load_new(self, held: Iterable[str] = ()) -> None:
        """Take up what others have added."""
        self._new = []
        if self.known is not None:
            rows = self.conn.execute(
                f"SELECT id, {', '.join(self.known_by)} FROM {self.table} WHERE id >= ? LIMIT {MAX_REMEMBERED + 1}",
                (self.next_id,),
            )
            if len(self.known_by) == 1:
                same = {text: text for text in held}
                self.known.update((same.get(value, value), number) for number, value in rows)
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

    def numbered(self, values: Sequence[tuple[Any, ...]]) -> list[int]:
        """The ids of values, each given with its other columns behind it; what has none yet gets one."""
        known = self.known
        if known is None:
            return [self.find(value) or self.add(value, *more) for value, *more in values]
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
            if self.known is not None and len(self.known) > MAX_REMEMBERED:
                self.known = None


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
        for name, table in self.tables.items():
            table.load(self._texts(name))
        values = self.values
        self.restart()
        self.learn({name: known[len(self.values[name]) :] for name, known in values.items()})

    def _texts(self, name: str) -> Iterable[str]:
        """Of the values that are numbered, the texts that one of the tables has."""
        if name in _IN_SITE:
            return (site[_IN_SITE[name]] for site in self.values["site"])
        return (value[0] if isinstance(value, tuple) else value for value in self.values[name])

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

    def entropies_of_sites(self, numbers: NDArray[np.int32]) -> Ints:
        """The entropy of what a site is by itself, by the site's number."""
        known = self._site_entropies
        known.extend(entropies([prefix for prefix, *_ in self.values["site"][len(known) :]]))
        return known.of(numbers)

    def _resolve(self, name: str, values: Iterable[Any]) -> list[int]:
        if name == "site":
            return self._sites(values)
        if name == "kind":
            return [self._kind(ResultKind(*kind)) for kind in values]
        table = self.tables[name]
        if name == "agent":
            return table.numbered([tuple(agent) for agent in values])
        if len(table.known_by) > 1:
            return [table.find(value) or table.add(value) for value in values]
        return table.numbered([(value,) for value in values])

    def _sites(self, values: Iterable[Any]) -> list[int]:
        sites, numbers, hosts = self.tables["site"], [], []
        for prefix, *of_host in values:
            host = self._host(*of_host)
            numbers.append(sites.find(prefix) or sites.add(prefix, host.host_id))
            hosts.append(host)
        for column, ids in zip(Host._fields, zip(*hosts, strict=True), strict=True):
            self.of_site[column].extend(ids)
        return numbers

    def _host(self, name: str, is_address: bool, domain: str, service: str) -> Host:
        hosts, domains, services = (self.tables[table] for table in ("host", "domain", "service"))
        host_id = hosts.find(name)
        if host_id is None:
            domain_id = domains.find(domain) or domains.add(domain)
            service_id = (services.find(service) or services.add(service)) if service else 0
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
        number = kinds.find(kind) or kinds.add(kind, status_text(kind), blocked, cache, opaque)
        self.facts_of_kind[number] = KindFacts(kind.reason, cache, opaque)
        return number
