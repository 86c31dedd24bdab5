"""Figures by time, client and host are what counting all rows in memory gives, whichever way they are found."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from proxyweb.db.connection import connect
from proxyweb.ingest.groups import DAY_MS, HOUR_MS
from proxyweb.privacy import mask_address
from proxyweb.queries import clients, hosts, traffic
from proxyweb.queries.client_hosts import hosts_of_clients
from proxyweb.queries.selection import Mask
from proxyweb.queries.windows import Window, window
from tests.counted_hours import HOURS, counted_copy
from tests.large_log import START

NOW = START // 86_400 * 86_400 + 12 * 86_400 - 1800  # the last hour of a day, so that hours and days end together
WINDOWS = ("1h", "24h", "7d", "30d", "all")
LIMITS = (1, 7, 500)


class Counted(NamedTuple):
    """What counts of a row."""

    time_ms: int
    client: str
    host: str
    blocked: int
    bytes: int
    elapsed_ms: int
    cache: str


@pytest.fixture(scope="module")
def rows(large_log: Path) -> list[Counted]:
    with closing(connect(large_log, readonly=True)) as conn:
        found = conn.execute(
            "SELECT l.time_ms, c.address, h.host, k.blocked, l.bytes, l.elapsed_ms, k.cache FROM proxy_logs AS l"
            " JOIN clients AS c ON c.id = client_id JOIN result_kinds AS k ON k.id = kind_id"
            " JOIN sites AS s ON s.id = site_id JOIN hosts AS h ON h.id = s.host_id"
        )
        return [Counted(*row) for row in found]


@pytest.fixture(scope="module", params=HOURS)
def conn(
    request: pytest.FixtureRequest, large_log: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[sqlite3.Connection]:
    counted = request.param == "hours from rollups"
    copy = counted_copy(large_log, tmp_path_factory.mktemp("counted")) if counted else connect(large_log, readonly=True)
    with closing(copy):
        yield copy


@pytest.fixture(params=WINDOWS)
def span(request: pytest.FixtureRequest, conn: sqlite3.Connection) -> Window:
    return window(conn, request.param, NOW)


def within(rows: list[Counted], span: Window) -> list[Counted]:
    since_ms, end_ms = span.row_bounds.values()
    found = [row for row in rows if since_ms <= row.time_ms < end_ms]
    assert found
    return found


def ranked(labelled: Iterable[tuple[str, Counted]]) -> list[tuple[str, int, int, int, int, int]]:
    """`(label, requests, blocked, bytes, time taken, last time)`, most requests first, then by label."""
    requests, blocked, sizes, took, last = (Counter[str]() for _ in range(5))
    for label, row in labelled:
        requests[label] += 1
        blocked[label] += row.blocked
        sizes[label] += row.bytes
        took[label] += row.elapsed_ms
        last[label] = max(last[label], row.time_ms)
    return sorted(
        ((label, count, blocked[label], sizes[label], took[label], last[label]) for label, count in requests.items()),
        key=lambda figures: (-figures[1], figures[0]),
    )


def without_last(found: list[tuple[str, int, int, int, int, int]]) -> list[tuple[str, int, int, int, int]]:
    return [figures[:5] for figures in found]


def test_hosts(conn: sqlite3.Connection, rows: list[Counted], span: Window) -> None:
    counted = without_last(ranked((row.host, row) for row in within(rows, span)))
    for limit in LIMITS:
        assert hosts.busiest_hosts(conn, span, limit) == counted[:limit]


@pytest.mark.parametrize("mask", [None, cache(mask_address)], ids=["whole", "masked"])
def test_clients(conn: sqlite3.Connection, rows: list[Counted], span: Window, mask: Mask | None) -> None:
    counted = ranked((mask(row.client) if mask else row.client, row) for row in within(rows, span))
    for limit in LIMITS:
        assert clients.busiest_clients(conn, span, limit, mask) == (len(counted), counted[:limit])


@pytest.mark.parametrize("name", ["10.0.1.7", "172.16.9.9", "pc-7.lan", "2001:db8:1::5"])
def test_one_client(conn: sqlite3.Connection, rows: list[Counted], span: Window, name: str) -> None:
    ids = clients.clients_called(conn, name)
    own = [row for row in rows if row.client == name]
    counted = [row for row in within(rows, span) if row.client == name]
    assert clients.client_details(conn, ids, span) == (
        name,
        len(counted),
        sum(row.blocked for row in counted),
        sum(row.bytes for row in counted),
        sum(row.elapsed_ms for row in counted),
        min(row.time_ms for row in own),
        max(row.time_ms for row in own if row.time_ms < span.row_bounds["end_ms"]),
    )
    by_host = ranked((row.host, row) for row in counted)
    assert hosts_of_clients(conn, ids, span, 10) == [figures[:3] for figures in by_host[:10]]


def test_one_masked_client(conn: sqlite3.Connection, rows: list[Counted], span: Window) -> None:
    ids = clients.clients_called(conn, "10.0.1.x", mask_address)
    counted = [row for row in within(rows, span) if row.client.startswith("10.0.1.")]
    found = clients.client_details(conn, ids, span)
    assert found is not None
    assert (found.requests, found.bytes) == (len(counted), sum(row.bytes for row in counted))
    assert found.first_ms == min(row.time_ms for row in rows if row.client.startswith("10.0.1."))
    by_host = ranked((row.host, row) for row in counted)
    assert hosts_of_clients(conn, ids, span, 10) == [figures[:3] for figures in by_host[:10]]


def test_the_cache(conn: sqlite3.Connection, rows: list[Counted], span: Window) -> None:
    counted = within(rows, span)
    sizes = {result: [row.bytes for row in counted if row.cache == result] for result in ("hit", "miss")}
    found = traffic.cache(conn, span)
    assert found == (len(counted), len(sizes["hit"]), len(sizes["miss"]), sum(sizes["hit"]), sum(sizes["miss"]))
    assert found.hit_ratio == found.hits / (found.hits + found.misses)
    assert found.byte_hit_ratio == found.hit_bytes / (found.hit_bytes + found.miss_bytes)


@pytest.mark.parametrize(
    ("period", "buckets", "bucket_ms"),
    [("hour", 12, 300_000), ("day", 24, HOUR_MS), ("week", 7, DAY_MS), ("month", 30, DAY_MS)],
)
def test_buckets(
    conn: sqlite3.Connection, rows: list[Counted], period: str, buckets: int, bucket_ms: int
) -> None:  # fmt: skip
    now_ms = (START + 5 * 86_400 + 4321) * 1000
    requests = Counter(row.time_ms // bucket_ms for row in rows)
    blocked = Counter(row.time_ms // bucket_ms for row in rows if row.blocked)
    sizes = Counter[int]()
    for row in rows:
        sizes[row.time_ms // bucket_ms] += row.bytes
    last = now_ms // bucket_ms
    assert traffic.by_bucket(conn, period, now_ms) == [
        (at * bucket_ms, requests[at], blocked[at], sizes[at], 0) for at in range(last - buckets + 1, last + 1)
    ]
    assert requests[last]
