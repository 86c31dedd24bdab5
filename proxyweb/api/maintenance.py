"""The database as a thing to look after: a backup to take along, its size, and putting it in order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, BinaryIO

from apiflask import APIBlueprint
from flask import Response, request

from proxyweb import audit
from proxyweb.api import context
from proxyweb.api.answers import Answer, Done, Shape
from proxyweb.api.binding import answers
from proxyweb.api.envelope import done, success
from proxyweb.api.gate import admin_only
from proxyweb.api.log_export import as_file
from proxyweb.api.logs import own_connection
from proxyweb.api.times import written
from proxyweb.backup import sound_copy
from proxyweb.db.connection import snapshot
from proxyweb.errors import DatabaseError, Forbidden
from proxyweb.locks import held
from proxyweb.optimization import optimize
from proxyweb.queries.database import database_stats
from proxyweb.unfinished import unfinished

blueprint = APIBlueprint("maintenance", __name__, tag="Maintenance")

MEDIA = "application/vnd.sqlite3"
PIECE = 64 * 1024
FILE: dict[int | str, dict[str, Any]] = {200: {"description": "An SQLite database", "content": {MEDIA: {}}}}


class DatabaseStats(Shape):
    """The database in figures. `free_bytes` are a part of `size_bytes`; `oldest` and `newest` are the log's, in UTC."""

    size_bytes: int
    rows: int
    oldest: str | None
    newest: str | None
    free_bytes: int


class Optimized(Done):
    """How many bytes the disk has back."""

    freed_bytes: int


@blueprint.get("/api/maintenance/backup")
@admin_only
@blueprint.doc(responses=FILE)
def download_backup() -> Response:
    """A sound copy of the whole database, for `proxyweb restore`; the secret key is not in it.

    One is fetched at a time. With `gdpr_mode` on it is refused, since it holds addresses and names whole.
    """
    if context.gdpr():
        raise Forbidden("With gdpr_mode on no whole address leaves the server; run 'proxyweb backup' on it instead.")
    headers = {**as_file("sqlite"), "Cache-Control": "no-store"}
    if request.method == "HEAD":
        return Response(content_type=MEDIA, headers=headers)
    with ExitStack() as stack:
        copy, size = _copy(stack)
        _note("backup downloaded", f"{size} bytes")
        response = Response(_pieces(copy), content_type=MEDIA, headers={**headers, "Content-Length": str(size)})
        response.call_on_close(stack.pop_all().close)
    return response


@blueprint.get("/api/database/stats")
@answers(Answer[DatabaseStats])
def stats() -> Response:
    """How large the database is, and what it holds."""
    with context.reading() as conn, snapshot(conn):
        figures: dict[str, Any] = database_stats(conn)
    for name in ("oldest", "newest"):
        if figures[name] is not None:
            figures[name] = written(figures[name] // 1000)
    return success(figures)


@blueprint.post("/api/database/optimize")
@answers(Optimized)
def optimize_database() -> Response:
    """Give free room back to the disk, and have the write-ahead log and the statistics put in order."""
    with own_connection() as conn:
        freed = optimize(conn, context.core().config.database)
    _note("database optimized", f"{freed} bytes freed")
    return done("The database is optimized.", freed_bytes=freed)


def _copy(stack: ExitStack) -> tuple[BinaryIO, int]:
    """A copy of the database without a name, and its size. It and the lock are `stack`'s: so there is never more than
    one copy on the disk, however slowly it is fetched."""
    config = context.core().config
    try:
        stack.enter_context(held(config.backup_lock, "Another backup is being fetched; try again when it is done."))
        with unfinished(config.instance) as folder:
            size = sound_copy(config.database, folder / config.database.name)
            copy = stack.enter_context((folder / config.database.name).open("rb"))
    except OSError as error:
        raise DatabaseError(f"The backup can't be made: {error.strerror}.") from error
    return copy, size


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    while piece := file.read(PIECE):
        yield piece


def _note(action: str, details: str) -> None:
    with context.writing() as session:
        audit.record(
            session, context.now(), context.identity().username, action, details=details,
            address=context.client_address(),
        )  # fmt: skip
