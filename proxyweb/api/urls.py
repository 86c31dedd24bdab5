"""Which URLs, on demand: the one analysis that reads rows, while one waits or, where they are many, aside."""

from __future__ import annotations

from typing import Annotated

from apiflask import APIBlueprint
from flask import Response
from pydantic import Field

from proxyweb.api import context
from proxyweb.api.analytics import Counted
from proxyweb.api.answers import Answer, Shape
from proxyweb.api.binding import answers, query
from proxyweb.api.conditional import conditional
from proxyweb.api.envelope import success
from proxyweb.api.log_entries import masks
from proxyweb.api.parameters import Whole
from proxyweb.api.windows import GRAIN, WindowName, WindowQuery, bounds, ending_now
from proxyweb.db.connection import snapshot
from proxyweb.errors import BeingCounted, QueryTimeout
from proxyweb.privacy import mask_mail
from proxyweb.queries.durations import MASKED, masked
from proxyweb.queries.log_counts import requests_in
from proxyweb.queries.url_counts import UrlCounts, kept
from proxyweb.queries.urls import ranked_urls
from proxyweb.url_counter import MOST, SECONDS_A_ROW

blueprint = APIBlueprint("urls", __name__, tag="Analytics")

TOO_LONG = "Reading the requests of this time took too long; take window=1h, or ask again when less is going on."
AT_ONCE = ("1h", "24h")
"""Windows whose rows are read while one waits, unless there are more than `MOST_AT_ONCE`. Others are counted aside."""
MOST_AT_ONCE = 500_000
PERSONAL = {"urls": "url", "not_found": "url", "referrers": "name"}
"""Lists in which people's addresses may stand, and where in an entry."""


class UrlsQuery(WindowQuery):
    """Which time, and how many of each."""

    window: Annotated[
        WindowName, Field(description="How far back; more than 24h, or than 500,000 requests, is counted aside.")
    ] = "1h"
    limit: Annotated[int, Whole(1, MOST)] = 50


class UrlCounted(Shape):
    """A URL as the log has it, its requests, the bytes sent to clients for them, and how many milliseconds that took,
    all together, on average and at most."""

    url: str
    requests: int
    bytes: int
    elapsed_ms: int
    mean_ms: int
    longest_ms: int


class Took(Shape):
    """A value, the requests that have it, and how many milliseconds they took, all together, on average and at most."""

    name: str
    count: int
    elapsed_ms: int
    mean_ms: int
    longest_ms: int


class Longest(Shape):
    """By what requests have in common, its values with the longest requests, longest first.

    Requests without a user, user agent, content type, extension or known service are in none of these lists. Hours of
    the day (`00` to `23`) and days are of UTC. Clients masked alike are one.
    """

    clients: list[Took]
    users: list[Took]
    hosts: list[Took]
    services: list[Took]
    programs: list[Took]
    systems: list[Took]
    methods: list[Took]
    statuses: list[Took]
    result_codes: list[Took]
    content_types: list[Took]
    extensions: list[Took]
    hours_of_day: list[Took]
    days: list[Took]


class UrlList(Shape):
    """URLs of requests that are no tunnels, which have none: `requests` of them for `distinct_urls` different ones, of
    which `distinct_not_found` were answered with 404. `mean_ms` and `longest_ms` are how long these requests took.
    `referrers` are the pages that led to a request, where the log's format has referers, and `referring_sites` their
    hosts; `servers` are the origins and parent proxies that Squid asked, also for tunnels. Lists are most first.
    `longest` is of all requests, tunnels included."""

    since: str
    until: str
    requests: int
    distinct_urls: int
    distinct_not_found: int
    distinct_referring_sites: int
    distinct_referrers: int
    distinct_servers: int
    mean_ms: int
    longest_ms: int
    urls: list[UrlCounted]
    not_found: list[UrlCounted]
    referring_sites: list[Counted]
    referrers: list[Counted]
    servers: list[Counted]
    longest: Longest


@blueprint.get("/api/analytics/urls")
@conditional("logs", grain=GRAIN, serves_on=True)
@query(UrlsQuery)
@answers(Answer[UrlList])
def url_list(parameters: UrlsQuery) -> Response:
    """The URLs asked for most or not found, the pages that led there, the servers asked, and the longest requests.

    Read from the log's rows, seven seconds for a million; 503 when that takes longer than a query may. More than 24
    hours, or than 500,000 requests, are counted aside: 503 with Retry-After until that is done, and then ten minutes
    long what was counted up to `until`.
    """
    counts = _at_once(parameters) if parameters.window in AT_ONCE else None
    counts = counts or _aside(parameters.window)
    figures = {
        name: value[: parameters.limit] if isinstance(value, list) else value for name, value in counts.figures.items()
    }
    if context.gdpr():
        for name, field in PERSONAL.items():
            figures[name] = [{**counted, field: mask_mail(counted[field])} for counted in figures[name]]
    mask_of = dict(zip(MASKED, masks(), strict=True))
    figures["longest"] = {
        name: masked(some, mask_of.get(name))[: parameters.limit] for name, some in counts.figures["longest"].items()
    }
    return success({**bounds(counts.window), **figures})


def _at_once(parameters: UrlsQuery) -> UrlCounts | None:
    """What is counted while one waits; None where that would be long."""
    try:
        with context.reading() as conn, snapshot(conn):
            window = ending_now(conn, parameters.window)
            if requests_in(conn, window) > MOST_AT_ONCE:
                return None
            return UrlCounts(window, ranked_urls(conn, window, parameters.limit))
    except QueryTimeout:
        raise QueryTimeout(TOO_LONG) from None


def _aside(name: WindowName) -> UrlCounts:
    """What was counted lately; raises BeingCounted, having had it begun, where there is nothing."""
    with context.reading() as conn, snapshot(conn):
        counts = kept(conn, name, context.now())
        if counts is not None:
            return counts
        window = ending_now(conn, name)
        rows = requests_in(conn, window)
    context.core().url_counter.begin(name, window.until_ms / 1000)
    raise BeingCounted(rows, max(1, round(rows * SECONDS_A_ROW)))
