"""What became of requests: status codes, Squid's results and content types; at which hours, and by how many clients."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Callable
from typing import NamedTuple

from proxyweb.ingest.groups import DAY_MS, HOUR_MS
from proxyweb.ingest.record import BLOCKING_REASONS
from proxyweb.queries.masked_clients import MASKED, groups_of_masked
from proxyweb.queries.selection import Mask
from proxyweb.queries.windows import Window, counted_by

HOURS_OF_DAY = DAY_MS // HOUR_MS
_BY_KIND = """
    SELECT k.status_code, k.result_code, k.content_type, d.requests, d.bytes, d.elapsed_ms
    FROM (
        SELECT kind_id, sum(requests) AS requests, sum(bytes) AS bytes, sum(elapsed_ms) AS elapsed_ms
        FROM {table} WHERE {bucket} BETWEEN :first AND :last GROUP BY kind_id
    ) AS d CROSS JOIN result_kinds AS k ON k.id = d.kind_id
"""
_BY_HOUR_OF_DAY = f"""
    SELECT hour % {HOURS_OF_DAY}, sum(requests), sum({" + ".join(BLOCKING_REASONS)}), sum(elapsed_ms)
    FROM hourly_requests WHERE hour BETWEEN :first AND :last GROUP BY 1
"""
_BY_DAY = """
    SELECT l.day, {counted}, sum(l.requests), sum(l.elapsed_ms)
    FROM daily_clients AS l WHERE l.day BETWEEN :first AND :last GROUP BY l.day ORDER BY l.day
"""


class Sums(NamedTuple):
    """The requests that have one value in common, the bytes sent to clients for them, and how long they took, all
    together."""

    value: str
    requests: int
    bytes: int
    elapsed_ms: int


class Results(NamedTuple):
    """Each most requests first, then by value. Statuses have three digits, `000` where Squid sent none; content types
    are without parameters, and requests without one are not among them."""

    total: int
    statuses: list[Sums]
    result_codes: list[Sums]
    content_types: list[Sums]


class HourOfDay(NamedTuple):
    """The requests of one hour of the day (0 to 23, UTC), all days of a window together."""

    hour: int
    requests: int
    blocked: int
    elapsed_ms: int


class Day(NamedTuple):
    """A day (UTC, as days since 1970), how many clients asked for anything on it, and their requests."""

    day: int
    clients: int
    requests: int
    elapsed_ms: int


def results(conn: sqlite3.Connection, window: Window) -> Results:
    """What requests of a window came to."""
    by_kind = counted_by(conn, "kinds", window)
    kinds = conn.execute(by_kind.sql(_BY_KIND), by_kind.bounds).fetchall()
    return Results(
        sum(requests for *_, requests, _, _ in kinds),
        _summed(kinds, lambda status, _, __: f"{status:03}"),
        _summed(kinds, lambda _, result_code, __: result_code),
        [sums for sums in _summed(kinds, lambda _, __, content_type: media_type(content_type)) if sums.value],
    )


def media_type(content_type: str) -> str:
    """What stands before the parameters, in lower case since case means nothing there (RFC 9110, 8.3.1)."""
    return content_type.partition(";")[0].strip().lower()


def _summed(kinds: list[tuple[int, str, str, int, int, int]], value_of: Callable[[int, str, str], str]) -> list[Sums]:
    sums: defaultdict[str, list[tuple[int, ...]]] = defaultdict(list)
    for status, result_code, content_type, *figures in kinds:
        sums[value_of(status, result_code, content_type)].append(tuple(figures))
    found = [Sums(value, *map(sum, zip(*figures, strict=True))) for value, figures in sums.items()]
    return sorted(found, key=lambda one: (-one.requests, one.value))


def hours_of_day(conn: sqlite3.Connection, window: Window) -> list[HourOfDay]:
    """All 24 hours of the day, from midnight on."""
    found = {hour: figures for hour, *figures in conn.execute(_BY_HOUR_OF_DAY, window.hours)}
    return [HourOfDay(hour, *found.get(hour, (0, 0, 0))) for hour in range(HOURS_OF_DAY)]


def days(conn: sqlite3.Connection, window: Window, mask_client: Mask | None = None) -> list[Day]:
    """The days on which there were requests, oldest first. They are counted whole, also those that the window only
    touches. With a mask, clients that it makes the same are one."""
    counted, arguments = "count(*)", dict[str, object](window.days)
    if mask_client is not None:
        counted, arguments["groups"] = f"count(DISTINCT {MASKED})", groups_of_masked(conn, mask_client)
    return [Day(*row) for row in conn.execute(_BY_DAY.format(counted=counted), arguments)]
