"""How fast the analytics answer: `python -m tests.bench.analytics --instance DIR`.

In process, every question is asked anew: the answer that a worker remembers is passed over. Over HTTP it is not, as no
client would have it otherwise; and windows end now there, so that only a log that is still written fills them. Beside
both stands the same question to one flat table with an index on each of time, client and host, as plain SQL.
"""

import argparse
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from proxyweb.api.context import core_of
from proxyweb.app import create_app
from proxyweb.catalogue.file_types import extension_of
from proxyweb.config import load as load_config
from proxyweb.db.connection import connect
from proxyweb.queries.windows import window
from tests.bench.readers import instance_environment
from tests.bench.server import Server, serving
from tests.bench.table import table
from tests.bench.wrk import Load, load
from tests.clients import signed_in

HEAD = ("path", "in process ms", "flat table ms", "flat/ours", "HTTP req/s", "p50 ms", "p99 ms", "remarks")
WINDOWS = ("7d", "30d")
CONNECTIONS = 4
FLAT = """
    CREATE TABLE requests AS
    SELECT l.time_ms / 1000 AS time, e.client_ip AS client, e.method, e.destination, e.domain AS host, d.domain,
           v.name AS service, e.status, e.blocked, e.reason, k.cache, e.bytes, e.bytes_in, e.user_agent,
           a.service_type, e.waf_categories,
           extension_of(CASE WHEN substr(s.prefix, -1) IN ('?', '#') THEN '' ELSE l.rest END) AS extension
    FROM log.proxy_logs AS l CROSS JOIN log.proxy_log_entries AS e ON e.id = l.id
    CROSS JOIN log.result_kinds AS k ON k.id = l.kind_id
    CROSS JOIN log.sites AS s ON s.id = l.site_id
    CROSS JOIN log.hosts AS h ON h.id = s.host_id
    CROSS JOIN log.domains AS d ON d.id = h.domain_id
    CROSS JOIN log.services AS v ON v.id = h.service_id
    CROSS JOIN log.user_agents AS a ON a.id = l.agent_id
"""
INDEXED = ("time", "client", "host")
IN_WINDOW = "time >= :since AND time < :end"
IN_DAY = "time >= :now - 86400 AND time <= :now"


def top(column: str, limit: int, where: str = IN_WINDOW, sums: str = "count(*) AS requests") -> str:
    """SQL of a ranked list over the flat table."""
    return f"SELECT {column}, {sums} FROM requests WHERE {where} GROUP BY 1 ORDER BY requests DESC, 1 LIMIT {limit}"


def over_time(seconds: int) -> str:
    """SQL of a chart with a point every so many seconds."""
    return f"SELECT time / {seconds}, count(*), sum(blocked), sum(bytes) FROM requests WHERE {IN_WINDOW} GROUP BY 1"


