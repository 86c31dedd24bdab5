"""Nobody gets further by writing an address otherwise, by fields nobody asked for, or through somebody's browser."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from apiflask import APIFlask

from tests.clients import Client
from tests.conftest import ADMIN_PASSWORD
from tests.dashboard.signing_in import csrf_token, session
from tests.e2e.server import Server
from tests.security.routes import changing, routes
from tests.security.wire import asked, get

SPELLINGS = (
    b"//api/status", b"/api//status", b"/%61pi/status", b"/api/%73tatus", b"/api/../api/status", b"/x/../api/status",
    b"/static/../api/status", b"/static/..%2fapi/status", b"/assets/x/../../api/status",
    b"/./api/status", b"/API/status",
    b"/Api/Status", b"/api/status/", b"/api/status;x=1", b"/api/status%00", b"/api/status%20", b"/api/status%2f",
    b"/api%2fstatus", b"/api\\status", b"/\\api/status", b"/api/auth/login/../../status", b"/api/health/../status",
    b"/api/health%2f..%2fstatus", b"/api/health/status", b"http://x/api/status", b"http://x//api/status",
    b"/api/status?", b"/api/status#x", b"/api/health?/../status", b"*", b"x:80", b"/sign-in/../api/status",
    "/\N{FULLWIDTH LATIN SMALL LETTER A}pi/status".encode(), b"/api/\xc3\xa9", b"/api/\xff",
    b"/metrics", b"//metrics", b"/%6detrics", b"/metrics/", b"/x/../metrics", b"/metrics?x", b"http://x/metrics",
)  # fmt: skip
UNASKED = {"is_admin": True, "role": "admin", "id": 1, "user_id": 1, "username_": "admin", "password_hash": "x"}


@pytest.mark.parametrize("path", SPELLINGS, ids=repr)
def test_no_spelling_of_an_address_gets_around_signing_in(server: Server, path: bytes) -> None:
    for method in (b"GET", b"HEAD", b"POST", b"get", b"PUT"):
        answer = asked(server, get(path).replace(b"GET", method))
        assert answer.status not in {0, 200, 500}, (method, answer)
        assert b"requests_count" not in answer.body
        assert b"proxyweb_healthy" not in answer.body


@pytest.mark.parametrize(
    "header",
    [b"X-HTTP-Method-Override: GET", b"X-Original-URL: /api/health", b"X-Rewrite-URL: /api/health", b"Host: 127.0.0.1",
     b"X-Forwarded-For: 127.0.0.1", b"X-Forwarded-User: admin", b"Remote-User: admin", b"REMOTE_USER: admin",
     b"X-Forwarded-Prefix: /api/health", b"Cookie: proxyweb=", b"Cookie: session=admin", b"X-CSRF-Token: x"],
)  # fmt: skip
def test_no_header_gets_around_signing_in(server: Server, header: bytes) -> None:
    assert asked(server, get(b"/api/status", header + b"\r\n")).status in {401, 400}


@contextmanager
def nothing_written(app: APIFlask) -> Iterator[None]:
    """The database's data version counts what other connections commit."""
    with closing(sqlite3.connect(app.extensions["proxyweb"].config.database)) as conn:
        before = conn.execute("PRAGMA data_version").fetchone()
        yield
        assert conn.execute("PRAGMA data_version").fetchone() == before


def test_fields_nobody_asked_for_are_refused_on_every_route(app: APIFlask, admin: Client) -> None:
    admin.get("/api/status")
    with nothing_written(app):
        for method, _, path in changing(app):
            answer = admin.open(path, method=method, json=UNASKED)
            assert answer.status_code == 400, (method, path)
            assert {error["field"] for error in answer.json["errors"]} & {*UNASKED}, (method, path)
            assert admin.open(f"{path}?is_admin=true", method=method, json={}).status_code == 400, (method, path)


def test_another_sites_page_changes_nothing_through_a_session(app: APIFlask, instance: Path) -> None:
    """A form sent along with the cookie: without the page's token, of any type that a form can have."""
    mine, other = session(app, "admin", ADMIN_PASSWORD), session(app, "admin", ADMIN_PASSWORD)
    foreign = csrf_token(other)
    open_to_all = {"/api/auth/login", "/api/auth/refresh"}
    with nothing_written(app):
        for method, _, path in changing(app):
            if path in open_to_all:  # these take no session: there is nothing to be gained
                continue
            for token in ({}, {"X-CSRF-Token": ""}, {"X-CSRF-Token": foreign}):
                for content_type in ("text/plain", "application/x-www-form-urlencoded", "application/json"):
                    headers = {"Origin": "https://evil.example", **token}
                    answer = mine.open(path, method=method, data=b"{}", content_type=content_type, headers=headers)
                    assert answer.status_code == 403, (method, path, token, content_type)


def test_no_route_takes_json_that_a_form_could_send(app: APIFlask, admin: Client) -> None:
    for method, _, path in changing(app):
        for content_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
            answer = admin.open(path, method=method, data=b'{"a": 1}', content_type=content_type)
            assert answer.status_code == 415, (method, path, content_type)


def test_reading_writes_nothing(app: APIFlask, admin: Client) -> None:
    """But that somebody took the log or the database along stands in the audit log."""
    noted = {"/api/logs/export", "/api/maintenance/backup"}
    admin.get("/api/status")
    with nothing_written(app):
        for method, _, path in routes(app):
            if method == "GET" and path not in noted:
                assert admin.get(path).status_code in {200, 404, 405}, path
            assert admin.head(path).status_code in {200, 404, 405}, path
            assert admin.open(path, method="OPTIONS").status_code in {200, 405}, path
