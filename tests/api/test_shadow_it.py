"""Shadow IT over HTTP: which services are in use, by how many, and what the admins say of them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask

from proxyweb.db.connection import connect
from proxyweb.errors import ConfigError
from tests.clients import Client, basic, signed_in
from tests.conftest import ADMIN_PASSWORD, START, Clock
from tests.ingest.importing import import_log

ADDRESS = "/api/analytics/shadow-it"
DAY = 86_400
LINES = """\
{0}.000      7 10.0.0.1 TCP_TUNNEL/200 100 CONNECT www.dropbox.com:443 - HIER_DIRECT/192.0.2.1 -
{1}.000      7 10.0.0.1 TCP_TUNNEL/200 200 CONNECT www.dropbox.com:443 - HIER_DIRECT/192.0.2.1 -
{1}.500      7 10.0.0.2 TCP_TUNNEL/200 300 CONNECT content.dropboxapi.com:443 - HIER_DIRECT/192.0.2.1 -
{1}.600      0 10.0.9.3 TCP_DENIED/403 400 CONNECT dropbox.com:443 - HIER_NONE/- -
{2}.000      7 10.0.0.1 TCP_TUNNEL/200 500 CONNECT chatgpt.com:443 - HIER_DIRECT/192.0.2.2 -
{2}.100      7 10.0.0.1 TCP_TUNNEL/200 600 CONNECT chatgpt.com:443 - HIER_DIRECT/192.0.2.2 -
{2}.200      7 10.0.0.1 TCP_TUNNEL/200 700 CONNECT wetransfer.com:443 - HIER_DIRECT/192.0.2.2 -
{2}.250      7 10.0.0.1 TCP_TUNNEL/200 750 CONNECT notion.so:443 - HIER_DIRECT/192.0.2.2 -
{2}.300      7 10.0.0.1 TCP_MISS/200 800 GET http://www.site.test/ - HIER_DIRECT/192.0.2.3 text/html
"""


@pytest.fixture
def traffic(instance: Path) -> None:
    """Dropbox three weeks ago and two days ago, three others half an hour ago, and what is no service."""
    import_log(instance, LINES.format(int(START) - 21 * DAY, int(START) - 2 * DAY, int(START) - 1800).encode())


def services(client: Client, query: str = "") -> list[dict[str, Any]]:
    answer = client.get(f"{ADDRESS}?{query}")
    assert answer.status_code == 200, answer.json
    found: list[dict[str, Any]] = answer.json["data"]
    return found


def statuses(client: Client) -> dict[str, str]:
    return {service["name"]: service["status"] for service in services(client)}


def put(client: Client, name: str, status: object = "approved") -> Any:
    return client.put(f"{ADDRESS}/{name}", json={"status": status})


@pytest.mark.usefixtures("traffic")
def test_a_service_has_everything_the_contract_names(viewer: Client) -> None:
    answer = viewer.get(ADDRESS)
    assert answer.json["data"][0] == {
        "name": "Dropbox",
        "domain": "dropbox.com",
        "domains": ["dropbox.com", "dropboxusercontent.com", "dropboxapi.com", "dropboxstatic.com", "db.tt"],
        "requests": 3,
        "category": "Cloud storage",
        "clients": 3,
        "bytes": 900,
        "elapsed_ms": 14,
        "mean_ms": 5,
        "blocked": 1,
        "first_seen": "2026-01-12 02:40:00",
        "last_seen": "2026-01-31 02:40:00",
        "status": "",
        "risk": "high",
        "note": "",
    }
    assert answer.headers["X-Window-Since"] == "2026-01-26 00:00:00"
    assert answer.headers["X-Window-Until"] == "2026-02-02 02:40:00"


@pytest.mark.usefixtures("traffic")
@pytest.mark.parametrize(
    ("window", "expected"),
    [
        ("1h", [("ChatGPT", 2, 1), ("Notion", 1, 1), ("WeTransfer", 1, 1)]),
        ("24h", [("ChatGPT", 2, 1), ("Notion", 1, 1), ("WeTransfer", 1, 1)]),
        ("7d", [("Dropbox", 3, 3), ("ChatGPT", 2, 1), ("Notion", 1, 1), ("WeTransfer", 1, 1)]),
        ("30d", [("Dropbox", 4, 3), ("ChatGPT", 2, 1), ("Notion", 1, 1), ("WeTransfer", 1, 1)]),
        ("all", [("Dropbox", 4, 3), ("ChatGPT", 2, 1), ("Notion", 1, 1), ("WeTransfer", 1, 1)]),
    ],
)
def test_windows(viewer: Client, window: str, expected: list[tuple[str, int, int]]) -> None:
    found = services(viewer, f"window={window}")
    assert [(service["name"], service["requests"], service["clients"]) for service in found] == expected


@pytest.mark.usefixtures("traffic")
def test_a_services_requests_are_in_the_log_by_its_name(viewer: Client) -> None:
    for service in services(viewer, "window=all"):
        name = service["name"]
        found = viewer.get("/api/logs", query_string={"service": name}).json
        assert (found["total"], len(found["data"])) == (service["requests"], service["requests"]), name
    assert viewer.get("/api/logs?service=dropbox&domain=dropbox.com").json["total"] == 3
    assert viewer.get("/api/logs?domain=dropbox.com").json["total"] == 3
    for nothing in ("service=Nobody", "service=Dropbox&domain=site.test", "service=Slack"):
        assert viewer.get(f"/api/logs?{nothing}").json["total"] == 0
    exported = viewer.get("/api/logs/export?format=ndjson&service=Dropbox").data.splitlines()
    assert len(exported) == 4


@pytest.mark.usefixtures("traffic")
@pytest.mark.parametrize("window", ["7d", "all"])
def test_masked_clients_count_once(admin: Client, window: str) -> None:
    admin.put("/api/settings/gdpr_mode", json={"value": True})
    assert [service["clients"] for service in services(admin, f"window={window}")] == [2, 1, 1, 1]


def test_an_empty_log_has_no_services(viewer: Client) -> None:
    for window in ("1h", "24h", "7d", "30d", "all"):
        assert services(viewer, f"window={window}") == []


@pytest.mark.parametrize(("query", "field"), [("limit=5", "limit"), ("window=2d", "window"), ("window=", "window")])
def test_a_wrong_parameter_is_named(viewer: Client, query: str, field: str) -> None:
    answer = viewer.get(f"{ADDRESS}?{query}")
    assert answer.status_code == 400
    assert [error["field"] for error in answer.json["errors"]] == [field]


@pytest.mark.usefixtures("traffic")
def test_a_status_is_stored_shown_and_audited_once(admin: Client, viewer: Client) -> None:
    before = viewer.get(ADDRESS).headers["ETag"]
    for _ in range(2):
        assert put(admin, "DROPBOX").json == {
            "status": "success",
            "message": "Dropbox is approved.",
            "data": {"name": "Dropbox", "status": "approved"},
        }
    assert viewer.get(ADDRESS, headers={"If-None-Match": before}).status_code == 200
    assert statuses(viewer) == {"Dropbox": "approved", "ChatGPT": "", "Notion": "", "WeTransfer": ""}
    assert put(admin, "Dropbox", "under review").status_code == 200
    assert statuses(viewer)["Dropbox"] == "under review"
    entries = admin.get("/api/audit-log").json["data"]
    assert [(entry["action"], entry["target"], entry["details"]) for entry in entries] == [
        ("service status changed", "Dropbox", "approved → under review"),
        ("service status changed", "Dropbox", "none → approved"),
    ]
    assert (entries[0]["username"], entries[0]["source_ip"]) == ("admin", "127.0.0.1")


def test_saying_the_same_again_is_no_change(admin: Client, instance: Path, clock: Clock) -> None:
    for status in ("approved", "approved", "under review"):
        put(admin, "Dropbox", status)
        with closing(connect(instance / "proxyweb.sqlite")) as conn:
            stored = conn.execute("SELECT status, changed_at FROM service_statuses").fetchall()
        assert stored == [(status, int(START) if status == "approved" else int(clock.now))]
        clock.now += 60


@pytest.mark.usefixtures("traffic")
def test_a_status_outlives_the_log(admin: Client) -> None:
    put(admin, "ChatGPT", "not approved")
    admin.post("/api/logs/clear")
    assert services(admin) == []
    put(admin, "ChatGPT", "under review")
    assert admin.get("/api/audit-log").json["data"][0]["details"] == "not approved → under review"


def test_a_service_nobody_used_yet_may_have_a_status(admin: Client) -> None:
    assert put(admin, "teamviewer").json["data"] == {"name": "TeamViewer", "status": "approved"}


def test_who_may_and_what_is_refused(admin: Client, viewer: Client) -> None:
    assert put(viewer, "Dropbox").status_code == 403
    assert put(admin, "Nobody knows it").status_code == 404
    assert put(admin, "%20").status_code == 404
    for wrong in ("Approved", "", None, True, ["approved"]):
        answer = put(admin, "Dropbox", wrong)
        assert (answer.status_code, answer.json["errors"][0]["field"]) == (400, "status")
    assert admin.put(f"{ADDRESS}/Dropbox", json={}).status_code == 400
    assert admin.put(f"{ADDRESS}/Dropbox", json={"status": "approved", "note": "x"}).status_code == 400
    assert admin.get("/api/audit-log").json["data"] == []


@pytest.fixture
def changed_catalogue(traffic: None, instance: Path, make_app: Callable[..., APIFlask]) -> Client:
    """An admin of an application whose owner took Dropbox out after it was used, and spells another service anew."""
    (instance / "shadow_it.toml").write_text(
        '["File sharing"]\nDropbox = { remove = true }\n'
        '["Talk"]\nCHATGPT = { domains = ["chatgpt.com"], risk = "low", note = "Ours." }\n'
    )
    return signed_in(make_app(), basic("admin", ADMIN_PASSWORD))


def test_a_service_that_is_no_longer_in_the_catalogue(changed_catalogue: Client) -> None:
    known = [(service["name"], service["category"], service["domain"]) for service in services(changed_catalogue)]
    assert known[0] == ("Dropbox", "Other", "")
    assert put(changed_catalogue, "dropbox").json["data"]["name"] == "Dropbox"
    assert statuses(changed_catalogue)["Dropbox"] == "approved"


def test_a_service_in_another_spelling_is_the_same(admin: Client, changed_catalogue: Client) -> None:
    put(admin, "ChatGPT", "not approved")  # an application that still has the old catalogue
    found = services(changed_catalogue)[1]
    assert (found["name"], found["category"], found["risk"], found["note"]) == ("ChatGPT", "Talk", "low", "Ours.")
    assert found["status"] == "not approved"
    assert put(changed_catalogue, "chatgpt").json["data"]["name"] == "CHATGPT"
    assert statuses(changed_catalogue)["ChatGPT"] == "approved"
    assert changed_catalogue.get("/api/audit-log").json["data"][0]["details"] == "not approved → approved"


def test_a_broken_catalogue_stops_the_start(instance: Path, make_app: Callable[..., APIFlask]) -> None:
    (instance / "shadow_it.toml").write_text("Dropbox = {")
    with pytest.raises(ConfigError, match=r"shadow_it\.toml"):
        make_app()
