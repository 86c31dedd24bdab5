"""The dashboard's summary, by hand and held against a recount of many rows."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from proxyweb.api.dashboard import Summary
from proxyweb.db.connection import connect
from proxyweb.ingest.groups import HOUR_MS
from proxyweb.ingest.record import WafVerdict
from proxyweb.queries import dashboard
from proxyweb.queries.windows import Window, window
from tests.clients import Client
from tests.conftest import START, Clock
from tests.counted_hours import HOURS, counted_copy
from tests.ingest.factory import Request, log
from tests.ingest.importing import import_log
from tests.large_log import START as LARGE_LOG_START

HOUR, DAY = 3600, 86_400
SINCE_MIDNIGHT = 2 * HOUR + 40 * 60  # START is 02:40 UTC
DENIED: dict[str, Any] = {"result_code": "TCP_DENIED", "status": 403, "hierarchy": "HIER_NONE", "peer": "",
                          "origin_status": 0}  # fmt: skip
EMPTY: dict[str, Any] = {
    "total_requests": 0, "blocked_requests": 0, "today_requests": 0, "today_blocked": 0,
    "ip_blacklist_count": 0, "domain_blacklist_count": 0,
    "top_blocked": [], "top_clients": [], "threat_categories": [], "recent_blocks": [],
    "cache": {"hits": 0, "misses": 0, "hit_ratio": 0.0, "bytes_saved": 0},
}  # fmt: skip


def ago(seconds: int, **fields: Any) -> Request:
    return Request(time_ms=(int(START) - seconds) * 1000, **fields)


REQUESTS = (
    ago(9 * DAY, client="10.0.9.9", url="http://old.test/", waf=WafVerdict(9, "xss", "1"), **DENIED),
    ago(3 * DAY, client="10.0.9.9", url="http://files.test/x", waf=WafVerdict(9, "lfi,recon", "2"), **DENIED),
    ago(SINCE_MIDNIGHT + 1, url="http://late.test/", **DENIED),
    ago(SINCE_MIDNIGHT, url="http://early.test/", **DENIED),
    ago(HOUR, client="10.0.0.8", url="http://files.test/a", result_code="TCP_MEM_HIT", size=300),
    ago(HOUR, client="10.0.0.8", url="http://files.test/a", result_code="TCP_MEM_HIT", size=400),
    ago(HOUR, client="10.0.0.8", url="http://files.test/b", waf=WafVerdict(9, "lfi", "2")),
    ago(30, client="10.0.0.9", url="bad.test:443", method="CONNECT", **DENIED),
    ago(20, client="10.0.0.9", url="bad.test:443", method="CONNECT", **DENIED),
    ago(10, client="2001:db8::1", url="http://site.test/private", status=403, origin_status=403),
)


def feed(instance: Path, requests: Iterable[Request]) -> None:
    import_log(instance, log(*requests, log_format="proxyweb"))


@pytest.fixture
def traffic(instance: Path) -> None:
    """Ten requests over nine days, seven of them blocked."""
    feed(instance, REQUESTS)


def summary(client: Client) -> dict[str, Any]:
    answer = client.get("/api/dashboard/summary")
    assert answer.status_code == 200, answer.json
    found: dict[str, Any] = answer.json["data"]
    Summary.model_validate(found)
    return found


@pytest.mark.usefixtures("traffic")
def test_everything_the_contract_names(viewer: Client) -> None:
    found = summary(viewer)
    assert (found["total_requests"], found["blocked_requests"]) == (10, 7)
    assert (found["today_requests"], found["today_blocked"]) == (7, 4)
    assert (found["ip_blacklist_count"], found["domain_blacklist_count"]) == (0, 0)
    assert found["top_blocked"] == [
        {"dest": "bad.test", "count": 2},
        {"dest": "early.test", "count": 1},
        {"dest": "late.test", "count": 1},
        {"dest": "site.test", "count": 1},
    ]
    assert found["top_clients"] == [
        {"ip": "10.0.0.8", "count": 3},
        {"ip": "10.0.0.7", "count": 2},
        {"ip": "10.0.0.9", "count": 2},
        {"ip": "2001:db8::1", "count": 1},
    ]
    assert found["threat_categories"] == [{"category": "lfi", "count": 2}, {"category": "recon", "count": 1}]
    assert found["cache"] == {"hits": 2, "misses": 2, "hit_ratio": 0.5, "bytes_saved": 700}
    assert len(found["recent_blocks"]) == 7
    assert found["recent_blocks"][0] == {
        "timestamp": "2026-02-02 02:39:50",
        "source_ip": "2001:db8::1",
        "method": "GET",
        "destination": "http://site.test/private",
        "status": "403 Forbidden",
        "reason": "origin",
    }
    assert found["recent_blocks"][-1] == {
        "timestamp": "2026-01-24 02:40:00",
        "source_ip": "10.0.9.9",
        "method": "GET",
        "destination": "http://old.test/",
        "status": "403 TCP_DENIED",
        "reason": "waf",
    }


@pytest.mark.usefixtures("traffic")
def test_its_parts_are_what_their_own_routes_answer(viewer: Client) -> None:
    found = summary(viewer)
    assert found["waf"] == viewer.get("/api/waf/stats").json["data"]
    assert found["waf"]["total_blocked"] == 1
    assert found["timeline"] == viewer.get("/api/logs/timeline").json["data"]
    assert len(found["timeline"]) == 24
    assert found["score"] == viewer.get("/api/security/score").json["data"]


@pytest.mark.usefixtures("traffic")
def test_a_day_passes(viewer: Client, clock: Clock) -> None:
    clock.now += DAY - SINCE_MIDNIGHT
    found = summary(viewer)
    assert (found["today_requests"], found["today_blocked"]) == (0, 0)
    assert [item["count"] for item in found["top_blocked"]] == [2, 1, 1]
    clock.now += 3 * HOUR
    found = summary(viewer)
    assert (found["top_blocked"], found["top_clients"], found["cache"]) == ([], [], EMPTY["cache"])
    assert (found["total_requests"], found["blocked_requests"], len(found["recent_blocks"])) == (10, 7, 7)


def test_an_empty_log(viewer: Client) -> None:
    found = summary(viewer)
    assert {name: found[name] for name in EMPTY} == EMPTY
    assert found["waf"]["top_destinations"] == []
    assert [bucket["total"] for bucket in found["timeline"]] == [0] * 24
    assert found["score"]["max_score"] == 100


def test_lists_end_after_ten_and_leave_out_what_has_no_name(viewer: Client, instance: Path) -> None:
    nameless = [ago(5, url="error:invalid-request", **DENIED)] * 3
    feed(
        instance,
        nameless
        + [ago(9, client=f"10.0.0.{at % 12}", url=f"http://s{at % 12:02}.test/", **DENIED) for at in range(21)],
    )
    found = summary(viewer)
    assert [(item["dest"], item["count"]) for item in found["top_blocked"]] == [
        (f"s{at:02}.test", 2 if at < 9 else 1) for at in range(10)
    ]
    assert [(item["ip"], item["count"]) for item in found["top_clients"]] == [
        ("10.0.0.7", 5), *((f"10.0.0.{at}", 2) for at in (0, 1, 2, 3, 4, 5, 6, 8)), ("10.0.0.10", 1),
    ]  # fmt: skip
    assert len(found["recent_blocks"]) == 10
    assert {item["destination"] for item in found["recent_blocks"][:3]} == {"error:invalid-request"}


def test_masked_clients_are_counted_together_before_the_first_ten_are_taken(admin: Client, instance: Path) -> None:
    crowd = [ago(9, client=f"10.7.0.{at}", url="http://a.test/") for at in range(1, 31)]
    loners = [ago(9, client=f"10.{at}.1.1", url="http://a.test/", **DENIED) for at in range(20, 31) for _ in range(2)]
    feed(instance, crowd + loners)
    assert {item["count"] for item in summary(admin)["top_clients"]} == {2}
    admin.put("/api/settings/gdpr_mode", json={"value": True})
    found = summary(admin)
    assert [(item["ip"], item["count"]) for item in found["top_clients"]] == [
        ("10.7.0.x", 30), *((f"10.{at}.1.x", 2) for at in range(20, 29)),
    ]  # fmt: skip
    assert {item["source_ip"] for item in found["recent_blocks"]} <= {f"10.{at}.1.x" for at in range(20, 31)}


@pytest.mark.parametrize("name", ["window", "limit", "period"])
def test_it_takes_no_parameters(viewer: Client, name: str) -> None:
    answer = viewer.get(f"/api/dashboard/summary?{name}=7d")
    assert answer.status_code == 400
    assert [error["field"] for error in answer.json["errors"]] == [name]


def test_an_answer_holds_until_something_changes(admin: Client, instance: Path, clock: Clock) -> None:
    def status() -> tuple[int, str]:
        answer = admin.get("/api/dashboard/summary", headers={"If-None-Match": etag})
        return answer.status_code, answer.headers["ETag"]

    etag = admin.get("/api/dashboard/summary").headers["ETag"]
    clock.now += 59
    assert status()[0] == 304
    feed(instance, REQUESTS)
    changed, etag = status()
    assert changed == 200
    admin.put("/api/settings/enable_waf", json={"value": True})
    changed, etag = status()
    assert changed == 200
    assert status()[0] == 304
    clock.now += 1
    assert status()[0] == 200


# Against a recount


@pytest.fixture(scope="module", params=HOURS)
def conn(
    request: pytest.FixtureRequest, large_log: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[sqlite3.Connection]:
    counted = request.param == "hours from rollups"
    copy = counted_copy(large_log, tmp_path_factory.mktemp("counted")) if counted else connect(large_log, readonly=True)
    with closing(copy):
        yield copy


@pytest.fixture(scope="module")
def rows(conn: sqlite3.Connection) -> list[tuple[int, int, str, str, int]]:
    """`(milliseconds, id, host, client, blocked)` of the whole log."""
    return conn.execute(
        "SELECT l.time_ms, l.id, e.domain, e.client_ip, e.blocked FROM proxy_log_entries AS e"
        " JOIN proxy_logs AS l ON l.id = e.id"
    ).fetchall()


Rows = list[tuple[int, int, str, str, int]]


def _in(rows: Rows, of: Window) -> Rows:
    first, end = of.hours["first"] * HOUR_MS, (of.hours["last"] + 1) * HOUR_MS
    return [row for row in rows if first <= row[0] < end]


def _ranked(keys: Iterable[str]) -> list[tuple[str, int]]:
    return sorted(Counter(keys).items(), key=lambda pair: (-pair[1], pair[0]))


@pytest.mark.parametrize("days", [12, 6.6])
@pytest.mark.parametrize("name", ["1h", "24h", "7d", "30d", "all"])
def test_lists_equal_a_recount(conn: sqlite3.Connection, rows: Rows, name: str, days: float) -> None:
    of = window(conn, name, LARGE_LOG_START + days * DAY)
    there = _in(rows, of)
    for limit in (1, 10, 1000):
        hosts = _ranked(host for _, _, host, _, blocked in there if blocked)
        assert dashboard.top_blocked(conn, of, limit) == hosts[:limit]
        assert dashboard.top_clients(conn, of, limit, None) == _ranked(row[3] for row in there)[:limit]
    masked = _ranked(row[3][:6] for row in there)
    assert dashboard.top_clients(conn, of, 10, lambda address: address[:6]) == masked[:10]


def test_totals_and_newest_equal_a_recount(conn: sqlite3.Connection, rows: Rows) -> None:
    blocked = sorted((row for row in rows if row[4]), reverse=True)
    assert dashboard.whole_log(conn) == (len(rows), len(blocked))
    found = dashboard.newest_blocked(conn, len(blocked), 10)
    assert [(row.time_ms, row.id) for row in found] == [row[:2] for row in blocked[:10]]
    days = range(LARGE_LOG_START // DAY - 1, LARGE_LOG_START // DAY + 14)
    counted = Counter((row[0] // (DAY * 1000), row[4]) for row in rows)
    for day in days:
        assert dashboard.on_day(conn, day) == (counted[day, 0] + counted[day, 1], counted[day, 1])
    assert sum(dashboard.on_day(conn, day).requests for day in days) == len(rows)
