"""Every request as it is answered: counted, given an id, and logged where that is asked for.

It stands around the whole application, so that what takes long to send is seen to take long, and no error is missed.
Routes are told by their templates: addresses, names and query strings are in neither the counts nor the log.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator
from random import getrandbits
from time import perf_counter
from typing import TYPE_CHECKING, Any, cast

from flask import Flask, Response, g, request

from proxyweb.api import context
from proxyweb.courtesy import UnderWay
from proxyweb.program_log import FIELDS, request_id
from proxyweb.request_counts import RequestCounts

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger("proxyweb.requests")

ID_HEADER = "X-Request-ID"
SANE_ID = re.compile(r"[A-Za-z0-9._-]{8,64}", re.ASCII)
UNMATCHED = "unmatched"
"""The route of a request that has none."""
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS")
OTHER = "other"
ROUTE, WHO = "proxyweb.route", "proxyweb.who"
COUNTS = "proxyweb.request_counts"


def observe(app: Flask, counts_descriptor: int | None) -> None:
    """Observe what `app` answers from now on, all of whose routes must be there."""
    kinds = [(rule.rule, method) for rule in app.url_map.iter_rules() for method in rule.methods or ()]
    kinds += [(UNMATCHED, method) for method in (*METHODS, OTHER)]
    counts = app.extensions[COUNTS] = RequestCounts(kinds, counts_descriptor)
    core = context.core_of(app)
    logs = core.config.logs_requests
    app.after_request(_note_route)
    if logs:
        app.after_request(_note_who)
    app.wsgi_app = Observer(app.wsgi_app, counts, core.under_way, logs)  # type: ignore[method-assign]


def counts_of(app: Flask) -> RequestCounts:
    """What `app` has answered, counted; it must be observed."""
    return cast(RequestCounts, app.extensions[COUNTS])


def count_turned_away(app: Flask, status: int) -> None:
    """Count what the web server answered itself, with this status, as it was no request that `app` could be given."""
    counts_of(app).add(UNMATCHED, OTHER, status, 0.0)


class Observer:
    """The WSGI application around another one."""

    def __init__(self, wsgi_app: WSGIApplication, counts: RequestCounts, under_way: UnderWay, logs: bool) -> None:
        self._wsgi_app = wsgi_app
        self._counts = counts
        self._under_way = under_way
        self._logs = logs

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        begun, identifier, status = perf_counter(), identifier_of(environ.get("HTTP_X_REQUEST_ID", "")), 500
        request_id.set(identifier)

        def start(line: str, headers: list[tuple[str, str]], *error: Any) -> Callable[[bytes], object]:
            nonlocal status
            status = int(line[:3])
            headers.append((ID_HEADER, identifier))
            return start_response(line, headers, *error)

        def finish() -> None:
            self._under_way.end()
            self._answered(environ, status, perf_counter() - begun)
            request_id.set(None)

        self._under_way.begin()
        try:
            body = self._wsgi_app(environ, start)
        except BaseException:
            finish()
            raise
        return Body(body, finish)

    def _answered(self, environ: WSGIEnvironment, status: int, seconds: float) -> None:
        route, method = environ.get(ROUTE, UNMATCHED), environ["REQUEST_METHOD"]
        if route == UNMATCHED and method not in METHODS:
            method = OTHER
        self._counts.add(route, method, status, seconds)
        if self._logs:
            user, address = environ.get(WHO, (None, None))
            milliseconds = round(seconds * 1000, 2)
            fields = {"method": method, "route": route, "status": status, "duration_ms": milliseconds,
                      "user": user, "client": address}  # fmt: skip
            log.info("%s %s %d in %s ms, %s from %s", method, route, status, milliseconds, user or "nobody", address,
                     extra={FIELDS: fields})  # fmt: skip


class Body:
    """The pieces of an answer; `finish` is called once the server has done with them, however that ended."""

    __slots__ = ("_finish", "_pieces")

    def __init__(self, pieces: Iterable[bytes], finish: Callable[[], None]) -> None:
        self._pieces, self._finish = pieces, finish

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._pieces)

    def close(self) -> None:
        try:
            if hasattr(self._pieces, "close"):
                self._pieces.close()
        finally:
            self._finish()


def identifier_of(given: str) -> str:
    """The id that the client, or the proxy before us, has for the request, if it is one; else a new one."""
    return given if given and SANE_ID.fullmatch(given) else f"{getrandbits(64):016x}"


def _note_route(response: Response) -> Response:
    """While it is still known: Flask forgets the request before its answer is sent."""
    if request.url_rule is not None:
        request.environ[ROUTE] = request.url_rule.rule
    return response


def _note_who(response: Response) -> Response:
    """Who asked, and from where."""
    identity = g.get("flask_httpauth_user")
    request.environ[WHO] = identity.username if identity else None, context.client_address()
    return response
