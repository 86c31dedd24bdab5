"""What the WAF inspected and blocked, by hand and held against a recount of many rows; and its categories switched."""

from __future__ import annotations

import random
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask

from proxyweb.api.waf import WafCategory, WafStats
from proxyweb.db.connection import connect
from proxyweb.db.database import generation
from proxyweb.ingest.entropy import entropy_of
from proxyweb.ingest.groups import HOUR_MS
from proxyweb.ingest.importer import Importer
from proxyweb.ingest.record import WafVerdict
from proxyweb.queries import waf
from proxyweb.queries.windows import Window, window
from proxyweb.waf.rules import load
from tests.clients import Client, basic, signed_in
from tests.conftest import ADMIN_PASSWORD, START, Clock
from tests.ingest.factory import Request, log, new_database
from tests.ingest.importing import import_log

MINUTE, HOUR, DAY = 60, 3600, 86_400
WINDOWS = ("1h", "24h", "7d", "30d", "all")
DENIED: dict[str, Any] = {"result_code": "TCP_DENIED", "status": 403, "hierarchy": "HIER_NONE", "peer": "",
                          "origin_status": 0}  # fmt: skip
NAMES = [category.name for category in load()]
RULES = sum(len(category.rules) for category in load())
ZEROS = {
    "rules": RULES, "rules_enabled": RULES, "categories": len(NAMES), "categories_enabled": len(NAMES),
    "total_requests": 0, "total_blocked": 0,
    "block_rate_pct": 0.0, "avg_url_entropy": 0.0, "high_entropy_count": 0, "requests_last_minute": 0,
    "top_blocked_categories": [], "top_destinations": [], "top_user_agents": [],
}  # fmt: skip


def ago(seconds: int, **fields: Any) -> Request:
    return Request(time_ms=(int(START) - seconds) * 1000, **fields)


REQUESTS = (
    ago(20 * DAY, url="http://old.test/", waf=WafVerdict(9, "xss,xss", "941100"), **DENIED),
    ago(3 * DAY, url="http://files.test/../etc", waf=WafVerdict(9, "lfi", "930100"), **DENIED),
    ago(5 * HOUR, url="http://files.test/a", waf=WafVerdict(3, "lfi", "930110"), user_agent="curl/8"),
    ago(2 * HOUR, url="http://files.test/b", waf=WafVerdict(2, "", "900000"), user_agent="curl/8"),
    ago(30 * MINUTE, url="shop.test:443", method="CONNECT", waf=WafVerdict(20, "sqli,xss", "942100"),
        user_agent="sqlmap/1.7", **DENIED),
    ago(61, url="http://shop.test/", waf=WafVerdict(15, "sqli", "942100"), user_agent="sqlmap/1.7", **DENIED),
    ago(60, url="http://shop.test/", waf=WafVerdict(15, "sqli", "942100"), user_agent="curl/8", **DENIED),
    ago(10, url="http://forbidden.test/", user_agent="curl/8", **DENIED),
    ago(10, url="http://fine.test/", user_agent="curl/8"),
)  # fmt: skip


@pytest.fixture
def traffic(instance: Path) -> None:
    """Seven verdicts in three weeks, five of them with a block; and two requests without one."""
    feed(instance, *REQUESTS)


def feed(instance: Path, *requests: Request) -> None:
    import_log(instance, log(*requests, log_format="proxyweb"))


def stats(client: Client, query: str = "") -> dict[str, Any]:
    answer = client.get(f"/api/waf/stats{query}")
    assert answer.status_code == 200, answer.json
    found: dict[str, Any] = answer.json["data"]
    WafStats.model_validate(found)
    return found


def listed(counts: list[dict[str, Any]]) -> list[tuple[str, int]]:
    return [(item["key"], item["count"]) for item in counts]


@pytest.mark.usefixtures("traffic")
def test_stats_of_a_week(viewer: Client) -> None:
    found = stats(viewer)
    assert found == ZEROS | {
        "total_requests": 6,
        "total_blocked": 4,
        "block_rate_pct": 66.67,
        "avg_url_entropy": 3.2,
        "requests_last_minute": 1,
        "top_blocked_categories": [
            {"key": "sqli", "count": 3},
            {"key": "lfi", "count": 1},
            {"key": "xss", "count": 1},
        ],
        "top_destinations": [{"key": "shop.test", "count": 3}, {"key": "files.test", "count": 1}],
        "top_user_agents": [{"key": "sqlmap/1.7", "count": 2}, {"key": "curl/8", "count": 1}],
        "since": "2026-01-26 00:00:00",
        "until": "2026-02-02 02:40:00",
    }
    assert stats(viewer, "?window=7d") == found


