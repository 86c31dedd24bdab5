"""A few wrong passwords from one address, and it has to wait; others don't."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from apiflask import APIFlask

from proxyweb.db.connection import connect
from tests.clients import Client, anonymous, basic
from tests.conftest import VIEWER_PASSWORD, Clock


def attempt(app: APIFlask, password: str = "wrong password", peer: str = "192.0.2.1", **headers: str) -> int:
    return anonymous(app).get(
        "/api/status",
        headers={"Authorization": basic("viewer", password), **headers},
        environ_base={"REMOTE_ADDR": peer},
    ).status_code  # fmt: skip


def log_in(app: APIFlask, password: str, peer: str = "192.0.2.1") -> int:
    return anonymous(app).post(
        "/api/auth/login", json={"username": "viewer", "password": password}, environ_base={"REMOTE_ADDR": peer}
    ).status_code  # fmt: skip


def test_basic_and_login_count_together_and_the_right_password_waits_too(
    make_app: Callable[..., APIFlask], clock: Clock
) -> None:
    app, worker = make_app(), make_app()
    token = anonymous(app).post("/api/auth/login", json={"username": "viewer", "password": VIEWER_PASSWORD}).json
    assert attempt(app, VIEWER_PASSWORD) == 200
    assert [attempt(app), log_in(worker, "wrong"), attempt(worker), log_in(app, "wrong"), attempt(app)] == [401] * 5
    clock.now += 100.5
    for process in (app, worker, make_app()):
        assert attempt(process, VIEWER_PASSWORD) == 429
        assert log_in(process, VIEWER_PASSWORD) == 429
    answer = anonymous(app).get(
        "/api/status",
        headers={"Authorization": basic("viewer", VIEWER_PASSWORD)},
        environ_base={"REMOTE_ADDR": "192.0.2.1"},
    )
    assert answer.headers["Retry-After"] == "200"
    assert answer.json["status"] == "error"
    bearer = {"Authorization": f"Bearer {token['access_token']}"}
    with_token = anonymous(app).get("/api/status", headers=bearer, environ_base={"REMOTE_ADDR": "192.0.2.1"})
    assert with_token.status_code == 200
    assert attempt(app, VIEWER_PASSWORD, "192.0.2.2") == 200
    clock.now += 200
    assert attempt(app, VIEWER_PASSWORD) == 200


def test_the_wait_has_an_end_even_when_the_attempts_go_on(app: APIFlask, clock: Clock) -> None:
    for _ in range(5):
        attempt(app)
    for _ in range(10):
        clock.now += 29
        assert attempt(app) == 429
    clock.now += 11
    assert attempt(app, VIEWER_PASSWORD) == 200


def test_failures_older_than_the_window_do_not_count(app: APIFlask, clock: Clock) -> None:
    for _ in range(4):
        assert attempt(app) == 401
    clock.now += 301
    for _ in range(4):
        assert attempt(app) == 401
    assert attempt(app, VIEWER_PASSWORD) == 200


def test_parallel_guesses_are_counted_one_by_one(app: APIFlask) -> None:
    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(lambda _: attempt(app), range(16)))
    assert statuses == [401] * 5 + [429] * 11


@pytest.mark.parametrize("name", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Client-IP", "X-Client-IP"])
def test_a_header_from_anybody_does_not_change_who_is_counted(app: APIFlask, name: str) -> None:
    for number in range(5):
        assert attempt(app, **{name: f"198.51.100.{number}"}) == 401
    assert attempt(app, VIEWER_PASSWORD, **{name: "198.51.100.200"}) == 429


def test_a_trusted_proxy_says_who_it_is(make_app: Callable[..., APIFlask]) -> None:
    app = make_app(TRUSTED_PROXIES="10.0.0.0/8")
    for _ in range(5):
        assert attempt(app, peer="10.0.0.1", **{"X-Forwarded-For": "203.0.113.9, 198.51.100.1, 10.0.0.7"}) == 401
    again = {"X-Forwarded-For": "1.2.3.4, 198.51.100.1"}
    assert attempt(app, VIEWER_PASSWORD, "10.0.0.1", **again) == 429
    assert attempt(app, VIEWER_PASSWORD, "10.0.0.1", **{"X-Forwarded-For": "198.51.100.2"}) == 200
    assert attempt(app, VIEWER_PASSWORD, "10.0.0.1") == 200


def test_an_ipv6_subscriber_is_one(app: APIFlask) -> None:
    for number in range(5):
        assert attempt(app, peer=f"2001:db8:1:2::{number}") == 401
    assert attempt(app, VIEWER_PASSWORD, "2001:db8:1:2:ffff::1") == 429
    assert attempt(app, VIEWER_PASSWORD, "2001:db8:1:3::1") == 200


def test_a_locked_database_still_refuses(app: APIFlask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxyweb.db.connection.BUSY_SECONDS", 0.05)
    assert attempt(app, VIEWER_PASSWORD) == 200
    holder = connect(app.extensions["proxyweb"].database.path)
    holder.execute("BEGIN IMMEDIATE")
    try:
        assert attempt(app) == 401
        assert attempt(app, VIEWER_PASSWORD) == 200, "remembered, so nothing is written"
        busy = anonymous(app).post("/api/auth/login", json={"username": "viewer", "password": VIEWER_PASSWORD})
        assert (busy.status_code, busy.headers["Retry-After"]) == (503, "2")
    finally:
        holder.execute("ROLLBACK")
        holder.close()


def test_the_audit_log_is_not_flooded(make_app: Callable[..., APIFlask], admin: Client) -> None:
    app = make_app(LOGIN_ATTEMPTS="1000")
    for number in range(105):
        attempt(app, peer=f"192.0.2.{number}")
    assert admin.get("/api/audit-log").json["total"] == 100
