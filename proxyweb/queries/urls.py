"""The URLs that were asked for, those that were not found, the pages that led there, and who served them.

No rollup has them, since most URLs are asked for once: they are counted from a window's rows, at about 4 µs each.
"""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from typing import Any, NamedTuple

from proxyweb.queries.durations import MASKED, durations, shown
from proxyweb.queries.windows import IN_WINDOW, ROWS_OF_WINDOW, Window

# What is less than the last of the top is left out first, and only the rest given its name; of many alike, the first.
_AT_LEAST_LAST = "max(1, coalesce((SELECT {name} FROM counted ORDER BY {name} DESC LIMIT 1 OFFSET :limit - 1), 0))"
_TOP = f"""
    SELECT * FROM (
        SELECT '{{name}}', s.prefix || c.rest AS url, c.{{name}}, c.{{name}}_bytes, c.{{name}}_ms, c.{{name}}_longest_ms
        FROM counted AS c CROSS JOIN sites AS s ON s.id = c.site_id
        WHERE c.{{name}} >= {_AT_LEAST_LAST} ORDER BY c.{{name}} DESC, url LIMIT :limit
    )
"""
_COUNTED = f"""
    WITH counted AS MATERIALIZED (
        SELECT l.site_id, l.rest, count(*) AS requests, sum(l.bytes) AS requests_bytes,
               sum(l.elapsed_ms) AS requests_ms, max(l.elapsed_ms) AS requests_longest_ms,
               sum(k.status_code = 404) AS not_found, sum((k.status_code = 404) * l.bytes) AS not_found_bytes,
               sum((k.status_code = 404) * l.elapsed_ms) AS not_found_ms,
               max((k.status_code = 404) * l.elapsed_ms) AS not_found_longest_ms
        FROM {ROWS_OF_WINDOW} CROSS JOIN result_kinds AS k ON k.id = l.kind_id
        WHERE {IN_WINDOW} AND k.method <> 'CONNECT' GROUP BY l.site_id, l.rest
    )
    SELECT '', count(*), coalesce(sum(requests), 0), coalesce(sum(not_found > 0), 0), coalesce(sum(requests_ms), 0),
           coalesce(max(requests_longest_ms), 0)
    FROM counted
    UNION ALL {_TOP.format(name="requests")}
    UNION ALL {_TOP.format(name="not_found")}
"""
_SERVERS = f"""
    SELECT p.address, c.requests
    FROM (
        SELECT l.peer_id, count(*) AS requests FROM {ROWS_OF_WINDOW} WHERE {IN_WINDOW} AND l.peer_id > 0 GROUP BY 1
    ) AS c CROSS JOIN peers AS p ON p.id = c.peer_id ORDER BY c.requests DESC, p.address
"""
_REFERERS = f"""
    WITH counted AS MATERIALIZED (
        SELECT CASE WHEN instr(l.referer, '@') THEN without_user(l.referer) ELSE l.referer END AS page,
               count(*) AS requests
        FROM {ROWS_OF_WINDOW} WHERE {IN_WINDOW} AND instr(l.referer, '://') GROUP BY 1
    )
    SELECT 'pages', '', count(*) FROM counted
    UNION ALL SELECT * FROM (SELECT 'page', page, requests FROM counted ORDER BY requests DESC, page LIMIT :limit)
    UNION ALL SELECT 'site', substr(after, 1, instr(after || '/', '/') - 1), sum(requests)
    FROM (SELECT substr(page, instr(page, '://') + 3) AS after, requests FROM counted) GROUP BY 2
"""
_USER = re.compile(r"(://)[^/?#]*@")
_PORT = re.compile(r":\d*$", re.ASCII)


class Url(NamedTuple):
    """A URL as the log has it, how often it was asked for, or not found; the bytes sent to clients then, and how long
    that took, all together and at most."""

    url: str
    requests: int
    bytes: int
    total_ms: int
    longest_ms: int