@pytest.mark.usefixtures("traffic")
@pytest.mark.parametrize(
    ("name", "inspected", "blocked", "rate", "since"),
    [
        ("1h", 3, 3, 100.0, "2026-02-02 01:00:00"),
        ("24h", 5, 3, 60.0, "2026-02-01 02:00:00"),
        ("7d", 6, 4, 66.67, "2026-01-26 00:00:00"),
        ("30d", 7, 5, 71.43, "2026-01-03 00:00:00"),
        ("all", 7, 5, 71.43, "2026-01-13 00:00:00"),
    ],
)
def test_stats_of_every_window(
    viewer: Client, name: str, inspected: int, blocked: int, rate: float, since: str
) -> None:
    found = stats(viewer, f"?window={name}")
    assert (found["total_requests"], found["total_blocked"], found["block_rate_pct"]) == (inspected, blocked, rate)
    assert found["since"] == since
    assert sum(count for _, count in listed(found["top_destinations"])) == blocked
    assert (("old.test", 1) in listed(found["top_destinations"])) == (name in ("30d", "all"))
    assert ("xss", 2 if name in ("30d", "all") else 1) in listed(found["top_blocked_categories"])


@pytest.mark.usefixtures("traffic")
def test_the_last_minute_is_a_full_one(viewer: Client, clock: Clock) -> None:
    clock.now += 59
    assert stats(viewer)["requests_last_minute"] == 1
    clock.now += 1
    assert stats(viewer)["requests_last_minute"] == 0
    clock.now -= 2 * MINUTE
    assert stats(viewer)["requests_last_minute"] == 1


def categories(client: Client, query: str = "") -> list[dict[str, Any]]:
    answer = client.get(f"/api/waf/categories{query}")
    assert answer.status_code == 200, answer.json
    found: list[dict[str, Any]] = answer.json["data"]
    for category in found:
        WafCategory.model_validate(category, strict=True)
    return found


@pytest.mark.usefixtures("traffic")
def test_categories_that_only_the_log_knows_come_last(viewer: Client) -> None:
    found = categories(viewer)
    assert [it["name"] for it in found] == [*NAMES, "sqli", "lfi", "xss"]
    assert found[len(NAMES)] == {
        "name": "sqli", "rules": 0, "enabled": False, "description": "", "matches": 3, "blocked": 3,
    }  # fmt: skip
    assert [(it["matches"], it["blocked"]) for it in found[-2:]] == [(2, 1), (1, 1)]
    headers = viewer.get("/api/waf/categories").headers
    assert headers["X-Window-Since"] == "2026-01-26 00:00:00"
    assert headers["X-Window-Until"] == "2026-02-02 02:40:00"
    recent = categories(viewer, "?window=1h")[len(NAMES) :]
    assert [(it["name"], it["matches"]) for it in recent] == [("sqli", 3), ("xss", 1)]


def test_categories_with_most_matches_come_first(viewer: Client, instance: Path) -> None:
    verdicts = ("XXE,SSRF", "SSRF", "DGA", "gone")
    feed(instance, *(ago(number, waf=WafVerdict(9, listed, "x")) for number, listed in enumerate(verdicts)))
    found = categories(viewer)
    assert [(it["name"], it["matches"]) for it in found[:4]] == [("SSRF", 2), ("DGA", 1), ("XXE", 1), (NAMES[0], 0)]
    assert (found[-1]["name"], len(found)) == ("gone", len(NAMES) + 1)
    described = {category.name: category for category in load()}
    for it in found[:-1]:
        assert it["enabled"]
        assert it["rules"] == len(described[it["name"]].rules) > 0
        assert it["description"].split() == described[it["name"]].description.split()
        assert "\n" not in it["description"]


@pytest.mark.usefixtures("traffic")
def test_masking_changes_nothing(admin: Client) -> None:
    before = stats(admin), admin.get("/api/waf/categories").json
    admin.put("/api/settings/gdpr_mode", json={"value": True})
    assert (stats(admin), admin.get("/api/waf/categories").json) == before


def test_lists_end_after_ten(viewer: Client, instance: Path) -> None:
    attacks = [
        ago(5, url=f"http://site{number:02}.test/", user_agent=f"a{number:02}", waf=WafVerdict(9, f"c{number:02}", ""),
            **DENIED)
        for number in (*range(12), 11)
    ]  # fmt: skip
    feed(instance, *attacks)
    found = stats(viewer)
    for name, letter in (("top_blocked_categories", "c{}"), ("top_destinations", "site{}.test"),
                         ("top_user_agents", "a{}")):  # fmt: skip
        ranked = [(letter.format("11"), 2), *((letter.format(f"0{number}"), 1) for number in range(9))]
        assert listed(found[name]) == ranked
    assert len(categories(viewer)) == len(NAMES) + 12


