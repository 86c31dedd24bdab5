"""The invariant: every rollup equals a recount of the rows, and a plain count by hand; and what was first seen when."""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxyweb.catalogue.file_types import extension_of
from proxyweb.db.database import generation
from proxyweb.ingest import rollups, zones
from proxyweb.ingest.encoder import Encoder
from proxyweb.ingest.enrichment import BUILT_IN
from proxyweb.ingest.record import Record, host_of, is_address, split_destination
from proxyweb.ingest.store import Store
from proxyweb.retention import clear_all, clear_old
from tests.ingest.factory import START_MS, Request, log, new_database, requests
from tests.ingest.recount import records

DAY_MS = 86_400_000
NOW = START_MS / 1000 + 3600
_MOVES = st.sampled_from([0, 1, 299_999, 3_599_999, 3_600_000, -3_600_000, DAY_MS, -3 * DAY_MS, -30 * DAY_MS])
_SOME = st.lists(st.tuples(requests(), _MOVES), min_size=1, max_size=8)
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("native"), _SOME),
        st.tuples(st.just("proxyweb"), _SOME),
        st.tuples(st.just("clear-old"), st.sampled_from([0, 1, 2, 29, 31])),
        st.just(("clear", 0)),
        st.just(("rebuild", 0)),
        st.just(("another process", 0)),
        st.tuples(st.just("time passes"), st.sampled_from([-DAY_MS, 3_600_000, DAY_MS, 5 * DAY_MS])),
    ),
    min_size=1,
    max_size=8,
)


