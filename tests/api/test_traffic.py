"""Traffic over time, hosts and the cache over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from proxyweb.api.traffic import CacheStatistics, DomainStatistics, TrafficStatistics
from tests.api.figures import figures
from tests.clients import Client
from tests.conftest import START, Clock
from tests.ingest.factory import Request
from tests.ingest.importing import import_log

MINUTE, HOUR, DAY = 60, 3600, 86_400
NOW = "2026-02-02 02:40:00"
PERIODS = ("hour", "day", "week", "month")
WINDOWS = ("1h", "24h", "7d", "30d", "all")


def asked(ago: float, url: str = "http://a.test/", size: int = 1000, result_code: str = "TCP_MISS") -> Request:
    """A request so many seconds before now."""
    return Request(int((START - ago) * 1000), url=url, size=size, result_code=result_code, bytes_in=0)


def denied(ago: float, url: str) -> Request:
    return Request(
        int((START - ago) * 1000), result_code="TCP_DENIED", status=403, size=300, url=url, hierarchy="HIER_NONE",
        peer="", origin_status=0, bytes_in=0,
    )  # fmt: skip


REQUESTS = [
    asked(40 * DAY, "http://old.test/"),
    asked(20 * DAY, size=20),
    asked(5 * DAY, size=5),
    asked(5 * DAY, "http://b.test/", size=7, result_code="TCP_MEM_HIT"),
    asked(22 * HOUR, size=22),
    denied(3 * HOUR, "http://bad.test/"),
    denied(3 * HOUR, "http://b.test/"),
    asked(30 * MINUTE, result_code="TCP_HIT", size=3000),
    asked(3 * MINUTE),
    asked(2 * MINUTE, "http://c.test/"),
    denied(MINUTE, "error:invalid-request"),
]


def imported(instance: Path, requests: list[Request], log_format: str = "native") -> None:
    assert import_log(instance, b"".join(request.line(log_format) + b"\n" for request in requests)).rejected == 0


@pytest.fixture
def log(instance: Path) -> None:
    imported(instance, REQUESTS)


def chart(client: Client, query: str = "") -> dict[str, Any]:
    answer = client.get(f"/api/traffic/statistics?{query}")
    assert answer.status_code == 200, answer.json
    data: dict[str, Any] = answer.json["data"]
    TrafficStatistics.model_validate(data, strict=True)
    return data


def domains(client: Client, query: str = "") -> list[tuple[str, int, int, int, str]]:
    answer = client.get(f"/api/domains/statistics?{query}")
    assert answer.status_code == 200, answer.json
    for row in answer.json["data"]:
        DomainStatistics.model_validate(row, strict=True)
    return [figures(row) for row in answer.json["data"]]


def cache(client: Client, query: str = "") -> dict[str, Any]:
    answer = client.get(f"/api/cache/statistics?{query}")
    assert answer.status_code == 200, answer.json
    data: dict[str, Any] = answer.json["data"]
    CacheStatistics.model_validate(data, strict=True)
    return data


@pytest.mark.parametrize(
    ("period", "labels", "requests", "blocked", "inbound"),
    [
        ("hour", ("2026-02-02 01:45:00", NOW), {5: 1, 11: 0, 10: 3}, {10: 1}, {5: 3000, 10: 2300}),
        ("day", ("2026-02-01 03:00:00", "2026-02-02 02:00:00"), {1: 1, 20: 2, 23: 4}, {20: 2, 23: 1},
         {1: 22, 20: 600, 23: 5300}),
        ("week", ("2026-01-27 00:00:00", "2026-02-02 00:00:00"), {1: 2, 5: 3, 6: 4}, {5: 2, 6: 1},
         {1: 12, 5: 622, 6: 5300}),
        ("month", ("2026-01-04 00:00:00", "2026-02-02 00:00:00"), {9: 1, 24: 2, 28: 3, 29: 4}, {28: 2, 29: 1},
         {9: 20, 24: 12, 28: 622, 29: 5300}),
    ],
)  # fmt: skip
def test_every_bucket_of_a_period(
    viewer: Client, log: None, period: str, labels: tuple[str, str], requests: dict[int, int],
    blocked: dict[int, int], inbound: dict[int, int],
) -> None:  # fmt: skip
    found = chart(viewer, f"period={period}")
    count = {"hour": 12, "day": 24, "week": 7, "month": 30}[period]
    assert (found["labels"][0], found["labels"][-1]) == labels
    assert len(set(found["labels"])) == count
    for name, counts in {"requests": requests, "blocked": blocked, "inbound": inbound, "outbound": {}}.items():
        assert found[name] == [counts.get(at, 0) for at in range(count)], name
    assert (found["period"], found["since"], found["until"]) == (period, labels[0], NOW)
    assert found["outbound_known"] is False


def test_a_period_is_a_day_when_it_is_not_said(viewer: Client, log: None) -> None:
    assert chart(viewer) == chart(viewer, "period=day")


def test_bytes_from_clients_where_the_format_has_them(viewer: Client, instance: Path, clock: Clock) -> None:
    requests = [Request(int((START - ago) * 1000), bytes_in=size) for ago, size in ((HOUR, 70), (1, 30), (2 * DAY, 5))]
    imported(instance, requests, "proxyweb")
    found = chart(viewer, "period=day")
    assert (found["outbound"][-2:], sum(found["outbound"]), found["outbound_known"]) == ([70, 30], 100, True)
    assert chart(viewer, "period=week")["outbound"][-3:] == [5, 0, 100]
    assert chart(viewer, "period=hour")["outbound_known"] is True
    clock.now += DAY + HOUR
    assert chart(viewer, "period=hour")["outbound_known"] is False


def test_the_last_bucket_is_the_current_one(viewer: Client, log: None, clock: Clock) -> None:
    clock.now += 4 * MINUTE + 59
    assert chart(viewer, "period=hour")["labels"][-1] == NOW
    clock.now += MINUTE
    assert chart(viewer, "period=hour")["labels"][-1] == "2026-02-02 02:45:00"


def test_hosts_most_asked_for(viewer: Client, log: None) -> None:
    assert domains(viewer) == [
        ("a.test", 4, 0, 4027, "Allowed"),
        ("b.test", 2, 1, 307, "Allowed"),
        ("bad.test", 1, 1, 300, "Blocked"),
        ("c.test", 1, 0, 1000, "Allowed"),
    ]


@pytest.mark.parametrize(
    ("window", "found", "since"),
    [
        ("1h", {"a.test": 2, "c.test": 1}, "2026-02-02 01:00:00"),
        ("24h", {"a.test": 3, "b.test": 1, "bad.test": 1, "c.test": 1}, "2026-02-01 02:00:00"),
        ("7d", {"a.test": 4, "b.test": 2, "bad.test": 1, "c.test": 1}, "2026-01-26 00:00:00"),
        ("30d", {"a.test": 5, "b.test": 2, "bad.test": 1, "c.test": 1}, "2026-01-03 00:00:00"),
        ("all", {"a.test": 5, "b.test": 2, "bad.test": 1, "c.test": 1, "old.test": 1}, "2025-12-24 00:00:00"),
    ],
)
def test_hosts_of_each_window(viewer: Client, log: None, window: str, found: dict[str, int], since: str) -> None:
    assert [row[:2] for row in domains(viewer, f"window={window}")] == list(found.items())
    headers = viewer.get(f"/api/domains/statistics?window={window}").headers
    assert (headers["X-Window-Since"], headers["X-Window-Until"]) == (since, NOW)


@pytest.mark.parametrize("window", ["1h", "7d"])
def test_a_limit_cuts_among_equals_by_name(viewer: Client, instance: Path, window: str) -> None:
    """Names in another order than the one they were met in; and what has no host takes no place of the list."""
    urls = ["http://d.test/", "http://b.test/", "http://c.test/", "http://a.test/", *["error:invalid-request"] * 3]
    imported(instance, [asked(MINUTE, url) for url in urls])
    for limit in range(1, 5):
        found = [row[0] for row in domains(viewer, f"window={window}&limit={limit}")]
        assert found == ["a.test", "b.test", "c.test", "d.test"][:limit]


def test_what_the_cache_did(viewer: Client, log: None) -> None:
    assert cache(viewer) == {
        "since": "2026-01-26 00:00:00",
        "until": NOW,
        "requests": 9,
        "hits": 2,
        "misses": 4,
        "hit_rate": 33.33,
        "hit_ratio": 0.3333,
        "byte_hit_rate": 59.73,
        "bytes_saved": 3007,
    }
    figures = [(found["requests"], found["hits"], found["misses"])
               for found in (cache(viewer, f"window={window}") for window in WINDOWS)]  # fmt: skip
    assert figures == [(4, 1, 2), (7, 1, 3), (9, 2, 4), (10, 2, 5), (11, 2, 6)]


def test_a_cache_that_only_misses_or_only_hits(viewer: Client, instance: Path) -> None:
    imported(instance, [asked(2 * DAY), asked(MINUTE, result_code="TCP_HIT", size=0)])
    found = cache(viewer, "window=1h")
    assert (found["hit_rate"], found["hit_ratio"], found["byte_hit_rate"]) == (100.0, 1.0, 0.0)
    assert cache(viewer)["hit_ratio"] == 0.5


def test_an_empty_log_is_zeros_and_empty_lists(viewer: Client) -> None:
    for period in PERIODS:
        found = chart(viewer, f"period={period}")
        assert sum(found["requests"]) == 0
        assert len(found["labels"]) == len(found["requests"]) == len(found["outbound"])
    for window in WINDOWS:
        assert domains(viewer, f"window={window}") == []
        assert cache(viewer, f"window={window}").items() >= {"requests": 0, "hit_ratio": 0.0, "hit_rate": 0.0}.items()


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("traffic/statistics?period=year", "period"),
        ("traffic/statistics?window=7d", "window"),
        ("domains/statistics?limit=0", "limit"),
        ("domains/statistics?limit=501", "limit"),
        ("domains/statistics?window=2d", "window"),
        ("domains/statistics?offset=1", "offset"),
        ("cache/statistics?limit=1", "limit"),
        ("cache/statistics?window=", "window"),
    ],
)
def test_what_is_not_valid_is_refused(viewer: Client, path: str, field: str) -> None:
    answer = viewer.get(f"/api/{path}")
    assert answer.status_code == 400
    assert [error["field"] for error in answer.json["errors"]] == [field]


@pytest.mark.parametrize("name", ["traffic", "domains", "cache"])
def test_new_rows_and_a_new_minute_change_the_answer(viewer: Client, log: None, clock: Clock, name: str) -> None:
    first = viewer.get(f"/api/{name}/statistics").headers["ETag"]
    assert viewer.get(f"/api/{name}/statistics", headers={"If-None-Match": first}).status_code == 304
    clock.now += MINUTE
    assert viewer.get(f"/api/{name}/statistics", headers={"If-None-Match": first}).status_code == 200
