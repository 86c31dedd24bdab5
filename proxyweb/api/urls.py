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
    """A URL as the log has it, its requests, and the bytes sent to clients for it."""

    url: str
    requests: int
    bytes: int


class UrlList(Shape):
    """URLs of requests that are no tunnels, which have none: `requests` of them for `distinct_urls` different ones, of
    which `distinct_not_found` were answered with 404. `referring_sites` are the hosts of pages that led to a request,
    where the log's format has referers. Lists are most first."""

    since: str
    until: str
    requests: int
    distinct_urls: int
    distinct_not_found: int
    distinct_referring_sites: int
    urls: list[UrlCounted]
    not_found: list[UrlCounted]
    referring_sites: list[Counted]


@blueprint.get("/api/analytics/urls")
@conditional("logs", grain=GRAIN, serves_on=True)
@query(UrlsQuery)
@answers(Answer[UrlList])
def url_list(parameters: UrlsQuery) -> Response:
    """The URLs asked for most, those not found, and the sites that led to requests.

    Read from the log's rows, about a second for a million of them; 503 when that takes longer than a query may.
    """
    try:
        with context.reading() as conn, snapshot(conn):
            window = ending_now(conn, parameters.window)
            found = urls.urls(conn, window, parameters.limit)
            sites = urls.referring_sites(conn, window)
    except QueryTimeout:
        raise QueryTimeout(TOO_LONG) from None
    return success(
        {
            **bounds(window),
            "requests": found.requests,
            "distinct_urls": found.distinct,
            "distinct_not_found": found.distinct_not_found,
            "distinct_referring_sites": len(sites),
            "urls": [url._asdict() for url in found.most],
            "not_found": [url._asdict() for url in found.not_found],
            "referring_sites": [{"name": name, "count": count} for name, count in sites[: parameters.limit]],
        }
    )
