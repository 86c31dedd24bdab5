"""Pages and totals are exactly what sorting and filtering all rows in memory gives, whichever way they are found."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from proxyweb.db.connection import connect
from proxyweb.queries import log_pages
from proxyweb.queries.log_counts import total
from proxyweb.queries.log_pages import PageRequest, page
from proxyweb.queries.selection import Filters, select
from tests.large_log import ROWS, START
from tests.queries.oracle import SORTS, Oracle

HOUR_MS = 3_600_000
BEGIN_MS = START * 1000
FILTERS = [
    Filters(),
    Filters(client="10.0.0.3"),
    Filters(client="172.16.9.9"),
    Filters(client="10.0.1.0/24"),
    Filters(client="2001:db8::/32"),
    Filters(client="203.0.113.1"),
    Filters(domain="test"),
    Filters(domain="site7.test"),
    Filters(domain="a.com"),
    Filters(domain="192.0.2.7"),
    Filters(domain="2001:db8::7"),
    Filters(method="HEAD"),
    Filters(method="CONNECT", blocked=True),
    Filters(status="403"),
    Filters(status="4xx", client="10.0.2.9"),
    Filters(status="TCP_DENIED"),
    Filters(blocked=False),
    Filters(reason="origin"),
    Filters(reason="auth", domain="co.uk"),
    Filters(user="alice"),
    Filters(search="INDEX.h"),
    Filters(search="test/p/7"),
    Filters(search="100%_"),
    Filters(search="site3", method="POST", status="200"),
    Filters(since_ms=BEGIN_MS + 30 * HOUR_MS + 123_456, until_ms=BEGIN_MS + 77 * HOUR_MS + 7),
    Filters(since_ms=BEGIN_MS + 200 * HOUR_MS, client="10.0.3.8"),
    Filters(until_ms=BEGIN_MS + 11 * HOUR_MS, blocked=True),
    Filters(since_ms=BEGIN_MS + 5 * HOUR_MS + 1, until_ms=BEGIN_MS + 5 * HOUR_MS + 200_000),
    Filters(after_id=ROWS - 40),
    Filters(after_id=ROWS - 70_000, domain="example"),
    Filters(after_id=ROWS + 40),
]


@pytest.fixture(scope="module")
def oracle(large_log: Path) -> Oracle:
    with closing(connect(large_log, readonly=True)) as conn:
        return Oracle(conn)


@pytest.mark.parametrize(
    ("filters", "through_postings"),
    [(filters, False) for filters in FILTERS] + [(filters, True) for filters in FILTERS[1:21:3]],
    ids=str,
)
def test_any_page_is_what_sorting_everything_gives(
    conn: sqlite3.Connection,
    oracle: Oracle,
    filters: Filters,
    through_postings: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if through_postings:
        monkeypatch.setattr(log_pages, "_cost_through_postings", lambda request, rows_in_time: 0)
        monkeypatch.setattr(log_pages, "_GATHER_AT_MOST", 0)
    choose = random.Random(str(filters))
    selection, selected = select(conn, filters), oracle.select(filters)
    count = total(conn, selection)
    assert count == len(selected)
    for sort in SORTS:
        descending = choose.random() < 0.5
        expected = oracle.page(selected, sort, descending)
        request = PageRequest(selection, count, sort, descending, limit=choose.choice((7, 100)))
        for offset in _offsets(sort, count):
            found = page(conn, replace(request, offset=offset))
            assert [row for _, row in found] == expected[offset : offset + request.limit], (sort, descending, offset)
            if found:
                after = page(conn, replace(request, cursor=found[-1]))
                behind = offset + len(found)
                assert [row for _, row in after] == expected[behind : behind + request.limit], (sort, descending)


def _offsets(sort: str, count: int) -> set[int]:
    """Deep ones only where depth is cheap: elsewhere the cursor is the way, and the time limit ends the rest."""
    if sort in ("time", "bytes") or count < 2000:
        return {0, 1, count // 2, count * 9 // 10, max(count - 3, 0), count, count + 5}
    return {0, 150, count, count + 5}


@pytest.mark.parametrize("sort", SORTS)
def test_following_cursors_to_the_end_gives_every_row_once(
    conn: sqlite3.Connection, oracle: Oracle, sort: str
) -> None:  # fmt: skip
    filters = Filters(domain="site3.test")
    selection = select(conn, filters)
    request = PageRequest(selection, total(conn, selection), sort, limit=311)
    seen: list[int] = []
    while found := page(conn, request):
        seen += [row for _, row in found]
        request = replace(request, cursor=found[-1])
    assert seen == oracle.page(oracle.select(filters), sort, True)


def test_masked_clients_are_sorted_and_filtered_by_what_is_shown(conn: sqlite3.Connection, oracle: Oracle) -> None:
    def mask(address: str) -> str:
        return address.rpartition(".")[0] + ".x" if "." in address else "v6"

    selection = select(conn, Filters(client="10.0.1.x"), mask)
    assert total(conn, selection) == sum(row.client.startswith("10.0.1.") for row in oracle.rows)
    everything = select(conn, Filters())
    request = PageRequest(everything, ROWS, "client", limit=1000, descending=False, mask_client=mask)
    clients = {row.id: mask(row.client) for row in oracle.rows}
    expected = sorted(clients, key=lambda row: (clients[row], row))
    assert [row for _, row in page(conn, replace(request, offset=9_000))] == expected[9_000:10_000]
