"""Whether the program is well, and what it is doing."""

from __future__ import annotations

import sqlite3
from typing import Any, Literal

from apiflask import APIBlueprint
from flask import Response

from proxyweb import __version__
from proxyweb.api import context
from proxyweb.api.answers import Answer, Shape
from proxyweb.api.binding import answers
from proxyweb.api.envelope import DAMAGED, flat, success
from proxyweb.db import damage
from proxyweb.db.connection import translated
from proxyweb.errors import Damaged, ProxywebError
from proxyweb.ingest.status import read_status
from proxyweb.queries.status import requests_count

blueprint = APIBlueprint("status", __name__, tag="Status")


class Health(Shape):
    """What a load balancer asks."""

    status: Literal["healthy", "unhealthy"]
    version: str
    detail: str = ""


UNHEALTHY: dict[int | str, Any] = {
    503: {
        "description": "Unhealthy, and why",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Health"}}},
    }
}


class Ingest(Shape):
    """How far behind its log the follower is; zeros and no file when no log is followed."""

    file: str | None
    lag_bytes: int
    lag_seconds: float
    lines_per_second: float


class Status(Shape):
    """The appliance at a glance."""

    proxy_status: Literal["running", "stopped"]
    proxy_host: str
    proxy_port: int
    version: str
    requests_count: int
    ingest: Ingest


@blueprint.get("/api/health")
@answers(Health)
@blueprint.doc(responses=UNHEALTHY)
def health() -> Response:
    """Whether the database can be read and, where a log is to be followed, its follower is alive. Open to all."""
    found = trouble()
    if found is None:
        return flat(status="healthy", version=__version__)
    return flat(503, status="unhealthy", version=__version__, detail=found)


@blueprint.get("/api/status")
@answers(Answer[Status])
def status() -> Response:
    """The proxy, the log and the follower."""
    core, now = context.core(), context.now()
    with context.reading() as conn:
        requests = requests_count(conn)
    follower = read_status(core.config.follower_status)
    alive = follower is not None and follower.alive(now)
    ingest = Ingest(file=None, lag_bytes=0, lag_seconds=0, lines_per_second=0)
    if follower is not None and core.config.access_logs:
        ingest = Ingest(
            file=follower.file,
            lag_bytes=follower.lag_bytes,
            lag_seconds=follower.lag_seconds,
            lines_per_second=follower.lines_per_second if alive else 0,
        )
    found = Status(
        proxy_status="running" if core.probe.running(now) else "stopped",
        proxy_host=core.config.proxy_host,
        proxy_port=core.config.proxy_port,
        version=__version__,
        requests_count=requests,
        ingest=ingest,
    )
    return success(found.model_dump())


def trouble() -> str | None:
    """What is wrong, in a sentence that anybody may read; None when all is well."""
    core = context.core()
    try:
        if not core.config.database.exists():
            return "The database can't be read."
        if damage.is_marked(core.config.database):
            return DAMAGED
        context.generations()
    except (sqlite3.Error, ProxywebError) as error:
        if isinstance(translated(error) if isinstance(error, sqlite3.Error) else error, Damaged):
            damage.suspect(core.config.database)
            return DAMAGED
        return "The database can't be read."
    if core.config.access_logs:
        follower = read_status(core.config.follower_status)
        if follower is None or not follower.alive(context.now()):
            return "The access log is not being followed."
        if follower.state == "error":  # what it is may name files: that is in proxyweb's log and in 'proxyweb check'
            return "The access log can't be read or stored at the moment; proxyweb's log says why."
    return None
