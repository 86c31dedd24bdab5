"""What every answer carries, whoever made it: the application, the framework, or gunicorn, for what is no request."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
import requests
from apiflask import APIBlueprint, APIFlask
from flask import Response

from tests.clients import anonymous, basic, signed_in
from tests.conftest import ADMIN_PASSWORD
from tests.e2e.server import Server
from tests.security.wire import ADMIN, LOGIN, asked, get

ORIGIN = b"Origin: https://evil.example\r\n"
JSON_BODY = b"Connection: close\r\nContent-Length: 2\r\n\r\n{}"
REQUESTS: dict[str, tuple[bytes, int]] = {
    "read": (get(b"/api/logs?limit=1", ADMIN), 200),
    "health": (get(b"/api/health", ORIGIN), 200),
    "head": (get(b"/api/status", ADMIN).replace(b"GET", b"HEAD"), 200),
    "options": (get(b"/api/status", ADMIN + ORIGIN).replace(b"GET", b"OPTIONS"), 200),
    "preflight": (
        get(b"/api/status", ORIGIN + b"Access-Control-Request-Method: PUT\r\n").replace(b"GET", b"OPTIONS"), 401,
    ),
    "export": (get(b"/api/logs/export?search=nowhere", ADMIN), 200),
    "anonymous": (get(b"/api/status"), 401),
    "not found": (get(b"/api/nope", ADMIN), 404),
    "not found outside": (get(b"/nope", ORIGIN), 404),
    "wrong method": (get(b"/api/status", ADMIN).replace(b"GET", b"DELETE"), 405),
    "traced": (get(b"/sign-in", b"X-Secret: echo\r\n").replace(b"GET", b"TRACE"), 405),
    "wrong parameter": (get(b"/api/logs?limit=0", ADMIN), 400),
    "too large": (LOGIN + b"Connection: close\r\nContent-Length: 70000\r\n\r\n" + b" " * 70_000, 413),
    "another type": (LOGIN.replace(b"application/json", b"text/plain") + JSON_BODY, 415),
    "page": (get(b"/", ORIGIN), 302),
    "sign-in": (get(b"/sign-in"), 200),
    "static": (get(b"/static/docs.css"), 200),
    "no static": (get(b"/static/nope"), 404),
    "asset": (get(b"/assets/x/js/theme.js"), 200),
    "console": (get(b"/console"), 404),
    "no request": (b"NONSENSE\r\n\r\n", 400),
    "no version": (b"GET / HTTP/9.9\r\n\r\n", 400),
    "no header": (b"GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n", 400),
    "header name": (b"GET / HTTP/1.1\r\nHost: x\r\n<script>: x\r\n\r\n", 400),
    "two lengths": (LOGIN + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400),
    "length and chunks": (LOGIN + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "folded": (b"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n", 400),
    "coding": (LOGIN + b"Transfer-Encoding: gzip\r\n\r\n", 400),
    "long line": (get(b"/" + b"a" * 9000), 414),
    "long header": (get(b"/", b"X: " + b"a" * 9000 + b"\r\n"), 431),
    "many headers": (get(b"/", b"X: a\r\n" * 100), 431),
}  # fmt: skip


def hold(headers: dict[str, str]) -> None:
    """What must hold of every answer's headers, by their names in lower case."""
    policy = dict(part.strip().partition(" ")[::2] for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'self'"
    assert not {"script-src", "style-src", "connect-src"} & set(policy), "these are as default-src says"
    assert (policy["object-src"], policy["base-uri"], policy["frame-ancestors"]) == ("'none'",) * 3
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert not [name for name in headers if name.startswith("access-control")]
    assert not re.search(r"\d", headers.get("server", ""))
    assert "x-powered-by" not in headers


@pytest.mark.parametrize("name", REQUESTS)
def test_every_answer_carries_them(server: Server, name: str) -> None:
    sent, status = REQUESTS[name]
    answer = asked(server, sent)
    assert answer.status == status
    hold(answer.headers)
    if b" /api" in sent.partition(b"\r\n")[0]:
        assert answer.headers["cache-control"] in ("no-store", "private, no-cache")


@pytest.mark.parametrize("name", [name for name, (_, status) in REQUESTS.items() if status >= 400])
def test_every_failure_has_the_one_shape_and_tells_nothing(server: Server, name: str) -> None:
    answer = asked(server, REQUESTS[name][0])
    assert answer.headers["content-type"] == "application/json"
    failure = json.loads(answer.body)
    assert failure.keys() <= {"status", "detail", "errors"}
    assert (failure["status"], failure["detail"][-1:]) == ("error", ".") or "errors" in failure
    for told in (b"gunicorn", b"werkzeug", b"Traceback", b".py", b"SELECT", b"sqlite", b"<", b"echo", b"aaaa"):
        assert told not in answer.body


def test_what_is_kept_by_the_client_carries_them_too(server: Server) -> None:
    first = asked(server, get(b"/api/logs", ADMIN))
    answer = asked(server, get(b"/api/logs", ADMIN + f"If-None-Match: {first.headers['etag']}\r\n".encode()))
    assert answer.status == 304
    hold(answer.headers)


def test_a_mistake_of_ours_carries_them_and_tells_nothing(make_app: Callable[..., APIFlask]) -> None:
    blueprint = APIBlueprint("broken", __name__)

    @blueprint.get("/broken")
    @blueprint.get("/api/broken")
    def broken() -> Response:
        raise ValueError("SELECT secret FROM /srv/proxyweb.sqlite")

    app = make_app()
    app.register_blueprint(blueprint)
    admin = signed_in(app, basic("admin", ADMIN_PASSWORD))
    for answer in (admin.get("/api/broken"), anonymous(app).get("/broken")):
        assert answer.status_code == 500
        hold({name.lower(): value for name, value in answer.headers})
        assert answer.json["detail"] == "Something went wrong in proxyweb; its log says what."


def test_no_header_of_a_client_changes_what_was_asked_for(server: Server) -> None:
    """gunicorn takes some from whoever connects from the same machine, unless it is told not to."""
    for name in (b"SCRIPT_NAME: /api", b"PATH_INFO: /api/health", b"Script-Name: /api"):
        assert asked(server, get(b"/api/status", name + b"\r\n")).status == 401
    form = {"username": "admin", "password": ADMIN_PASSWORD}
    for header, value in (("X-Forwarded-Proto", "https"), ("X-Forwarded-Protocol", "ssl"), ("X-Forwarded-Ssl", "on")):
        headers = {"Origin": server.url, header: value}
        answer = requests.post(f"{server.url}/sign-in", data=form, headers=headers, allow_redirects=False, timeout=5)
        assert answer.status_code == 303
        assert answer.headers["Set-Cookie"].startswith("proxyweb="), "nobody spoke TLS"