def test_an_empty_log_is_zeros_and_empty_lists(viewer: Client) -> None:
    for name in WINDOWS:
        found = stats(viewer, f"?window={name}")
        del found["since"], found["until"]
        assert found == ZEROS
        assert [(it["name"], it["matches"], it["blocked"]) for it in categories(viewer, f"?window={name}")] == [
            (category, 0, 0) for category in NAMES
        ]


@pytest.mark.parametrize("path", ["/api/waf/stats", "/api/waf/categories"])
@pytest.mark.parametrize("query", ["window=2d", "window=", "window=7d&window=1h", "limit=5"])
def test_a_wrong_parameter_is_named(viewer: Client, path: str, query: str) -> None:
    answer = viewer.get(f"{path}?{query}")
    assert answer.status_code == 400
    assert [error["field"] for error in answer.json["errors"]] == [query.partition("=")[0]]


@pytest.mark.usefixtures("traffic")
def test_an_answer_is_kept_for_a_minute(viewer: Client, clock: Clock) -> None:
    etag = viewer.get("/api/waf/stats").headers["ETag"]
    assert viewer.get("/api/waf/stats", headers={"If-None-Match": etag}).status_code == 304
    clock.now += 60
    assert viewer.get("/api/waf/stats", headers={"If-None-Match": etag}).status_code == 200


# Switching categories


def switch(client: Client, category: object, enabled: object) -> Any:
    return client.post("/api/waf/categories/toggle", json={"category": category, "enabled": enabled})


def settings_changed(instance: Path) -> int:
    with closing(connect(instance / "proxyweb.sqlite", readonly=True)) as conn:
        return generation(conn, "settings")


def test_a_category_is_switched_shown_and_audited_once(admin: Client, viewer: Client, instance: Path) -> None:
    before = stats(viewer)
    count = next(len(category.rules) for category in load() if category.name == "DGA")
    changes = settings_changed(instance)
    for _ in range(2):
        answer = switch(admin, "DGA", False)
        assert answer.status_code == 200
        assert answer.json == {"status": "success", "message": "DGA is off.", "category": "DGA", "enabled": False}
    assert settings_changed(instance) == changes + 1
    assert stats(viewer) == before | {"rules_enabled": RULES - count, "categories_enabled": len(NAMES) - 1}
    assert [it["name"] for it in categories(viewer) if not it["enabled"]] == ["DGA"]
    assert viewer.get("/api/dashboard/summary").json["data"]["waf"] == stats(viewer)
    assert switch(admin, "DGA", "true").json["enabled"] is True
    assert stats(viewer) == before
    assert all(it["enabled"] for it in categories(viewer))
    entries = viewer.get("/api/audit-log").json["data"]
    assert [(entry["action"], entry["target"], entry["details"]) for entry in entries] == [
        ("WAF category switched", "DGA", "off → on"),
        ("WAF category switched", "DGA", "on → off"),
    ]
    assert (entries[0]["username"], entries[0]["source_ip"]) == ("admin", "127.0.0.1")


def test_a_category_that_is_off_costs_points(admin: Client, viewer: Client) -> None:
    admin.put("/api/settings/enable_waf", json={"value": True})
    assert viewer.get("/api/security/score").json["data"]["score"] == 30
    switch(admin, "DGA", False)
    found = viewer.get("/api/security/score").json["data"]
    assert found["score"] == 5 + 25 * (len(NAMES) - 1) // len(NAMES)
    assert "Enable the WAF category DGA." in found["recommendations"]


def test_who_may_switch_and_what_is_refused(admin: Client, viewer: Client, instance: Path) -> None:
    changes = settings_changed(instance)
    assert switch(viewer, "DGA", False).status_code == 403
    for unknown in ("NOPE", "dga", "", "DGA "):
        answer = switch(admin, unknown, False)
        assert (answer.status_code, "/api/waf/categories" in answer.json["detail"]) == (404, True)
    for category, enabled, field in (("DGA", "no", "enabled"), ("DGA", None, "enabled"), (3, True, "category")):
        answer = switch(admin, category, enabled)
        assert (answer.status_code, answer.json["errors"][0]["field"]) == (400, field)
    assert admin.post("/api/waf/categories/toggle", json={"category": "DGA"}).status_code == 400
    assert admin.get("/api/audit-log").json["data"] == []
    assert settings_changed(instance) == changes


OWN = """
[[rules]]
id = "old-shop"
category = "{}"
targets = ["path"]
pattern = '^/shop1/.*\\.do$'
"""


