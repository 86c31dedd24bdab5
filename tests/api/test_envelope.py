"""Every failure has the one shape, the right code, and says nothing that is not for the client."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

import pytest
from apiflask import APIBlueprint, APIFlask
from flask import Response

from proxyweb.api.answers import Failure
from proxyweb.api.context import reading
from proxyweb.api.envelope import success
from proxyweb.errors import Busy, ConfigError, Conflict, DatabaseError, NotFound, QueryTimeout
from tests.clients import Client, anonymous, basic, signed_in
from tests.conftest import ADMIN_PASSWORD

SECRETS = ("Traceback", "SELECT", "nonsense", ".py", "/srv/", "sqlite")


def raising(make_app: Callable[..., APIFlask], error: Exception) -> Client:
    """A client of an application whose /api/broken fails that way."""
    blueprint = APIBlueprint("broken", __name__)

    @blueprint.get("/api/broken")
    def broken() -> Response:
        raise error

    app = make_app()
    app.register_blueprint(blueprint)
    return signed_in(app, basic("admin", ADMIN_PASSWORD))


def sqlite_error(kind: type[sqlite3.Error], name: str) -> sqlite3.Error:
    error = kind("no such column: nonsense in SELECT nonsense FROM /srv/proxyweb.sqlite")
    error.sqlite_errorname = name
    return error


@pytest.mark.parametrize(
    ("error", "status", "retry_after"),
    [
        (NotFound("No such thing."), 404, None),
        (Conflict("There already."), 409, None),
        (Busy(), 503, "2"),
        (QueryTimeout(), 503, "5"),
        (DatabaseError("The database /srv/proxyweb.sqlite is damaged."), 503, None),
        (ConfigError("/srv/secret.key can't be read."), 503, None),
        (sqlite_error(sqlite3.OperationalError, "SQLITE_BUSY"), 503, "2"),
        (sqlite_error(sqlite3.OperationalError, "SQLITE_INTERRUPT"), 503, "5"),
        (sqlite_error(sqlite3.OperationalError, "SQLITE_IOERR_READ"), 503, None),
        (sqlite_error(sqlite3.DatabaseError, "SQLITE_CORRUPT"), 503, None),
        (sqlite_error(sqlite3.OperationalError, "SQLITE_ERROR"), 500, None),
        (sqlite_error(sqlite3.IntegrityError, "SQLITE_CONSTRAINT_UNIQUE"), 500, None),
        (ZeroDivisionError("nonsense in /srv/proxyweb/app.py"), 500, None),
        (RecursionError("nonsense"), 500, None),
    ],
)
def test_errors_become_answers(
    make_app: Callable[..., APIFlask], error: Exception, status: int, retry_after: str | None
) -> None:
    answer = raising(make_app, error).get("/api/broken")
    assert (answer.status_code, answer.headers.get("Retry-After")) == (status, retry_after)
    Failure.model_validate(answer.json)
    assert not [word for word in SECRETS if word in answer.get_data(as_text=True)]
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_mistake_of_ours_is_in_the_log(make_app: Callable[..., APIFlask], caplog: pytest.LogCaptureFixture) -> None:
    raising(make_app, ZeroDivisionError("by zero")).get("/api/broken")
    assert "GET /api/broken failed" in caplog.text
    assert "ZeroDivisionError: by zero" in caplog.text


def test_a_question_that_takes_too_long_says_to_narrow_it(make_app: Callable[..., APIFlask]) -> None:
    blueprint = APIBlueprint("slow", __name__)

    @blueprint.get("/api/slow")
    def slow() -> Response:
        with reading() as conn:
            conn.execute("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n")
        return success(None)

    app = make_app(QUERY_SECONDS="0.05")
    app.register_blueprint(blueprint)
    answer = signed_in(app, basic("admin", ADMIN_PASSWORD)).get("/api/slow")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "narrow" in answer.json["detail"]


@pytest.mark.parametrize("path", ["/api/status", "/api/nope", "/api/health", "/nope", "/static/docs.css", "/static/no"])
def test_every_answer_carries_the_security_headers(app: APIFlask, admin: Client, path: str) -> None:
    for client in (admin, anonymous(app)):
        with client.get(path, headers={"Origin": "https://evil.example"}) as answer:
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'self'" in policy
            assert "frame-ancestors 'none'" in policy
            assert "unsafe" not in policy
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Referrer-Policy"] == "same-origin"
            assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]
            assert "Server" not in answer.headers
            if path.startswith("/api"):
                assert answer.headers["Cache-Control"] in ("no-store", "private, no-cache")


def test_debugging_stays_off(monkeypatch: pytest.MonkeyPatch, make_app: Callable[..., APIFlask]) -> None:
    monkeypatch.setenv("FLASK_DEBUG", "1")
    app = make_app()
    assert not app.debug
    assert anonymous(app).get("/console").status_code == 404
