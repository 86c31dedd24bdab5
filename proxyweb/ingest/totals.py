"""What a transaction's rows add to the rollups, counted by their declaration when it ends."""

from __future__ import annotations

import sqlite3

import numpy as np

from proxyweb.ingest.entropy import HIGH
from proxyweb.ingest.groups import Groups, Ints, Rows
from proxyweb.ingest.record import BLOCKING_REASONS
from proxyweb.ingest.rollups import BLOCKED, HIGH_ENTROPY, ROLLUPS, Chosen, Measure, Rollup


def add(conn: sqlite3.Connection, rows: Rows, recent_from: int) -> None:
    """Add rows to every rollup; to those by hour only from the hour `recent_from` on."""
    for rollup in ROLLUPS:
        conn.executemany(rollup.upsert, counted(rollup, rows, recent_from))


def take_away(conn: sqlite3.Connection, rows: Rows, recent_from: int) -> None:
    """Take rows out of every rollup; what stays of a key must be later than what goes."""
    for rollup in ROLLUPS:
        first, end = len(rollup.known_by), len(rollup.known_by) + len(rollup.counted)
        conn.executemany(
            rollup.upsert,
            (
                (*row[:first], *(-value for value in row[first:end]), *row[end:])
                for row in counted(rollup, rows, recent_from)
            ),
        )
        conn.execute(f"DELETE FROM {rollup.table} WHERE requests = 0")


def counted(rollup: Rollup, rows: Rows, recent_from: int) -> list[tuple[int, ...]]:
    """The rollup of some rows, in its columns and the order of its keys."""
    if rollup.recent:
        rows = rows.only(rows["time_ms"] >= recent_from * rollup.bucket.ms)
    if rollup.counts is not None and len(rows):
        rows = rows.only(rollup.counts.holds(rows))
    if not len(rows):
        return []
    buckets = rows["time_ms"] // rollup.bucket.ms
    keys = [rows[key.name] for key in rollup.keys]
    groups = Groups(buckets, *keys)
    columns = [groups.values(column) for column in (buckets, *keys)]
    columns += [_summed(measure, groups, rows) for measure in rollup.counted]
    if rollup.last:
        columns.append(groups.greatest(rows["time_ms"]))
    return list(zip(*(column.tolist() for column in columns), strict=True))


def _summed(measure: Measure | Chosen, groups: Groups, rows: Rows) -> Ints:
    if isinstance(measure, Chosen):
        chosen = measure.kinds.holds(rows)
        if measure.to_addresses:
            chosen = chosen & (rows["is_address"] > 0)
        return groups.sums(np.where(chosen, rows["bytes"], 0) if measure.of_bytes else chosen.astype(np.int64))
    if measure.name == "requests":
        return groups.sizes()
    if measure is BLOCKED:
        return groups.sums(rows.of_kinds("reason", BLOCKING_REASONS).astype(np.int64))
    if measure is HIGH_ENTROPY:
        return groups.sums((rows["entropy"] > HIGH).astype(np.int64))
    return groups.sums(rows[measure.name])