def test_rules_of_the_owner_count(instance: Path, make_app: Callable[..., APIFlask]) -> None:
    (instance / "waf_rules.toml").write_text(OWN.format("OUR_SHOP"))
    admin = signed_in(make_app(), basic("admin", ADMIN_PASSWORD))
    assert {"rules": RULES + 1, "categories": len(NAMES) + 1}.items() <= stats(admin).items()
    assert {it["name"]: it["rules"] for it in categories(admin)}["OUR_SHOP"] == 1
    assert switch(admin, "OUR_SHOP", False).status_code == 200
    assert stats(admin)["rules_enabled"] == RULES


def test_without_a_sound_file_of_the_owner_there_are_the_others(
    instance: Path, make_app: Callable[..., APIFlask], caplog: pytest.LogCaptureFixture
) -> None:
    (instance / "waf_rules.toml").write_text(OWN.format("no category"))
    admin = signed_in(make_app(), basic("admin", ADMIN_PASSWORD))
    for _ in range(2):
        assert stats(admin)["rules"] == RULES
        assert [it["name"] for it in categories(admin)] == NAMES
    assert [record.message.partition(":")[0] for record in caplog.records] == ["only the built-in rules are listed"]


# Against a recount

ROWS = 70_000
DAYS = 12


@pytest.fixture(scope="module")
def attacks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    """A full segment of ids and an open one over twelve days, one request in nine with a verdict."""
    folder = tmp_path_factory.mktemp("attacks")
    path = folder / "access.log"
    path.write_text("".join(_lines(random.Random(3))))
    with closing(new_database(folder / "proxyweb.sqlite")) as conn:
        Importer(conn, parallel=False).import_file(path)
        yield conn


def _lines(choose: random.Random) -> Iterator[str]:
    verdicts = ("sqli 15 942100", "sqli,xss 20 942100,941100", "lfi 5 930100", "- 2 900000", "xss 9 941100")
    results = ("TCP_DENIED/403", "TCP_DENIED/403", "TCP_MISS/200", "TCP_MISS/403", "TCP_DENIED/407")
    step = DAYS * DAY / ROWS
    for number in range(ROWS):
        moment = START + number * step - choose.random() * 3000
        verdict = "- - -" if choose.random() < 8 / 9 else choose.choice(verdicts)
        yield (
            f"{moment:.3f} 7 10.0.0.{number % 250} {choose.choice(results)} 512 GET"
            f" http://{choose.choice('abcdefghijklmno')}.test/ - HIER_NONE/- text/html pw1 1 -"
            f" {choose.choice(('-', 'curl/8', 'sqlmap/1.7', 'x', 'y'))} - - - {verdict}\n"
        )


def _rows(conn: sqlite3.Connection, of: Window) -> list[sqlite3.Row]:
    """The rows with a verdict in the window's hours, whole."""
    cursor = conn.cursor()
    cursor.row_factory = sqlite3.Row
    first, last = of.hours["first"] * HOUR_MS, (of.hours["last"] + 1) * HOUR_MS
    return cursor.execute(
        "SELECT e.*, l.time_ms FROM proxy_log_entries AS e JOIN proxy_logs AS l ON l.id = e.id"
        " WHERE l.waf_id > 0 AND l.time_ms >= ? AND l.time_ms < ?",
        (first, last),
    ).fetchall()


def _ranked(keys: Iterator[str | None]) -> list[tuple[str, int]]:
    counts = Counter(key for key in keys if key)
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))


@pytest.mark.parametrize("days", [DAYS, 7.3, 0.02, -2])
@pytest.mark.parametrize("name", WINDOWS)
def test_figures_equal_a_recount(attacks: sqlite3.Connection, name: str, days: float) -> None:
    now = START + days * DAY
    of = window(attacks, name, now)
    rows = _rows(attacks, of)
    blocked = [row for row in rows if row["reason"] == "waf"]
    entropies = [entropy_of(row["destination"]) for row in rows]
    mean, high = sum(entropies) / 1000 / len(rows) if rows else 0.0, sum(one > 5500 for one in entropies)
    assert waf.totals(attacks, of) == (len(rows), len(blocked), mean, high)
    matches = _ranked(key for row in rows for key in (row["waf_categories"] or "").split(","))
    refused = Counter(key for row in blocked for key in (row["waf_categories"] or "").split(","))
    assert waf.categories(attacks, of) == [(name, count, refused[name]) for name, count in matches]
    top = waf.top_blocked(attacks, of, 10)
    assert top.destinations == _ranked(row["domain"] for row in blocked)[:10]
    assert top.agents == _ranked(row["user_agent"] for row in blocked)[:10]
    assert top.categories == _ranked(key for row in blocked for key in (row["waf_categories"] or "").split(","))[:10]
    if days > 0:
        assert blocked
        assert len(blocked) < len(rows)
        until = of.until_ms
        assert waf.in_last_minute(attacks, until) == sum(until - 60_000 <= row["time_ms"] < until for row in rows)
