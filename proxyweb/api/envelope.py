"""The one shape of every answer, and the one place where errors become answers.

Success: `{"status": "success", "data": …}` or, for actions, `{"status": "success", "message": …}`.
Failure: `{"status": "error", "detail": …}`, with `errors: [{"field", "message"}]` where parameters were at fault.
"""

from __future__ import annotations

import logging
import sqlite3
from typing import Any

import orjson
from flask import Flask, Response, request
from sqlalchemy.exc import DBAPIError
from werkzeug.exceptions import HTTPException

from proxyweb.api import context
from proxyweb.db import damage
from proxyweb.db.connection import translated
from proxyweb.errors import ConfigError, Damaged, DatabaseError, Invalid, NoMemory, ProxywebError, Unauthenticated
from proxyweb.escaping import one_line

log = logging.getLogger("proxyweb.api")

JSON = "application/json"
AUTHENTICATE = ('Basic realm="proxyweb"', "Bearer")  # a header each: Chromium asks for no password otherwise
FETCH_HEADER = "X-Requested-With"  # sent by the dashboard's scripts, for which the browser must ask for no password
UNEXPECTED = "Something went wrong in proxyweb; its log says what."
DAMAGED = "The database is damaged, and nothing is written to it: restore a backup."
NO_DATABASE = "The database can't be used at the moment; proxyweb's log says why."
SENTENCES = {
    400: "The request can't be understood.",
    404: "There is nothing at this address.",
    405: "This address does not take this method.",
    413: "The body is too large; at most 64 KiB are taken.",
    414: "The address is too long.",
    415: "The body must be JSON, sent with Content-Type: application/json.",
    431: "The headers are too large.",
}
OUR_FAULT = (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.InterfaceError)


def success(data: Any, **beside: Any) -> Response:
    """`data` and what stands beside it, as JSON. An `orjson.Fragment` in `data` is taken over as it is."""
    return flat(status="success", data=data, **beside)


def done(message: str, **beside: Any) -> Response:
    """What an action answers."""
    return flat(status="success", message=message, **beside)


def flat(http_status: int = 200, /, **fields: Any) -> Response:
    """An answer without `data`, for the few routes whose shape is fixed otherwise."""
    return Response(orjson.dumps(fields), http_status, mimetype=JSON)


def failure(status: int, detail: str, errors: list[tuple[str, str]] | None = None) -> Response:
    body: dict[str, Any] = {"status": "error", "detail": detail}
    if errors:
        body["errors"] = [{"field": field, "message": message} for field, message in errors]
    return Response(orjson.dumps(body), status, mimetype=JSON)


def register(app: Flask) -> None:
    """Have `app` answer every error in the one shape."""
    app.register_error_handler(ProxywebError, typed)
    app.register_error_handler(HTTPException, from_werkzeug)
    app.register_error_handler(sqlite3.Error, from_sqlite)
    app.register_error_handler(DBAPIError, from_sqlalchemy)
    app.register_error_handler(MemoryError, without_memory)
    app.register_error_handler(Exception, unexpected)


def typed(error: ProxywebError) -> Response:
    """One of our own errors. What only the operator may know (files, disks) goes to the log, not to the client."""
    if isinstance(error, DatabaseError | ConfigError):
        log.error("%s: %s", one_line(request.path), one_line(error.detail, 1000))
        if isinstance(error, Damaged):
            damage.suspect(context.core().config.database)
            return failure(Damaged.status, DAMAGED)
        return failure(DatabaseError.status, NO_DATABASE)
    response = failure(error.status, error.detail, error.errors if isinstance(error, Invalid) else None)
    retry_after = getattr(error, "retry_after", None)
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
    if isinstance(error, Unauthenticated):
        for challenge in AUTHENTICATE[FETCH_HEADER in request.headers :]:
            response.headers.add("WWW-Authenticate", challenge)
    return response


def from_werkzeug(error: HTTPException) -> Response:
    """An error of the framework's own: unknown route, wrong method, body too large and the like."""
    status = error.code or 500
    if error.response is not None or status < 400:
        return Response(status=status, headers=error.get_headers())
    response = failure(status, sentence(status))
    for name, value in error.get_headers():
        if name in ("Allow", "Retry-After"):
            response.headers[name] = value
    return response


def sentence(status: int) -> str:
    """What is said to an error that has nothing but its status."""
    return SENTENCES.get(status, UNEXPECTED if status >= 500 else SENTENCES[400])


def from_sqlite(error: sqlite3.Error) -> Response:
    """What SQLite said; a mistake in our own SQL is not the database's fault and must not be shown."""
    failure = translated(error)
    is_plain = getattr(error, "sqlite_errorname", "") == "SQLITE_ERROR" and not isinstance(failure, Damaged)
    return unexpected(error) if isinstance(error, OUR_FAULT) or is_plain else typed(failure)


def from_sqlalchemy(error: DBAPIError) -> Response:
    return from_sqlite(error.orig) if isinstance(error.orig, sqlite3.Error) else unexpected(error)


def without_memory(error: MemoryError) -> Response:
    log.error("%s %s: there is no memory left for it", request.method, one_line(request.path))
    return typed(NoMemory())


def unexpected(error: Exception) -> Response:
    """A mistake of ours: the traceback goes to the log, one plain sentence to the client."""
    log.error("%s %s failed", request.method, one_line(request.path), exc_info=error)
    return failure(500, UNEXPECTED)
