"""Which URLs, on demand: the one analysis that reads rows, for windows that are short enough."""

from __future__ import annotations

from typing import Annotated, Literal

from apiflask import APIBlueprint
from flask import Response
from pydantic import Field

from proxyweb.api import context
from proxyweb.api.analytics import Counted
from proxyweb.api.answers import Answer, Shape
from proxyweb.api.binding import answers, query
from proxyweb.api.conditional import conditional
from proxyweb.api.envelope import success
from proxyweb.api.parameters import Query, Whole
from proxyweb.api.windows import GRAIN, bounds, ending_now
from proxyweb.db.connection import snapshot
from proxyweb.errors import QueryTimeout
from proxyweb.queries import urls

blueprint = APIBlueprint("urls", __name__, tag="Analytics")

TOO_LONG = "Reading the requests of this time took too long; take window=1h, or ask again when less is going on."


class UrlsQuery(Query):
    """Which time, and how many of each."""

    window: Annotated[Literal["1h", "24h"], Field(description="How far back; longer would take too long.")] = "1h"
    limit: Annotated[int, Whole(1, 200)] = 50


class UrlCounted(Shape):
    """A URL as the log has it, its requests, the bytes sent to clients for them, and how many milliseconds that took,
    on average and at most."""

    url: str
    requests: int
    bytes: int
    mean_ms: int
    longest_ms: int


class UrlList(Shape):
    """URLs of requests that are no tunnels, which have none: `requests` of them for `distinct_urls` different ones, of
    which `distinct_not_found` were answered with 404. `mean_ms` and `longest_ms` are how long these requests took.
    `referring_sites` are the hosts of pages that led to a request, where the log's format has referers; `servers` are
    the origins and parent proxies that Squid asked, also for tunnels. Lists are most first."""

    since: str
    until: str
    requests: int
    distinct_urls: int
    distinct_not_found: int
    distinct_referring_sites: int
    distinct_servers: int
    mean_ms: int
    longest_ms: int
    urls: list[UrlCounted]
    not_found: list[UrlCounted]
    referring_sites: list[Counted]
    servers: list[Counted]


@blueprint.get("/api/analytics/urls")
@conditional("logs", grain=GRAIN, serves_on=True)
@query(UrlsQuery)
@answers(Answer[UrlList])
def url_list(parameters: UrlsQuery) -> Response:
    """The URLs asked for most, those not found, the sites that led to requests, and the servers that Squid asked.

    Read from the log's rows, about a second for a million of them; 503 when that takes longer than a query may.
    """
    limit = parameters.limit
    try:
        with context.reading() as conn, snapshot(conn):
            window = ending_now(conn, parameters.window)
            found = urls.urls(conn, window, limit)
            sites = urls.referring_sites(conn, window)
            servers = urls.servers(conn, window)
    except QueryTimeout:
        raise QueryTimeout(TOO_LONG) from None
    return success(
        {
            **bounds(window),
            "requests": found.requests,
            "distinct_urls": found.distinct,
            "distinct_not_found": found.distinct_not_found,
            "distinct_referring_sites": len(sites),
            "distinct_servers": len(servers),
            "mean_ms": _mean(found.total_ms, found.requests),
            "longest_ms": found.longest_ms,
            "urls": [_shown(url) for url in found.most],
            "not_found": [_shown(url) for url in found.not_found],
            "referring_sites": [{"name": name, "count": count} for name, count in sites[:limit]],
            "servers": [{"name": name, "count": count} for name, count in servers[:limit]],
        }
    )


def _shown(url: urls.Url) -> dict[str, str | int]:
    return {
        "url": url.url,
        "requests": url.requests,
        "bytes": url.bytes,
        "mean_ms": _mean(url.total_ms, url.requests),
        "longest_ms": url.longest_ms,
    }


def _mean(total_ms: int, requests: int) -> int:
    return round(total_ms / requests) if requests else 0
