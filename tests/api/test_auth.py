"""Tokens: what login hands out, how it is refreshed, and what takes it back, in every process."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jwt
import pytest
from apiflask import APIFlask

from tests.clients import Client, anonymous, basic, signed_in
from tests.conftest import ADMIN_PASSWORD, START, VIEWER_PASSWORD, Clock

NOW = int(START)


def login(client: Client, username: str = "viewer", password: str = VIEWER_PASSWORD) -> dict[str, Any]:
    answer = client.post("/api/auth/login", json={"username": username, "password": password})
    assert answer.status_code == 200, answer.json
    return dict(answer.json)


def status(app: APIFlask, token: str) -> int:
    return signed_in(app, f"Bearer {token}").get("/api/status").status_code


def test_login_hands_out_a_pair(app: APIFlask, client: Client) -> None:
    pair = login(client)
    assert pair.keys() == {"status", "access_token", "refresh_token", "token_type", "expires_in"}
    assert (pair["status"], pair["token_type"], pair["expires_in"]) == ("success", "Bearer", 900)
    assert status(app, pair["access_token"]) == 200
    claims = jwt.decode(pair["access_token"], options={"verify_signature": False})
    assert claims == {"sub": "viewer", "iat": NOW, "exp": NOW + 900, "jti": claims["jti"], "type": "access"}


def test_a_role_is_that_of_the_user(app: APIFlask, client: Client) -> None:
    reader = signed_in(app, f"Bearer {login(client)['access_token']}")
    assert reader.put("/api/settings/gdpr_mode", json={"value": True}).status_code == 403
    writer = signed_in(app, f"Bearer {login(client, 'admin', ADMIN_PASSWORD)['access_token']}")
    assert writer.put("/api/settings/gdpr_mode", json={"value": True}).status_code == 200


@pytest.mark.parametrize(
    "body", [{}, {"username": "viewer"}, {"username": 1, "password": "x"}, {"username": "viewer", "password": None},
             {"username": "viewer", "password": VIEWER_PASSWORD, "role": "admin"}]
)  # fmt: skip
def test_a_login_that_is_no_login_is_a_400(client: Client, body: dict[str, Any]) -> None:
    answer = client.post("/api/auth/login", json=body)
    assert answer.status_code == 400
    assert answer.json["errors"]


def test_an_unknown_user_and_a_wrong_password_are_told_alike(client: Client) -> None:
    unknown, wrong = (
        client.post(
            "/api/auth/login",
            json={"username": username, "password": "wrong password"},
            headers={"X-Request-ID": "the-same-one"},
        )
        for username in ("nobody", "viewer")
    )
    assert unknown.status_code == wrong.status_code == 401
    assert unknown.data == wrong.data
    assert list(unknown.headers) == list(wrong.headers)


def test_a_refresh_token_is_no_access_token_and_the_other_way_round(app: APIFlask, client: Client) -> None:
    pair = login(client)
    assert status(app, pair["refresh_token"]) == 401
    assert client.post("/api/auth/refresh", json={"refresh_token": pair["access_token"]}).status_code == 401


def test_tokens_expire(app: APIFlask, client: Client, clock: Clock) -> None:
    pair = login(client)
    assert status(app, pair["access_token"]) == 200
    clock.now += 900
    assert status(app, pair["access_token"]) == 401
    assert client.post("/api/auth/refresh", json={"refresh_token": pair["refresh_token"]}).status_code == 200
    clock.now += 1_209_600
    assert client.post("/api/auth/refresh", json={"refresh_token": pair["refresh_token"]}).status_code == 401


def test_a_refresh_token_used_twice_revokes_its_family(app: APIFlask, client: Client) -> None:
    first, other = login(client), login(client)
    second = client.post("/api/auth/refresh", json={"refresh_token": first["refresh_token"]}).json
    assert status(app, second["access_token"]) == 200
    assert client.post("/api/auth/refresh", json={"refresh_token": first["refresh_token"]}).status_code == 401
    for token in (first["access_token"], second["access_token"]):
        assert status(app, token) == 401
    assert client.post("/api/auth/refresh", json={"refresh_token": second["refresh_token"]}).status_code == 401
    assert status(app, other["access_token"]) == 200
    bearer = signed_in(app, f"Bearer {other['access_token']}")
    entries = [(entry["username"], entry["action"]) for entry in bearer.get("/api/audit-log").json["data"]]
    assert entries == [("viewer", "refresh token used twice"), ("viewer", "login"), ("viewer", "login")]


def test_of_parallel_refreshes_at_most_one_wins(app: APIFlask, client: Client) -> None:
    token = login(client)["refresh_token"]

    def refresh(_: int) -> int:
        return anonymous(app).post("/api/auth/refresh", json={"refresh_token": token}).status_code

    with ThreadPoolExecutor(4) as pool:
        statuses = sorted(pool.map(refresh, range(8)))
    assert statuses == [200] + [401] * 7


def test_logout_revokes_the_token_and_its_family_everywhere(make_app: Callable[..., APIFlask]) -> None:
    here, there = make_app(), make_app()
    pair = login(anonymous(here))
    other = login(anonymous(here))
    assert status(there, pair["access_token"]) == 200
    assert signed_in(here, f"Bearer {pair['access_token']}").post("/api/logout").json["status"] == "success"
    for app in (here, there, make_app()):
        assert status(app, pair["access_token"]) == 401
        assert status(app, other["access_token"]) == 200
        answer = anonymous(app).post("/api/auth/refresh", json={"refresh_token": pair["refresh_token"]})
        assert answer.status_code == 401


def test_logout_with_basic_is_harmless(viewer: Client) -> None:
    assert viewer.post("/api/logout").json == {"status": "success", "message": "Signed out."}
    assert viewer.get("/api/status").status_code == 200


def test_changing_the_password_ends_every_session(make_app: Callable[..., APIFlask]) -> None:
    here, there = make_app(), make_app()
    pair = login(anonymous(here))
    by_password = signed_in(there, basic("viewer", VIEWER_PASSWORD))
    assert by_password.get("/api/status").status_code == 200
    asked = signed_in(here, f"Bearer {pair['access_token']}")
    wrong = asked.post("/api/change-password", json={"current_password": "no", "new_password": "something new"})
    assert (wrong.status_code, wrong.json["errors"][0]["field"]) == (400, "current_password")
    short = asked.post("/api/change-password", json={"current_password": VIEWER_PASSWORD, "new_password": "short"})
    assert (short.status_code, short.json["errors"][0]["field"]) == (400, "new_password")
    long = "x" * 1024
    done = asked.post("/api/change-password", json={"current_password": VIEWER_PASSWORD, "new_password": long})
    assert done.status_code == 200
    assert status(there, pair["access_token"]) == 401
    assert by_password.get("/api/status").status_code == 401
    assert signed_in(there, basic("viewer", long[:-1])).get("/api/status").status_code == 401
    assert signed_in(there, basic("viewer", long)).get("/api/status").status_code == 200


def test_expired_tokens_are_forgotten(app: APIFlask, client: Client, clock: Clock) -> None:
    login(client)
    clock.now += 1_209_700
    login(client)
    assert app.extensions["proxyweb"].database.reader.execute("SELECT count(*) FROM tokens").fetchone() == (2,)


def test_who_signs_in_and_out_is_in_the_audit_log(app: APIFlask, client: Client, admin: Client) -> None:
    token = login(client)["access_token"]
    client.post("/api/auth/login", json={"username": "ev\r\nil\x1b[0m\u202e", "password": "wrong password"})
    signed_in(app, f"Bearer {token}").post("/api/logout")
    entries = admin.get("/api/audit-log").json["data"]
    assert [(entry["username"], entry["action"], entry["source_ip"]) for entry in entries] == [
        ("viewer", "logout", "127.0.0.1"),
        ("ev\\r\\nil\\x1b[0m\\u202e", "login failed", "127.0.0.1"),
        ("viewer", "login", "127.0.0.1"),
    ]
    assert entries[0]["timestamp"] == "2026-02-02 02:40:00"
