"""The rollups, declared once as data: the writer, retention, `proxyweb check` and `rebuild`, and the tests read this.

The invariant: every rollup equals a recount of the rows. It is counted in columns while rows pass by (`groups`,
`totals`); its recount is SQL made of the same declaration, and nothing else.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from heapq import merge
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from proxyweb.catalogue.file_types import extension_of
from proxyweb.db.connection import transaction
from proxyweb.db.database import advance, generation
from proxyweb.ingest.entropy import HIGH, entropy_of
from proxyweb.ingest.groups import DAY_MS, FIVE_MINUTES_MS, HOUR_MS, RECENT_HOURS, Flags, Rows
from proxyweb.ingest.record import AUTH, BLOCKING_REASONS, HIT, MISS, ORIGIN, WAF

Row = tuple[Any, ...]


class Measure(NamedTuple):
    """A column that sums up something of every row, and its SQL."""

    name: str
    sql: str


REQUESTS = Measure("requests", "count(*)")
BLOCKED = Measure("blocked", "sum(k.blocked)")
BYTES = Measure("bytes", "sum(l.bytes)")
BYTES_IN = Measure("bytes_in", "sum(l.bytes_in)")
ELAPSED = Measure("elapsed_ms", "sum(l.elapsed_ms)")
ENTROPY = Measure("entropy", "sum(entropy_of(s.prefix || l.rest))")
HIGH_ENTROPY = Measure("high_entropy", f"sum(entropy_of(s.prefix || l.rest) > {HIGH})")


class Kinds(NamedTuple):
    """Rows of the kinds of result whose fact `fact` is one of `values`."""

    fact: str
    values: tuple[str | bool, ...]

    @property
    def sql(self) -> str:
        listed = ", ".join(f"'{value}'" if isinstance(value, str) else str(int(value)) for value in self.values)
        return f"k.{self.fact} IN ({listed})"

    def holds(self, rows: Rows) -> Flags:
        return rows.of_kinds(self.fact, self.values)


class Chosen(NamedTuple):
    """A column that sums up only the rows of some kinds, and where `to_addresses` only those of them whose host is a
    literal address; their number, or their bytes."""

    name: str
    kinds: Kinds
    to_addresses: bool = False
    of_bytes: bool = False

    @property
    def sql(self) -> str:
        condition = f"{self.kinds.sql}{' AND h.is_address' if self.to_addresses else ''}"
        return f"sum(({condition}) * l.bytes)" if self.of_bytes else f"sum({condition})"


class Bucket(NamedTuple):
    """A length of time: the column that numbers it, and how many milliseconds it has."""

    name: str
    ms: int


FIVE_MINUTES, HOUR, DAY = Bucket("five_minutes", FIVE_MINUTES_MS), Bucket("hour", HOUR_MS), Bucket("day", DAY_MS)


class Key(NamedTuple):
    """A column that rows are counted by, and the SQL of its value."""

    name: str
    sql: str


class Present(NamedTuple):
    """Rows that have a value of `key`: 0 is none."""

    key: Key

    @property
    def sql(self) -> str:
        return f"{self.key.sql} > 0"

    def holds(self, rows: Rows) -> Flags:
        return rows[self.key.name] > 0


@dataclass(frozen=True)
class Rollup:
    """One table: rows counted by bucket and keys."""

    table: str
    bucket: Bucket
    keys: tuple[Key, ...]
    measures: tuple[Measure, ...]
    counts: Present | Kinds | None = None
    """Which rows count, when not all do."""
    chosen: tuple[Chosen, ...] = ()
    last: bool = False
    """Whether the last time of each key in each bucket is kept: `last_ms`."""
    recent: bool = False
    """Whether only buckets from the counter `recent_from` on are kept."""

    @property
    def known_by(self) -> tuple[str, ...]:
        return (self.bucket.name, *(key.name for key in self.keys))

    @property
    def counted(self) -> tuple[Measure | Chosen, ...]:
        return (*self.measures[:1], *self.chosen, *self.measures[1:])

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.known_by, *(measure.name for measure in self.counted), *(("last_ms",) if self.last else ()))

    def recount(self, rows: str, condition: str) -> str:
        """SQL that counts rows anew, in the table's columns and order. `rows` is what stands behind FROM, with
        `proxy_logs AS l` in it, and `condition` says which of them."""
        values = {self.bucket.name: f"l.time_ms / {self.bucket.ms}"}
        values |= {column.name: column.sql for column in (*self.keys, *self.counted)}
        if self.last:
            values["last_ms"] = "max(l.time_ms)"
        where = self.counts.sql if self.counts else ""
        said = f"{' '.join(values.values())} {where}"
        by = ", ".join(str(place) for place in range(1, len(self.known_by) + 1))
        return (
            f"SELECT {', '.join(f'{sql} AS {name}' for name, sql in values.items())} FROM {rows} {_joins(said)}"
            f"WHERE {condition}{f' AND {where}' if where else ''} GROUP BY {by} ORDER BY {by}"
        )

    @property
    def upsert(self) -> str:
        added = [f"{measure.name} = {measure.name} + excluded.{measure.name}" for measure in self.counted]
        if self.last:
            added.append("last_ms = max(last_ms, excluded.last_ms)")
        return (
            f"INSERT INTO {self.table} ({', '.join(self.columns)}) VALUES ({', '.join('?' * len(self.columns))}) "
            f"ON CONFLICT ({', '.join(self.known_by)}) DO UPDATE SET {', '.join(added)}"
        )


_EXTENSION_OF_ROW = "extension_of(CASE WHEN substr(s.prefix, -1) IN ('?', '#') THEN '' ELSE l.rest END)"
_NEW_EXTENSIONS = f"""
    INSERT OR IGNORE INTO extensions (extension)
    SELECT DISTINCT {_EXTENSION_OF_ROW} FROM proxy_logs AS l JOIN sites AS s ON s.id = l.site_id
