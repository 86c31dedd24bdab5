"""What nobody may learn, from an answer or from the program's log: the key, passwords, their hashes, tokens."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import jwt
import pytest
import requests
from apiflask import APIFlask

from proxyweb.db.connection import connect
from proxyweb.secret import derived, load
from tests.clients import Client, basic, signed_in
from tests.conftest import ADMIN_PASSWORD, VIEWER_PASSWORD
from tests.e2e.server import Server
from tests.ingest.factory import log, traffic
from tests.ingest.importing import import_log
from tests.security.routes import routes
from tests.security.wire import ADMIN, asked, get
from tests.test_supervisor import wait_for

PURPOSES = ("tokens", "audit", "pseudonyms", "csrf")
HOSTILE = "ev\r\nil\x1b[2J\x9b31m\u202e\u2066\x00\u2028\x85 CRITICAL all is lost"


def spellings(secret: bytes) -> Iterator[bytes]:
    """As it might stand somewhere."""
    yield from (secret, secret.hex().encode(), secret.hex().upper().encode(), repr(secret)[2:-1].encode())
    yield from (base64.b64encode(secret).rstrip(b"="), base64.urlsafe_b64encode(secret).rstrip(b"="))


def secrets_of(instance: Path) -> list[bytes]:
    master = load(instance / "secret.key")
    return [each for key in (master, *(derived(master, purpose) for purpose in PURPOSES)) for each in spellings(key)]


def hashes_of(instance: Path) -> list[bytes]:
    with closing(connect(instance / "proxyweb.sqlite", readonly=True)) as conn:
        return [each.encode() for (each,) in conn.execute("SELECT password_hash FROM users")]


def test_no_answer_tells_a_key_a_password_or_a_hash(app: APIFlask, instance: Path) -> None:
    """But for a backup, which is the database; the key is not in that either."""
    import_log(instance, log(*traffic(100)), "a.log")
    admin = signed_in(app, basic("admin", ADMIN_PASSWORD))
    keys, hashes = secrets_of(instance), hashes_of(instance)
    passwords = [ADMIN_PASSWORD.encode(), VIEWER_PASSWORD.encode()]
    assert len(hashes) == 2
    for method, _, path in routes(app):
        if method != "GET":
            continue
        with admin.get(path) as answer:
            content = answer.data + str(answer.headers).encode()
        assert not [each for each in (*keys, *passwords) if each in content], path
        if path == "/api/maintenance/backup":
            assert all(each in content for each in hashes), "so this test would find them elsewhere"
        else:
            assert not [each for each in (*hashes, b"$argon2") if each in content], path


def test_objects_do_not_show_their_secrets(make_app: Callable[..., APIFlask], instance: Path) -> None:
    """As they would stand in a traceback or a message."""
    core = make_app(ADMIN_PASSWORD=ADMIN_PASSWORD).extensions["proxyweb"]
    shown = "".join(map(repr, (core, core.sign_in, core.sign_in.issuer, core.config))).encode()
    assert not [each for each in (*secrets_of(instance), ADMIN_PASSWORD.encode()) if each in shown]


def test_a_token_tells_its_user_and_nothing_else(client: Client) -> None:
    login = {"username": "viewer", "password": VIEWER_PASSWORD}
    pair = client.post("/api/auth/login", json=login).json
    for name in ("access_token", "refresh_token"):
        claims = jwt.decode(pair[name], options={"verify_signature": False})
        assert claims.keys() == {"sub", "iat", "exp", "jti", "type"}


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, list[bytes]]]:
    """What a server that tells everything said while it was used and attacked, and what must not be in it."""
    instance = tmp_path_factory.mktemp("told") / "instance"
    server = Server(instance, ADMIN_PASSWORD=ADMIN_PASSWORD, LOG_LEVEL="debug")
    wait_for(server.healthy, 20)
    form = {"username": "admin", "password": ADMIN_PASSWORD}
    pair = requests.post(f"{server.url}/api/auth/login", json=form, timeout=5).json()
    second = requests.post(
        f"{server.url}/api/auth/refresh", json={"refresh_token": pair["refresh_token"]}, timeout=5
    ).json()
    session = requests.post(
        f"{server.url}/sign-in", data=form, headers={"Origin": server.url}, allow_redirects=False, timeout=5
    ).cookies["proxyweb"]
    assert asked(server, get(b"/api/settings", ADMIN)).status == 200
    change = {"current_password": ADMIN_PASSWORD, "new_password": "one that is new"}
    for username in (HOSTILE, "admin"):
        with suppress(requests.RequestException):
            requests.post(
                f"{server.url}/api/auth/login", json={"username": username, "password": "one that is wrong"}, timeout=5
            )
    requests.post(f"{server.url}/api/change-password", json=change, auth=("admin", ADMIN_PASSWORD), timeout=5)
    for sent in (
        get(b"/api/\x1b[2J\x9b31m%0d%0aCRITICAL%20all%20is%20lost%e2%80%ae%00"),
        b"GET /\x1b[2J\x9b31m HTTP/1.1\r\nHost: x\r\nX\x1b[2J\x9b: x\r\n\r\n",
        b"\x1b[2J\x9b31m\rCRITICAL all is lost\r\n\r\n",
        b"GET / HTTP/\x1b[2J\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: \x1b[2J\x9b\r\n\r\n",
        b"POST /sign-in HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n\x1b[2J\x9b31m\r\n\r\n",
        get(b"/", b"Authorization: Basic \x1b[2J\x9b\r\nCookie: proxyweb=\x1b[2J\x9b\r\n"),
    ):
        assert asked(server, sent).status >= 300
    tokens = [pair["access_token"], pair["refresh_token"], second["access_token"], second["refresh_token"], session]
    words = [ADMIN_PASSWORD, "one that is new", "one that is wrong", *tokens, *(each.split(".")[2] for each in tokens)]
    hidden = [*secrets_of(instance), *hashes_of(instance), *(word.encode() for word in words)]
    yield server.stop(), [*hidden, basic("admin", ADMIN_PASSWORD).partition(" ")[2].encode()]


def test_the_log_tells_no_secret_even_when_it_tells_everything(said: tuple[str, list[bytes]]) -> None:
    text, hidden = said
    assert "failed login of " in text
    assert [each for each in hidden if each in text.encode()] == []


def test_whatever_is_sent_is_one_harmless_line_of_the_log(said: tuple[str, list[bytes]]) -> None:
    """Nobody writes entries into it, or to the terminal it is read on."""
    text, _ = said
    lines = text.split("\n")
    assert [line for line in lines if not line.isprintable()] == []
    (entry,) = [line for line in lines if "failed login of ev" in line]
    assert entry.endswith(
        r"failed login of ev\r\nil\x1b[2J\x9b31m\u202e\u2066\x00\u2028\x85 CRITICAL all is lost from 127.0.0.1"
    )
    when = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
    known = re.compile(rf"{when},\d{{3}} [A-Z]+ (proxyweb|gunicorn)[.\w]*: |  \| |proxyweb 0|$")
    assert [line for line in lines if not known.match(line)] == []
    assert sum("CRITICAL" in line and not line.partition("CRITICAL")[0].strip() for line in lines) == 0
