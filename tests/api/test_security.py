"""The security score over HTTP: settings, the generated password, and the traffic of the last 24 hours."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from proxyweb.api.security import SecurityScore
from proxyweb.db.connection import connect
from proxyweb.queries.traffic_warnings import last_day
from proxyweb.score import CRITERIA, Traffic
from tests.clients import Client
from tests.conftest import START, Clock
from tests.ingest.importing import import_log

HOUR = 3600
SWITCHES = [criterion.name for criterion in CRITERIA if criterion.name != "default_password_changed"]
OUTCOMES = {  # what Squid writes, and whether the proxy let it through, refused it, or asked for a password
    "TCP_MISS/200 {} HIER_DIRECT/192.0.2.1": "passed",
    "TCP_MISS/403 {} HIER_DIRECT/192.0.2.1": "passed",
    "TCP_MISS_ABORTED/000 {} HIER_DIRECT/192.0.2.1": "passed",
    "TCP_DENIED/403 {} HIER_NONE/-": "denied",
    "TCP_DENIED/407 {} HIER_NONE/-": "challenged",
}
TUNNELS = {  # the last one was decrypted
    "TCP_TUNNEL/200 {} HIER_DIRECT/192.0.2.1": "opaque",
    "TCP_DENIED/403 {} HIER_NONE/-": "denied",
    "TCP_DENIED/407 {} HIER_NONE/-": "challenged",
    "NONE_NONE/200 {} HIER_NONE/-": "passed",
}
HOSTS = {"site.test": False, "4.test": False, "192.0.2.9": True, "[2001:db8::9]": True}


def found(client: Client) -> dict[str, Any]:
    answer = client.get("/api/security/score")
    assert answer.status_code == 200, answer.json
    data: dict[str, Any] = answer.json["data"]
    SecurityScore.model_validate(data)
    return data


def switch_on(admin: Client, *names: str) -> None:
    assert admin.post("/api/settings", json=dict.fromkeys(names, True)).status_code == 200


def imported(instance: Path, lines: list[str]) -> None:
    import_log(instance, "".join(lines).encode())


def line(seconds: float, destination: str, outcome: str) -> str:
    result, method_and_url, hierarchy = outcome.format(f"77 {destination} -").partition(" ")
    return f"{seconds:.3f} 7 10.0.0.1 {result} {method_and_url}{hierarchy} text/html\n"


def test_a_new_installation(viewer: Client) -> None:
    data = found(viewer)
    assert (data["score"], data["max_score"], data["warnings"]) == (5, 100, [])
    assert data["recommendations"] == [
        criterion.recommendation for criterion in CRITERIA if criterion.name != "default_password_changed"
    ]
    assert [check["name"] for check in data["checks"] if check["passed"]] == ["default_password_changed"]
    assert all(check["recommendation"] == "" for check in data["checks"] if check["passed"])


def test_all_on_but_https_filtering(admin: Client, viewer: Client) -> None:
    before = viewer.get("/api/security/score").headers["ETag"]
    switch_on(admin, *(name for name in SWITCHES if name != "ssl_bump_enabled"))
    answer = viewer.get("/api/security/score", headers={"If-None-Match": before})
    assert answer.json["data"]["score"] == 85
    assert answer.json["data"]["recommendations"] == ["Enable HTTPS filtering for full request inspection."]
    again = viewer.get("/api/security/score", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304


def test_a_generated_password_counts_until_it_is_changed(admin: Client, viewer: Client, instance: Path) -> None:
    with closing(sqlite3.connect(instance / "proxyweb.sqlite")) as conn, conn:
        conn.execute("UPDATE users SET password_generated = 1 WHERE role = 'admin'")
    assert found(viewer)["score"] == 0
    assert "Change the generated admin password." in found(viewer)["recommendations"]
    change = {"current_password": "the admin's password", "new_password": "another good password"}
    assert admin.post("/api/change-password", json=change).status_code == 200
    assert found(viewer)["score"] == 5


def test_warnings_hold_the_settings_against_the_last_day(
    admin: Client, viewer: Client, instance: Path, clock: Clock
) -> None:
    lines = [line(START - 60, f"GET http://192.0.2.9/{number}", next(iter(OUTCOMES))) for number in range(41)]
    lines += [line(START - HOUR, "CONNECT site.test:443", next(iter(TUNNELS)))] * 59
    lines += [line(START - 25 * HOUR, "GET http://192.0.2.9/old", next(iter(OUTCOMES)))]
    imported(instance, lines)
    assert found(viewer)["warnings"] == []
    switch_on(admin, *SWITCHES)
    assert found(viewer)["warnings"] == [
        "Direct-IP blocking is on, yet 41 requests to literal addresses passed in the last 24 hours.",
        "HTTPS filtering is on, yet 59 % of requests were opaque CONNECT tunnels in the last 24 hours.",
        "Blacklists are on, yet the proxy blocked none of 100 requests in the last 24 hours.",
    ]
    clock.now += 24 * HOUR
    assert found(viewer)["warnings"] == []


@pytest.mark.parametrize("seed", range(3))
def test_the_figures_are_those_of_the_lines(instance: Path, seed: int) -> None:
    choose, hour = random.Random(seed), int(START) // HOUR
    counts = dict.fromkeys(Traffic.__dataclass_fields__, 0)
    lines = []
    for _ in range(4000):
        host, is_address = choose.choice(list(HOSTS.items()))
        is_tunnel = choose.random() < 0.5
        outcome, meaning = choose.choice(list((TUNNELS if is_tunnel else OUTCOMES).items()))
        seconds = (hour - choose.randrange(-1, 30)) * HOUR + choose.choice([0, 0.001, 1800, 3599.999])
        lines.append(line(seconds, f"CONNECT {host}:443" if is_tunnel else f"GET http://{host}/a?b", outcome))
        if hour - 23 <= seconds // HOUR <= hour:
            counts["requests"] += 1
            counts["denied"] += meaning == "denied"
            counts["auth_challenges"] += meaning == "challenged"
            counts["addresses_passed"] += is_address and meaning in ("passed", "opaque")
            counts["opaque_tunnels"] += meaning == "opaque"
    imported(instance, lines)
    with closing(connect(instance / "proxyweb.sqlite", readonly=True)) as conn:
        assert last_day(conn, hour) == Traffic(**counts)


def test_an_empty_log_has_no_figures(instance: Path) -> None:
    with closing(connect(instance / "proxyweb.sqlite", readonly=True)) as conn:
        assert last_day(conn, int(START) // HOUR) == Traffic(0, 0, 0, 0, 0)
