"""The log over HTTP: the shape of entries, filters, pages, export, figures, and clearing."""

from __future__ import annotations

import csv
import io
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest
from apiflask import APIFlask

from proxyweb.api.context import core_of
from proxyweb.api.logs import LogPage
from proxyweb.db.connection import connect
from proxyweb.ingest.importer import Importer
from proxyweb.retention import clear_all
from tests.clients import Client, basic, signed_in
from tests.conftest import ADMIN_PASSWORD, START, Clock
from tests.ingest.importing import import_log

HOUR = 3600
LINES = """\
{0}.100      7 10.0.0.1 TCP_MISS/200 286 GET http://www.site.test/a?b=1 - HIER_DIRECT/192.0.2.1 text/html
{1}.200     90 10.0.0.1 TCP_TUNNEL/200 3951 CONNECT www.site.test:443 alice HIER_DIRECT/192.0.2.1 -
{2}.300      0 10.0.0.2 TCP_DENIED/403 3900 CONNECT 192.0.2.9:443 - HIER_NONE/- text/html
{2}.400      0 10.0.0.2 TCP_DENIED/407 3950 GET http://site.test/ - HIER_NONE/- text/html
{3}.500     11 2001:db8:1:2::3 TCP_MISS/403 297 GET http://[2001:db8::9]/=1+1 - HIER_DIRECT/2001:db8::9 text/html
{3}.600      9 10.0.0.3 TCP_MISS_ABORTED/000 0 GET http://other.test/slow - HIER_DIRECT/192.0.2.3 -
{3}.700      0 10.0.0.3 NONE_NONE/400 3800 NONE error:invalid-request - HIER_NONE/- text/html
not a log line
"""


@pytest.fixture(autouse=True)
def traffic(instance: Path) -> None:
    """Seven requests within the last three hours, and one line that is none."""
    begin = int(START) - 3 * HOUR
    import_log(instance, LINES.format(begin, begin + HOUR, begin + 2 * HOUR, begin + 3 * HOUR).encode())


def entries(client: Client, query: str = "") -> list[dict[str, Any]]:
    answer = client.get(f"/api/logs?{query}")
    assert answer.status_code == 200, answer.json
    LogPage.model_validate(answer.json)
    found: list[dict[str, Any]] = answer.json["data"]
    return found


def test_an_entry_has_everything_the_contract_names(viewer: Client) -> None:
    entry = entries(viewer, "order=asc")[1]
    assert entry == {
        "id": 2,
        "timestamp": "2026-02-02 00:40:00",
        "client_ip": "10.0.0.1",
        "method": "CONNECT",
        "destination": "www.site.test:443",
        "status": "200 Connection established",
        "bytes": 3951,
        "status_code": 200,
        "result_code": "TCP_TUNNEL",
        "blocked": False,
        "reason": None,
        "domain": "www.site.test",
        "elapsed_ms": 90,
        "user": "alice",
        "content_type": None,
        "user_agent": None,
        "waf": None,
    }


def test_status_texts_and_reasons(viewer: Client) -> None:
    found = [(entry["status"], entry["blocked"], entry["reason"]) for entry in entries(viewer, "order=asc")]
    assert found == [
        ("200 OK", False, None),
        ("200 Connection established", False, None),
        ("403 TCP_DENIED", True, "policy"),
        ("407 TCP_DENIED", False, "auth"),
        ("403 Forbidden", True, "origin"),
        ("000 TCP_MISS_ABORTED", False, None),
        ("400 NONE_NONE", False, None),
    ]


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("", [7, 6, 5, 4, 3, 2, 1]),
        ("search=SITE.TEST/a", [1]),
        ("client=10.0.0.0/31", [2, 1]),
        ("client=2001:0db8:1:2:0:0:0:3", [5]),
        ("domain=site.test", [4, 2, 1]),
        ("domain=SITE.test.", [4, 2, 1]),
        ("method=connect", [3, 2]),
        ("status=403", [5, 3]),
        ("status=4xx", [7, 5, 4, 3]),
        ("status=TCP_DENIED", [4, 3]),
        ("status=000", [6]),
        ("blocked=true", [5, 3]),
        ("blocked=false&client=10.0.0.2", [4]),
        ("reason=auth", [4]),
        ("user=alice", [2]),
        ("since=-90m", [7, 6, 5, 4, 3]),
        ("until=-150m", [1]),
        ("after_id=5", [7, 6]),
        ("after_id=7", []),
        ("sort=bytes&limit=2", [2, 4]),
        ("sort=source_ip&order=asc&limit=2", [1, 2]),
        ("offset=5", [2, 1]),
        ("_=1755", [7, 6, 5, 4, 3, 2, 1]),
    ],
)
def test_filters_and_orders(viewer: Client, query: str, ids: list[int]) -> None:
    assert [entry["id"] for entry in entries(viewer, query)] == ids


