"""Results, hours of the day, clients by day, and users, against a plain recount of the rows, window by window."""

from __future__ import annotations

import random
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest

from proxyweb.catalogue.agents import UNKNOWN
from proxyweb.ingest.groups import DAY_MS, HOUR_MS
from proxyweb.ingest.importer import Importer
from proxyweb.ingest.record import BLOCKING_REASONS
from proxyweb.privacy import mask_address
from proxyweb.queries.clients import activity
from proxyweb.queries.durations import Took, durations
from proxyweb.queries.results import days, hours_of_day, media_type, results
from proxyweb.queries.urls import referrers, servers, urls
from proxyweb.queries.users import busiest_users
from proxyweb.queries.windows import Window, window
from tests.counted_hours import HOURS, count_hours
from tests.ingest.factory import Request, log, new_database
from tests.large_log import START

BEGIN_MS = 1_769_990_400_000  # 2026-02-02 00:00:00 UTC
NOW = BEGIN_MS / 1000 + 36 * 86_400 + 3600 * 14.5  # rows go on behind it, in its hour and its day too
TYPES = ("text/html", "text/html; charset=utf-8", "Text/HTML ;x=1", "image/png", "", ";", "<b>", "application/json")
RESULTS = (("TCP_MISS", 200), ("TCP_MISS", 404), ("TCP_HIT", 200), ("TCP_MISS_ABORTED", 0), ("TCP_DENIED", 403))
CLIENTS = (*(f"10.0.{number % 3}.{number}" for number in range(60)), "2001:db8:1:2::3", "2001:db8:1::4", "pc-7.lan")
PATHS = ("", "x", "x?y=1", "?z", "app.js", "v1.2/a.TAR.gz?x=1.css", "x#a.png", *(f"p/{number}" for number in range(40)))
REFERERS = ("", "http://a.test/x", "https://A.test:8443/", "http://u:p@b.test?q", "http://u@b.test/@x", "b.test/x",
            "android-app://com.x", "http://b.test/@x")  # fmt: skip
SITES = {"http://a.test/x": "a.test", "https://A.test:8443/": "a.test", "http://u:p@b.test?q": "b.test",
         "http://u@b.test/@x": "b.test", "http://b.test/@x": "b.test"}  # fmt: skip
WITHOUT_USER = {"http://u:p@b.test?q": "http://b.test?q", "http://u@b.test/@x": "http://b.test/@x"}
AGENTS = (
    "",
    "curl/8.5.0",
    "curl/7.1",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:133.0) Gecko/20100101 Firefox/133.0",
)
WINDOWS = ("1h", "24h", "7d", "30d", "all")


class Row(NamedTuple):
    """A row as it was logged."""

    time_ms: int
    client: str
    user: str
    status: int
    result_code: str
    content_type: str
    blocked: bool
    size: int
    method: str
    url: str
    referer: str
    elapsed_ms: int
    peer: str
    program: str
    system: str