"""
_JOINS = (  # what a recount joins when it speaks of it, in this order
    ("k", "JOIN result_kinds AS k ON k.id = l.kind_id "),
    ("shx", "JOIN sites AS s ON s.id = l.site_id "),
    ("h", "JOIN hosts AS h ON h.id = s.host_id "),
    ("x", f"JOIN extensions AS x ON x.extension = {_EXTENSION_OF_ROW} "),
)


def _joins(said: str) -> str:
    return "".join(join for aliases, join in _JOINS if any(f"{alias}." in said for alias in aliases))


_CLIENT = Key("client_id", "l.client_id")
_HOST = Key("host_id", "s.host_id")
_AGENT = Key("agent_id", "l.agent_id")
_WAF = Key("waf_id", "l.waf_id")
_EXTENSION = Key("extension_id", "x.id")
_SERVICE = Key("service_id", "h.service_id")

FIVE_MINUTE_REQUESTS = Rollup(
    "five_minute_requests", FIVE_MINUTES, (), (REQUESTS, BLOCKED, BYTES, BYTES_IN)
)  # fmt: skip
HOURLY_REQUESTS = Rollup(
    "hourly_requests", HOUR, (), (REQUESTS, BYTES, BYTES_IN, ELAPSED),
    chosen=(
        *(Chosen(reason, Kinds("reason", (reason,))) for reason in (*BLOCKING_REASONS, AUTH)),
        Chosen("ip_blocks", Kinds("reason", BLOCKING_REASONS), to_addresses=True),
        Chosen("ip_passed", Kinds("reason", ("", ORIGIN)), to_addresses=True),
        Chosen("opaque", Kinds("opaque", (True,))),
        Chosen("hits", Kinds("cache", (HIT,))),
        Chosen("misses", Kinds("cache", (MISS,))),
        Chosen("hit_bytes", Kinds("cache", (HIT,)), of_bytes=True),
        Chosen("miss_bytes", Kinds("cache", (MISS,)), of_bytes=True),
    ),
)  # fmt: skip


class Dimension(NamedTuple):
    """What requests are counted by: for all time by day (`daily_…`), and for the last two days by hour (`hourly_…`)."""

    name: str
    keys: tuple[Key, ...]
    measures: tuple[Measure, ...]
    counts: Present | Kinds | None = None
    last: bool = False

    def rollup(self, bucket: Bucket) -> Rollup:
        adjective = {DAY: "daily", HOUR: "hourly"}[bucket]
        return Rollup(
            f"{adjective}_{self.name}", bucket, self.keys, self.measures, self.counts, last=self.last,
            recent=bucket is HOUR,
        )  # fmt: skip


SERVICES = Dimension("services", (_SERVICE, _CLIENT), (REQUESTS, BLOCKED, BYTES, ELAPSED), Present(_SERVICE), last=True)
DIMENSIONS = (
    Dimension("clients", (_CLIENT,), (REQUESTS, BLOCKED, BYTES, BYTES_IN, ELAPSED), last=True),
    Dimension("kinds", (Key("kind_id", "l.kind_id"),), (REQUESTS, BYTES, ELAPSED)),
    Dimension("extensions", (_EXTENSION,), (REQUESTS, BYTES, ELAPSED), Present(_EXTENSION)),
    Dimension("agents", (_AGENT,), (REQUESTS, BYTES, ELAPSED), Present(_AGENT)),
    Dimension("waf_verdicts", (_WAF,), (REQUESTS, BLOCKED, ENTROPY, HIGH_ENTROPY), Present(_WAF)),
    Dimension("waf_blocks", (_HOST, _AGENT, _WAF), (REQUESTS,), Kinds("reason", (WAF,))),
    Dimension("hosts", (_HOST,), (REQUESTS, BLOCKED, BYTES, ELAPSED)),
    SERVICES,
)
BY_DAY = {dimension.name: dimension.rollup(DAY) for dimension in DIMENSIONS}
BY_HOUR = {dimension.name: dimension.rollup(HOUR) for dimension in DIMENSIONS}
ROLLUPS = (FIVE_MINUTE_REQUESTS, HOURLY_REQUESTS, *BY_DAY.values(), *BY_HOUR.values())


def differences(conn: sqlite3.Connection) -> list[str]:
    """What is wrong with the rollups, a sentence each; empty when they equal a recount of all rows."""
    define_functions(conn)
    found = []
    for rollup in ROLLUPS:
        by = ", ".join(rollup.known_by)
        stored = conn.execute(f"SELECT {', '.join(rollup.columns)} FROM {rollup.table} ORDER BY {by}")
        wrong = _differing(stored, _recounted(conn, rollup), key=itemgetter(slice(len(rollup.known_by))))
        if wrong:
            differ = "row differs" if wrong == 1 else "rows differ"
            found.append(f"{rollup.table}: {wrong} {differ} from a recount of the log")
    return found


def _recounted(conn: sqlite3.Connection, rollup: Rollup, into: str = "") -> sqlite3.Cursor:
    """The rows of a rollup by a recount of the log, on a connection that has the functions."""
    since_ms = generation(conn, "recent_from") * HOUR_MS if rollup.recent else 0
    return conn.execute(into + rollup.recount("proxy_logs AS l", "l.time_ms >= ?"), (since_ms,))


def _differing(stored: Iterable[Row], counted: Iterable[Row], key: Callable[[Row], Row]) -> int:
    """How many keys have not the same row on both sides, which are sorted by it."""
    pairs = (tuple(rows) for _, rows in groupby(merge(stored, counted, key=key), key))
    return sum(len(pair) != 2 or pair[0] != pair[1] for pair in pairs)


def rebuild(conn: sqlite3.Connection) -> Iterator[str]:
    """Count every rollup anew from the rows, a transaction each; gives the name of each table when it is done."""
    for rollup in ROLLUPS:
        with transaction(conn):
            recount(conn, rollup)
            advance(conn, "logs")
        yield rollup.table


def recount(conn: sqlite3.Connection, rollup: Rollup) -> None:
    """Count a rollup anew from the rows, in the transaction that is open."""
    define_functions(conn)
    if _EXTENSION in rollup.keys:
        conn.execute(_NEW_EXTENSIONS)
    conn.execute(f"DELETE FROM {rollup.table}")
    _recounted(conn, rollup, f"INSERT INTO {rollup.table} ({', '.join(rollup.columns)}) ")


def forget_hours(conn: sqlite3.Connection, now: float) -> int:
    """Let go of what is kept by hour and no longer recent at `now` (Unix seconds), in the transaction that is open.

    Returns from which hour on all requests are counted by hour: never an earlier one than was returned before, so that
    the figures of those hours are whole whatever the clock did.
    """
    known = generation(conn, "recent_from")
    recent_from = max(known, int(now) // 3600 - RECENT_HOURS)
    if recent_from > known:
        for rollup in BY_HOUR.values():
            conn.execute(f"DELETE FROM {rollup.table} WHERE hour < ?", (recent_from,))
        conn.execute("UPDATE counters SET value = ? WHERE name = 'recent_from'", (recent_from,))
    return recent_from


def define_functions(conn: sqlite3.Connection) -> None:
    """Teach a connection what recounts need."""
    conn.create_function("extension_of", 1, extension_of, deterministic=True)
    conn.create_function("entropy_of", 1, entropy_of, deterministic=True)
