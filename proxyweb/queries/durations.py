"""How long requests took: by everything that they can have in common, how many, all together and at most.

The rollups have no maxima, since deleting rows would have to find them anew: they are looked for in a window's rows, in
columns, at about 3 µs each.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from proxyweb.catalogue.agents import UNKNOWN
from proxyweb.catalogue.file_types import extension_of
from proxyweb.ingest.groups import DAY_MS, HOUR_MS, Ints, ints
from proxyweb.queries.results import media_type
from proxyweb.queries.selection import Mask
from proxyweb.queries.windows import IN_WINDOW, ROWS_OF_WINDOW, Window

ROWS_AT_ONCE = 8192
MASKED = ("clients", "users")
"""Lists whose names are people's."""
HOURS_OF_DAY = DAY_MS // HOUR_MS
_ROWS = f"""
    SELECT l.time_ms, l.client_id, l.user_id, l.agent_id, l.kind_id, l.site_id, l.elapsed_ms, l.rest
    FROM {ROWS_OF_WINDOW} WHERE {IN_WINDOW}
"""
_SITES = """
    SELECT s.id, h.host, v.name FROM sites AS s CROSS JOIN hosts AS h ON h.id = s.host_id
    LEFT JOIN services AS v ON v.id = h.service_id
"""
_KINDS = "SELECT id, method, printf('%03d', status_code), result_code, content_type FROM result_kinds"


class Took(NamedTuple):
    """The requests that have one value in common, and how long they took, all together and the longest of them."""

    value: str
    requests: int
    total_ms: int
    longest_ms: int


def shown(took: Took) -> dict[str, str | int]:
    """As the API shows it."""
    value, requests, total_ms, longest_ms = took
    mean_ms = round(total_ms / requests)
    return {"name": value, "count": requests, "elapsed_ms": total_ms, "mean_ms": mean_ms, "longest_ms": longest_ms}


def masked(some: list[dict[str, Any]], mask: Mask | None) -> list[dict[str, Any]]:
    """What is shown, by what a mask makes of the names."""
    if mask is None:
        return some
    sums: dict[str, Took] = {}
    for row in some:
        took = Took(mask(row["name"]), row["count"], row["elapsed_ms"], row["longest_ms"])
        sums[took.value] = _together(sums.get(took.value), took)
    return [shown(took) for took in longest_first(sums.values())]


def _together(known: Took | None, more: Took) -> Took:
    if known is None:
        return more
    longest_ms = max(known.longest_ms, more.longest_ms)
    return Took(more.value, known.requests + more.requests, known.total_ms + more.total_ms, longest_ms)


class _Times:
    """What is found of each number from 0 up."""

    def __init__(self) -> None:
        self._found = np.zeros((3, 256), np.int64)

    def add(self, numbers: Ints, elapsed_ms: Ints) -> None:
        """Take up rows: of each its number, and how long it took."""
        most = int(numbers.max(initial=0))
        if most >= self._found.shape[1]:
            self._found = np.pad(self._found, ((0, 0), (0, most + 1)))
        requests, total, longest = self._found
        size = most + 1
        requests[:size] += np.bincount(numbers, minlength=size)
        total[:size] += np.bincount(numbers, elapsed_ms, size).astype(np.int64)  # exact: of 8192 rows below 2 ** 40
        np.maximum.at(longest, numbers, elapsed_ms)

    def by(self, named: Iterable[tuple[int, str]]) -> list[Took]:
        """By the name that `(number, name)` gives each; several may have the same, and an empty one is none. Longest
        first, then by name."""
        sums: dict[str, Took] = {}
        size = self._found.shape[1]
        for number, name in named:
            if name and number < size and self._found[0, number]:
                sums[name] = _together(sums.get(name), Took(name, *self._found[:, number].tolist()))
        return longest_first(sums.values())