def test_next_leads_through_all_pages(viewer: Client) -> None:
    seen, cursor = [], ""
    while True:
        page = viewer.get(f"/api/logs?limit=3&sort=destination{cursor}").json
        assert page["total"] == 7
        seen += [entry["id"] for entry in page["data"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert sorted(seen) == [1, 2, 3, 4, 5, 6, 7]


@pytest.fixture
def long_urls(instance: Path) -> Path:
    """A log with three URLs of 7,000 characters that differ in the last one."""
    line = "{}.000 7 10.0.0.9 TCP_MISS/200 286 GET http://a.test/{}{} - HIER_DIRECT/192.0.2.1 text/html\n"
    lines = (line.format(int(START) - 60, "x" * 7000, number) for number in range(3))
    import_log(instance, "".join(lines).encode(), "long.log")
    return instance


def test_next_leads_through_long_urls(viewer: Client, long_urls: Path) -> None:
    whole = [entry["id"] for entry in entries(viewer, "sort=destination")]
    seen: list[int] = []
    cursor = ""
    for _ in whole:
        page = viewer.get(f"/api/logs?limit=1&sort=destination{cursor}").json
        seen += [entry["id"] for entry in page["data"]]
        assert len(page["next"] or "") < 1500
        cursor = f"&cursor={page['next']}"
    assert seen == whole
    assert len(whole) == 10


def test_a_long_url_that_was_deleted_leads_nowhere(viewer: Client, long_urls: Path) -> None:
    cursor = viewer.get("/api/logs?limit=1&sort=destination&client=10.0.0.9").json["next"]
    with closing(connect(long_urls / "proxyweb.sqlite")) as conn:
        clear_all(conn)
    refused = viewer.get(f"/api/logs?sort=destination&client=10.0.0.9&cursor={cursor}")
    assert (refused.status_code, refused.json["errors"][0]["field"]) == (400, "cursor")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=ten", "limit"),
        ("limit=1e2", "limit"),
        ("limit=", "limit"),
        ("limit=5&limit=6", "limit"),
        ("offset=-1", "offset"),
        ("offset=9223372036854775808", "offset"),
        ("sort=size", "sort"),
        ("sort=id;DROP TABLE users", "sort"),
        ("order=down", "order"),
        ("blocked=1", "blocked"),
        ("reason=because", "reason"),
        ("status=40", "status"),
        ("status=4x", "status"),
        ("status=%27", "status"),
        ("since=yesterday", "since"),
        ("since=-1h&until=-2h", "until"),
        ("after_id=-1", "after_id"),
        ("cursor=", "cursor"),
        ("cursor=nonsense", "cursor"),
        ("cursor=W10", "cursor"),
        ("cursor=WyJieXRlcyIsImRlc2MiLDEsMV0", "cursor"),
        ("page=2", "page"),
        ("search=" + "x" * 2001, "search"),
        ("client=", "client"),
    ],
)
def test_a_wrong_parameter_is_named(viewer: Client, query: str, field: str) -> None:
    answer = viewer.get(f"/api/logs?{query}")
    assert answer.status_code == 400
    assert [error["field"] for error in answer.json["errors"]] == [field]


