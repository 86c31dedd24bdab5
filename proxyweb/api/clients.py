"""Who asks the proxy: the busiest clients, and one of them closely."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from apiflask import APIBlueprint
from flask import Response

from proxyweb.api import context
from proxyweb.api.answers import Answer, Shape
from proxyweb.api.binding import answers, query
from proxyweb.api.conditional import conditional
from proxyweb.api.durations import Timed, took
from proxyweb.api.envelope import success
from proxyweb.api.log_entries import masks, shown
from proxyweb.api.parameters import Query, Whole
from proxyweb.api.times import written
from proxyweb.api.windows import GRAIN, WindowQuery, bounds, ending_now
from proxyweb.db.connection import snapshot
from proxyweb.errors import Invalid, NotFound
from proxyweb.privacy import is_masked_address
from proxyweb.queries import clients
from proxyweb.queries.client_hosts import hosts_of_clients
from proxyweb.queries.log_pages import PageRequest, page
from proxyweb.queries.log_rows import rows_by_id
from proxyweb.queries.selection import Selection

blueprint = APIBlueprint("clients", __name__, tag="Clients")

ACTIVE_MS = 15 * 60_000
ACTIVITY_HOURS, SECONDS_OF_HOUR = 48, 3600
TOP_DOMAINS = 10
RECENT = 20
RECENT_FIELDS = ("timestamp", "method", "destination", "status", "bytes")


class ClientsQuery(WindowQuery):
    """How many clients, of which time."""

    limit: Annotated[int, Whole(1, 500)] = 50


class ClientStatistics(Timed):
    """A client's requests, and bytes to it. `Active` when it was seen in the last 15 minutes."""

    ip_address: str
    requests: int
    blocked: int
    bytes: int
    last_seen: str
    status: Literal["Active", "Idle"]


class ClientList(Shape):
    """How many clients there were, and the busiest of them, most requests first."""

    since: str
    until: str
    total_clients: int
    clients: list[ClientStatistics]


class ActivityQuery(Query):
    """How many clients."""

    limit: Annotated[int, Whole(1, 20)] = 7


class ClientActivity(Shape):
    """A client's requests, hour by hour."""

    ip_address: str
    requests: list[int]


class ActivityOfClients(Shape):
    """Requests of the last 48 hours: `labels` say when each hour begins; `clients` are the busiest, `others` all the
    rest together, each with a figure for each hour."""

    labels: list[str]
    clients: list[ClientActivity]
    others: list[int]


class ClientDomain(Shape):
    """A host that the client asked for."""

    destination: str
    requests: int
    blocked: int


class ClientRequest(Shape):
    """One request, as the log shows it."""

    timestamp: str
    method: str
    destination: str
    status: str
    bytes: int


class ClientDetails(Timed):
    """One client. Figures and lists are of the window; `first_seen` is of all time, `last_seen` of what is left in the
    log, null when that is nothing."""

    since: str
    until: str
    ip_address: str
    total_requests: int
    blocked: int
    bytes: int
    first_seen: str
    last_seen: str | None
    top_domains: list[ClientDomain]
    recent: list[ClientRequest]


@blueprint.get("/api/clients/statistics")
@conditional("logs", grain=GRAIN, serves_on=True)
@query(ClientsQuery)
@answers(Answer[ClientList])
def client_statistics(parameters: ClientsQuery) -> Response:
    """The busiest clients.

    While `gdpr_mode` is on, addresses that are masked to the same are one client.
    """
    mask_client, _ = masks()
    with context.reading() as conn, snapshot(conn):
        window = ending_now(conn, parameters.window)
        total, busiest = clients.busiest_clients(conn, window, parameters.limit, mask_client)
    return success(
        {
            **bounds(window),
            "total_clients": total,
            "clients": [
                {
                    "ip_address": found.client,
                    "requests": found.requests,
                    "blocked": found.blocked,
                    "bytes": found.bytes,
                    **took(found.elapsed_ms, found.requests),
                    "last_seen": written(found.last_ms // 1000),
                    "status": "Active" if found.last_ms >= window.until_ms - ACTIVE_MS else "Idle",
                }
                for found in busiest
            ],
        }
    )


@blueprint.get("/api/clients/activity")
@conditional("logs", grain=GRAIN, serves_on=True)
@query(ActivityQuery)
@answers(Answer[ActivityOfClients])
def client_activity(parameters: ActivityQuery) -> Response:
    """When the busiest clients of the last two days made their requests, by the hour."""
    mask_client, _ = masks()
    with context.reading() as conn, snapshot(conn):
        found = clients.activity(conn, int(context.now() * 1000), ACTIVITY_HOURS, parameters.limit, mask_client)
    first = found.since_ms // 1000
    return success(
        {
            "labels": [written(first + hour * SECONDS_OF_HOUR) for hour in range(ACTIVITY_HOURS)],
            "clients": [{"ip_address": name, "requests": requests} for name, requests in found.clients],
            "others": found.others,
        }
    )


@blueprint.get("/api/clients/<ip>/details")
@conditional("logs", grain=GRAIN, serves_on=True)
@query(WindowQuery)
@answers(Answer[ClientDetails])
def client_details(ip: str, parameters: WindowQuery) -> Response:
    """One client: its figures, the hosts it asks for most, and its last requests.

    `ip` is an address in any spelling, or the name that Squid logged. While `gdpr_mode` is on it is a masked one, such
    as `192.168.1.x`, and stands for all clients that are masked to it.
    """
    mask_client, mask_user = masks()
    if mask_client and not is_masked_address(ip):
        raise Invalid([("ip", "must be a masked address such as 192.168.1.x while gdpr_mode is on")])
    with context.reading() as conn, snapshot(conn):
        window = ending_now(conn, parameters.window)
        ids = clients.clients_called(conn, ip, mask_client)
        found = clients.client_details(conn, ids, window)
        if found is None:
            raise NotFound("No request of this client was ever seen; /api/clients/statistics lists those that are.")
        domains = hosts_of_clients(conn, ids, window, TOP_DOMAINS)
        limits = window.row_bounds
        selection = Selection({"client": ids}, since_ms=limits["since_ms"], until_ms=limits["end_ms"])
        newest = page(conn, PageRequest(selection, found.requests, limit=RECENT))
        rows = rows_by_id(conn, [row_id for _, row_id in newest])
    return success(
        {
            **bounds(window),
            "ip_address": mask_client(found.address) if mask_client else found.address,
            "total_requests": found.requests,
            "blocked": found.blocked,
            "bytes": found.bytes,
            **took(found.elapsed_ms, found.requests),
            "first_seen": written(found.first_ms // 1000),
            "last_seen": None if found.last_ms is None else written(found.last_ms // 1000),
            "top_domains": [
                {"destination": domain.host, "requests": domain.requests, "blocked": domain.blocked}
                for domain in domains
            ],
            "recent": [_recent(entry) for entry in shown(rows, mask_client, mask_user)],
        }
    )


def _recent(entry: dict[str, Any]) -> dict[str, Any]:
    return {name: entry[name] for name in RECENT_FIELDS}
