"""Analytics against a plain recount of the rows, window by window: services, domains, programs, methods, files."""

from __future__ import annotations

import random
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import NamedTuple

import pytest

from proxyweb.catalogue.agents import classify
from proxyweb.catalogue.file_types import extension_of
from proxyweb.ingest.enrichment import BUILT_IN
from proxyweb.ingest.importer import Importer
from proxyweb.ingest.record import BLOCKING_REASONS, split_destination
from proxyweb.privacy import mask_address
from proxyweb.queries import first_seen
from proxyweb.queries.domains import top_domains
from proxyweb.queries.files import files
from proxyweb.queries.programs import agents, methods
from proxyweb.queries.services import used_services
from proxyweb.queries.windows import Window, window
from tests.counted_hours import HOURS, count_hours
from tests.ingest.factory import Request, log, new_database

DAY_MS = 86_400_000
BEGIN_MS = 1_769_990_400_000  # 2026-02-02 00:00:00 UTC
NOW = BEGIN_MS / 1000 + 36 * 86_400 + 3600 * 14.5  # rows go on behind it, in its hour and its day too
HOSTS = (
    "www.dropbox.com", "chatgpt.com", "files.wetransfer.com", "www.a.test", "b.a.test", "x.co.uk", "www.x.co.uk",
    "a.github.io", "192.0.2.7", "[2001:db8::7]",
)  # fmt: skip
PATHS = ("/", "/a.js", "/b/c.PDF?x=1.png", "/d.unknown", "/e.tar.gz", "/v1.2", "?f.exe", "")
AGENTS = ("", "curl/8.5.0", "Wget/1.21", "Firefox/1 odd", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Firefox/128.0")
CLIENTS = (*(f"10.{number % 3}.{number % 250}.{number % 7}" for number in range(900)), "2001:db8:1:2::3", "pc-7.lan")
BUSY = CLIENTS[-14:]
WINDOWS = ("1h", "24h", "7d", "30d", "all")


class Row(NamedTuple):
    """A row as it was logged."""

    time_ms: int
    client: str
    method: str
    blocked: bool
    host: str
    rest: str
    size: int
    agent: str
    elapsed_ms: int


@pytest.fixture(scope="module", params=HOURS)
def varied(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    """6,000 requests over forty days in no order at all, half of them near NOW."""
    choose, folder = random.Random(11), tmp_path_factory.mktemp("varied")
    with closing(new_database(folder / "proxyweb.sqlite")) as conn:
        file = folder / "varied.log"
        file.write_bytes(log(*(_request(choose) for _ in range(6000)), log_format="proxyweb"))
        Importer(conn, parallel=False).import_file(file)
        if request.param == "hours from rollups":
            count_hours(conn)
        yield conn


def _request(choose: random.Random) -> Request:
    near = int(NOW * 1000) - 2 * DAY_MS
    time_ms = choose.choice((BEGIN_MS + choose.randrange(40 * DAY_MS), near + choose.randrange(3 * DAY_MS)))
    host, method = choose.choice(HOSTS), choose.choice(("GET", "GET", "POST", "CONNECT"))
    url = f"{host}:443" if method == "CONNECT" else f"http://{host}{choose.choice(PATHS)}"
    is_denied = choose.random() < 0.2
    return Request(
        time_ms, choose.randrange(5000), choose.choice(choose.choice((CLIENTS, BUSY))), method=method,
        size=choose.randrange(9999), user_agent=choose.choice(AGENTS),
        url=url if choose.random() < 0.97 else "error:invalid-request",
        result_code="TCP_DENIED" if is_denied else "TCP_MISS", status=choose.choice((403, 407)) if is_denied else 200,
    )  # fmt: skip


def rows(conn: sqlite3.Connection, of: Window | None = None) -> list[Row]:
    """The rows of a window, with all of the hour or day it ends in; or all rows."""
    listed = ", ".join(f"'{reason}'" for reason in BLOCKING_REASONS)
    found = conn.execute(
        f"SELECT l.time_ms, c.address, k.method, k.reason IN ({listed}), h.host, s.prefix || l.rest, l.bytes, a.agent,"
        " l.elapsed_ms"
        " FROM proxy_logs AS l JOIN clients AS c ON c.id = client_id JOIN result_kinds AS k ON k.id = kind_id"
        " JOIN sites AS s ON s.id = site_id JOIN hosts AS h ON h.id = host_id JOIN user_agents AS a ON a.id = agent_id"
    )
    unit = 0 if of is None else DAY_MS if of.of_whole_days else 3_600_000
    return [Row(*row) for row in found if of is None or of.since_ms <= row[0] < (of.until_ms // unit + 1) * unit]


def by_hour(found: list[Row], of: Window) -> list[Row]:
    """Those of the hours that a rollup by the hour is asked for."""
    return [row for row in found if of.hours["first"] <= row.time_ms // 3_600_000 <= of.hours["last"]]


def domain(host: str) -> str:
    return BUILT_IN.domain(host, host[0].isdigit() or ":" in host) if host else ""


def ranked(names: Iterable[tuple[str, Row]]) -> list[tuple[str, list[Row]]]:
    """The rows of each name, most first, then by name; rows without one are left out."""
    by_name: defaultdict[str, list[Row]] = defaultdict(list)
    for name, row in names:
        by_name[name].append(row)
    by_name.pop("", None)
    return sorted(by_name.items(), key=lambda item: (-len(item[1]), item[0]))


def blocked(found: list[Row]) -> int:
    return sum(row.blocked for row in found)


def size(found: list[Row]) -> int:
    return sum(row.size for row in found)


def took(found: list[Row]) -> int:
    return sum(row.elapsed_ms for row in found)


@pytest.fixture(params=WINDOWS)
def of(request: pytest.FixtureRequest, varied: sqlite3.Connection) -> Window:
    return window(varied, request.param, NOW)


def test_the_windows_differ_and_rows_go_on_behind_them(varied: sqlite3.Connection) -> None:
    lengths = [len(rows(varied, window(varied, name, NOW))) for name in WINDOWS]
    assert sorted({*lengths, 0, 6000}) == [0, *lengths, 6000]


@pytest.mark.parametrize("masked", [False, True])
def test_services(varied: sqlite3.Connection, of: Window, masked: bool) -> None:
    first: dict[str, int] = {}
    for row in rows(varied):
        name = BUILT_IN.service(row.host)
        first[name] = min(first.get(name, row.time_ms), row.time_ms)
    mask = mask_address if masked else str
    expected = [
        (
            name, len(uses), blocked(uses), size(uses), took(uses), len({mask(use.client) for use in uses}),
            first[name], max(use.time_ms for use in uses),
        )
        for name, uses in ranked((BUILT_IN.service(row.host), row) for row in rows(varied, of))
    ]  # fmt: skip
    assert len(expected) == 4
    assert used_services(varied, of, mask_address if masked else None) == expected


@pytest.mark.parametrize("limit", [2, 200])
def test_domains(varied: sqlite3.Connection, of: Window, limit: int) -> None:
    assert top_domains(varied, of, limit) == domains_of(rows(varied, of), limit)


@pytest.mark.parametrize("name", WINDOWS)
def test_domains_and_methods_of_a_large_log(conn: sqlite3.Connection, name: str) -> None:
    last_ms: int = conn.execute("SELECT max(max_ms) FROM log_zones").fetchone()[0]
    of = window(conn, name, last_ms / 1000 - 86_400 - 1800)
    found = rows(conn, of)
    assert top_domains(conn, of, 50) == domains_of(found, 50)
    assert methods(conn, of) == methods_of(found)


def domains_of(found: list[Row], limit: int) -> list[tuple[str, int, int, int, int]]:
    names = {host: domain(host) for host in {row.host for row in found}}
    return [
        (name, len(same), blocked(same), size(same), took(same))
        for name, same in ranked((names[row.host], row) for row in found)[:limit]
    ]


def test_agents(varied: sqlite3.Connection, of: Window) -> None:
    found = ranked((row.agent, row) for row in by_hour(rows(varied, of), of))
    assert agents(varied, of) == [(text, *classify(text), len(same), took(same)) for text, same in found]


def test_methods(varied: sqlite3.Connection, of: Window) -> None:
    assert methods(varied, of) == methods_of(rows(varied, of))


def methods_of(found: list[Row]) -> list[tuple[str, int, int]]:
    return [(method, len(same), took(same)) for method, same in ranked((row.method, row) for row in found)]


def test_extensions(varied: sqlite3.Connection, of: Window) -> None:
    found = by_hour(rows(varied, of), of)
    expected = [
        (name, len(same), size(same), took(same)) for name, same in ranked((extension(row), row) for row in found)
    ]
    assert files(varied, of) == (len(found), took(found), expected)


def extension(row: Row) -> str:
    prefix, rest = split_destination(row.rest)
    return "" if prefix.endswith("?") else extension_of(rest)


def first_uses(found: list[Row], name_of: dict[str, str]) -> list[tuple[str, str, int]]:
    """What names are met in rows: each with its first client and time, newest first."""
    first: dict[str, tuple[int, str]] = {}
    for row in sorted(found):
        if name_of[row.host]:
            first.setdefault(name_of[row.host], (row.time_ms, row.client))
    return sorted(((name, client, at) for name, (at, client) in first.items()), key=lambda use: (-use[2], use[0]))


def test_first_seen(varied: sqlite3.Connection) -> None:
    everything = rows(varied)
    hosts = {row.host for row in everything}
    domain_of, service_of = {host: domain(host) for host in hosts}, {host: BUILT_IN.service(host) for host in hosts}
    domains, services = first_uses(everything, domain_of), first_uses(everything, service_of)
    middle = domains[3][2]
    assert first_seen.new_domains(varied, middle, 50) == [use for use in domains if use[2] >= middle]
    assert first_seen.new_domains(varied, 0, 2) == domains[:2]
    assert first_seen.new_services(varied, services[1][2], 50) == services[:2]
    assert first_seen.new_services(varied, services[1][2] + 1, 50) == services[:1]
    numbers = dict(varied.execute("SELECT address, id FROM clients"))
    for some in (BUSY[:1], BUSY[3:6], CLIENTS, ("pc-7.lan",)):
        ids = frozenset(numbers[client] for client in some if client in numbers)
        assert first_seen.new_domains(varied, 0, 50, ids) == [use for use in domains if use[1] in some]
        own = first_uses([row for row in everything if row.client in some], service_of)
        assert first_seen.new_services(varied, 0, 50, ids) == own
        assert first_seen.new_services(varied, own[0][2], 50, ids) == own[:1]
        assert first_seen.new_services(varied, 0, 1, ids) == own[:1]
    assert first_seen.new_services(varied, 0, 50, frozenset()) == []


def test_windows_of_whole_days_need_no_rows(varied: sqlite3.Connection) -> None:
    with closing(sqlite3.connect(":memory:")) as conn:
        varied.backup(conn)
        for of in (window(conn, name, NOW) for name in ("7d", "30d", "all")):
            before = everything(conn, of)
            with conn:
                conn.execute("DELETE FROM proxy_logs")
                assert everything(conn, of) == before
                conn.rollback()


def everything(conn: sqlite3.Connection, of: Window) -> tuple[object, ...]:
    asked = (used_services, agents, methods, files)
    return (*(query(conn, of) for query in asked), top_domains(conn, of, 50))
