"""What Prometheus scrapes. No address, name or URL of anybody's is in it: labels are routes, reasons and categories."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator

from apiflask import APIBlueprint
from flask import Response, current_app

from proxyweb import __version__
from proxyweb.api import context
from proxyweb.api.observation import counts_of
from proxyweb.api.prometheus import CONTENT_TYPE, Metric, counter, gauge, histogram_samples, text
from proxyweb.api.status import trouble
from proxyweb.api.waf import known_categories
from proxyweb.db import damage
from proxyweb.db.connection import snapshot, translated
from proxyweb.errors import Damaged, ProxywebError
from proxyweb.ingest.status import FollowerStatus, read_status
from proxyweb.queries.metrics import LogFigures, log_figures
from proxyweb.queries.waf import CategoryCount
from proxyweb.request_counts import BOUNDS

blueprint = APIBlueprint("metrics", __name__, enable_openapi=False)

STATES = ("following", "waiting", "error")
UNKNOWN_CATEGORY = "other"


@blueprint.get("/metrics")
def metrics() -> Response:
    """All metrics. Those of a database that can't be read are left out, and the others given nevertheless."""
    found = [*_program(), *_requests(), *_follower(), *_log(_figures())]
    return Response(text(found), content_type=CONTENT_TYPE, headers={"Cache-Control": "no-store"})


def _program() -> Iterator[Metric]:
    database = context.core().config.database
    yield gauge("proxyweb_build_info", "The program's version.", 1, version=__version__)
    yield gauge("proxyweb_healthy", "Whether /api/health says that all is well.", trouble() is None)
    yield gauge("proxyweb_database_damaged", "Whether the database was found to be damaged.", _is_damaged())
    yield gauge("proxyweb_disk_free_bytes", "What the disk with the database has left.", _free(str(database.parent)))
    wal = database.with_name(f"{database.name}-wal")
    yield gauge("proxyweb_database_wal_bytes", "Size of the write-ahead log beside the database.",
                wal.stat().st_size if wal.exists() else 0)  # fmt: skip


def _is_damaged() -> bool:
    database = context.core().config.database
    return database.exists() and damage.is_marked(database)


def _free(folder: str) -> int | None:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def _requests() -> Iterator[Metric]:
    counts = counts_of(current_app)
    found = [
        ({"route": series.route, "method": series.method, "status": series.status}, series)
        for series in counts.series()
    ]
    yield Metric(
        "proxyweb_http_requests_total", "counter",
        "Requests answered since 'proxyweb serve' began, by route, method and class of status.",
        [("", labels, sum(series.buckets)) for labels, series in found],
    )  # fmt: skip
    yield Metric(
        "proxyweb_http_request_duration_seconds", "histogram",
        "From a request's arrival in the application until all of its answer was handed over.",
        [sample for labels, series in found
         for sample in histogram_samples(labels, BOUNDS, series.buckets, series.seconds)],
    )  # fmt: skip


def _follower() -> Iterator[Metric]:
    """Nothing where no log is followed; all but whether it is up as it last said, while it says nothing."""
    config, now = context.core().config, context.now()
    if not config.access_logs:
        return
    status = read_status(config.follower_status)
    up = status is not None and status.alive(now)
    yield gauge("proxyweb_follower_up", "Whether the log's follower was there within the last 15 s.", up)
    if status is None:
        return
    yield Metric("proxyweb_follower_state", "gauge",
                 "1 for what the follower does: it follows, waits for a file to appear, or meets an error.",
                 [("", {"state": state}, _is_in(status, state, up)) for state in STATES])  # fmt: skip
    yield gauge("proxyweb_database_full", "Whether the follower can't store for want of room on the disk.",
                up and status.full)  # fmt: skip
    yield gauge("proxyweb_follower_heartbeat_timestamp_seconds", "When the follower last said how it is.", status.time)
    yield gauge("proxyweb_ingest_lag_bytes", "What stands in the log and is not stored yet.", status.lag_bytes)
    yield gauge("proxyweb_ingest_lag_seconds", "For how long the oldest of that has been there.", status.lag_seconds)
    yield gauge("proxyweb_ingest_lines_per_second", "Lines stored a second, over the last few seconds.",
                status.lines_per_second if up else 0)  # fmt: skip


def _is_in(status: FollowerStatus, state: str, up: bool) -> bool:
    return up and status.state == state


def _figures() -> LogFigures | None:
    """None when the database can't be asked."""
    try:
        with context.reading() as conn, snapshot(conn):
            return log_figures(conn, context.now())
    except (sqlite3.Error, ProxywebError) as error:
        if isinstance(translated(error) if isinstance(error, sqlite3.Error) else error, Damaged):
            damage.suspect(context.core().config.database)
        return None


def _log(figures: LogFigures | None) -> Iterator[Metric]:
    yield gauge("proxyweb_database_up", "Whether the database can be asked.", figures is not None)
    if figures is None:
        return
    yield gauge("proxyweb_database_schema_info", "The version of the database's schema.", 1, version=figures.schema)
    yield gauge("proxyweb_database_size_bytes", "Size of the database.", figures.size_bytes)
    yield gauge("proxyweb_database_free_bytes", "What of the database's size is not in use.", figures.free_bytes)
    yield counter("proxyweb_log_entries_stored_total", "Requests ever stored.", figures.stored)
    yield gauge("proxyweb_log_entries", "Requests that are kept.", figures.rows)
    yield gauge("proxyweb_log_oldest_timestamp_seconds", "When the oldest request that is kept was.", figures.oldest)
    yield gauge("proxyweb_log_newest_timestamp_seconds", "When the newest request that is kept was.", figures.newest)
    yield gauge("proxyweb_log_stored_timestamp_seconds", "When requests were last stored.", figures.last_import)
    yield Metric("proxyweb_log_lines_rejected_total", "counter", "Lines that mean no request, by the reason.",
                 [("", {"reason": reason}, lines) for reason, lines in sorted(figures.rejected.items())])  # fmt: skip
    yield Metric("proxyweb_proxy_requests_total", "counter",
                 "Squid's requests since midnight (UTC), when it begins anew, by what became of them.",
                 [("", {"outcome": outcome}, number) for outcome, number in figures.outcomes.items()])  # fmt: skip
    yield Metric("proxyweb_waf_verdicts_total", "counter",
                 "Requests in whose WAF verdict a category stands, since midnight (UTC), when it begins anew.",
                 [("", {"category": name, "outcome": outcome}, number)
                  for name, numbers in _by_category(figures.waf).items()
                  for outcome, number in numbers.items()])  # fmt: skip
    yield counter("proxyweb_audit_entries_total", "Entries of the audit log.", figures.audit_entries)


def _by_category(found: list[CategoryCount]) -> dict[str, dict[str, int]]:
    """What has rules by its name, zeros too, and together what only the log knows, where anything may stand."""
    counts = {category.name: {"passed": 0, "blocked": 0} for category in known_categories()}
    counts[UNKNOWN_CATEGORY] = {"passed": 0, "blocked": 0}
    for category in found:
        numbers = counts[category.name if category.name in counts else UNKNOWN_CATEGORY]
        numbers["passed"] += category.matches - category.blocked
        numbers["blocked"] += category.blocked
    return counts
