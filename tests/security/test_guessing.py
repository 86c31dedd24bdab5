"""Guessing passwords: what it tells, and who is held responsible for it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import pytest
from apiflask import APIFlask

from proxyweb.accounts import lockout
from tests.clients import Answer, Client, anonymous, basic
from tests.conftest import VIEWER_PASSWORD
from tests.dashboard.signing_in import OWN, sign_in

TRIES = 100
ROUNDS = 3
CLAIMS = {
    "X-Forwarded-For": "198.51.100.7", "Forwarded": "for=198.51.100.7", "X-Real-IP": "198.51.100.7",
    "Client-IP": "198.51.100.7", "True-Client-IP": "198.51.100.7", "CF-Connecting-IP": "198.51.100.7",
    "X-Forwarded-Host": "198.51.100.7", "Via": "1.1 198.51.100.7",
}  # fmt: skip


def by_token(client: Client, username: str) -> Answer:
    return client.post("/api/auth/login", json={"username": username, "password": "wrong password"})


def by_basic(client: Client, username: str) -> Answer:
    return client.get("/api/status", headers={"Authorization": basic(username, "wrong password")})


def by_form(client: Client, username: str) -> Answer:
    return sign_in(client, username, "wrong password", headers=OWN)


@pytest.mark.parametrize(("guess", "refusal"), [(by_token, 401), (by_basic, 401), (by_form, 403)])
def test_how_long_it_takes_does_not_tell_who_there_is(
    make_app: Callable[..., APIFlask],
    monkeypatch: pytest.MonkeyPatch,
    guess: Callable[[Client, str], Answer],
    refusal: int,
) -> None:
    """The medians of tries that take turns are within a tenth; a machine that stutters gets more tries."""
    monkeypatch.setattr(lockout, "MOST_AUDITED", 0)  # so that all tries do the same
    client = anonymous(make_app(LOGIN_ATTEMPTS="1000"))
    times: dict[str, list[float]] = {"viewer": [], "nobody": []}
    for _ in range(ROUNDS):
        for _ in range(TRIES):
            for username, taken in times.items():
                begun = time.perf_counter()
                answer = guess(client, username)
                taken.append(time.perf_counter() - begun)
                assert answer.status_code == refusal
        known, unknown = map(statistics.median, times.values())
        if 0.9 < known / unknown < 1.1:
            return
    pytest.fail(f"a wrong password takes {known * 1000:.2f} ms, an unknown user {unknown * 1000:.2f} ms")


def test_the_form_tells_no_more(client: Client) -> None:
    def told(username: str) -> tuple[int, str, list[tuple[str, str]]]:
        answer = sign_in(client, username, "wrong password", headers={**OWN, "X-Request-ID": "the-same-one"})
        return answer.status_code, answer.get_data(as_text=True).replace(username, ""), list(answer.headers)

    assert told("viewer") == told("nobody")


@pytest.mark.parametrize("name", CLAIMS)
def test_what_a_client_claims_is_not_written_down(client: Client, admin: Client, name: str) -> None:
    """Neither counted (another test) nor in the audit log: what is there is who was connected."""
    for password in ("wrong password", VIEWER_PASSWORD):
        login = {"username": "viewer", "password": password}
        client.post("/api/auth/login", json=login, headers={name: CLAIMS[name]})
    entries = admin.get("/api/audit-log").json["data"]
    assert [(entry["action"], entry["source_ip"]) for entry in entries] == [
        ("login", "127.0.0.1"), ("login failed", "127.0.0.1"),
    ]  # fmt: skip


def test_of_a_trusted_proxy_only_its_own_header_counts(make_app: Callable[..., APIFlask], admin: Client) -> None:
    client = anonymous(make_app(TRUSTED_PROXIES="127.0.0.1"))
    login = {"username": "viewer", "password": VIEWER_PASSWORD}
    for headers in ({**CLAIMS, "X-Forwarded-For": "1.2.3.4, 203.0.113.5"}, {"X-Real-IP": "198.51.100.7"}):
        assert client.post("/api/auth/login", json=login, headers=headers).status_code == 200
    found = [entry["source_ip"] for entry in admin.get("/api/audit-log").json["data"]]
    assert found == ["127.0.0.1", "203.0.113.5"]


def test_a_wrong_current_password_counts_as_a_guess(client: Client, viewer: Client) -> None:
    """Otherwise a stolen session could try as many as it likes."""
    change = {"current_password": "wrong password", "new_password": "another password"}
    assert viewer.get("/api/status").status_code == 200
    pair = client.post("/api/auth/login", json={"username": "viewer", "password": VIEWER_PASSWORD}).json
    bearer = {"Authorization": f"Bearer {pair['access_token']}"}
    statuses = [client.post("/api/change-password", json=change, headers=bearer).status_code for _ in range(7)]
    assert statuses == [400] * 5 + [429] * 2
    right = {**change, "current_password": VIEWER_PASSWORD}
    refused = client.post("/api/change-password", json=right, headers=bearer)
    assert (refused.status_code, refused.headers["Retry-After"].isdigit()) == (429, True)
