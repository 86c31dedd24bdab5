"""Analytics over HTTP: programs and methods, file types, domains, and what is new."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.api.figures import figures
from tests.clients import Client
from tests.conftest import START, Clock
from tests.ingest.factory import Request, log
from tests.ingest.importing import import_log

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
NOW_MS = int(START * 1000)
WINDOWS = ("1h", "24h", "7d", "30d", "all")
CURL, WGET = "curl/8.5.0", "Wget/1.21"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
LONG_AGO, TWO_DAYS, TODAY = NOW_MS - 21 * DAY_MS, NOW_MS - 2 * DAY_MS, NOW_MS - HOUR_MS // 2
REQUESTS = (
    Request(LONG_AGO, client="10.0.0.1", url="http://www.old.test/a.js", size=1, user_agent=CURL),
    Request(LONG_AGO, client="10.0.0.1", url="dropbox.com:443", method="CONNECT", size=2),
    Request(TWO_DAYS, client="10.0.0.1", url="http://www.old.test/b.JS?x=1.png", size=4, user_agent=FIREFOX),
    Request(TWO_DAYS + 1, client="10.0.0.2", url="http://news.bbc.co.uk/p.zip", size=8, user_agent=CURL),
    Request(TWO_DAYS + 2, client="10.0.0.2", url="http://www.bbc.co.uk/p.qqq", size=16, user_agent=CURL),
    Request(TWO_DAYS + 3, client="10.0.0.2", url="dropbox.com:443", method="CONNECT", size=32),
    Request(TODAY, client="10.0.9.3", url="http://a.github.io/", method="POST", size=64, user_agent=FIREFOX),
    Request(TODAY + 1, client="10.0.9.3", url="http://b.github.io/x.js", size=128, user_agent=WGET),
    Request(
        TODAY + 2, client="10.0.9.3", url="http://192.0.2.7/", size=256, user_agent=FIREFOX,
        result_code="TCP_DENIED", status=403, hierarchy="HIER_NONE",
    ),
    Request(TODAY + 3, client="2001:db8:1:2::3", url="chatgpt.com:443", method="CONNECT", size=512),
    Request(TODAY + 4, client="10.0.9.3", url="error:invalid-request", method="NONE", size=1024, user_agent=CURL),
)  # fmt: skip


@pytest.fixture
def traffic(instance: Path) -> None:
    """Two requests three weeks ago, four two days ago, five half an hour ago."""
    import_log(instance, log(*REQUESTS, log_format="proxyweb"))


def ask(client: Client, name: str, query: str = "") -> Any:
    answer = client.get(f"/api/analytics/{name}?{query}")
    assert answer.status_code == 200, answer.json
    return answer.json["data"]


def pairs(found: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [figures(entry) for entry in found]


@pytest.mark.usefixtures("traffic")
def test_user_agents(viewer: Client) -> None:
    found = ask(viewer, "user-agents")
    assert (found["since"], found["until"]) == ("2026-01-26 00:00:00", "2026-02-02 02:40:00")
    assert (found["total"], found["coverage"]) == (9, 0.7778)
    assert pairs(found["service_types"]) == [("Command line and libraries", 4), ("Browser", 3)]
    assert pairs(found["user_agents"]) == [("Firefox", 3), ("curl", 3), ("Wget", 1)]
    assert pairs(found["systems"]) == [("Unknown", 4), ("Linux", 3)]
    assert pairs(found["methods"]) == [("GET", 5), ("CONNECT", 2), ("NONE", 1), ("POST", 1)]
    assert found["raw_user_agents"][0] == {
        "user_agent": FIREFOX,
        "name": "Firefox",
        "system": "Linux",
        "device": "",
        "service_type": "Browser",
        "count": 3,
        "elapsed_ms": 36,
        "mean_ms": 12,
    }
    assert [agent["user_agent"] for agent in found["raw_user_agents"]] == [FIREFOX, CURL, WGET]


@pytest.mark.usefixtures("traffic")
@pytest.mark.parametrize(
    ("window", "total", "methods"),
    [
        ("1h", 5, [("GET", 2), ("CONNECT", 1), ("NONE", 1), ("POST", 1)]),
        ("24h", 5, [("GET", 2), ("CONNECT", 1), ("NONE", 1), ("POST", 1)]),
        ("7d", 9, [("GET", 5), ("CONNECT", 2), ("NONE", 1), ("POST", 1)]),
        ("30d", 11, [("GET", 6), ("CONNECT", 3), ("NONE", 1), ("POST", 1)]),
        ("all", 11, [("GET", 6), ("CONNECT", 3), ("NONE", 1), ("POST", 1)]),
    ],
)
def test_programs_and_methods_in_every_window(
    viewer: Client, window: str, total: int, methods: list[tuple[str, int]]
) -> None:
    found = ask(viewer, "user-agents", f"window={window}")
    assert (found["total"], pairs(found["methods"])) == (total, methods)
    known = sum(entry["count"] for entry in found["user_agents"])
    assert found["coverage"] == round(known / total, 4)
    for parts in ("service_types", "systems", "raw_user_agents"):
        assert sum(entry["count"] for entry in found[parts]) == known


@pytest.mark.usefixtures("traffic")
def test_limit_cuts_programs_and_nothing_that_has_a_sum(viewer: Client) -> None:
    found = ask(viewer, "user-agents", "limit=1")
    assert (pairs(found["user_agents"]), len(found["raw_user_agents"]), len(found["systems"])) == (
        [("Firefox", 3)],
        1,
        1,
    )
    assert (len(found["methods"]), len(found["service_types"])) == (4, 2)


@pytest.mark.usefixtures("traffic")
def test_file_extensions(viewer: Client) -> None:
    found = ask(viewer, "file-extensions")
    assert (found["since"], found["total"]) == ("2026-01-26 00:00:00", 9)
    assert pairs(found["extensions"]) == [(".js", 2, 132), (".qqq", 1, 16), (".zip", 1, 8)]
    assert pairs(found["categories"]) == [("none", 5), ("web", 2), ("archives", 1), ("other", 1)]


@pytest.mark.usefixtures("traffic")
@pytest.mark.parametrize(
    ("window", "categories"),
    [
        ("1h", [("none", 4), ("web", 1)]),
        ("24h", [("none", 4), ("web", 1)]),
        ("30d", [("none", 6), ("web", 3), ("archives", 1), ("other", 1)]),
        ("all", [("none", 6), ("web", 3), ("archives", 1), ("other", 1)]),
    ],
)
def test_every_request_has_a_category(viewer: Client, window: str, categories: list[tuple[str, int]]) -> None:
    found = ask(viewer, "file-extensions", f"window={window}")
    assert pairs(found["categories"]) == categories
    assert sum(count for _, count in categories) == found["total"]


def test_thirty_extensions_are_shown_and_all_are_counted(viewer: Client, instance: Path) -> None:
    import_log(instance, log(*(Request(url=f"http://site.test/a.x{number}") for number in range(31))), "files.log")
    found = ask(viewer, "file-extensions")
    assert [entry["ext"] for entry in found["extensions"]] == sorted(f".x{number}" for number in range(31))[:30]
    assert pairs(found["categories"]) == [("other", 31)]


@pytest.mark.usefixtures("traffic")
def test_top_domains(viewer: Client) -> None:
    answer = viewer.get("/api/analytics/top-domains")
    assert answer.headers["X-Window-Since"] == "2026-01-26 00:00:00"
    assert answer.headers["X-Window-Until"] == "2026-02-02 02:40:00"
    assert answer.json["data"][0] == {
        "domain": "bbc.co.uk",
        "count": 2,
        "blocked": 0,
        "bytes": 24,
        "elapsed_ms": 24,
        "mean_ms": 12,
    }
    assert pairs(answer.json["data"]) == [
        ("bbc.co.uk", 2, 0, 24),
        ("github.io", 2, 0, 192),
        ("192.0.2.7", 1, 1, 256),
        ("chatgpt.com", 1, 0, 512),
        ("dropbox.com", 1, 0, 32),
        ("old.test", 1, 0, 4),
    ]


@pytest.mark.usefixtures("traffic")
@pytest.mark.parametrize(
    ("query", "domains"),
    [
        ("window=1h", ["github.io", "192.0.2.7", "chatgpt.com"]),
        ("window=24h", ["github.io", "192.0.2.7", "chatgpt.com"]),
        ("window=24h&limit=2", ["github.io", "192.0.2.7"]),
        ("window=30d&limit=4", ["bbc.co.uk", "dropbox.com", "github.io", "old.test"]),
        ("window=all&limit=1", ["bbc.co.uk"]),
    ],
)
def test_domains_in_every_window(viewer: Client, query: str, domains: list[str]) -> None:
    assert [entry["domain"] for entry in ask(viewer, "top-domains", query)] == domains


@pytest.mark.usefixtures("traffic")
def test_first_seen(viewer: Client) -> None:
    found = ask(viewer, "first-seen")
    assert found["since"] == "2026-01-26 02:40:00"
    assert pairs(found["domains"]) == [
        ("chatgpt.com", "2001:db8:1:2::3", "2026-02-02 02:10:00"),
        ("192.0.2.7", "10.0.9.3", "2026-02-02 02:10:00"),
        ("github.io", "10.0.9.3", "2026-02-02 02:10:00"),
        ("bbc.co.uk", "10.0.0.2", "2026-01-31 02:40:00"),
    ]
    assert found["domains"][0].keys() == {"domain", "client_ip", "first_seen"}
    assert found["services"][0] == {
        "name": "ChatGPT",
        "category": "Generative AI",
        "client_ip": "2001:db8:1:2::3",
        "first_seen": "2026-02-02 02:10:00",
    }
    assert [entry["name"] for entry in found["services"]] == ["ChatGPT", "GitHub Pages"]


@pytest.mark.usefixtures("traffic")
@pytest.mark.parametrize(
    ("query", "domains", "services"),
    [
        ("since=-24h", ["chatgpt.com", "192.0.2.7", "github.io"], ["ChatGPT", "GitHub Pages"]),
        ("since=-30d&limit=1", ["chatgpt.com"], ["ChatGPT"]),
        ("since=2026-02-02", ["chatgpt.com", "192.0.2.7", "github.io"], ["ChatGPT", "GitHub Pages"]),
        ("since=-1m", [], []),
        ("client=10.0.0.2", ["bbc.co.uk"], ["Dropbox"]),
        ("client=10.0.0.1", [], []),
        ("client=10.0.0.1&since=-30d", ["dropbox.com", "old.test"], ["Dropbox"]),
        ("client=10.0.0.0/24", ["bbc.co.uk"], []),
        ("client=2001:DB8:1:2:0::3", ["chatgpt.com"], ["ChatGPT"]),
        ("client=10.7.7.7", [], []),
    ],
)
def test_what_is_new_and_to_whom(viewer: Client, query: str, domains: list[str], services: list[str]) -> None:
    found = ask(viewer, "first-seen", query)
    assert [entry["domain"] for entry in found["domains"]] == domains
    assert [entry["name"] for entry in found["services"]] == services


@pytest.mark.usefixtures("traffic")
def test_to_a_client_a_service_is_new_since_its_own_first_use(viewer: Client) -> None:
    (dropbox,) = ask(viewer, "first-seen", "client=10.0.0.2")["services"]
    assert (dropbox["client_ip"], dropbox["first_seen"]) == ("10.0.0.2", "2026-01-31 02:40:00")


@pytest.mark.usefixtures("traffic")
def test_what_is_new_while_clients_are_masked(admin: Client) -> None:
    admin.put("/api/settings/gdpr_mode", json={"value": True})
    assert ask(admin, "first-seen")["domains"][0]["client_ip"] == "2001:db8:1::x"
    found = ask(admin, "first-seen", "client=10.0.0.x")
    assert pairs(found["domains"]) == [("bbc.co.uk", "10.0.0.x", "2026-01-31 02:40:00")]
    assert found["services"] == []  # 10.0.0.1 used Dropbox three weeks ago
    (dropbox,) = ask(admin, "first-seen", "client=10.0.0.x&since=-30d")["services"]
    assert (dropbox["client_ip"], dropbox["first_seen"]) == ("10.0.0.x", "2026-01-12 02:40:00")
    for whole in ("10.0.0.2", "10.0.0.0/24", "2001:db8:1:2::3", "pc-7.lan"):
        answer = admin.get(f"/api/analytics/first-seen?client={whole}")
        assert (answer.status_code, answer.json["errors"][0]["field"]) == (400, "client")


@pytest.mark.usefixtures("traffic")
def test_what_was_seen_is_not_new_again_after_old_logs_are_deleted(admin: Client, clock: Clock) -> None:
    clock.now += 30 * 86_400 - 90 * 60
    assert admin.post("/api/logs/clear-old").json["deleted"] == 6
    assert "old.test" not in [entry["domain"] for entry in ask(admin, "top-domains", "window=all")]
    assert "old.test" in [entry["domain"] for entry in ask(admin, "first-seen", "since=-90d")["domains"]]
    admin.post("/api/logs/clear")
    assert ask(admin, "first-seen", "since=-90d")["domains"] == []


@pytest.mark.usefixtures("traffic")
def test_an_answer_changes_when_its_default_time_moves_on(viewer: Client, clock: Clock) -> None:
    first = viewer.get("/api/analytics/first-seen").headers["ETag"]
    clock.now += 6 * 86_400
    assert "bbc.co.uk" not in [entry["domain"] for entry in ask(viewer, "first-seen")["domains"]]
    assert viewer.get("/api/analytics/first-seen").headers["ETag"] != first


def test_an_empty_log_is_zeros_and_empty_lists(viewer: Client) -> None:
    for window in WINDOWS:
        found = ask(viewer, "user-agents", f"window={window}")
        assert (found.pop("total"), found.pop("coverage")) == (0, 0)
        assert [value for value in found.values() if value == []] == [[]] * 5
        found = ask(viewer, "file-extensions", f"window={window}")
        assert (found["total"], found["extensions"], found["categories"]) == (0, [], [])
        assert ask(viewer, "top-domains", f"window={window}") == []
    found = ask(viewer, "first-seen")
    assert (found["domains"], found["services"]) == ([], [])


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("user-agents?limit=0", "limit"),
        ("user-agents?limit=201", "limit"),
        ("user-agents?window=1w", "window"),
        ("file-extensions?limit=10", "limit"),
        ("top-domains?limit=201", "limit"),
        ("top-domains?since=-1h", "since"),
        ("first-seen?window=7d", "window"),
        ("first-seen?limit=501", "limit"),
        ("first-seen?since=yesterday", "since"),
        ("first-seen?client=", "client"),
    ],
)
def test_a_wrong_parameter_is_named(viewer: Client, query: str, field: str) -> None:
    answer = viewer.get(f"/api/analytics/{query}")
    assert answer.status_code == 400
    assert [error["field"] for error in answer.json["errors"]] == [field]
