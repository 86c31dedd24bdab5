"""The URLs that were asked for, those that were not found, the sites that led there, and who served them.

No rollup has them, since most URLs are asked for once: they are counted from the rows of a window, at about 2 µs a row.
"""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from typing import NamedTuple

from proxyweb.queries.windows import IN_WINDOW, ROWS_OF_WINDOW, Window

_TOP = """
    SELECT '{name}', s.prefix || c.rest, c.{name}, c.{name}_bytes, c.{name}_ms, c.{name}_longest_ms
    FROM counted AS c CROSS JOIN sites AS s ON s.id = c.site_id
    WHERE c.{name} >= max(1, coalesce((SELECT {name} FROM counted ORDER BY {name} DESC LIMIT 1 OFFSET :last), 0))
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
_REFERRING = f"""
    SELECT substr(a.after, 1, instr(a.after || '/', '/') - 1), sum(a.requests)
    FROM (
        SELECT substr(l.referer, instr(l.referer, '://') + 3) AS after, count(*) AS requests
        FROM {ROWS_OF_WINDOW} WHERE {IN_WINDOW} AND instr(l.referer, '://') GROUP BY l.referer
    ) AS a GROUP BY 1
"""
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


def urls(conn: sqlite3.Connection, window: Window, limit: int) -> Urls:
    """The URLs of a window."""
    found: dict[str, list[Url]] = {"requests": [], "not_found": []}
    distinct = requests = distinct_not_found = total_ms = longest_ms = 0
    for name, *figures in conn.execute(_COUNTED, {**window.row_bounds, "last": limit - 1}):
        if name:
            found[name].append(Url(*figures))
        else:
            distinct, requests, distinct_not_found, total_ms, longest_ms = figures
    most, not_found = (sorted(some, key=lambda one: (-one.requests, one.url))[:limit] for some in found.values())
    return Urls(distinct, requests, distinct_not_found, total_ms, longest_ms, most, not_found)


def servers(conn: sqlite3.Connection, window: Window) -> list[tuple[str, int]]:
    """`(address, requests)` of what Squid fetched from, origins and parent proxies, tunnels included, most first."""
    return conn.execute(_SERVERS, window.row_bounds).fetchall()


def referring_sites(conn: sqlite3.Connection, window: Window) -> list[tuple[str, int]]:
    """`(host, requests)` of the sites whose pages led to a request, to themselves included, most first."""
    sites: Counter[str] = Counter()
    for authority, requests in conn.execute(_REFERRING, window.row_bounds):
        sites[referring_site(authority)] += requests
    del sites[""]
    return sorted(sites.items(), key=lambda one: (-one[1], one[0]))


def referring_site(authority: str) -> str:
    """The host in a referer's authority; a name and password in it are nobody's business."""
    return _PORT.sub("", re.split(r"[?#]", authority, maxsplit=1)[0].rpartition("@")[2]).lower()
