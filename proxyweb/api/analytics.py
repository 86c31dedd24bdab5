"""With what people browse, what they fetch, where they go, and what is new."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Annotated, Any

from apiflask import APIBlueprint
from flask import Response
from pydantic import Field

from proxyweb.api import context
from proxyweb.api.answers import Answer, Shape
from proxyweb.api.binding import answers, query
from proxyweb.api.conditional import conditional
from proxyweb.api.durations import Timed, took
from proxyweb.api.envelope import success
from proxyweb.api.log_entries import Text, masks
from proxyweb.api.parameters import Instant, Query, Whole
from proxyweb.api.shadow_it import described
from proxyweb.api.times import written
from proxyweb.api.windows import GRAIN, WindowQuery, bounds, ending_now, with_bounds
from proxyweb.catalogue.agents import UNKNOWN
from proxyweb.catalogue.file_types import category_of
from proxyweb.db.connection import snapshot
from proxyweb.errors import Invalid
from proxyweb.privacy import is_masked_address
from proxyweb.queries import domains, files, first_seen, programs
from proxyweb.queries.selection import Filters, select

blueprint = APIBlueprint("analytics", __name__, tag="Analytics")

EXTENSIONS_SHOWN = 30
NO_EXTENSION = "none"
DAY_MS = 86_400_000
NEW_FOR_DAYS = 7


class TopQuery(WindowQuery):
    """Which time, and how many."""

    limit: Annotated[int, Whole(1, 200)] = 50


class FirstSeenQuery(Query):
    """Since when something counts as new, how many of each kind, and to whom."""

    since: Annotated[Instant | None, Field(description="`-7d` when it is not given.")] = None
    limit: Annotated[int, Whole(1, 500)] = 50
    client: Annotated[Text | None, Field(description="An address, or a network such as `10.0.0.0/8`.")] = None


class Counted(Shape):
    """How many requests something has."""

    name: str
    count: int


class TimedCount(Timed):
    """How many requests something has."""

    name: str
    count: int


class AgentCounted(Timed):
    """A user agent as it was sent, what it says, and how many requests came with it."""

    user_agent: str
    name: str
    system: str
    device: str
    service_type: str
    count: int


class UserAgents(Shape):
    """Requests by what sent them. All lists but `methods` are of requests with a user agent, which are `coverage` (0 to
    1) of `total`; `limit` holds for programs (`user_agents`), systems and texts (`raw_user_agents`)."""

    since: str
    until: str
    total: int
    coverage: float
    service_types: list[TimedCount]
    user_agents: list[TimedCount]
    systems: list[TimedCount]
    methods: list[TimedCount]
    raw_user_agents: list[AgentCounted]


class ExtensionCounted(Timed):
    """An extension with its dot, its requests, and the bytes sent to clients."""

    ext: str
    count: int
    bytes: int


class CategoryCounted(Timed):
    """A kind of file, and how many requests were for one."""

    category: str
    count: int


class FileExtensions(Shape):
    """Requests by extension and by kind of file: `other` are extensions that nobody knows, `none` are requests without
    one, so that all categories together are `total`."""

    since: str
    until: str
    total: int
    extensions: list[ExtensionCounted]
    categories: list[CategoryCounted]


class DomainCounted(Timed):
    """A registrable domain, or an address, and its requests: `count` in all, `blocked` of them, `bytes` to clients."""

    domain: str
    count: int
    blocked: int
    bytes: int


class NewDomain(Shape):
    """A domain, and who was the first to ask for it, when."""

    domain: str
    client_ip: str
    first_seen: str


class NewService(Shape):
    """A service, and who was the first to use it, when."""

    name: str
    category: str
    client_ip: str
    first_seen: str


class FirstSeen(Shape):
    """What was never seen before `since`."""

    since: str
    domains: list[NewDomain]
    services: list[NewService]


@blueprint.get("/api/analytics/user-agents")
@conditional("logs", grain=GRAIN, serves_on=True)
@query(TopQuery)
@answers(Answer[UserAgents])
def user_agents(parameters: TopQuery) -> Response:
    """Which programs send requests, by which methods. Everything most requests first."""
    limit = parameters.limit
    with context.reading() as conn, snapshot(conn):
        window = ending_now(conn, parameters.window)
        agents = programs.agents(conn, window)
        methods = programs.methods(conn, window)
    total, known = sum(count for _, count, _ in methods), sum(agent.requests for agent in agents)
    return success(
        {
            **bounds(window),
            "total": total,
            "coverage": round(known / total, 4) if total else 0.0,
            "service_types": counted((agent.service_type, agent.requests, agent.elapsed_ms) for agent in agents),
            "user_agents": counted((agent.name, agent.requests, agent.elapsed_ms) for agent in agents)[:limit],
            "systems": counted((agent.system or UNKNOWN, agent.requests, agent.elapsed_ms) for agent in agents)[:limit],
            "methods": counted(methods),
            "raw_user_agents": [
                {
                    "user_agent": agent.agent,
                    "name": agent.name,
                    "system": agent.system,
                    "device": agent.device,
                    "service_type": agent.service_type,
                    "count": agent.requests,
                    **took(agent.elapsed_ms, agent.requests),
                }
                for agent in agents[:limit]
            ],
        }
    )


@blueprint.get("/api/analytics/file-extensions")
@conditional("logs", grain=GRAIN, serves_on=True)
@query(WindowQuery)
@answers(Answer[FileExtensions])
def file_extensions(parameters: WindowQuery) -> Response:
    """What kinds of files are fetched: the thirty most frequent extensions, and all of them by category."""
    with context.reading() as conn, snapshot(conn):
        window = ending_now(conn, parameters.window)
        found = files.files(conn, window)
    categories = [(category_of(file.extension), file.requests, file.elapsed_ms) for file in found.extensions]
    without = found.requests - sum(requests for _, requests, _ in categories)
    if without:
        elapsed_ms = found.elapsed_ms - sum(elapsed_ms for *_, elapsed_ms in categories)
        categories.append((NO_EXTENSION, without, elapsed_ms))
    return success(
        {
            **bounds(window),
            "total": found.requests,
            "extensions": [
                {
                    "ext": file.extension,
                    "count": file.requests,
                    "bytes": file.bytes,
                    **took(file.elapsed_ms, file.requests),
                }
                for file in found.extensions[:EXTENSIONS_SHOWN]
            ],
            "categories": counted(categories, "category"),
        }
    )


@blueprint.get("/api/analytics/top-domains")
@conditional("logs", grain=GRAIN, serves_on=True)
@query(TopQuery)
@answers(Answer[list[DomainCounted]])
def top_domains(parameters: TopQuery) -> Response:
    """Where requests go: registrable domains such as `bbc.co.uk`, addresses as they are, most requests first."""
    with context.reading() as conn, snapshot(conn):
        window = ending_now(conn, parameters.window)
        found = domains.top_domains(conn, window, parameters.limit)
    shown = [
        {
            "domain": use.domain,
            "count": use.requests,
            "blocked": use.blocked,
            "bytes": use.bytes,
            **took(use.elapsed_ms, use.requests),
        }
        for use in found
    ]
    return with_bounds(success(shown), window)


@blueprint.get("/api/analytics/first-seen")
@conditional("logs", grain=GRAIN, serves_on=True)
@query(FirstSeenQuery)
@answers(Answer[FirstSeen])
def new_things(parameters: FirstSeenQuery) -> Response:
    """Domains and services that were never seen before, newest first, with who came first.

    With `client`: the domains that this client was the first to use, and the services that it never used before,
    whoever else did.
    """
    since_ms, limit = parameters.since, parameters.limit
    if since_ms is None:
        since_ms = int(context.now() // GRAIN * GRAIN) * 1000 - NEW_FOR_DAYS * DAY_MS
    mask_client, _ = masks()
    if mask_client and parameters.client is not None and not is_masked_address(parameters.client):
        raise Invalid([("client", "must be a masked address such as 192.168.1.x while gdpr_mode is on")])
    with context.reading() as conn, snapshot(conn):
        clients = select(conn, Filters(client=parameters.client), mask_client).values.get("client")
        new_domains = first_seen.new_domains(conn, since_ms, limit, clients)
        new_services = first_seen.new_services(conn, since_ms, limit, clients)
    mask = mask_client or str
    return success(
        {
            "since": written(since_ms // 1000),
            "domains": [
                {"domain": name, "client_ip": mask(client), "first_seen": written(first_ms // 1000)}
                for name, client, first_ms in new_domains
            ],
            "services": [
                {
                    "name": name,
                    "category": described(name).category,
                    "client_ip": mask(client),
                    "first_seen": written(first_ms // 1000),
                }
                for name, client, first_ms in new_services
            ],
        }
    )


def counted(uses: Iterable[tuple[str, int, int]], called: str = "name") -> list[dict[str, Any]]:
    """Requests, and how long they took, summed by name, most first, ties by name; the name's field is `called` so."""
    sums: defaultdict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for name, requests, elapsed_ms in uses:
        sums[name] = sums[name][0] + requests, sums[name][1] + elapsed_ms
    ranked = sorted(sums.items(), key=lambda item: (-item[1][0], item[0]))
    return [{called: name, "count": count, **took(elapsed_ms, count)} for name, (count, elapsed_ms) in ranked]
