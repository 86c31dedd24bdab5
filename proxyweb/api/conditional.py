"""Conditional GET: an ETag known before the answer is made, so that an unchanged one costs no query."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from hashlib import blake2b
from typing import ParamSpec

from flask import Response, request

from proxyweb import __version__
from proxyweb.api import context
from proxyweb.api.bodies import Body

P = ParamSpec("P")
RELATIVE_TIME = re.compile(r"-\d+[smhd]")
CACHE_CONTROL = "private, no-cache"


def conditional(
    *changes_with: str, grain: int | None = None, serves_on: bool = False
) -> Callable[[Callable[P, Response]], Callable[P, Response]]:
    """Answer 304 or from memory when nothing that the answer is made of has changed.

    `changes_with` names the generations the answer depends on (`logs`, `audit`, `accounts`); settings always count.
    `grain` is for answers that depend on the time: how many seconds one stays true (3600 for a window that starts on
    a full hour). A relative time in the query string (`since=-15m`) makes it a second.

    `serves_on` is for analyses, which a busy log would have made anew many times a second: while nothing but new rows
    has come, one that took long to make is given again for ten times as long as it took, a second at most.
    """

    def decorate(view: Callable[P, Response]) -> Callable[P, Response]:
        def made(etag: str, question: str, *args: P.args, **kwargs: P.kwargs) -> Response:
            bodies = context.core().bodies
            begun = bodies.monotonic()
            response = view(*args, **kwargs)
            if response.status_code != 200 or response.is_streamed:
                return response
            headers = tuple((name, value) for name, value in response.headers if name != "Content-Length")
            bodies.put(etag, Body(response.get_data(), headers))
            if question:
                bodies.answered(question, etag, bodies.monotonic() - begun)
            return with_etag(response, etag)

        @wraps(view)
        def answer(*args: P.args, **kwargs: P.kwargs) -> Response:
            etag = _etag(changes_with, grain)
            known = _known(etag)
            if known is not None or not serves_on:
                return known or made(etag, "", *args, **kwargs)
            question = _etag(("deletions", *(name for name in changes_with if name != "logs")), grain)
            bodies = context.core().bodies
            with bodies.turn(question):
                latest = bodies.latest(question)
                return (latest and _known(latest)) or _known(etag) or made(etag, question, *args, **kwargs)

        return answer

    return decorate


def _known(etag: str) -> Response | None:
    """The answer with this ETag, when the client or this process has it."""
    if request.if_none_match.contains_weak(etag):
        return with_etag(Response(status=304), etag)
    kept = context.core().bodies.get(etag)
    return with_etag(Response(kept.content, headers=list(kept.headers)), etag) if kept is not None else None


def with_etag(response: Response, etag: str) -> Response:
    response.headers["ETag"] = f'"{etag}"'
    response.headers["Cache-Control"] = CACHE_CONTROL
    return response


def by_content(response: Response) -> Response:
    """For a read whose answer is known only once it is made: its ETag is the hash of what it says."""
    if request.method in ("GET", "HEAD") and response.status_code == 200 and not response.is_streamed:
        etag = blake2b(response.get_data(), digest_size=16).hexdigest()
        if request.if_none_match.contains_weak(etag):
            return with_etag(Response(status=304), etag)
        with_etag(response, etag)
    return response


def _etag(changes_with: tuple[str, ...], grain: int | None) -> str:
    generations = context.generations()
    if request.query_string and any(RELATIVE_TIME.fullmatch(value) for value in request.args.values()):
        grain = 1
    parts = (
        __version__,
        request.path,
        request.query_string.decode("latin-1"),
        context.identity().role,
        str(generations["settings"]),
        *(str(generations[name]) for name in changes_with),
        str(int(context.now()) // grain) if grain else "",
    )
    return blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()