DETAILED = "count(*) AS requests, sum(blocked), sum(bytes), max(time)"
CACHED = "SELECT sum(cache = 'hit'), sum(cache = 'miss'), sum((cache = 'hit') * bytes) FROM requests WHERE "
WAF_BLOCKED = f"{IN_WINDOW} AND reason = 'waf'"
WAF = (
    f"SELECT sum(waf_categories IS NOT NULL), sum(reason = 'waf') FROM requests WHERE {IN_WINDOW}",
    *(top(column, 10, WAF_BLOCKED) for column in ("waf_categories", "host", "user_agent")),
)
VERDICTS = top("waf_categories", 1000, f"{IN_WINDOW} AND waf_categories IS NOT NULL")
SUMMARY = (
    "SELECT count(*), sum(blocked), sum(time >= :now / 86400 * 86400) FROM requests",
    top("host", 10, f"{IN_DAY} AND blocked"),
    top("client", 10, IN_DAY),
    VERDICTS,
    "SELECT time, client, method, destination, status, reason FROM requests WHERE blocked ORDER BY time DESC LIMIT 10",
    *WAF,
    over_time(3600).replace(IN_WINDOW, IN_DAY),
    CACHED + IN_DAY,
)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of the API, and the SQL that asks the flat table the same; `{client}` is the busiest client."""

    path: str
    flat: tuple[str, ...]
    by_window: bool = True

    def asked(self, client: str) -> Iterator[tuple[str, str]]:
        """`(path, window)`, once for each window it can be asked for."""
        path = self.path.format(client=client)
        if not self.by_window:
            yield path, "30d" if "month" in path else "7d"
            return
        for name in WINDOWS:
            yield f"{path}?window={name}", name


QUESTIONS = (
    Question("/api/dashboard/summary", SUMMARY, by_window=False),
    Question("/api/traffic/statistics?period=week", (over_time(86_400),), by_window=False),
    Question("/api/traffic/statistics?period=month", (over_time(86_400),), by_window=False),
    Question(
        "/api/clients/statistics",
        (f"SELECT count(DISTINCT client) FROM requests WHERE {IN_WINDOW}", top("client", 50, sums=DETAILED)),
    ),
    Question(
        "/api/clients/{client}/details",
        (
            f"SELECT {DETAILED}, min(time) FROM requests WHERE client = :client AND {IN_WINDOW}",
            top("host", 10, f"client = :client AND {IN_WINDOW}"),
            "SELECT time, method, destination, status, bytes FROM requests WHERE client = :client"
            " ORDER BY time DESC LIMIT 20",
        ),
    ),
    Question("/api/domains/statistics", (top("host", 50, sums=DETAILED),)),
    Question(
        "/api/analytics/shadow-it",
        (top("service", 1000, f"{IN_WINDOW} AND service <> ''", f"{DETAILED}, count(DISTINCT client)"),),
    ),
    Question("/api/analytics/user-agents", tuple(top(name, 50) for name in ("service_type", "user_agent", "method"))),
    Question("/api/analytics/file-extensions", (top("extension", 1000),)),
    Question(
        "/api/analytics/results",
        (
            *(top(name, 50) for name in ("status", "user_agent")),
            f"SELECT time / 3600 % 24, count(*), sum(blocked) FROM requests WHERE {IN_WINDOW} GROUP BY 1",
            f"SELECT time / 86400, count(DISTINCT client) FROM requests WHERE {IN_WINDOW} GROUP BY 1",
        ),
    ),
    Question("/api/analytics/top-domains", (top("domain", 50),)),
    Question(
        "/api/analytics/first-seen",
        tuple(
            f"SELECT {column}, min(time) AS first FROM requests GROUP BY 1 HAVING first >= :since"
            " ORDER BY first DESC, 1 LIMIT 50"
            for column in ("domain", "service")
        ),
        by_window=False,
    ),
    Question("/api/cache/statistics", (CACHED + IN_WINDOW,)),
    Question("/api/waf/stats", WAF),
    Question("/api/waf/categories", (VERDICTS,)),
)


def flat_table(database: Path, side_file: Path) -> sqlite3.Connection:
    """The whole log as one table, made in `side_file`, with its indexes."""
    conn = sqlite3.connect(side_file, isolation_level=None)
    conn.create_function("extension_of", 1, extension_of, deterministic=True)
    conn.execute("ATTACH ? AS log", (f"{database}",))
    conn.execute(FLAT)
    conn.execute("DETACH log")
    for column in INDEXED:
        conn.execute(f"CREATE INDEX requests_{column} ON requests ({column})")
    conn.execute("ANALYZE")
    return conn


def median_ms(ask: Callable[[], object], repeat: int) -> float:
    """The median of some runs, after one that isn't counted."""
    ask()
    times = []
    for _ in range(repeat):
        begun = time.perf_counter()
        ask()
        times.append(1000 * (time.perf_counter() - begun))
    return statistics.median(times)


def fetched(conn: sqlite3.Connection, sql: str, arguments: dict[str, object]) -> list[object]:
    """All rows of a SELECT."""
    return conn.execute(sql, arguments).fetchall()