def test_cursor_and_offset_exclude_each_other(viewer: Client) -> None:
    cursor = viewer.get("/api/logs?limit=1").json["next"]
    assert viewer.get(f"/api/logs?offset=1&cursor={cursor}").status_code == 400


def test_stats(viewer: Client) -> None:
    figures = viewer.get("/api/logs/stats").json["data"]
    assert figures.pop("last_import")
    assert figures == {
        "total_count": 7,
        "blocked_count": 2,
        "ip_blocks_count": 2,
        "blocked_by": {"policy": 1, "waf": 0, "origin": 1, "terminated": 0},
        "auth_challenges": 1,
        "first_timestamp": "2026-02-01 23:40:00",
        "last_timestamp": "2026-02-02 02:40:00",
        "rejected_lines": 1,
    }


def test_timeline_has_every_hour_and_ends_with_the_current_one(viewer: Client, clock: Clock) -> None:
    buckets = viewer.get("/api/logs/timeline?hours=5").json["data"]
    assert [(bucket["time"][11:], bucket["total"], bucket["blocked"]) for bucket in buckets] == [
        ("22:00:00", 0, 0),
        ("23:00:00", 1, 0),
        ("00:00:00", 1, 0),
        ("01:00:00", 2, 1),
        ("02:00:00", 3, 1),
    ]
    assert sum(bucket["bytes"] for bucket in buckets) == 286 + 3951 + 3900 + 3950 + 297 + 3800
    clock.now += HOUR
    assert viewer.get("/api/logs/timeline?hours=1").json["data"][0]["total"] == 0


def test_an_empty_log_is_zeros_and_empty_lists(admin: Client) -> None:
    admin.post("/api/logs/clear")
    assert admin.get("/api/logs").json == {
        "status": "success", "data": [], "total": 0, "limit": 100, "offset": 0, "next": None,
    }  # fmt: skip
    figures = admin.get("/api/logs/stats").json["data"]
    assert (figures["total_count"], figures["first_timestamp"], figures["rejected_lines"]) == (0, None, 0)
    assert len(admin.get("/api/logs/timeline?hours=720").json["data"]) == 720


def test_export_csv_is_all_of_it_and_no_formula(viewer: Client) -> None:
    answer = viewer.get("/api/logs/export?format=csv&status=4xx")
    assert answer.headers["Content-Disposition"].startswith("attachment; filename=")
    rows = list(csv.DictReader(io.StringIO(answer.get_data(as_text=True))))
    assert [row["id"] for row in rows] == ["7", "5", "4", "3"]
    assert rows[1]["destination"] == "http://[2001:db8::9]/=1+1"
    assert rows[1]["blocked"] == "true"


def test_a_cell_that_a_spreadsheet_would_run_is_made_harmless(viewer: Client, instance: Path) -> None:
    line = f"{int(START)}.000 1 10.0.0.1 TCP_MISS/200 1 GET =cmd|'/c_calc'!A1 @SUM HIER_DIRECT/192.0.2.1 +text\n"
    import_log(instance, line.encode() * 2, "formula.log")
    row = next(csv.DictReader(io.StringIO(viewer.get("/api/logs/export?client=10.0.0.1").get_data(as_text=True))))
    assert (row["destination"], row["user"], row["content_type"]) == ("'=cmd|'/c_calc'!A1", "'@SUM", "'+text")


def test_an_export_is_in_the_audit_log_and_names_nobody(viewer: Client) -> None:
    viewer.get("/api/logs/export?format=ndjson&status=4xx&client=10.0.0.1&user=bob").get_data(as_text=True)
    viewer.head("/api/logs/export")
    (entry,) = viewer.get("/api/audit-log").json["data"]
    assert (entry["username"], entry["action"], entry["target"]) == ("viewer", "logs exported", "ndjson")
    assert entry["details"] == "by client, status 4xx, user"


