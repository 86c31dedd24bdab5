"""The log: pages, export, statistics, timeline, and clearing it."""

from __future__ import annotations

import sqlite3
from contextlib import AbstractContextManager, closing, nullcontext
from typing import Annotated, Any

from apiflask import APIBlueprint
from flask import Response

from proxyweb import audit
from proxyweb.api import context
from proxyweb.api.answers import Answer, Done, Page, Shape
from proxyweb.api.binding import answers, query
from proxyweb.api.conditional import conditional
from proxyweb.api.envelope import done, success
from proxyweb.api.log_entries import SORTS, LogEntry, LogQuery, masks, read_cursor, shown, write_cursor
from proxyweb.api.parameters import Query, Whole
from proxyweb.api.times import written
from proxyweb.db.connection import SMALL_CACHE_KIB, connect, snapshot
from proxyweb.errors import Invalid
from proxyweb.queries import log_counts
from proxyweb.queries.log_pages import PageRequest, page
from proxyweb.queries.log_rows import rows_by_id
from proxyweb.queries.selection import select
from proxyweb.retention import clear_all, clear_old
from proxyweb.size_cap import keep_to_size

blueprint = APIBlueprint("logs", __name__, tag="Logs")


class LogPage(Page[LogEntry]):
    """A page of the log. `next` is for `cursor`, null on the last page."""

    next: str | None


class BlockedBy(Shape):
    """Blocked requests by who said no."""

    policy: int
    waf: int
    origin: int
    terminated: int


class Stats(Shape):
    """The log in figures. Times in UTC; `last_import` is when rows were last stored."""

    total_count: int
    blocked_count: int
    ip_blocks_count: int
    last_import: str | None
    blocked_by: BlockedBy
    auth_challenges: int
    first_timestamp: str | None
    last_timestamp: str | None
    rejected_lines: int


class TimelineQuery(Query):
    """How far back."""

    hours: Annotated[int, Whole(1, 720)] = 24


class Bucket(Shape):
    """One hour; `time` is its beginning in UTC, `bytes` were sent to clients."""

    time: str
    total: int
    blocked: int
    bytes: int


class Cleared(Done):
    """How many entries were deleted."""

    deleted: int


@blueprint.get("/api/logs")
@conditional("logs")
@query(LogQuery)
@answers(LogPage)
def list_logs(parameters: LogQuery) -> Response:
    """Log entries, newest first unless asked otherwise.

    `next` leads to the next page at the same cost however deep it is; `after_id` gives only what came since.
    """
    if parameters.cursor is not None and parameters.offset:
        raise Invalid([("offset", "can't be given together with cursor")])
    sort = SORTS[parameters.sort]
    mask_client, mask_user = masks()
    with _paid(parameters.search), context.reading() as conn, snapshot(conn):
        selection = select(conn, parameters.filters(parameters.after_id), mask_client, mask_user)
        total = log_counts.total(conn, selection)
        given = parameters.cursor
        cursor = read_cursor(conn, given, sort, parameters.order) if given is not None else None
        request = PageRequest(
            selection,
            total,
            sort,
            parameters.order == "desc",
            parameters.limit + 1,
            parameters.offset,
            cursor,
            mask_client,
        )
        found = page(conn, request)
        following = len(found) > parameters.limit
        del found[parameters.limit :]
        rows = rows_by_id(conn, [row_id for _, row_id in found])
    return success(
        shown(rows, mask_client, mask_user),
        total=total,
        limit=parameters.limit,
        offset=parameters.offset,
        next=write_cursor(sort, parameters.order, found[-1], context.gdpr()) if following else None,
    )


def _paid(search: str | None) -> AbstractContextManager[None]:
    """A search reads every row, and has its limit. Raises TooMany."""
    return context.core().searches.spending(context.identity().username) if search else nullcontext()


@blueprint.get("/api/logs/stats")
@conditional("logs")
@answers(Answer[Stats])
def log_stats() -> Response:
    """The whole log in figures."""
    with context.reading() as conn, snapshot(conn):
        figures: dict[str, Any] = log_counts.stats(conn)
    for name, unit in (("last_import", 1), ("first_timestamp", 1000), ("last_timestamp", 1000)):
        if figures[name] is not None:
            figures[name] = written(figures[name] // unit)
    return success(figures)


@blueprint.get("/api/logs/timeline")
@conditional("logs", grain=3600)
@query(TimelineQuery)
@answers(Answer[list[Bucket]])
def log_timeline(parameters: TimelineQuery) -> Response:
    """Requests by the hour, oldest first; the last hour is the current one."""
    with context.reading() as conn:
        buckets = log_counts.timeline(conn, int(context.now()) // 3600, parameters.hours)
    return success(
        [
            {"time": written(hour * 3600), "total": total, "blocked": blocked, "bytes": size}
            for hour, total, blocked, size in buckets
        ]
    )


@blueprint.post("/api/logs/clear")
@answers(Cleared)
def clear_logs() -> Response:
    """Delete every entry. Lines that were read already are not read again."""
    with own_connection() as conn:
        deleted = clear_all(conn)
    _note("logs cleared", deleted)
    return done("All logs cleared", deleted=deleted)


@blueprint.post("/api/logs/clear-old")
@answers(Cleared)
def clear_old_logs() -> Response:
    """Delete the entries that are older than `log_retention_days`, and the oldest beyond `max_database_mb`."""
    days = int(context.settings()["log_retention_days"])
    with own_connection() as conn:
        deleted = clear_old(conn, days, context.now())
        _note("old logs cleared", deleted)
        deleted += keep_to_size(conn, context.now())
    return done("Cleared old logs", deleted=deleted)


def own_connection() -> closing[sqlite3.Connection]:
    """A connection of its own: clearing takes many short transactions, for longer than a request's time limit."""
    return closing(connect(context.core().config.database, cache_kib=SMALL_CACHE_KIB))


def _note(action: str, deleted: int) -> None:
    with context.writing() as session:
        audit.record(
            session, context.now(), context.identity().username, action, details=f"{deleted} entries",
            address=context.client_address(),
        )  # fmt: skip