def rows(
    instance: Path, server: Server, flat: sqlite3.Connection, now: float, repeat: int, seconds: int
) -> Iterator[tuple[str, ...]]:
    """The table's rows, each announced on stderr before it is measured."""
    app = create_app(load_config({**instance_environment(instance), "PROXYWEB_ACCESS_LOG": ""}), clock=lambda: now)
    ours = signed_in(app, server.authorization.partition(": ")[2])
    database = core_of(app).database
    busiest = flat.execute("SELECT client FROM requests GROUP BY 1 ORDER BY count(*) DESC LIMIT 1").fetchone()
    asked = 0

    def ask(path: str) -> None:
        nonlocal asked
        asked += 1  # an address of its own, which the worker doesn't remember an answer to
        answer = ours.get(f"{path}{'&' if '?' in path else '?'}_={asked}")
        if answer.status_code != 200:
            raise SystemExit(f"{path} answers {answer.status_code}")

    for question in QUESTIONS:
        for path, name in question.asked(busiest[0]):
            print(path, file=sys.stderr)
            bounds = window(database.reader, name, now).row_bounds
            arguments: dict[str, object] = {
                "since": bounds["since_ms"] // 1000, "end": bounds["end_ms"] // 1000, "now": int(now),
                "client": busiest[0],
            }  # fmt: skip
            in_process = median_ms(partial(ask, path), repeat)
            plain = sum(median_ms(partial(fetched, flat, sql, arguments), repeat) for sql in question.flat)
            found = load(server.url + path, connections=CONNECTIONS, seconds=seconds, headers=[server.authorization])
            yield _row(path, in_process, plain, found)
    database.close()


def _row(path: str, in_process: float, plain: float, found: Load) -> tuple[str, ...]:
    return (
        path,
        f"{in_process:.1f}",
        f"{plain:.1f}",
        f"{plain / in_process:.1f}",
        f"{found.rate:,.0f}",
        f"{found.p50:.2f}",
        f"{found.p99:.2f}",
        f"{found.refused:,} responses were errors" if found.refused else "",
    )


def compare(instance: Path, server: Server, now: float | None, repeat: int, seconds: int) -> str:
    """Measure every question and lay out the table; `now` is where windows end, by default the log's last time."""
    database = instance / "proxyweb.sqlite"
    with closing(connect(database, readonly=True)) as conn:
        lines, last = conn.execute("SELECT sum(rows), max(max_ms) FROM log_zones").fetchone()
    if not lines:
        raise SystemExit(f"{database} holds no requests")
    with tempfile.TemporaryDirectory(dir=instance, prefix="flat-") as folder:
        side_file = Path(folder) / "flat.sqlite"
        print("flat table", file=sys.stderr)
        with closing(flat_table(database, side_file)) as flat:
            measured = list(rows(instance, server, flat, last / 1000 if now is None else now, repeat, seconds))
        sizes = f"{database.stat().st_size / 1e6:,.0f} MB, flat table {side_file.stat().st_size / 1e6:,.0f} MB"
    return f"{table(HEAD, measured)}\n{lines:,} requests, {sizes}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.analytics", description=__doc__.splitlines()[0])
    parser.add_argument("--instance", type=Path, required=True, help="instance folder to ask about")
    parser.add_argument("--credentials", help="NAME:PASSWORD; left out, the instance must have no user yet")
    parser.add_argument("--now", type=float, help="Unix seconds at which windows end (the log's last request)")
    parser.add_argument("--repeat", type=int, default=9, help="runs in process, of which the median counts")
    parser.add_argument("--seconds", type=int, default=2, help="length of each run over HTTP")
    given = parser.parse_args(arguments)
    if shutil.which("wrk") is None:
        parser.error("wrk is not installed (Debian's package wrk)")
    with serving(given.instance, credentials=given.credentials) as server:
        print(compare(given.instance, server, given.now, given.repeat, given.seconds))


if __name__ == "__main__":
    main()