def test_export_ndjson_is_what_the_list_shows(viewer: Client) -> None:
    answer = viewer.get("/api/logs/export?format=ndjson&domain=site.test")
    assert [orjson.loads(line) for line in answer.data.splitlines()] == entries(viewer, "domain=site.test")


def test_clear_deletes_everything_once_and_is_audited(admin: Client, viewer: Client, instance: Path) -> None:
    assert viewer.post("/api/logs/clear").status_code == 403
    assert admin.post("/api/logs/clear").json == {"status": "success", "message": "All logs cleared", "deleted": 7}
    assert admin.post("/api/logs/clear").json["deleted"] == 0
    with closing(connect(instance / "proxyweb.sqlite")) as conn:
        assert Importer(conn, parallel=False).import_file(instance / "traffic.log").rows == 0
    assert "logs cleared" in [entry["action"] for entry in admin.get("/api/audit-log").json["data"]]


def test_clear_old_keeps_what_is_within_the_retention(admin: Client, clock: Clock) -> None:
    assert admin.post("/api/logs/clear-old").json == {"status": "success", "message": "Cleared old logs", "deleted": 0}
    clock.now += 30 * 86_400 - 90 * 60
    assert admin.post("/api/logs/clear-old").json["deleted"] == 2
    assert [entry["id"] for entry in entries(admin)] == [7, 6, 5, 4, 3]


def test_masked_addresses_and_users(admin: Client, viewer: Client) -> None:
    admin.put("/api/settings/gdpr_mode", json={"value": True})
    found = entries(viewer, "order=asc")
    assert found[0]["client_ip"] == "10.0.0.x"
    assert found[4]["client_ip"] == "2001:db8:1::x"
    pseudonym = found[1]["user"]
    assert pseudonym.startswith("user-")
    assert [entry["id"] for entry in entries(viewer, f"user={pseudonym}")] == [2]
    assert len(entries(viewer, "client=10.0.0.x")) == 6
    for whole in ("client=10.0.0.1", "client=10.0.0.0/30", "client=2001:db8:1:2::3", "user=alice"):
        assert viewer.get(f"/api/logs?{whole}").status_code == 400
    ordered = [entry["id"] for entry in entries(viewer, "sort=client_ip&order=asc")]
    assert ordered == [1, 2, 3, 4, 6, 7, 5]
    assert "10.0.0.1" not in viewer.get("/api/logs/export").get_data(as_text=True)


def test_a_read_that_changed_nothing_is_not_sent_again(viewer: Client, instance: Path) -> None:
    first = viewer.get("/api/logs")
    again = viewer.get("/api/logs", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304
    with closing(sqlite3.connect(instance / "proxyweb.sqlite")) as conn, conn:
        conn.execute("UPDATE counters SET value = value + 1 WHERE name = 'logs'")
    assert viewer.get("/api/logs", headers={"If-None-Match": first.headers["ETag"]}).status_code == 200


def test_half_of_the_threads_may_export_at_once(make_app: Callable[..., APIFlask]) -> None:
    """Whoever comes then is told when to come again; and each gives its place free, however it ends."""
    app = make_app(THREADS="4")
    admin, under_way = signed_in(app, basic("admin", ADMIN_PASSWORD)), core_of(app).under_way
    with under_way.export():
        with under_way.export():
            refused = admin.get("/api/logs/export")
            assert (refused.status_code, refused.headers["Retry-After"]) == (503, "2")
            assert admin.get("/api/logs").status_code == 200
        for ask, address, status in (
            (admin.get, "/api/logs/export", 200),
            (admin.head, "/api/logs/export", 200),
            (admin.get, "/api/logs/export?since=nonsense", 400),
            (admin.get, "/api/logs/export?format=ndjson", 200),
        ):
            with ask(address) as answer:
                assert (answer.status_code, bool(answer.data)) == (status, ask == admin.get)
