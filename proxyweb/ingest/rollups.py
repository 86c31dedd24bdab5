"""The rollups, declared once as data. The writer, retention, `proxyweb check` and the tests all read this.

The invariant: every rollup equals a recount of the rows. A rollup is grouped in Python while rows pass by, and added to
its table in the transaction that stores them; its recount is the SQL made of the same declaration.
"""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import repeat

from proxyweb.ingest.record import AUTH, BLOCKING_REASONS, ORIGIN, POLICY, TERMINATED, WAF

HOUR_MS = 3_600_000
REASONS = ("", POLICY, WAF, ORIGIN, TERMINATED, AUTH)


@dataclass(frozen=True)
class Count:
    """A measure that counts rows: those with one of `reasons`, and only to literal addresses if so said."""

    name: str
    reasons: tuple[str, ...] = REASONS
    to_addresses: bool = False

    @property
    def sql(self) -> str:
        listed = ", ".join(f"'{reason}'" for reason in self.reasons)
        return f"sum(k.reason IN ({listed}){' AND h.is_address' if self.to_addresses else ''})"

    def counts(self, outcome: int) -> bool:
        """Whether rows of an outcome class (see `outcome_class`) count."""
        return REASONS[outcome >> 1] in self.reasons and (outcome & 1 == 1 or not self.to_addresses)


@dataclass(frozen=True)
class Rollup:
    """One table: rows by hour, counted by `counts`, with `bytes` and `bytes_in` summed up."""

    table: str
    counts: tuple[Count, ...]

    @property
    def measures(self) -> tuple[str, ...]:
        return (*(count.name for count in self.counts), "bytes", "bytes_in")

    @property
    def recount(self) -> str:
        """SQL that counts rows anew; `:first` and `:last` bound the ids."""
        counted = ", ".join(f"{count.sql} AS {count.name}" for count in self.counts)
        return (
            f"SELECT l.time_ms / {HOUR_MS} AS hour, {counted}, sum(l.bytes) AS bytes, sum(l.bytes_in) AS bytes_in "
            "FROM proxy_logs AS l JOIN result_kinds AS k ON k.id = l.kind_id "
            "JOIN sites AS s ON s.id = l.site_id JOIN hosts AS h ON h.id = s.host_id "
            "WHERE l.id BETWEEN :first AND :last {where} GROUP BY 1"
        )

    @property
    def upsert(self) -> str:
        names = ("hour", *self.measures)
        added = ", ".join(f"{name} = {name} + excluded.{name}" for name in self.measures)
        return (
            f"INSERT INTO {self.table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))}) "
            f"ON CONFLICT (hour) DO UPDATE SET {added}"
        )


HOURLY_REQUESTS = Rollup(
    "hourly_requests",
    (
        Count("requests"),
        *(Count(reason, (reason,)) for reason in BLOCKING_REASONS),
        Count("auth", (AUTH,)),
        Count("ip_blocks", BLOCKING_REASONS, to_addresses=True),
    ),
)
ROLLUPS = (HOURLY_REQUESTS,)


def outcome_class(reason: str, to_address: bool) -> int:
    """Reason and kind of destination in one small integer, so that grouping has one key."""
    return REASONS.index(reason) << 1 | to_address


@dataclass
class HourlyGroups:
    """What the rows of a transaction add to the rollups by hour."""

    outcomes: dict[int, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    sizes: dict[int, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))

    def add(self, time_ms: list[int], outcomes: list[int], sizes: list[int], sizes_in: list[int] | None) -> None:
        """Columns of one block. Most blocks lie within one hour and are counted at C's speed."""
        hour = min(time_ms) // HOUR_MS
        if hour == max(time_ms) // HOUR_MS:
            self.outcomes[hour].update(outcomes)
            total = self.sizes[hour]
            total[0] += sum(sizes)
            total[1] += sum(sizes_in or ())
            return
        for moment, outcome, size, size_in in zip(time_ms, outcomes, sizes, sizes_in or repeat(0), strict=False):
            hour = moment // HOUR_MS
            self.outcomes[hour][outcome] += 1
            total = self.sizes[hour]
            total[0] += size
            total[1] += size_in

    def flush(self, conn: sqlite3.Connection) -> None:
        """Add everything to the tables and begin anew."""
        for rollup in ROLLUPS:
            conn.executemany(
                rollup.upsert,
                (
                    (
                        hour,
                        *(sum(n for outcome, n in found.items() if count.counts(outcome)) for count in rollup.counts),
                        *self.sizes[hour],
                    )
                    for hour, found in self.outcomes.items()
                ),
            )
        self.outcomes.clear()
        self.sizes.clear()


def subtract(conn: sqlite3.Connection, first: int, last: int, before_ms: int) -> None:
    """Take the rows with ids from `first` to `last` and times before `before_ms` out of every rollup."""
    for rollup in ROLLUPS:
        rows = conn.execute(
            rollup.recount.format(where="AND l.time_ms < :before"), {"first": first, "last": last, "before": before_ms}
        ).fetchall()
        conn.executemany(rollup.upsert, ((hour, *(-measure for measure in measures)) for hour, *measures in rows))
        conn.execute(f"DELETE FROM {rollup.table} WHERE requests = 0")


def differences(conn: sqlite3.Connection) -> list[str]:
    """What is wrong with the rollups, a sentence each; empty when they equal a recount of all rows."""
    found = []
    for rollup in ROLLUPS:
        names = ", ".join(("hour", *rollup.measures))
        recount = rollup.recount.format(where="")
        bounds = {"first": 0, "last": (1 << 62)}
        for stored, counted in (
            (f"SELECT {names} FROM {rollup.table}", recount),
            (recount, f"SELECT {names} FROM {rollup.table}"),
        ):
            query = f"SELECT count(*) FROM (SELECT * FROM ({stored}) EXCEPT SELECT * FROM ({counted}))"
            wrong = conn.execute(query, bounds).fetchone()[0]
            if wrong:
                found.append(f"{rollup.table}: {wrong} hours differ from a recount of the rows")
                break
    return found
