"""The log as a file: everything that the filters leave, streamed page by page in constant memory."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
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
from proxyweb.queries.log_counts import total
from proxyweb.queries.log_pages import Cursor, PageRequest, page
from proxyweb.queries.log_rows import rows_by_id
from proxyweb.queries.selection import select

PAGE_ROWS = 2000
PERSONAL = {"client", "user", "search"}
RUN_AS_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")

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
    first = next(pages)  # so that what is wrong is answered as an error, not in the middle of a file
    write = _csv if parameters.format == "csv" else _ndjson
    if request.method == "GET":  # HEAD hands nothing out
        _note(parameters)
    return Response(
        stream_with_context(write(_chained(first, pages))),
        content_type=MEDIA[parameters.format],
        headers=as_file(parameters.format),
    )


def as_file(ending: str) -> dict[str, str]:
    """The header that has a browser keep what is answered as a file, named after the time."""
    stamp = written(context.now()).replace(" ", "-").replace(":", "")
    return {"Content-Disposition": f'attachment; filename="proxyweb-{stamp}.{ending}"'}


def _note(parameters: ExportQuery) -> None:
    """Put into the audit log who took what along. Filters that may name a person go in without their values: the audit
    log is shown when addresses and names are masked, too."""
    given = parameters.model_dump(mode="json", exclude_none=True, exclude={"format"})
    filters = ", ".join(name if name in PERSONAL else f"{name} {value}" for name, value in given.items())
    with context.writing() as session:
        audit.record(
            session, context.now(), context.identity().username, "logs exported", target=parameters.format,
            details=filters and f"by {filters}", address=context.client_address(),
        )  # fmt: skip


def _chained(first: list[dict[str, Any]], rest: Iterator[list[dict[str, Any]]]) -> Iterator[list[dict[str, Any]]]:
    yield first
    yield from rest


def _pages(parameters: ExportQuery) -> Iterator[list[dict[str, Any]]]:
    """Entries, two thousand at a time. The time limit holds for each page; newer entries are not among them."""
    mask_client, mask_user = masks()
    filters = parameters.filters()
    count: int | None = None
    cursor: Cursor | None = None
    while True:
        with context.reading() as conn, snapshot(conn):
            selection = select(conn, filters, mask_client, mask_user)
            count = total(conn, selection) if count is None else count
            found = page(conn, PageRequest(selection, count, limit=PAGE_ROWS, cursor=cursor))
            rows = rows_by_id(conn, [row_id for _, row_id in found])
        yield shown(rows, mask_client, mask_user)
        if len(found) < PAGE_ROWS:
            return
        cursor = found[-1]


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
    """A cell that no spreadsheet runs as a formula."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and value.startswith(RUN_AS_FORMULA):
        return f"'{value}"
    return value
