"""Clients over HTTP: the busiest of them, one of them closely, and what masking leaves of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from proxyweb.api.clients import ActivityOfClients, ClientDetails, ClientList
from tests.api.figures import figures
from tests.clients import Client
from tests.conftest import START, Clock
from tests.ingest.factory import Request
from tests.ingest.importing import import_log

MINUTE, HOUR, DAY = 60, 3600, 86_400
NOW = "2026-02-02 02:40:00"
WINDOWS = ("1h", "24h", "7d", "30d", "all")
V6 = "2001:db8:1:2::3"


def asked(ago: float, client: str, url: str = "http://a.test/", size: int = 100) -> Request:
    """A request so many seconds before now."""
    return Request(int((START - ago) * 1000), client=client, url=url, size=size)


def denied(ago: float, client: str, url: str) -> Request:
    return Request(
        int((START - ago) * 1000), client=client, url=url, result_code="TCP_DENIED", status=403, size=0,
        hierarchy="HIER_NONE", peer="",
    )  # fmt: skip


REQUESTS = [
    asked(40 * DAY, "10.0.0.9"),
    asked(20 * DAY, "10.0.0.1", size=20),
    asked(3 * DAY, "10.0.0.1", size=3),
    asked(3 * DAY, "10.0.0.1", "http://b.test/x", size=3),
    asked(3 * DAY, "10.0.1.5"),
    asked(5 * HOUR, "10.0.0.2", "http://c.test/"),
    denied(5 * HOUR, "10.0.0.2", "http://b.test/"),
    denied(30 * MINUTE, "10.0.0.1", "http://b.test/y"),
    denied(20 * MINUTE, "10.0.0.1", "error:invalid-request"),
    asked(15 * MINUTE + 2, V6),
    asked(14 * MINUTE, "Desk-7.lan"),
]


def imported(instance: Path, requests: list[Request]) -> None:
    assert import_log(instance, b"".join(request.line() + b"\n" for request in requests), "clients.log").rejected == 0


@pytest.fixture
def log(instance: Path) -> None:
    imported(instance, REQUESTS)


def listed(client: Client, query: str = "") -> dict[str, Any]:
    answer = client.get(f"/api/clients/statistics?{query}")
    assert answer.status_code == 200, answer.json
    data: dict[str, Any] = answer.json["data"]
    ClientList.model_validate(data, strict=True)
    return data


def details(client: Client, name: str, query: str = "") -> dict[str, Any]:
    answer = client.get(f"/api/clients/{name}/details?{query}")
    assert answer.status_code == 200, answer.json
    data: dict[str, Any] = answer.json["data"]
    ClientDetails.model_validate(data, strict=True)
    return data


def mask(admin: Client) -> None:
    assert admin.put("/api/settings/gdpr_mode", json={"value": True}).status_code == 200


def test_the_busiest_clients(viewer: Client, log: None) -> None:
    found = listed(viewer)
    assert (found["since"], found["until"], found["total_clients"]) == ("2026-01-26 00:00:00", NOW, 5)
    assert [figures(row) for row in found["clients"]] == [
        ("10.0.0.1", 4, 2, 6, "2026-02-02 02:20:00", "Idle"),
        ("10.0.0.2", 2, 1, 100, "2026-02-01 21:40:00", "Idle"),
        ("10.0.1.5", 1, 0, 100, "2026-01-30 02:40:00", "Idle"),
        (V6, 1, 0, 100, "2026-02-02 02:24:58", "Idle"),
        ("Desk-7.lan", 1, 0, 100, "2026-02-02 02:26:00", "Active"),
    ]


@pytest.mark.parametrize(
    ("window", "total", "first"),
    [
        ("1h", 3, ("10.0.0.1", 2)),
        ("24h", 4, ("10.0.0.1", 2)),
        ("7d", 5, ("10.0.0.1", 4)),
        ("30d", 5, ("10.0.0.1", 5)),
        ("all", 6, ("10.0.0.1", 5)),
    ],
)
def test_clients_of_each_window(viewer: Client, log: None, window: str, total: int, first: tuple[str, int]) -> None:
    found = listed(viewer, f"window={window}&limit=1")
    assert found["total_clients"] == total
    assert [(row["ip_address"], row["requests"]) for row in found["clients"]] == [first]


def test_who_was_seen_a_quarter_of_an_hour_ago_is_active(viewer: Client, instance: Path, clock: Clock) -> None:
    imported(instance, [asked(0, "10.0.0.1")])
    for minutes, status in ((0, "Active"), (14, "Active"), (15, "Active"), (16, "Idle"), (600, "Idle")):
        clock.now = START + minutes * MINUTE
        assert listed(viewer, "window=24h")["clients"][0]["status"] == status, minutes


def test_a_limit_cuts_among_equals_by_address(viewer: Client, instance: Path) -> None:
    imported(instance, [asked(MINUTE, f"10.0.0.{last}") for last in (4, 2, 3, 1)])
    for limit in range(1, 5):
        found = [row["ip_address"][-1] for row in listed(viewer, f"limit={limit}")["clients"]]
        assert found == ["1", "2", "3", "4"][:limit]


def test_one_client_closely(viewer: Client, log: None) -> None:
    entry = {"method": "GET", "status": "200 OK", "bytes": 3, "timestamp": "2026-01-30 02:40:00"}
    refused = {"method": "GET", "status": "403 TCP_DENIED", "bytes": 0}
    assert details(viewer, "10.0.0.1") == {
        "since": "2026-01-26 00:00:00",
        "until": NOW,
        "ip_address": "10.0.0.1",
        "total_requests": 4,
        "blocked": 2,
        "bytes": 6,
        "elapsed_ms": 48,
        "mean_ms": 12,
        "first_seen": "2026-01-13 02:40:00",
        "last_seen": "2026-02-02 02:20:00",
        "top_domains": [
            {"destination": "b.test", "requests": 2, "blocked": 1},
            {"destination": "a.test", "requests": 1, "blocked": 0},
        ],
        "recent": [
            {**refused, "timestamp": "2026-02-02 02:20:00", "destination": "error:invalid-request"},
            {**refused, "timestamp": "2026-02-02 02:10:00", "destination": "http://b.test/y"},
            {**entry, "destination": "http://b.test/x"},
            {**entry, "destination": "http://a.test/"},
        ],
    }


@pytest.mark.parametrize(("window", "requests"), [("1h", 2), ("24h", 2), ("7d", 4), ("30d", 5), ("all", 5)])
def test_one_client_in_each_window(viewer: Client, log: None, window: str, requests: int) -> None:
    found = details(viewer, "10.0.0.1", f"window={window}")
    assert (found["total_requests"], len(found["recent"])) == (requests, requests)
    with_host = [entry for entry in found["recent"] if entry["destination"].startswith("http")]
    assert sum(domain["requests"] for domain in found["top_domains"]) == len(with_host)
    assert (found["first_seen"], found["last_seen"]) == ("2026-01-13 02:40:00", "2026-02-02 02:20:00")


def test_a_client_that_was_seen_but_not_in_the_window(viewer: Client, log: None) -> None:
    found = details(viewer, "10.0.1.5", "window=24h")
    assert found.items() >= {"total_requests": 0, "blocked": 0, "bytes": 0, "top_domains": [], "recent": []}.items()
    assert found["first_seen"] == found["last_seen"] == "2026-01-30 02:40:00"


def test_a_client_of_which_nothing_is_left(admin: Client, log: None) -> None:
    admin.post("/api/logs/clear-old")
    found = details(admin, "10.0.0.9", "window=all")
    assert (found["total_requests"], found["first_seen"], found["last_seen"]) == (0, "2025-12-24 02:40:00", None)


def test_lists_are_the_first_ten_hosts_and_the_last_twenty_requests(viewer: Client, instance: Path) -> None:
    hosts = [f"{letter}.test" for letter in "mlkjihgfedcba"]
    imported(instance, [asked(at + 1, "10.0.0.1", f"http://{host}/") for at, host in enumerate(hosts * 2)])
    found = details(viewer, "10.0.0.1")
    assert [domain["destination"] for domain in found["top_domains"]] == sorted(hosts)[:10]
    assert [entry["destination"] for entry in found["recent"]] == [f"http://{host}/" for host in (hosts * 2)[:20]]


@pytest.mark.parametrize(
    ("written", "logged"),
    [
        ("2001:0DB8:1:2:0::3", V6),
        ("desk-7.LAN", "Desk-7.lan"),
        ("10.0.0.2", "10.0.0.2"),
    ],
)
def test_a_client_may_be_written_in_other_ways(viewer: Client, log: None, written: str, logged: str) -> None:
    assert details(viewer, written) == details(viewer, logged)
    assert details(viewer, written)["ip_address"] == logged


@pytest.mark.parametrize("name", ["10.0.0.77", "10.0.0.x", "2001:db8:9::1", "nobody.lan", "10.0.0", "%C3%A4'--"])
def test_a_client_never_seen(viewer: Client, log: None, name: str) -> None:
    answer = viewer.get(f"/api/clients/{name}/details")
    assert answer.status_code == 404
    assert answer.json["detail"].startswith("No request of this client was ever seen;")


@pytest.mark.parametrize("name", ["10.0.0.0/24", "10.0.0.0%2F24"])
def test_a_network_is_no_client(viewer: Client, log: None, name: str) -> None:
    assert viewer.get(f"/api/clients/{name}/details").status_code == 404


def test_masked_clients_are_added_up(admin: Client, viewer: Client, log: None) -> None:
    mask(admin)
    found = listed(viewer)
    pseudonym = found["clients"][-1]["ip_address"]
    assert pseudonym.startswith("host-")
    assert found["total_clients"] == 4
    assert [figures(row) for row in found["clients"]] == [
        ("10.0.0.x", 6, 3, 106, "2026-02-02 02:20:00", "Idle"),
        ("10.0.1.x", 1, 0, 100, "2026-01-30 02:40:00", "Idle"),
        ("2001:db8:1::x", 1, 0, 100, "2026-02-02 02:24:58", "Idle"),
        (pseudonym, 1, 0, 100, "2026-02-02 02:26:00", "Active"),
    ]
    assert listed(viewer, "limit=1")["clients"] == found["clients"][:1]


def test_one_masked_client_is_all_that_are_masked_to_it(admin: Client, viewer: Client, log: None) -> None:
    mask(admin)
    found = details(viewer, "10.0.0.x")
    assert found["ip_address"] == "10.0.0.x"
    assert (found["total_requests"], found["blocked"], found["bytes"]) == (6, 3, 106)
    assert (found["first_seen"], found["last_seen"]) == ("2025-12-24 02:40:00", "2026-02-02 02:20:00")
    assert [tuple(domain.values()) for domain in found["top_domains"]] == [
        ("b.test", 3, 2),
        ("a.test", 1, 0),
        ("c.test", 1, 0),
    ]
    assert len(found["recent"]) == 6
    assert details(viewer, "2001:db8:1::x")["total_requests"] == 1
    pseudonym = listed(viewer)["clients"][-1]["ip_address"]
    assert details(viewer, pseudonym)["ip_address"] == pseudonym
    assert viewer.get("/api/clients/10.9.9.x/details").status_code == 404


@pytest.mark.parametrize("name", ["10.0.0.1", V6, "2001:DB8:1::x", "Desk-7.lan", "10.0.0.77", "nobody.lan"])
def test_a_whole_address_is_refused_while_masking_is_on(admin: Client, viewer: Client, log: None, name: str) -> None:
    """Whether it was ever seen or not: a 404 would tell."""
    mask(admin)
    answer = viewer.get(f"/api/clients/{name}/details")
    assert answer.status_code == 400
    assert answer.json["errors"] == [
        {"field": "ip", "message": "must be a masked address such as 192.168.1.x while gdpr_mode is on"}
    ]


def test_an_empty_log_is_zeros_and_empty_lists(viewer: Client) -> None:
    for window in WINDOWS:
        assert listed(viewer, f"window={window}").items() >= {"total_clients": 0, "clients": []}.items()
    assert viewer.get("/api/clients/10.0.0.1/details").status_code == 404


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("statistics?limit=0", "limit"),
        ("statistics?limit=501", "limit"),
        ("statistics?window=day", "window"),
        ("statistics?sort=bytes", "sort"),
        ("10.0.0.1/details?limit=5", "limit"),
        ("10.0.0.1/details?window=8d", "window"),
    ],
)
def test_what_is_not_valid_is_refused(viewer: Client, log: None, path: str, field: str) -> None:
    answer = viewer.get(f"/api/clients/{path}")
    assert answer.status_code == 400
    assert [error["field"] for error in answer.json["errors"]] == [field]


@pytest.mark.parametrize("path", ["statistics", "10.0.0.1/details"])
def test_new_rows_and_a_new_minute_change_the_answer(viewer: Client, log: None, clock: Clock, path: str) -> None:
    first = viewer.get(f"/api/clients/{path}").headers["ETag"]
    assert viewer.get(f"/api/clients/{path}", headers={"If-None-Match": first}).status_code == 304
    clock.now += MINUTE
    assert viewer.get(f"/api/clients/{path}", headers={"If-None-Match": first}).status_code == 200


@pytest.mark.usefixtures("log")
def test_activity_of_the_last_two_days(admin: Client) -> None:
    def asked_for(query: str = "") -> tuple[list[str], dict[str, int], int]:
        data = admin.get(f"/api/clients/activity?{query}").json["data"]
        ActivityOfClients.model_validate(data, strict=True)
        assert {48} == {len(data["labels"]), len(data["others"]), *(len(one["requests"]) for one in data["clients"])}
        requests = {one["ip_address"]: sum(one["requests"]) for one in data["clients"]}
        return data["labels"], requests, sum(data["others"])

    labels, requests, others = asked_for()
    assert (labels[0], labels[-1]) == ("2026-01-31 03:00:00", "2026-02-02 02:00:00")
    assert (requests, others) == ({"10.0.0.1": 2, "10.0.0.2": 2, "2001:db8:1:2::3": 1, "Desk-7.lan": 1}, 0)
    assert asked_for("limit=1")[1:] == ({"10.0.0.1": 2}, 4)
    mask(admin)
    assert asked_for("limit=1")[1:] == ({"10.0.0.x": 4}, 2)
