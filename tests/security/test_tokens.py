"""Tokens: none that is forged or of another kind is taken, and what was taken back stays away, everywhere."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import jwt
import pytest
import requests
from apiflask import APIFlask

from proxyweb.accounts import users
from proxyweb.db.session import open_session, transaction
from proxyweb.secret import derived, load
from tests.clients import Client, signed_in
from tests.conftest import ADMIN_PASSWORD, START, VIEWER_PASSWORD
from tests.dashboard.signing_in import sign_in, status_with
from tests.e2e.server import Server
from tests.test_supervisor import wait_for

NOW = int(START)
KINDS = ("access", "refresh", "session")
CONNECTIONS = 6  # so many that each worker gets some


def token(app: APIFlask, kind: str) -> str:
    """A token of the admin's."""
    if kind == "session":
        answer = sign_in(app.test_client(), "admin", ADMIN_PASSWORD)  # type: ignore[arg-type]
        return answer.headers["Set-Cookie"].partition(";")[0].removeprefix("proxyweb=")
    login = {"username": "admin", "password": ADMIN_PASSWORD}
    return str(app.test_client().post("/api/auth/login", json=login).get_json()[f"{kind}_token"])


def taken(app: APIFlask, kind: str, presented: str) -> bool:
    """Whether a token is taken for one of this kind."""
    if kind == "session":
        return status_with(app, f"proxyweb={presented}") == 200
    if kind == "refresh":
        return app.test_client().post("/api/auth/refresh", json={"refresh_token": presented}).status_code == 200
    return signed_in(app, f"Bearer {presented}").get("/api/status").status_code == 200


class Forger(NamedTuple):
    """Makes tokens like a real one, but for what it is told."""

    key: bytes
    claims: dict[str, Any]

    def __call__(self, key: bytes | None = None, header: dict[str, Any] | None = None, **changes: Any) -> str:
        """A claim of None is left out. Signed with HMAC, whatever the header says."""
        claims = {name: value for name, value in {**self.claims, **changes}.items() if value is not None}
        parts = [_segment(header or {"alg": "HS256", "typ": "JWT"}), _segment(claims)]
        signature = hmac.digest(self.key if key is None else key, ".".join(parts).encode(), "sha256")
        return ".".join([*parts, _encoded(signature)])


def _segment(content: dict[str, Any]) -> str:
    return _encoded(json.dumps(content).encode())


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def forgeries(forge: Forger, master: bytes) -> Iterator[str]:
    """One lie each."""
    unsigned = forge().rpartition(".")[0]
    another = b"0" * 32
    yield from (unsigned, f"{unsigned}.", f"{unsigned}.AA", f"{unsigned}.{_encoded(bytes(32))}")
    for name in ("none", "None", "NONE", "nOnE", "", "RS256", "ES256", "HS512", "HS384"):
        lying = forge(header={"alg": name, "typ": "JWT"})
        yield from (lying, lying.rpartition(".")[0] + ".")
    yield from (forge(another), forge(b""), forge(master), forge(derived(master, "csrf")))
    for header in (
        {"alg": "HS256", "kid": "../../../../dev/null"},
        {"alg": "HS256", "kid": "' UNION SELECT '0"},
        {"alg": "HS256", "jku": "http://127.0.0.1:1/keys", "x5u": "http://127.0.0.1:1/"},
        {"alg": "HS256", "jwk": {"kty": "oct", "k": _encoded(another)}},
    ):
        yield from (forge(another, header=header), forge(b"", header=header))
    yield forge(header={"alg": "HS256", "crit": ["exp"]})
    yield forge(header={"alg": "HS256", "b64": False, "crit": ["b64"]})
    for lie in (
        {"exp": NOW}, {"exp": NOW - 1}, {"exp": None}, {"exp": "9999999999"}, {"exp": 1e300}, {"exp": True},
        {"iat": NOW + 61}, {"iat": None}, {"iat": "now"}, {"nbf": NOW + 61}, {"nbf": "later"},
        {"aud": "another service"}, {"iss": "another issuer"},
        {"jti": "0" * 32}, {"jti": None}, {"jti": {"$ne": ""}}, {"jti": ["x"]},
        {"sub": "viewer"}, {"sub": None}, {"sub": ""},
        {"type": None}, {"type": ["access", "refresh", "session"]}, {"type": "ACCESS"}, {"type": ""},
    ):  # fmt: skip
        yield forge(**lie)


@pytest.mark.parametrize("kind", KINDS)
def test_no_forged_token_is_taken(app: APIFlask, instance: Path, kind: str) -> None:
    master = load(instance / "secret.key")
    real = token(app, kind)
    forge = Forger(derived(master, "tokens"), jwt.decode(real, options={"verify_signature": False}))
    for lie in forgeries(forge, master):
        try:
            assert not taken(app, kind, lie), jwt.get_unverified_header(lie)
        except jwt.InvalidTokenError:
            pytest.fail(f"taken: {lie}")
    assert taken(app, kind, forge()), "the forger's tools work"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("other", KINDS)
def test_no_token_is_taken_for_one_of_another_kind(app: APIFlask, kind: str, other: str) -> None:
    assert taken(app, kind, token(app, other)) == (kind == other)


def test_none_is_taken_in_an_address(app: APIFlask, client: Client) -> None:
    """There it would stand in logs and histories."""
    real = token(app, "access")
    for name in ("access_token", "token", "jwt", "api_key"):
        assert client.get(f"/api/status?{name}={real}").status_code == 401