@pytest.fixture(scope="module", params=HOURS)
def varied(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    """4,000 requests over forty days in no order at all, half of them near NOW."""
    choose, folder = random.Random(12), tmp_path_factory.mktemp("varied")
    with closing(new_database(folder / "proxyweb.sqlite")) as conn:
        file = folder / "varied.log"
        file.write_bytes(log(*(_request(choose) for _ in range(4000)), log_format="proxyweb"))
        Importer(conn, parallel=False).import_file(file)
        if request.param == "hours from rollups":
            count_hours(conn)
        yield conn


def _request(choose: random.Random) -> Request:
    near = int(NOW * 1000) - 2 * DAY_MS
    result_code, status = choose.choice(RESULTS)
    is_tunnel = choose.random() < 0.3
    return Request(
        choose.choice((BEGIN_MS + choose.randrange(40 * DAY_MS), near + choose.randrange(3 * DAY_MS))),
        client=choose.choice(CLIENTS), content_type=choose.choice(TYPES), size=choose.randrange(9999),
        result_code=result_code, status=status, user=choose.choice(("", "", "ann", "bob", "<i>")),
        method="CONNECT" if is_tunnel else choose.choice(("GET", "POST")), referer=choose.choice(REFERERS),
        elapsed_ms=choose.randrange(5000), peer=choose.choice(("", "192.0.2.1", "192.0.2.2", "parent.lan")),
        user_agent=choose.choice(AGENTS),
        url="a.test:443" if is_tunnel else f"http://{choose.choice('ab')}.test/{choose.choice(PATHS)}",
    )  # fmt: skip


def rows(conn: sqlite3.Connection, since_ms: int = 0, end_ms: int = 1 << 62) -> list[Row]:
    listed = ", ".join(f"'{reason}'" for reason in BLOCKING_REASONS)
    found = conn.execute(
        "SELECT l.time_ms, c.address, u.name, k.status_code, k.result_code, k.content_type,"
        f" k.reason IN ({listed}), l.bytes, k.method, s.prefix || l.rest, l.referer, l.elapsed_ms, p.address,"
        " a.name, a.system"
        " FROM proxy_logs AS l JOIN clients AS c ON c.id = client_id"
        " JOIN result_kinds AS k ON k.id = kind_id JOIN users_seen AS u ON u.id = user_id"
        " JOIN sites AS s ON s.id = site_id JOIN peers AS p ON p.id = peer_id"
        " JOIN user_agents AS a ON a.id = agent_id"
        " WHERE l.time_ms >= ? AND l.time_ms < ?",
        (since_ms, end_ms),
    )
    return [Row(*row) for row in found]


@pytest.fixture(params=WINDOWS)
def of(request: pytest.FixtureRequest, varied: sqlite3.Connection) -> Window:
    return window(varied, request.param, NOW)


def summed(found: list[Row], value_of: Callable[[Row], str]) -> list[tuple[str, int, int, int]]:
    by_value: defaultdict[str, list[Row]] = defaultdict(list)
    for row in found:
        by_value[value_of(row)].append(row)
    by_value.pop("", None)
    listed = [
        (value, len(same), sum(row.size for row in same), sum(row.elapsed_ms for row in same))
        for value, same in by_value.items()
    ]
    return sorted(listed, key=lambda one: (-one[1], one[0]))


def ranked(names: Counter[str]) -> list[tuple[str, int]]:
    return sorted(names.items(), key=lambda item: (-item[1], item[0]))


def test_results(varied: sqlite3.Connection, of: Window) -> None:
    found, counted = rows(varied, **of.row_bounds), results(varied, of)
    assert 0 < counted.total == len(found)
    assert counted.statuses == summed(found, lambda row: f"{row.status:03}")
    assert counted.result_codes == summed(found, lambda row: row.result_code)
    assert counted.content_types == summed(found, lambda row: media_type(row.content_type))
    assert {sums.value for sums in counted.content_types} == {"text/html", "image/png", "<b>", "application/json"}


def test_the_longest(varied: sqlite3.Connection, of: Window) -> None:
    found, counted = rows(varied, **of.row_bounds), durations(varied, of)
    assert counted == {
        "clients": timed(found, lambda row: row.client),
        "users": timed(found, lambda row: row.user),
        "hosts": timed(found, lambda row: urlsplit(f"//{row.url.rpartition('//')[2]}").hostname or ""),
        "services": [],
        "programs": timed(found, lambda row: row.program),
        "systems": timed(found, lambda row: row.system or (UNKNOWN if row.program else "")),
        "methods": timed(found, lambda row: row.method),
        "statuses": timed(found, lambda row: f"{row.status:03}"),
        "result_codes": timed(found, lambda row: row.result_code),
        "content_types": timed(found, lambda row: media_type(row.content_type)),
        "extensions": timed(found, extension),
        "hours_of_day": timed(found, lambda row: f"{row.time_ms // HOUR_MS % 24:02}"),
        "days": timed(found, lambda row: str(datetime.fromtimestamp(row.time_ms / 1000, UTC).date())),
    }
    assert {took.value for took in counted["extensions"]} <= {".gz", ".js"}
    assert {took.value for took in counted["programs"]} <= {"curl", "Firefox"}


def extension(row: Row) -> str:
    """Of a URL's path, by the two that have one."""
    return ".js" if row.url.endswith("app.js") else ".gz" if ".TAR.gz?" in row.url else ""


def timed(found: list[Row], value_of: Callable[[Row], str]) -> list[Took]:
    by_value: defaultdict[str, list[int]] = defaultdict(list)
    for row in found:
        by_value[value_of(row)].append(row.elapsed_ms)
    by_value.pop("", None)
    return sorted(
        (Took(value, len(times), sum(times), max(times)) for value, times in by_value.items()),
        key=lambda took: (-took.longest_ms, took.value),
    )


def test_hours_of_the_day(varied: sqlite3.Connection, of: Window) -> None:
    requests, blocked, took = Counter[int](), Counter[int](), Counter[int]()
    for row in rows(varied, **of.row_bounds):
        if of.hours["first"] <= row.time_ms // HOUR_MS <= of.hours["last"]:
            requests[row.time_ms // HOUR_MS % 24] += 1
            blocked[row.time_ms // HOUR_MS % 24] += row.blocked
            took[row.time_ms // HOUR_MS % 24] += row.elapsed_ms
    assert hours_of_day(varied, of) == [(hour, requests[hour], blocked[hour], took[hour]) for hour in range(24)]


@pytest.mark.parametrize("masked", [False, True])
def test_days(varied: sqlite3.Connection, of: Window, masked: bool) -> None:
    seen: defaultdict[int, set[str]] = defaultdict(set)
    took: defaultdict[int, list[int]] = defaultdict(list)
    for row in rows(varied, of.since_ms // DAY_MS * DAY_MS, (of.until_ms // DAY_MS + 1) * DAY_MS):
        seen[row.time_ms // DAY_MS].add(mask_address(row.client) if masked else row.client)
        took[row.time_ms // DAY_MS].append(row.elapsed_ms)
    expected = [(day, len(clients), len(took[day]), sum(took[day])) for day, clients in sorted(seen.items())]
    assert days(varied, of, mask_address if masked else None) == expected


def test_users(varied: sqlite3.Connection, of: Window) -> None:
    counts = Counter(row.user for row in rows(varied, **of.row_bounds) if row.user)
    assert busiest_users(varied, of, 50) == (len(counts), ranked(counts))
    assert busiest_users(varied, of, 1) == (len(counts), ranked(counts)[:1])
    together = (1, [("x", counts.total())]) if counts else (0, [])
    assert busiest_users(varied, of, 50, lambda _: "x") == together


def test_users_of_a_large_log_in_disorder(conn: sqlite3.Connection) -> None:
    choose, found = random.Random(9), rows(conn)
    spans = [Window(START * 1000 - DAY_MS, START * 1000 + 20 * DAY_MS, True)]
    for unit, most in ((HOUR_MS, 48), (DAY_MS, 12)) * 8:
        since_ms = START * 1000 // DAY_MS * DAY_MS + choose.randrange(12 * DAY_MS // unit) * unit
        spans.append(Window(since_ms, since_ms + choose.randrange(most * unit), unit == DAY_MS))
    for span in spans:
        since_ms, end_ms = span.row_bounds.values()
        counts = Counter(row.user for row in found if row.user and since_ms <= row.time_ms < end_ms)
        assert busiest_users(conn, span, 50) == (len(counts), ranked(counts))


@pytest.mark.parametrize("limit", [3, 200])
def test_urls(varied: sqlite3.Connection, of: Window, limit: int) -> None:
    found = [row for row in rows(varied, **of.row_bounds) if row.method != "CONNECT"]
    most, not_found = of_urls(found), of_urls([row for row in found if row.status == 404])
    took = [row.elapsed_ms for row in found]
    totals = (len(most), len(found), len(not_found), sum(took), max(took))
    assert len(not_found) > 3
    assert urls(varied, of, limit) == (*totals, most[:limit], not_found[:limit])


def of_urls(found: list[Row]) -> list[tuple[str, int, int, int, int]]:
    longest: defaultdict[str, int] = defaultdict(int)
    for row in found:
        longest[row.url] = max(longest[row.url], row.elapsed_ms)
    return [(*sums, longest[sums[0]]) for sums in summed(found, lambda row: row.url)]


def test_servers(varied: sqlite3.Connection, of: Window) -> None:
    peers = Counter(row.peer for row in rows(varied, **of.row_bounds) if row.peer)
    assert servers(varied, of) == ranked(peers)


@pytest.mark.parametrize("limit", [2, 200])
def test_referrers(varied: sqlite3.Connection, of: Window, limit: int) -> None:
    led = [row.referer for row in rows(varied, **of.row_bounds) if "://" in row.referer]
    sites = Counter(SITES.get(referer, "com.x") for referer in led)
    pages = Counter(WITHOUT_USER.get(referer, referer) for referer in led)
    assert len(pages) > 3
    assert referrers(varied, of, limit) == (len(pages), ranked(pages)[:limit], ranked(sites))


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("limit", [2, 200])
def test_activity_of_clients(varied: sqlite3.Connection, masked: bool, limit: int) -> None:
    last = int(NOW) // 3600
    mask = mask_address if masked else str
    by_client: defaultdict[str, list[int]] = defaultdict(lambda: [0] * 48)
    for row in rows(varied, (last - 47) * HOUR_MS, (last + 1) * HOUR_MS):
        by_client[mask(row.client)][row.time_ms // HOUR_MS - last + 47] += 1
    expected = sorted(by_client.items(), key=lambda one: (-sum(one[1]), one[0]))
    found = activity(varied, int(NOW * 1000), 48, limit, mask_address if masked else None)
    assert found.since_ms == (last - 47) * HOUR_MS
    assert found.clients == expected[:limit]
    assert found.others == [
        sum(hours) for hours in zip([0] * 48, *(hours for _, hours in expected[limit:]), strict=True)
    ]
