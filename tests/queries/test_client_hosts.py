"""The hosts that clients ask for, against a plain recount of the rows: in any order of arrival, after clearing, too."""

from __future__ import annotations

import random
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing

import pytest

from proxyweb.ingest import postings
from proxyweb.ingest.groups import DAY_MS, HOUR_MS
from proxyweb.ingest.importer import Importer
from proxyweb.queries import client_hosts
from proxyweb.queries.client_hosts import ClientHost, hosts_of_clients
from proxyweb.queries.matches import PROBED_AT_MOST
from proxyweb.queries.windows import Window
from proxyweb.retention import clear_old
from tests.ingest.factory import new_database

START_MS = 1_770_000_000_000 // DAY_MS * DAY_MS
DAYS = 12
ROWS = postings.SEGMENT_ROWS * 2 + 9_000
CLIENTS = PROBED_AT_MOST + 200
FIRST_WIDE = 1 << 16

Counted = tuple[int, int, str, int]  # time, client, host, whether it was blocked


@pytest.fixture(scope="module", params=["as it came in", "cleared"])
def conn(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    """A full segment in order, one in disorder, whose later hosts have numbers of more than two bytes, and an open
    one."""
    folder = tmp_path_factory.mktemp("hosts")
    lines = list(_lines(random.Random(3)))
    shuffled = lines[70_000:]
    random.Random(4).shuffle(shuffled)
    with closing(new_database(folder / "proxyweb.sqlite")) as opened:
        for name, part in (("ordered", lines[:70_000]), ("shuffled", shuffled)):
            file = folder / f"{name}.log"
            file.write_text("".join(part))
            Importer(opened, parallel=False).import_file(file)
            opened.execute("INSERT OR IGNORE INTO hosts VALUES (?, 'unused.test', 0, 1, 0)", (FIRST_WIDE,))
        if request.param == "cleared":
            assert clear_old(opened, 1, START_MS / 1000 + (1 + DAYS / 3) * 86_400) > ROWS / 4
        yield opened


def _lines(choose: random.Random) -> Iterator[str]:
    """More hosts as time goes on, the first ones the most; every thirtieth request names none."""
    for number in range(ROWS):
        time_ms = START_MS + number * DAYS * DAY_MS // ROWS + choose.randrange(2000)
        client = int(choose.paretovariate(0.7)) % CLIENTS
        host = f"h{int(choose.paretovariate(0.6)) % (100 + number // 300)}.test"
        result, status = choose.choice((("TCP_MISS", 200), ("TCP_MISS", 200), ("TCP_DENIED", 403), ("TCP_DENIED", 407)))
        url = f"http://{host}/" if number % 30 else "error:invalid-request"
        yield (
            f"{time_ms / 1000:.3f}      7 10.0.{client // 250}.{client % 250} {result}/{status} 286 GET {url} -"
            " HIER_NONE/- text/html\n"
        )


@pytest.fixture(scope="module")
def rows(conn: sqlite3.Connection) -> list[Counted]:
    return conn.execute(
        "SELECT l.time_ms, l.client_id, h.host, k.blocked FROM proxy_logs AS l JOIN result_kinds AS k ON k.id = kind_id"
        " JOIN sites AS s ON s.id = site_id JOIN hosts AS h ON h.id = s.host_id"
    ).fetchall()


def within(rows: list[Counted], span: Window) -> list[Counted]:
    since_ms, end_ms = span.row_bounds.values()
    return [row for row in rows if since_ms <= row[0] < end_ms]


def counted_anew(rows: list[Counted], clients: set[int]) -> list[ClientHost]:
    own = [(host, blocked) for _, client, host, blocked in rows if client in clients and host]
    requests, refused = Counter(host for host, _ in own), Counter(host for host, blocked in own if blocked)
    found = [ClientHost(host, count, refused[host]) for host, count in requests.items()]
    return sorted(found, key=lambda one: (-one.requests, one.host))


def spans(choose: random.Random) -> Iterator[Window]:
    """All, nothing, and any number of hours or days."""
    yield Window(START_MS - DAY_MS, START_MS + (DAYS + 1) * DAY_MS, True)
    yield Window(START_MS - 9 * DAY_MS, START_MS - 8 * DAY_MS, True)
    for _ in range(4):
        for unit, most in ((HOUR_MS, 48), (DAY_MS, DAYS)):
            since_ms = START_MS + choose.randrange(DAYS * DAY_MS // unit) * unit
            yield Window(since_ms, since_ms + choose.randrange(most * unit), unit == DAY_MS)


@pytest.mark.parametrize("at_once", [1, client_hosts.COUNTED_AT_ONCE])
def test_hosts_of_clients(
    conn: sqlite3.Connection, rows: list[Counted], at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_hosts, "COUNTED_AT_ONCE", at_once)
    choose = random.Random(8)
    known = [client for (client,) in conn.execute("SELECT id FROM clients ORDER BY id")]
    busiest = Counter(client for _, client, _, _ in rows).most_common(1)[0][0]
    for span in spans(choose):
        in_span = within(rows, span)
        for clients in ({busiest}, {choose.choice(known)}, set(choose.sample(known, 30)), set(known), {10**6}, set()):
            expected = counted_anew(in_span, clients)
            for limit in (1, 10, 10_000):
                assert hosts_of_clients(conn, clients, span, limit) == expected[:limit]


def test_hosts_stand_beside_in_as_few_bytes_as_they_need(conn: sqlite3.Connection) -> None:
    widths = conn.execute("SELECT length(hosts) / (length(offsets) / 2), max(id >> 32) FROM client_postings GROUP BY 1")
    assert widths.fetchall() == [(2, 1), (4, 1)]
    assert postings.differences(conn) == []