# --- over real workers and a restart ---


class Held(NamedTuple):
    """What one user holds after signing in twice: with tokens, and with a browser."""

    access: str
    refresh: str
    session: str


def hold(server: Server, username: str) -> Held:
    credentials = {"username": username, "password": VIEWER_PASSWORD}
    pair = requests.post(f"{server.url}/api/auth/login", json=credentials, timeout=5).json()
    form = requests.post(
        f"{server.url}/sign-in", data=credentials, headers={"Origin": server.url}, allow_redirects=False, timeout=5
    )
    return Held(pair["access_token"], pair["refresh_token"], form.cookies["proxyweb"])


def statuses(server: Server, held: Held) -> tuple[set[int], set[int]]:
    """What the access token and the session are answered, in every worker."""
    headers: tuple[dict[str, str], ...] = (
        {"Authorization": f"Bearer {held.access}"}, {"Cookie": f"proxyweb={held.session}"},
    )  # fmt: skip
    asked = [
        [requests.get(f"{server.url}/api/status", headers=each, timeout=5).status_code for _ in range(CONNECTIONS)]
        for each in headers
    ]
    return set(asked[0]), set(asked[1])


def refreshed(server: Server, refresh_token: str) -> requests.Response:
    return requests.post(f"{server.url}/api/auth/refresh", json={"refresh_token": refresh_token}, timeout=5)


def log_out(server: Server, username: str, held: Held) -> None:
    headers = {"Authorization": f"Bearer {held.access}"}
    assert requests.post(f"{server.url}/api/logout", headers=headers, timeout=5).status_code == 200
    browser = {"Cookie": f"proxyweb={held.session}"}
    page = requests.get(f"{server.url}/", headers=browser, timeout=5).text
    csrf = page.partition('name="csrf-token" content="')[2].partition('"')[0]
    left = requests.post(f"{server.url}/sign-out", data={"csrf_token": csrf}, headers=browser, timeout=5)
    assert left.status_code == 200


def change_password(server: Server, username: str, held: Held) -> None:
    change = {"current_password": VIEWER_PASSWORD, "new_password": "another password"}
    headers = {"Authorization": f"Bearer {held.access}"}
    assert (
        requests.post(f"{server.url}/api/change-password", json=change, headers=headers, timeout=5).status_code == 200
    )


def set_password(server: Server, username: str, held: Held) -> None:
    with transaction(open_session(server.instance / "proxyweb.sqlite")) as session:  # as the command does
        users.set_password(session, username, "another password", time.time())


def remove(server: Server, username: str, held: Held) -> None:
    with transaction(open_session(server.instance / "proxyweb.sqlite")) as session:
        users.remove(session, username)


WAYS: dict[str, Callable[[Server, str, Held], None]] = {
    "out": log_out, "changed": change_password, "set": set_password, "removed": remove,
}  # fmt: skip


def test_what_is_taken_back_stays_away_in_every_worker_and_after_a_restart(instance: Path) -> None:
    server = Server(instance)
    try:
        wait_for(server.healthy, 20)
        wait_for(lambda: len(server.descendants()) == 3)
        with transaction(open_session(instance / "proxyweb.sqlite")) as session:
            for name in WAYS:
                users.add(session, name, VIEWER_PASSWORD, "viewer", time.time())
        kept = hold(server, "viewer")
        lost = {name: hold(server, name) for name in WAYS}
        for name, take_back in WAYS.items():
            assert statuses(server, lost[name]) == ({200}, {200})
            take_back(server, name, lost[name])
            assert statuses(server, lost[name]) == ({401}, {401}), name
            assert refreshed(server, lost[name].refresh).status_code == 401, name
        spent = kept.refresh
        kept = kept._replace(refresh=refreshed(server, spent).json()["refresh_token"])
        server.stop()
        server = Server(instance)
        wait_for(server.healthy, 20)
        for name, held in lost.items():
            assert statuses(server, held) == ({401}, {401}), name
            assert refreshed(server, held.refresh).status_code == 401, name
        assert statuses(server, kept) == ({200}, {200}), "the signing key is the same one"
        assert refreshed(server, kept.refresh).status_code == 200
        assert refreshed(server, spent).status_code == 401
        assert statuses(server, kept) == ({401}, {200}), "somebody had stolen it; the browser's is another login"
    finally:
        server.stop()


def test_of_parallel_refreshes_at_most_one_wins_and_in_the_end_none_holds(server: Server) -> None:
    """Two who hold one refresh token: one of them is a thief, so neither goes on."""
    login = {"username": "admin", "password": ADMIN_PASSWORD}
    for _ in range(3):
        pair = requests.post(f"{server.url}/api/auth/login", json=login, timeout=5).json()
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            answers = list(pool.map(lambda _: refreshed(server, pair["refresh_token"]), range(CONNECTIONS)))  # noqa: B023
        assert sorted(answer.status_code for answer in answers) == [200] + [401] * (CONNECTIONS - 1)
        (won,) = [answer.json() for answer in answers if answer.status_code == 200]
        assert refreshed(server, won["refresh_token"]).status_code == 401
        for access in (pair["access_token"], won["access_token"]):
            headers = {"Authorization": f"Bearer {access}"}
            assert requests.get(f"{server.url}/api/status", headers=headers, timeout=5).status_code == 401
