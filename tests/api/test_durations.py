"""How long requests took, over HTTP, in every list that has requests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from proxyweb.api.durations import Timed, took
from tests.clients import Client
from tests.conftest import START
from tests.ingest.factory import Request, log
from tests.ingest.importing import import_log

NOW_MS = int(START * 1000)
TWO_DAYS, TODAY = NOW_MS - 2 * 86_400_000, NOW_MS - 1_800_000
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
REQUESTS = (
    Request(TWO_DAYS, 100, "10.0.0.1", url="http://www.a.test/x.js", user_agent=FIREFOX),
    Request(TWO_DAYS, 301, "10.0.0.1", url="http://a.test/y.js", user_agent="curl/8.5.0", content_type="text/css"),
    Request(TODAY, 4000, "10.0.0.2", url="dropbox.com:443", method="CONNECT", result_code="TCP_TUNNEL",
            content_type=""),
    Request(TODAY, 0, "10.0.0.3", url="http://b.test/", result_code="TCP_DENIED", status=403, content_type="text/x"),
)  # fmt: skip
LISTS = {
    "/api/clients/statistics": [
        ("clients", "10.0.0.1", 401, 200), ("clients", "10.0.0.2", 4000, 4000), ("clients", "10.0.0.3", 0, None),
    ],
    "/api/domains/statistics": [
        ("", "a.test", 301, 301), ("", "b.test", 0, None), ("", "dropbox.com", 4000, 4000),
        ("", "www.a.test", 100, 100),
    ],
    "/api/analytics/top-domains": [
        ("", "a.test", 401, 200), ("", "b.test", 0, None), ("", "dropbox.com", 4000, 4000),
    ],
    "/api/analytics/shadow-it": [("", "Dropbox", 4000, 4000)],
    "/api/analytics/file-extensions": [
        ("extensions", ".js", 401, 200), ("categories", "none", 4000, 2000), ("categories", "web", 401, 200),
    ],
    "/api/analytics/user-agents": [
        ("service_types", "Browser", 100, 100), ("service_types", "Command line and libraries", 301, 301),
        ("user_agents", "Firefox", 100, 100), ("user_agents", "curl", 301, 301),
        ("systems", "Linux", 100, 100), ("systems", "Unknown", 301, 301),
        ("methods", "GET", 401, 134), ("methods", "CONNECT", 4000, 4000),
        ("raw_user_agents", FIREFOX, 100, 100), ("raw_user_agents", "curl/8.5.0", 301, 301),
    ],
    "/api/analytics/results": [
        ("statuses", 200, 4401, 1467), ("statuses", 403, 0, None),
        ("result_codes", "TCP_MISS", 401, 200), ("result_codes", "TCP_DENIED", 0, None),
        ("result_codes", "TCP_TUNNEL", 4000, 4000),
        ("content_types", "text/css", 301, 301), ("content_types", "text/html", 100, 100),
        ("content_types", "text/x", 0, None), ("systems", "Linux", 100, 100), ("systems", "Unknown", 301, 301),
        ("browsers", "Firefox", 100, 100),
        *(("hours_of_day", hour, *((4401, 1100) if hour == 2 else (0, None))) for hour in range(24)),
        ("days", "2026-01-31", 401, 200), ("days", "2026-02-02", 4000, 2000),
    ],
}  # fmt: skip


@pytest.fixture(params=["proxyweb", "combined"])
def log_format(request: pytest.FixtureRequest, instance: Path) -> str:
    """The log in a format that tells how long requests took, and in one that doesn't."""
    assert import_log(instance, log(*REQUESTS, log_format=request.param)).rows == len(REQUESTS)
    name: str = request.param
    return name


def timed(data: Any, part: str = "") -> Iterator[tuple[str, Any, int, int | None]]:
    """`(list, name, elapsed_ms, mean_ms)` of every row that has durations."""
    if isinstance(data, dict):
        for name, rows in data.items():
            yield from timed(rows, name) if isinstance(rows, list) else ()
        return
    for row in data:
        yield part, next(iter(row.values())), row["elapsed_ms"], row["mean_ms"]


@pytest.mark.parametrize("path", LISTS)
def test_every_list_says_how_long_requests_took(viewer: Client, log_format: str, path: str) -> None:
    found = list(timed(viewer.get(path).json["data"]))
    if log_format == "proxyweb":
        assert found == LISTS[path]
    else:
        assert found
        assert {figures[2:] for figures in found} == {(0, None)}


def test_one_client(viewer: Client, log_format: str) -> None:
    found = viewer.get("/api/clients/10.0.0.1/details").json["data"]
    expected = (401, 200) if log_format == "proxyweb" else (0, None)
    assert (found["elapsed_ms"], found["mean_ms"]) == expected


@pytest.mark.parametrize("log_format", ["proxyweb"], indirect=True)
@pytest.mark.parametrize(("window", "elapsed_ms"), [("1h", 4000), ("24h", 4000), ("7d", 4401), ("all", 4401)])
def test_every_window(viewer: Client, log_format: str, window: str, elapsed_ms: int) -> None:
    for path, part in (("clients/statistics", "clients"), ("analytics/user-agents", "methods"),
                       ("analytics/file-extensions", "categories"), ("analytics/results", "statuses"),
                       ("analytics/results", "hours_of_day")):  # fmt: skip
        rows = viewer.get(f"/api/{path}?window={window}").json["data"][part]
        assert sum(row["elapsed_ms"] for row in rows) == elapsed_ms, (path, part)
    for path in ("domains/statistics", "analytics/top-domains"):
        assert sum(row["elapsed_ms"] for row in viewer.get(f"/api/{path}?window={window}").json["data"]) == elapsed_ms


def test_masked_clients_are_added_up(admin: Client, log_format: str) -> None:
    admin.put("/api/settings/gdpr_mode", json={"value": True})
    (row,) = admin.get("/api/clients/statistics").json["data"]["clients"]
    assert (row["elapsed_ms"], row["mean_ms"]) == ((4401, 1100) if log_format == "proxyweb" else (0, None))


@pytest.mark.parametrize(("elapsed_ms", "requests", "mean_ms"), [(0, 0, None), (0, 9, None), (1, 9, 0), (5, 3, 2)])
def test_a_mean_is_rounded(elapsed_ms: int, requests: int, mean_ms: int | None) -> None:
    assert Timed.model_validate(took(elapsed_ms, requests), strict=True).mean_ms == mean_ms