@pytest.fixture
def conn(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    conn = new_database(tmp_path / "proxyweb.sqlite")
    yield conn
    conn.close()


def stored(conn: sqlite3.Connection, content: bytes, store: Store | None = None) -> None:
    store = store or Store(conn)
    with store.transaction():
        store.add(Encoder().encode(content, 0))


class Clock:
    """Unix seconds, as told."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@settings(deadline=None, max_examples=80)
@given(_STEPS)
def test_every_rollup_equals_a_recount_whatever_happens(steps: list[tuple[str, Any]]) -> None:
    with TemporaryDirectory() as folder:
        conn = new_database(Path(folder) / "proxyweb.sqlite")
        clock = Clock()
        store, seen = Store(conn, clock), FirstSeenByHand()
        for step, what in steps:
            if step in ("native", "proxyweb"):
                some = [replace(it, time_ms=it.time_ms + moved) for it, moved in what]
                stored(conn, log(*some, log_format=step), store)
                seen.add([it.record(step) for it in some])
            elif step == "clear-old":
                clear_old(conn, what, NOW)
            elif step == "clear":
                clear_all(conn)
                seen = FirstSeenByHand()
            elif step == "rebuild":
                assert len(list(rollups.rebuild(conn))) == len(rollups.ROLLUPS)
            elif step == "time passes":
                clock.now += what / 1000
            else:
                store = Store(conn, clock)
            assert rollups.differences(conn) == []
            assert zones.differences(conn) == []
            assert first_seen(conn) == seen.found
            assert conn.execute("PRAGMA foreign_key_check").fetchall() == []
        assert_counted_by_hand(conn)
        conn.close()


class FirstSeenByHand:
    """Subject → Unix milliseconds."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, ...], int] = {}

    def add(self, rows: list[Record]) -> None:
        for row in rows:
            host = host_of(split_destination(row.url)[0])
            domain, service = BUILT_IN.domain(host, is_address(host)), BUILT_IN.service(host)
            subjects = [("domain", domain, ""), ("client", row.client, "")]
            if service:
                subjects += [("service", service, ""), ("service", service, row.client)]
            for subject in subjects:
                self.found[subject] = min(row.time_ms, self.found.get(subject, row.time_ms))


def first_seen(conn: sqlite3.Connection) -> dict[tuple[str, ...], int]:
    rows = conn.execute(
        """
        SELECT f.subject, coalesce(d.domain, v.name, c.address), coalesce(o.address, ''), f.first_ms
        FROM first_seen AS f
        LEFT JOIN domains AS d ON f.subject = 'domain' AND d.id = f.subject_id
        LEFT JOIN services AS v ON f.subject = 'service' AND v.id = f.subject_id
        LEFT JOIN clients AS c ON f.subject = 'client' AND c.id = f.subject_id
        LEFT JOIN clients AS o ON o.id = f.of_client_id
        JOIN clients AS who ON who.id = f.client_id
        """
    )
    return {(subject, name, client): moment for subject, name, client, moment in rows}


def assert_counted_by_hand(conn: sqlite3.Connection) -> None:
    """Requests, bytes and times by what a plain loop over the rows makes of each, by day and by hour."""
    recent_from = generation(conn, "recent_from")
    for adjective, bucket, unit, first in (("daily", "day", DAY_MS, 0), ("hourly", "hour", 3_600_000, recent_from)):
        counted: defaultdict[str, Counter[Any]] = defaultdict(Counter)
        for row in records(conn):
            number = row.time_ms // unit
            if number < first:
                continue
            prefix, rest = split_destination(row.url)
            host = host_of(prefix)
            counted["clients"][number, row.client] += 1
            counted["bytes"][number, row.client] += row.bytes
            counted["times"][number, row.client] += row.elapsed_ms
            counted["times of hosts"][number, host] += row.elapsed_ms
            counted["hosts"][number, host] += 1
            counted["kinds"][number, row.kind.method] += 1
            if row.user_agent:
                counted["agents"][number, row.user_agent] += 1
            if extension := "" if prefix.endswith(("?", "#")) else extension_of(rest):
                counted["extensions"][number, extension] += 1
            if service := BUILT_IN.service(host):
                counted["services"][number, service, row.client] += 1
            if row.kind.reason == "waf":
                counted["waf_blocks"][number, host, row.user_agent, row.waf.score] += 1
        for name, sql in _STORED.items():
            found = conn.execute(sql.format(bucket=bucket, adjective=adjective))
            assert {tuple(key): value for *key, value in found} == dict(counted[name]), (adjective, name)


_STORED = {
    "clients": "SELECT {bucket}, address, requests FROM {adjective}_clients JOIN clients ON id = client_id",
    "bytes": "SELECT {bucket}, address, bytes FROM {adjective}_clients JOIN clients ON id = client_id",
    "times": "SELECT {bucket}, address, elapsed_ms FROM {adjective}_clients JOIN clients ON id = client_id",
    "times of hosts": "SELECT {bucket}, host, elapsed_ms FROM {adjective}_hosts JOIN hosts ON id = host_id",
    "hosts": "SELECT {bucket}, host, requests FROM {adjective}_hosts JOIN hosts ON id = host_id",
    "kinds": "SELECT {bucket}, method, sum(requests) FROM {adjective}_kinds JOIN result_kinds ON id = kind_id"
    " GROUP BY 1, 2",
    "agents": "SELECT {bucket}, agent, requests FROM {adjective}_agents JOIN user_agents ON id = agent_id",
    "extensions": "SELECT {bucket}, extension, requests FROM {adjective}_extensions"
    " JOIN extensions ON id = extension_id",
    "services": "SELECT {bucket}, name, address, requests FROM {adjective}_services"
    " JOIN services AS v ON v.id = service_id JOIN clients AS c ON c.id = client_id",
    "waf_blocks": "SELECT {bucket}, host, agent, score, sum(requests) FROM {adjective}_waf_blocks"
    " JOIN hosts AS h ON h.id = host_id JOIN user_agents AS a ON a.id = agent_id"
    " JOIN waf_verdicts AS w ON w.id = waf_id GROUP BY 1, 2, 3, 4",
}


def at(text: str) -> int:
    return int(datetime.strptime(text, "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=UTC).timestamp() * 1000)


def test_borders_of_hours_and_days(conn: sqlite3.Connection) -> None:
    moments = (
        "2026-02-01 23:59:59.999",
        "2026-02-02 00:00:00.000",
        "2026-02-02 00:59:59.999",
        "2026-02-02 01:00:00.000",
    )
    stored(conn, log(*(Request(time_ms=at(moment), size=10) for moment in moments)))
    hours = conn.execute("SELECT hour * 3600, requests, bytes FROM hourly_requests ORDER BY hour").fetchall()
    midnight = at("2026-02-02 00:00:00.000") // 1000
    assert hours == [(midnight - 3600, 1, 10), (midnight, 2, 20), (midnight + 3600, 1, 10)]
    days = conn.execute("SELECT day * 86400, requests FROM daily_hosts ORDER BY day").fetchall()
    assert days == [(midnight - 86_400, 1), (midnight, 3)]
    assert conn.execute("SELECT count(*), sum(requests) FROM five_minute_requests").fetchone() == (4, 4)


def test_sizes_that_fill_their_field(conn: sqlite3.Connection) -> None:
    most = 1 << 43
    stored(conn, log(*(Request(size=most, bytes_in=most) for _ in range(3000)), log_format="proxyweb"))
    assert conn.execute("SELECT requests, bytes, bytes_in FROM hourly_requests").fetchall() == [
        (3000, 3000 * most, 3000 * most)
    ]
    assert rollups.differences(conn) == []


@pytest.mark.parametrize(
    ("result", "cache"),
    [
        ("TCP_HIT/200", (1, 0)),
        ("TCP_MEM_HIT/200", (1, 0)),
        ("TCP_REFRESH_UNMODIFIED/304", (1, 0)),
        ("TCP_REFRESH_FAIL_OLD/200", (1, 0)),
        ("TCP_CF_HIT/200", (1, 0)),
        ("TCP_NEGATIVE_HIT/404", (1, 0)),
        ("TCP_HIT_ABORTED/200", (1, 0)),
        ("TCP_MISS/200", (0, 1)),
        ("TCP_REFRESH_MODIFIED/200", (0, 1)),
        ("TCP_REFRESH_FAIL_ERR/502", (0, 1)),
        ("TCP_CLIENT_REFRESH_MISS/200", (0, 1)),
        ("TCP_SWAPFAIL_MISS/200", (0, 1)),
        ("TCP_TUNNEL/200", (0, 0)),
        ("TCP_DENIED/403", (0, 0)),
        ("TCP_REDIRECT/302", (0, 0)),
        ("NONE_NONE/400", (0, 0)),
        ("UDP_HIT/000", (0, 0)),
    ],
)
def test_what_the_cache_did(result: str, cache: tuple[int, int], conn: sqlite3.Connection) -> None:
    code, _, status = result.partition("/")
    stored(conn, log(Request(result_code=code, status=int(status), size=50)))
    hits, misses, hit_bytes, miss_bytes = conn.execute(
        "SELECT hits, misses, hit_bytes, miss_bytes FROM hourly_requests"
    ).fetchone()
    assert (hits, misses) == cache
    assert (hit_bytes, miss_bytes) == (50 * hits, 50 * misses)


@pytest.mark.parametrize("rollup", rollups.ROLLUPS, ids=lambda rollup: rollup.table)
def test_a_wrong_figure_is_found_and_rebuilt(rollup: rollups.Rollup, conn: sqlite3.Connection) -> None:
    some = [
        Request(client=f"10.0.0.{number}", url=f"http://{host}/a.js", user_agent="curl/8", result_code=code, status=403)
        for number, (host, code) in enumerate([("dropbox.com", "TCP_DENIED"), ("a.test", "TCP_MISS")])
    ]
    some[0] = replace(some[0], waf=some[0].waf._replace(score=5, categories="XSS", rules="1"))
    stored(conn, log(*some, log_format="proxyweb"), Store(conn, Clock()))
    for damage in (
        f"UPDATE {rollup.table} SET requests = requests + 1",
        f"DELETE FROM {rollup.table}",
        f"UPDATE {rollup.table} SET {rollup.bucket.name} = {rollup.bucket.name} + 1",
    ):
        assert conn.execute(damage).rowcount
        assert [found.partition(":")[0] for found in rollups.differences(conn)] == [rollup.table]
        list(rollups.rebuild(conn))
        assert rollups.differences(conn) == []
