"""Whatever is changed or taken along is in the audit log: what, by whom, when and from where; and it stays there."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

from apiflask import APIFlask

from proxyweb import audit_chain
from proxyweb.db.connection import connect
from tests.clients import Client, basic, signed_in
from tests.conftest import ADMIN_PASSWORD, Clock
from tests.security.routes import changing

ADDRESS = "192.0.2.77"
CHANGES_NOTHING = {("POST", "/api/waf/test-rule"), ("POST", "/api/auth/refresh")}
DONE: tuple[tuple[str, str, str, Any, str, str], ...] = (
    # method, rule, path, body, action, target
    ("PUT", "/api/settings/{name}", "/api/settings/waf_mode", {"value": "detect"}, "setting changed", "waf_mode"),
    ("POST", "/api/settings", "/api/settings", {"waf_threshold": 7}, "setting changed", "waf_threshold"),
    ("POST", "/api/domain-blacklist", "/api/domain-blacklist", {"domain": "evil.example"}, "domain blacklisted",
     "evil.example"),
    ("DELETE", "/api/domain-blacklist/{entry_id}", "/api/domain-blacklist/1", None, "domain taken off the blacklist",
     "evil.example"),
    ("POST", "/api/ip-blacklist", "/api/ip-blacklist", {"ip": "198.51.100.7"}, "address blacklisted", "198.51.100.7"),
    ("DELETE", "/api/ip-blacklist/{entry_id}", "/api/ip-blacklist/1", None, "address taken off the blacklist",
     "198.51.100.7"),
    ("POST", "/api/waf/categories/toggle", "/api/waf/categories/toggle", {"category": "XXE", "enabled": False},
     "WAF category switched", "XXE"),
    ("PUT", "/api/analytics/shadow-it/{name}", "/api/analytics/shadow-it/Dropbox", {"status": "approved"},
     "service status changed", "Dropbox"),
    ("POST", "/api/logs/clear", "/api/logs/clear", None, "logs cleared", ""),
    ("POST", "/api/logs/clear-old", "/api/logs/clear-old", None, "old logs cleared", ""),
    ("POST", "/api/database/optimize", "/api/database/optimize", None, "database optimized", ""),
    ("POST", "/api/auth/login", "/api/auth/login", {"username": "admin", "password": ADMIN_PASSWORD}, "login", ""),
    ("POST", "/api/logout", "/api/logout", None, "logout", ""),
    ("POST", "/api/change-password", "/api/change-password",
     {"current_password": ADMIN_PASSWORD, "new_password": "another password"}, "password changed", ""),
)  # fmt: skip


def newest(app: APIFlask) -> dict[str, Any]:
    with closing(connect(app.extensions["proxyweb"].config.database, readonly=True)) as conn:
        row = conn.execute(
            "SELECT at, username, action, target, source_ip FROM audit_log ORDER BY id DESC LIMIT 1"
        ).fetchone()
    return dict(zip(("at", "username", "action", "target", "source_ip"), row, strict=True)) if row else {}


def test_there_is_an_example_of_all_that_changes_something(app: APIFlask) -> None:
    routes = {(method, rule) for method, rule, _ in changing(app)}
    assert routes - CHANGES_NOTHING == {(method, rule) for method, rule, *_ in DONE}


def test_all_that_is_changed_or_taken_along_is_written_down(app: APIFlask, instance: Path, clock: Clock) -> None:
    pair = signed_in(app, "").post("/api/auth/login", json={"username": "admin", "password": ADMIN_PASSWORD}).json
    admin = signed_in(app, basic("admin", ADMIN_PASSWORD))
    bearer = signed_in(app, f"Bearer {pair['access_token']}")
    here = {"environ_base": {"REMOTE_ADDR": ADDRESS}}
    taken = [
        ("GET", "", "/api/logs/export", None, "logs exported", "csv"),
        ("GET", "", "/api/maintenance/backup", None, "backup downloaded", ""),
    ]
    for method, _, path, body, action, target in (*taken, *DONE):
        clock.now += 10
        client = bearer if path == "/api/logout" else admin
        with client.open(path, method=method, json=body, **here) as answer:
            assert answer.status_code == 200, (path, answer.json)
        assert newest(app) == {
            "at": int(clock.now), "username": "admin", "action": action, "target": target, "source_ip": ADDRESS,
        }  # fmt: skip
    with closing(connect(instance / "proxyweb.sqlite", readonly=True)) as conn:
        report = audit_chain.verify(conn)
        assert report.wrong == []
        assert report.entries == len(DONE) + len(taken) + 1, "clearing the log cleared none of this"


def test_what_fails_is_written_down_where_it_is_somebodys_doing(app: APIFlask, client: Client) -> None:
    client.post("/api/auth/login", json={"username": "mallory", "password": "x"}, environ_base={"REMOTE_ADDR": ADDRESS})
    assert newest(app).items() >= {"username": "mallory", "action": "login failed", "source_ip": ADDRESS}.items()
    pair = client.post("/api/auth/login", json={"username": "admin", "password": ADMIN_PASSWORD}).json
    for _ in range(2):
        client.post("/api/auth/refresh", json={"refresh_token": pair["refresh_token"]})
    assert newest(app).items() >= {"username": "admin", "action": "refresh token used twice"}.items()


def test_nobody_writes_into_it_over_the_api(app: APIFlask, admin: Client) -> None:
    before = newest(app)
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        for path in ("/api/audit-log", "/api/audit-log/1"):
            assert admin.open(path, method=method, json={}).status_code in {404, 405}
    assert newest(app) == before