class Urls(NamedTuple):
    """`requests` are those that have a URL, which tunnels have not, and `distinct` how many different ones these are;
    `distinct_not_found` how many of them were answered with 404. Lists are most first, then by URL."""

    distinct: int
    requests: int
    distinct_not_found: int
    total_ms: int
    longest_ms: int
    most: list[Url]
    not_found: list[Url]


class Referrers(NamedTuple):
    """`(referer, requests)` of the pages that led to requests, of which there are `distinct`, without the name and
    password that stand in some; `(host, requests)` of all of their sites. Most first."""

    distinct: int
    pages: list[tuple[str, int]]
    sites: list[tuple[str, int]]


def urls(conn: sqlite3.Connection, window: Window, limit: int) -> Urls:
    """The URLs of a window."""
    found: dict[str, list[Url]] = {"requests": [], "not_found": []}
    distinct = requests = distinct_not_found = total_ms = longest_ms = 0
    for name, *figures in conn.execute(_COUNTED, {**window.row_bounds, "limit": limit}):
        if name:
            found[name].append(Url(*figures))
        else:
            distinct, requests, distinct_not_found, total_ms, longest_ms = figures
    return Urls(distinct, requests, distinct_not_found, total_ms, longest_ms, found["requests"], found["not_found"])


def servers(conn: sqlite3.Connection, window: Window) -> list[tuple[str, int]]:
    """`(address, requests)` of what Squid fetched from, origins and parent proxies, tunnels included, most first."""
    return conn.execute(_SERVERS, window.row_bounds).fetchall()


def referrers(conn: sqlite3.Connection, window: Window, limit: int) -> Referrers:
    """The pages that led to a request, to themselves included."""
    conn.create_function("without_user", 1, lambda referer: _USER.sub(r"\1", referer, count=1), deterministic=True)
    pages, distinct, sites = list[tuple[str, int]](), 0, Counter[str]()
    for what, name, requests in conn.execute(_REFERERS, {**window.row_bounds, "limit": limit}):
        if what == "pages":
            distinct = requests
        elif what == "page":
            pages.append((name, requests))
        else:
            sites[referring_site(name)] += requests
    del sites[""]
    return Referrers(distinct, pages, sorted(sites.items(), key=lambda one: (-one[1], one[0])))


def referring_site(authority: str) -> str:
    """The host in a referer's authority."""
    return _PORT.sub("", re.split(r"[?#]", authority, maxsplit=1)[0]).lower()


def ranked_urls(conn: sqlite3.Connection, window: Window, limit: int) -> dict[str, Any]:
    """All of it by name, as `/api/analytics/urls` shows it; lists are `limit` long at most, `distinct_…` says of how
    many; but of whom may be masked, all are there, so that those who are masked alike can be summed up."""
    found, leading, asked = urls(conn, window, limit), referrers(conn, window, limit), servers(conn, window)
    return {
        "requests": found.requests,
        "distinct_urls": found.distinct,
        "distinct_not_found": found.distinct_not_found,
        "distinct_referring_sites": len(leading.sites),
        "distinct_referrers": leading.distinct,
        "distinct_servers": len(asked),
        "mean_ms": _mean(found.total_ms, found.requests),
        "longest_ms": found.longest_ms,
        "urls": [_shown(url) for url in found.most],
        "not_found": [_shown(url) for url in found.not_found],
        "referring_sites": _counts(leading.sites[:limit]),
        "referrers": _counts(leading.pages),
        "servers": _counts(asked[:limit]),
        "longest": {
            name: [shown(took) for took in (some if name in MASKED else some[:limit])]
            for name, some in durations(conn, window).items()
        },
    }


def _shown(url: Url) -> dict[str, str | int]:
    mean_ms = _mean(url.total_ms, url.requests)
    return {
        "url": url.url,
        "requests": url.requests,
        "bytes": url.bytes,
        "elapsed_ms": url.total_ms,
        "mean_ms": mean_ms,
        "longest_ms": url.longest_ms,
    }


def _counts(counts: list[tuple[str, int]]) -> list[dict[str, str | int]]:
    return [{"name": name, "count": count} for name, count in counts]


def _mean(total_ms: int, requests: int) -> int:
    return round(total_ms / requests) if requests else 0
