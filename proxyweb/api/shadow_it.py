"""Shadow IT: the services in use that the catalogue knows, and what the admins say of them."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

from apiflask import APIBlueprint
from flask import Response

from proxyweb import audit
from proxyweb.api import context
from proxyweb.api.answers import Answer, Done, Shape
from proxyweb.api.binding import answers, body, query
from proxyweb.api.conditional import conditional
from proxyweb.api.durations import Timed, took
from proxyweb.api.envelope import done, success
from proxyweb.api.log_entries import masks
from proxyweb.api.parameters import Payload
from proxyweb.api.times import written
from proxyweb.api.windows import GRAIN, WindowQuery, ending_now, with_bounds
from proxyweb.catalogue.shadow_it import Catalogue, Service
from proxyweb.db.connection import snapshot
from proxyweb.db.database import advance
from proxyweb.db.session import driver
from proxyweb.errors import NotFound
from proxyweb.escaping import one_line
from proxyweb.queries.services import service_named, service_statuses, set_service_status, used_services

blueprint = APIBlueprint("shadow_it", __name__, tag="Analytics")

NO_CATEGORY = "Other"
Status = Literal["approved", "not approved", "under review"]


class ServiceInUse(Timed):
    """A service, and what it was used in the window. `clients` is how many used it, `first_seen` its very first use.

    `status` is what an admin said of it, empty at first. `domains`, of which `domain` is the first, `risk` and `note`
    are the catalogue's, empty where it says nothing and for a service that is no longer in it. Its requests are those
    of `/api/logs?service=NAME`.
    """

    name: str
    domain: str
    domains: list[str]
    requests: int
    category: str
    clients: int
    bytes: int
    blocked: int
    first_seen: str
    last_seen: str
    status: Status | Literal[""]
    risk: Literal["low", "medium", "high", ""]
    note: str


class NewStatus(Payload):
    """What is to be said of a service."""

    status: Status


class ServiceStatus(Shape):
    """A service by the catalogue's spelling, and what is said of it now."""

    name: str
    status: Status


class StatusSet(Done):
    """The service, and its new status."""

    data: ServiceStatus


@blueprint.get("/api/analytics/shadow-it")
@conditional("logs", grain=GRAIN, serves_on=True)
@query(WindowQuery)
@answers(Answer[list[ServiceInUse]])
def shadow_it(parameters: WindowQuery) -> Response:
    """Services that people bring to work themselves, most requests first."""
    mask_client, _ = masks()
    with context.reading() as conn, snapshot(conn):
        window = ending_now(conn, parameters.window)
        used = used_services(conn, window, mask_client)
        statuses = service_statuses(conn)
    found = []
    for use in used:
        service = described(use.name)
        found.append(
            {
                "name": use.name,
                "domain": next(iter(service.domains), ""),
                "domains": service.domains,
                "requests": use.requests,
                "category": service.category,
                "clients": use.clients,
                "bytes": use.bytes,
                **took(use.elapsed_ms, use.requests),
                "blocked": use.blocked,
                "first_seen": written(use.first_ms // 1000),
                "last_seen": written(use.last_ms // 1000),
                "status": statuses.get(use.name.casefold(), ""),
                "risk": service.risk or "",
                "note": service.note,
            }
        )
    return with_bounds(success(found), window)


@blueprint.put("/api/analytics/shadow-it/<name>")
@body(NewStatus)
@answers(StatusSet)
def set_status(name: str, payload: NewStatus) -> Response:
    """Say whether a service is approved. Its name may be in either case."""
    service = catalogued(name)
    with context.writing() as session:
        conn = driver(session)
        known = service.name if service else service_named(conn, name)
        if known is None:
            raise NotFound(f"There is no service {one_line(name, 64)} in the catalogue or the log.")
        before = set_service_status(conn, known, payload.status, context.now())
        if payload.status != before:
            audit.record(
                session, context.now(), context.identity().username, "service status changed", target=known,
                details=f"{before or 'none'} → {payload.status}", address=context.client_address(),
            )  # fmt: skip
            advance(conn, "settings")
    return done(f"{known} is {payload.status}.", data={"name": known, "status": payload.status})


def catalogued(name: str) -> Service | None:
    """What the catalogue has by that name, in either case."""
    return _by_name(context.core().catalogue).get(name.casefold())


def described(name: str) -> Service:
    """What the catalogue says of a service that the log knows; hardly anything when it is no longer in it."""
    return catalogued(name) or Service(name, NO_CATEGORY, ())


@lru_cache(1)
def _by_name(catalogue: Catalogue) -> dict[str, Service]:
    return {service.name.casefold(): service for service in catalogue.services}