def longest_first(found: Iterable[Took]) -> list[Took]:
    return sorted(found, key=lambda took: (-took.longest_ms, took.value))


def durations(conn: sqlite3.Connection, window: Window) -> dict[str, list[Took]]:
    """By what requests have in common, the values and their times, each list longest first.

    `users`, `programs`, `systems`, `content_types`, `extensions` and `services` are of the requests that have one.
    Hours of the day are `00` to `23` and days `YYYY-MM-DD`, both of UTC.
    """
    by = {name: _Times() for name in ("client", "user", "agent", "kind", "site", "hour", "day", "extension")}
    extensions, first_day = _Extensions(conn), window.row_bounds["since_ms"] // DAY_MS
    cursor = conn.execute(_ROWS, window.row_bounds)
    while rows := cursor.fetchmany(ROWS_AT_ONCE):
        *numbers, rests = zip(*rows, strict=True)
        times, clients, users, agents, kinds, sites, elapsed = map(ints, numbers)
        by["client"].add(clients, elapsed)
        by["user"].add(users, elapsed)
        by["agent"].add(agents, elapsed)
        by["kind"].add(kinds, elapsed)
        by["site"].add(sites, elapsed)
        by["hour"].add(times // HOUR_MS % HOURS_OF_DAY, elapsed)
        by["day"].add(times // DAY_MS - first_day, elapsed)
        by["extension"].add(extensions.of(numbers[5], rests), elapsed)
    return _named(conn, window, by, extensions)


def _named(
    conn: sqlite3.Connection, window: Window, by: dict[str, _Times], extensions: _Extensions
) -> dict[str, list[Took]]:
    def of(what: str, sql: str, name: Callable[[str], str] = str) -> list[Took]:
        return by[what].by((number, name(text)) for number, text in conn.execute(sql))

    sites, kinds = conn.execute(_SITES).fetchall(), conn.execute(_KINDS).fetchall()
    first_day = window.row_bounds["since_ms"] // DAY_MS
    last_day = window.row_bounds["end_ms"] // DAY_MS
    days = np.arange(first_day, last_day + 1).astype("datetime64[D]").astype(str).tolist()
    return {
        "clients": of("client", "SELECT id, address FROM clients"),
        "users": of("user", "SELECT id, name FROM users_seen"),
        "hosts": by["site"].by((number, host) for number, host, _ in sites),
        "services": by["site"].by((number, service or "") for number, _, service in sites),
        "programs": of("agent", "SELECT id, name FROM user_agents WHERE id > 0"),
        "systems": of("agent", "SELECT id, system FROM user_agents WHERE id > 0", lambda system: system or UNKNOWN),
        "methods": by["kind"].by((number, method) for number, method, *_ in kinds),
        "statuses": by["kind"].by((number, status) for number, _, status, *_ in kinds),
        "result_codes": by["kind"].by((number, result) for number, _, _, result, _ in kinds),
        "content_types": by["kind"].by((number, media_type(content)) for number, *_, content in kinds),
        "extensions": by["extension"].by(enumerate(extensions.names)),
        "hours_of_day": by["hour"].by((hour, f"{hour:02}") for hour in range(HOURS_OF_DAY)),
        "days": by["day"].by(enumerate(days)),
    }


class _Extensions:
    """Numbers the extensions of URLs' paths; 0 is none."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        ended = "SELECT id FROM sites WHERE substr(prefix, -1) IN ('?', '#')"
        self._without_path = {number for (number,) in conn.execute(ended)}
        self._numbers = {"": 0}

    @property
    def names(self) -> list[str]:
        return list(self._numbers)

    def of(self, sites: Iterable[int], rests: Iterable[str]) -> Ints:
        numbers, without = self._numbers, self._without_path
        return ints(
            [
                numbers.setdefault(extension_of(rest), len(numbers)) if "." in rest and site not in without else 0
                for site, rest in zip(sites, rests, strict=True)
            ]
        )
