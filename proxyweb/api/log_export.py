"""The log as a file: everything that the filters leave, streamed page by page in constant memory."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from contextlib import ExitStack
from time import perf_counter
from typing import Any, Literal

import orjson
from apiflask import APIBlueprint
from flask import Response, request, stream_with_context

from proxyweb import audit
from proxyweb.api import context
from proxyweb.api.binding import query
from proxyweb.api.log_entries import LogEntry, LogFilters, masks, shown
from proxyweb.api.times import written
from proxyweb.db.connection import snapshot
from proxyweb.db.session import driver
from proxyweb.errors import TooMany
from proxyweb.escaping import one_line
from proxyweb.queries.audit import times_of
from proxyweb.queries.log_counts import total
from proxyweb.queries.log_pages import Cursor, PageRequest, page
from proxyweb.queries.log_rows import rows_by_id
from proxyweb.queries.selection import select

PAGE_ROWS = 500
MINUTE = 60
EXPORTED = "logs exported"
PERSONAL = {"client", "user", "search"}
FORMULA = r"[=+\-@＝＋－＠\t\r\n]"
BEGINS_FORMULA = re.compile(rf"\A(?=[\s\"']*{FORMULA})|(?<=[;\t\r\n])[\"']*(?={FORMULA})")
"""Also behind what some spreadsheets take for the end of a cell: a semicolon, where commas are decimal points."""

blueprint = APIBlueprint("log_export", __name__, tag="Logs")
MEDIA = {"csv": "text/csv; charset=utf-8", "ndjson": "application/x-ndjson"}
FILE: dict[int | str, dict[str, str | dict[str, dict[str, Any]]]] = {
    200: {"description": "The file", "content": {media.partition(";")[0]: {} for media in MEDIA.values()}}
}


class ExportQuery(LogFilters):
    """Which entries, and as what."""

    format: Literal["csv", "ndjson"] = "csv"


@blueprint.get("/api/logs/export")
@query(ExportQuery)
@blueprint.doc(responses=FILE)
def export_logs(parameters: ExportQuery) -> Response:
    """Every entry that the filters leave, newest first, as a file."""
    pages = _pages(parameters)
    write = _csv if parameters.format == "csv" else _ndjson
    with ExitStack() as stack:
        stack.enter_context(context.core().under_way.export())
        first = next(pages)  # so that what is wrong is answered as an error, not in the middle of a file
        if request.method == "GET":  # HEAD hands nothing out
            _admit(parameters)
        response = Response(
            stream_with_context(write(_chained(first, pages))),
            content_type=MEDIA[parameters.format],
            headers=as_file(parameters.format),
        )
        response.call_on_close(stack.pop_all().close)
    return response


def as_file(ending: str) -> dict[str, str]:
    """The header that has a browser keep what is answered as a file, named after the time."""
    stamp = written(context.now()).replace(" ", "-").replace(":", "")
    return {"Content-Disposition": f'attachment; filename="proxyweb-{stamp}.{ending}"'}


def _admit(parameters: ExportQuery) -> None:
    """Put into the audit log who takes what along, which also tells how often they did. Filters that may name a person
    go in without their values: the audit log is shown when addresses and names are masked, too.

    Raises TooMany for a user who began as many exports in the last minute as one may.
    """
    given = parameters.model_dump(mode="json", exclude_none=True, exclude={"format"})
    filters = ", ".join(name if name in PERSONAL else f"{name} {value}" for name, value in given.items())
    now, username, most = context.now(), context.identity().username, context.core().config.exports_per_minute
    with context.writing() as session:
        begun = times_of(driver(session), one_line(username), EXPORTED, int(now) - MINUTE)
        if len(begun) >= most:
            raise TooMany("Too many exports in a minute", begun[most - 1] + MINUTE - int(now))
        audit.record(
            session, now, username, EXPORTED, target=parameters.format,
            details=filters and f"by {filters}", address=context.client_address(),
        )  # fmt: skip


def _chained(first: list[dict[str, Any]], rest: Iterator[list[dict[str, Any]]]) -> Iterator[list[dict[str, Any]]]:
    yield first
    yield from rest


def _pages(parameters: ExportQuery) -> Iterator[list[dict[str, Any]]]:
    """Entries, some hundred at a time. The time limit holds for each page; newer entries are not among them."""
    mask_client, mask_user = masks()
    filters = parameters.filters()
    count: int | None = None
    cursor: Cursor | None = None
    while True:
        begun = perf_counter()
        with context.reading() as conn, snapshot(conn):
            selection = select(conn, filters, mask_client, mask_user)
            count = total(conn, selection) if count is None else count
            found = page(conn, PageRequest(selection, count, limit=PAGE_ROWS, cursor=cursor))
            rows = rows_by_id(conn, [row_id for _, row_id in found])
        yield shown(rows, mask_client, mask_user)
        if len(found) < PAGE_ROWS:
            return
        cursor = found[-1]
        context.core().under_way.give_way(begun)


def _ndjson(pages: Iterator[list[dict[str, Any]]]) -> Iterator[bytes]:
    for entries in pages:
        yield b"".join(orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE) for entry in entries)


def _csv(pages: Iterator[list[dict[str, Any]]]) -> Iterator[bytes]:
    columns = list(LogEntry.model_fields)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    for entries in pages:
        for entry in entries:
            waf = entry["waf"]
            entry["waf"] = f"{waf['score']} {' '.join(waf['categories'])}" if waf else None
            writer.writerow([_harmless(entry[column]) for column in columns])
        yield text.getvalue().encode()
        text.seek(0)
        text.truncate()


def _harmless(value: Any) -> Any:
    """A cell that no spreadsheet runs as a formula: an apostrophe makes a text of it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return BEGINS_FORMULA.sub(r"'\g<0>", value) if isinstance(value, str) else value
