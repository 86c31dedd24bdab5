"""Results and users over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from proxyweb.api.results import ResultList, UserList
from proxyweb.api.urls import TOO_LONG, UrlList
from proxyweb.errors import QueryTimeout
from proxyweb.privacy import MASKED_USER
from proxyweb.queries import urls
from tests.api.figures import figures
from tests.clients import Client
from tests.conftest import START
from tests.ingest.factory import Request, log
from tests.ingest.importing import import_log

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
NOW_MS = int(START * 1000)
CURL = "curl/8.5.0"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
TWO_DAYS, TODAY = NOW_MS - 2 * DAY_MS, NOW_MS - HOUR_MS // 2
REQUESTS = (
    Request(NOW_MS - 21 * DAY_MS, client="10.0.0.1", size=1, user="ann", user_agent=CURL),
    Request(TWO_DAYS, client="10.0.0.1", size=2, user="ann", user_agent=FIREFOX),
    Request(TWO_DAYS, client="10.0.0.2", size=4, user="bob", content_type="TEXT/html; charset=utf-8"),
    Request(TWO_DAYS, client="10.0.9.3", size=8, status=404, content_type="image/png", user_agent=CURL),
    Request(TODAY, client="10.0.0.1", size=16, user="ann", result_code="TCP_MISS_ABORTED", status=0, content_type="",
            referer="http://a.test/"),
    Request(
        TODAY, client="10.0.0.2", size=32, user="carl", result_code="TCP_DENIED", status=403, hierarchy="HIER_NONE",
        user_agent=FIREFOX,
    ),
)  # fmt: skip


@pytest.fixture
def traffic(instance: Path) -> None:
    import_log(instance, log(*REQUESTS, log_format="proxyweb"))


def ask(client: Client, query: str = "") -> dict[str, Any]:
    answer = client.get(f"/api/analytics/results?{query}")
    assert answer.status_code == 200, answer.json
    data: dict[str, Any] = answer.json["data"]
    ResultList.model_validate(data, strict=True)
    return data


def users(client: Client, query: str = "") -> tuple[int, list[tuple[str, int]]]:
    answer = client.get(f"/api/users/statistics?{query}")
    assert answer.status_code == 200, answer.json
    data: dict[str, Any] = answer.json["data"]
    UserList.model_validate(data, strict=True)
    return data["total_users"], pairs(data["users"])


def pairs(found: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [figures(entry) for entry in found]


@pytest.mark.usefixtures("traffic")
def test_results(viewer: Client) -> None:
    found = ask(viewer)
    assert (found["since"], found["until"]) == ("2026-01-26 00:00:00", "2026-02-02 02:40:00")
    assert found["total"] == 5
    assert pairs(found["statuses"]) == [(200, 2, 6), (0, 1, 16), (403, 1, 32), (404, 1, 8)]
    assert pairs(found["result_codes"]) == [("TCP_MISS", 3, 14), ("TCP_DENIED", 1, 32), ("TCP_MISS_ABORTED", 1, 16)]
    assert pairs(found["content_types"]) == [("text/html", 3, 38), ("image/png", 1, 8)]
    assert pairs(found["systems"]) == [("Linux", 2), ("Unknown", 1)]
    assert pairs(found["browsers"]) == [("Firefox", 2)]
    hours = [(hour["requests"], hour["blocked"]) for hour in found["hours_of_day"]]
    assert [hour["hour"] for hour in found["hours_of_day"]] == list(range(24))
    assert hours == [(0, 0), (0, 0), (5, 1), *[(0, 0)] * 21]
    assert pairs(found["days"]) == [("2026-01-31", 3, 3), ("2026-02-02", 2, 2)]


@pytest.mark.usefixtures("traffic")
@pytest.mark.parametrize(("window", "total", "days"), [("1h", 2, 1), ("24h", 2, 1), ("30d", 6, 3), ("all", 6, 3)])
def test_results_in_every_window(viewer: Client, window: str, total: int, days: int) -> None:
    found = ask(viewer, f"window={window}")
    assert (found["total"], len(found["days"])) == (total, days)
    for part in ("statuses", "result_codes", "hours_of_day"):
        assert sum(entry["requests"] for entry in found[part]) == total


@pytest.mark.usefixtures("traffic")
def test_limit_cuts_what_may_be_many(viewer: Client) -> None:
    found = ask(viewer, "limit=1")
    assert [len(found[part]) for part in ("content_types", "systems", "browsers", "statuses")] == [1, 1, 1, 4]


@pytest.mark.usefixtures("traffic")
def test_clients_masked_alike_are_one(admin: Client) -> None:
    admin.put("/api/settings/gdpr_mode", json={"value": True})
    assert pairs(ask(admin)["days"]) == [("2026-01-31", 2, 3), ("2026-02-02", 1, 2)]


@pytest.mark.usefixtures("traffic")
def test_users(viewer: Client) -> None:
    assert users(viewer) == (3, [("ann", 2), ("bob", 1), ("carl", 1)])
    assert users(viewer, "limit=1") == (3, [("ann", 2)])
    assert users(viewer, "window=1h") == (2, [("ann", 1), ("carl", 1)])
    assert users(viewer, "window=all") == (3, [("ann", 3), ("bob", 1), ("carl", 1)])


@pytest.mark.usefixtures("traffic")
def test_users_are_pseudonyms_while_masked(admin: Client) -> None:
    admin.put("/api/settings/gdpr_mode", json={"value": True})
    total, found = users(admin)
    assert (total, [requests for _, requests in found]) == (3, [2, 1, 1])
    assert all(MASKED_USER.fullmatch(name) for name, _ in found)
    assert admin.get(f"/api/logs?user={found[0][0]}").json["total"] == 3


def test_an_empty_log_is_zeros_and_empty_lists(viewer: Client) -> None:
    for window in ("1h", "7d", "all"):
        found = ask(viewer, f"window={window}")
        assert found["total"] == sum(hour["requests"] for hour in found["hours_of_day"]) == 0
        assert [value for value in found.values() if value == []] == [[]] * 6
        assert users(viewer, f"window={window}") == (0, [])


@pytest.mark.usefixtures("traffic")
def test_urls(viewer: Client) -> None:
    answer = viewer.get("/api/analytics/urls?window=24h")
    data = answer.json["data"]
    UrlList.model_validate(data, strict=True)
    assert (data["since"], data["until"]) == ("2026-02-01 02:00:00", "2026-02-02 02:40:00")
    assert (data["requests"], data["distinct_urls"], data["distinct_not_found"]) == (2, 1, 0)
    assert [tuple(url.values()) for url in data["urls"]] == [("http://shop.test/item?id=7", 2, 48, 24, 12, 12)]
    assert (data["mean_ms"], data["longest_ms"], data["distinct_servers"]) == (12, 12, 1)
    assert pairs(data["servers"]) == [("192.0.2.1", 2)]
    assert (data["not_found"], data["distinct_referring_sites"], data["distinct_referrers"]) == ([], 1, 1)
    assert data["referring_sites"] == [{"name": "a.test", "count": 1}]
    assert data["referrers"] == [{"name": "http://a.test/", "count": 1}]


@pytest.mark.usefixtures("traffic")
def test_urls_that_take_too_long_say_what_to_do(viewer: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*_: object) -> None:
        raise QueryTimeout

    monkeypatch.setattr(urls, "referrers", slow)
    answer = viewer.get("/api/analytics/urls")
    assert (answer.status_code, answer.json["detail"]) == (503, TOO_LONG)
    assert answer.headers["Retry-After"]


@pytest.mark.usefixtures("traffic")
@pytest.mark.parametrize("path", ["analytics/results", "users/statistics"])
def test_what_has_not_changed_is_not_sent_again(viewer: Client, path: str) -> None:
    etag = viewer.get(f"/api/{path}").headers["ETag"]
    assert viewer.get(f"/api/{path}", headers={"If-None-Match": etag}).status_code == 304
    for query in ("limit=0", "limit=201", "window=1w", "since=-1h"):
        answer = viewer.get(f"/api/{path}?{query}")
        assert [error["field"] for error in answer.json["errors"]] == [query.partition("=")[0]]
